"""The HTML page of a report, in one file that needs no other."""
