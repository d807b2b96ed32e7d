"""One pytest run: which tests measure, what is measured now, what is kept, shown and judged."""
