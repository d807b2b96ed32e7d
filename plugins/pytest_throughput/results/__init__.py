"""The model of results, and the files that hold it."""
