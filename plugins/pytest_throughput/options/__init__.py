"""The declarations of all options, once for pytest and the command line."""
