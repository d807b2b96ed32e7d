"""One pytest run: the tests that measure, their trials, and how results are kept, shown and judged."""
