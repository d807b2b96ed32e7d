"""Measure deep-learning steps under pytest-benchmark, in fresh processes, in images per second.

What a measured function needs stands here; it runs in a worker and needs the standard library alone.
"""

from __future__ import annotations

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.measurement.step import DeviceClock, OutOfMemory, Step, Unsupported

__all__ = ["DeviceClock", "Metric", "OutOfMemory", "Step", "Unsupported"]
