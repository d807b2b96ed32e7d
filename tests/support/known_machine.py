"""A plugin that gives pytest-benchmark a machine info: reading the processor's takes a second in every run."""

from __future__ import annotations

import platform
from typing import Any

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_generate_machine_info() -> dict[str, Any]:
    return {
        "node": platform.node(),
        "machine": platform.machine(),
        "system": platform.system(),
        "python_implementation": platform.python_implementation(),
        "python_version": platform.python_version(),
        "cpu": {},
    }
