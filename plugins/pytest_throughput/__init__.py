"""Measure deep-learning steps under pytest-benchmark, in fresh processes, in images per second."""
