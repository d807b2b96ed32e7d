"""A plugin for runs in tests that makes the protocol ``quick`` and pairs shorter, at the cost of steady figures."""

from __future__ import annotations

from dataclasses import replace

from pytest_throughput.launch import pairs
from pytest_throughput.measurement.plan import PLANS

__all__ = ["SHORT"]

SHORT = {"quick": replace(PLANS["quick"], min_warm_up_seconds=0.0, min_seconds=0.0, max_rounds=6)}


def pytest_addoption() -> None:
    PLANS.update(SHORT)
    pairs.SLICE_SECONDS, pairs.LEAST_BLOCKS = 0.0, 1
