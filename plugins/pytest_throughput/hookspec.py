"""The hooks that a suite can implement."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.hookspec
def pytest_throughput_packages(config: pytest.Config) -> list[Path]:  # type: ignore[empty-body]
    """Folders of the packages that workers need, whatever interpreter they run in.

    Copies of them, and of ``pytest_throughput``, are all that a worker finds beside its own
    interpreter's packages and the ``--throughput-pythonpath``.
    """


@pytest.hookspec
def pytest_throughput_frameworks() -> list[str]:  # type: ignore[empty-body]
    """Return the frameworks that this plugin brings to a suite, each as ``MODULE:ATTRIBUTE``.

    The object of this name says what is known of the framework without importing it; a worker, which has no pytest,
    finds it by the same name. Its type is the suite's: `dlworkloads.frameworks.base.Framework`.
    """
