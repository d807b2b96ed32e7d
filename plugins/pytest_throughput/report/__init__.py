"""What people read: tables, verdicts and progress."""
