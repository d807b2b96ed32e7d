"""The API for the module of a suite that runs in pytest: types of fixtures, options, GPUs, interpreters.

The functions that a suite measures run in workers and use `pytest_throughput` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pytest

from pytest_throughput.cache_folder import cache_folder
from pytest_throughput.launch.batch_search import refuse_endless_search
from pytest_throughput.launch.interpreters import EVERY, Interpreter, Interpreters
from pytest_throughput.options.option import Option, argparse_type
from pytest_throughput.options.settings import Settings
from pytest_throughput.telemetry.gpus import DEVICES, Gpu, default_device, find_gpu, is_device, is_gpu, list_gpus

__all__ = [
    "DEVICES",
    "EVERY",
    "Gpu",
    "Interpreter",
    "Interpreters",
    "MeasureIsolated",
    "MeasureStep",
    "Option",
    "Settings",
    "argparse_type",
    "cache_folder",
    "default_device",
    "find_gpu",
    "is_device",
    "is_gpu",
    "is_off",
    "list_gpus",
    "refuse_endless_search",
]

_NAMES = ("throughput", "pytest_throughput", "pytest-throughput")
"""The names with which ``-p no:NAME`` may switch the plugin off. pytest registers the plugin by its module's name."""


def is_off(manager: pytest.PytestPluginManager) -> bool:
    """Return whether ``-p no:throughput`` was given."""
    return any(manager.is_blocked(name) for name in _NAMES)


class MeasureStep(Protocol):
    """The type of the fixture ``measure_step``."""

    def __call__(
        self, step: Callable[[], Any], *, items: int = 1, synchronize: Callable[[], object] | None = None
    ) -> None:
        """Measure a step in this process.

        ``items``: how many items, such as images, one step works through. ``synchronize``: a function that returns
        when the device has finished, such as ``torch.cuda.synchronize``; needed wherever ``step`` may return before
        its work is done. Where it is given, many steps make a round, with one wait at its end
        (``--throughput-steps-per-round``).
        """


class MeasureIsolated(Protocol):
    """The type of the fixture ``measure_isolated``."""

    def __call__(
        self,
        target: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        items: int = 1,
        device: str = "cpu",
        interpreter: str = "python",
        largest: str | None = None,
        phase: str | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Measure, in a worker process, what ``target(**arguments)`` returns there: a ``Step`` or a ``Once``.

        ``target``: ``"module:function"``, importable in the worker. ``arguments``: JSON values. ``items``: how many
        items one step works through. ``device``: ``cpu``, ``cuda`` or ``cuda:N``, the only device that the worker
        sees. ``interpreter``: the NAME of ``--throughput-interpreter``. ``largest``: the name of another argument, such
        as ``"batch_size"``: its largest value for which memory suffices is searched first, and is then ``items``, too.

        ``phase``: the name of the phase of a ``Once`` that this test is about. The first test of a job runs all its
        phases, and the tests of the other phases take their results from it.

        ``variables``: environment variables that the worker has before ``target`` is imported, such as ``XLA_FLAGS``;
        cases with different ones never share a worker. With ``--throughput-isolation none`` they are not set.
        """
