"""The hooks that a suite can implement, in a conftest.py or in an installed plugin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest


@pytest.hookspec
def pytest_throughput_packages(config: pytest.Config) -> list[Path]:  # type: ignore[empty-body]
    """Return the folders of the packages that every worker must be able to import.

    A worker may run in another interpreter than pytest. It imports copies of these packages and of
    ``pytest_throughput``, the packages of its own interpreter, and the modules in the folders of
    ``--throughput-pythonpath``.
    """


@pytest.hookspec
def pytest_throughput_defaults(config: pytest.Config, options: Mapping[str, Any]) -> Mapping[str, str]:  # type: ignore[empty-body]
    """Return the suite's own defaults of ``--throughput-`` options: ``{"protocol": "quick"}``.

    Names are without the prefix, values are texts as on the command line. An option that can be given several times
    gets one value. An option that the user gives wins. ``options`` has the options that the user gives, on the command
    line or in the ini file, by name and with their converted values. Raise pytest.UsageError if the suite
    cannot work with them. The hook is called once, when pytest is configured.
    """


@pytest.hookspec
def pytest_throughput_settings(config: pytest.Config) -> Mapping[str, Any]:  # type: ignore[empty-body]
    """Return the suite's own settings on which figures depend, and which the case ids do not name, as JSON.

    An interrupted run is resumed only with the same settings: trials of other data would be taken for the same case.
    """


@pytest.hookspec
def pytest_throughput_frameworks() -> list[str]:  # type: ignore[empty-body]
    """Return the frameworks that this plugin brings to a suite, each as ``MODULE:ATTRIBUTE``.

    The object of this name describes the framework without importing it. A worker, which has no pytest, finds it by the
    same name. The suite defines its type: `dlworkloads.base.framework.Framework`.
    """
