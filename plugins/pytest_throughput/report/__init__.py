"""The output for people: tables, verdicts and progress."""
