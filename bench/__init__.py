"""The suite: tests that measure deep-learning frameworks. An installed one is called ``pytest_throughput_bench``."""
