"""A run in the formats of other programs: one module for each format, which takes a ``RunResult`` and nothing else."""
