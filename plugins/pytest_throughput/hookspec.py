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
