"""The parts of ``pytest-throughput bisect``: its candidates, its comparisons, what it keeps of them, and its table."""
