"""A plugin for runs that are started by tests: the protocol ``quick`` without the seconds that steady figures need."""

from __future__ import annotations

from dataclasses import replace

from pytest_throughput.measurement.plan import PLANS

__all__ = ["SHORT"]

SHORT = {"quick": replace(PLANS["quick"], min_warm_up_seconds=0.0, min_seconds=0.0)}


def pytest_addoption() -> None:
    PLANS.update(SHORT)
