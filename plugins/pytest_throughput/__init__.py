"""Measure deep-learning steps under pytest-benchmark, in fresh processes, in images per second.

These are the names that a measured function needs. It runs in a worker, so they need the standard library alone.
"""

from __future__ import annotations

from pytest_throughput.measurement.kernel import Kernel
from pytest_throughput.measurement.metric import Metric
from pytest_throughput.measurement.scenario import Once, Part, Phase
from pytest_throughput.measurement.step import DeviceClock, OutOfMemory, Step, Unsupported

__all__ = ["DeviceClock", "Kernel", "Metric", "Once", "OutOfMemory", "Part", "Phase", "Step", "Unsupported"]
