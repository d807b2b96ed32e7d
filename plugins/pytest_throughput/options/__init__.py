"""Every option, declared once for pytest and the command line."""
