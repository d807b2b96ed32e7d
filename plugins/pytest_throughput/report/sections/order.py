"""The sections of a report in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from pytest_throughput.report.charts.chart import Section
from pytest_throughput.report.sections import cases, environment, verdicts, warnings
from pytest_throughput.results.model import RunResult

__all__ = ["sections_of"]

_MEASURED = (
    "best",
    "batch_size",
    "devices",
    "time_per_image",
    "phases",
    "convergence",
    "scaling",
    "noise",
    "telemetry",
    "compile",
    "memory",
    "operators",
)
"""The modules of the sections about figures, each with a function ``section``."""


def sections_of(
    result: RunResult,
    *,
    judgements: Sequence[Mapping[str, Any]] = (),
    runs: Mapping[str, RunResult] | None = None,
) -> list[Section]:
    """Return the sections that have data.

    ``judgements``: verdicts beside those of the result, in the form of ``Judgement.to_json``. ``runs``: the runs that
    the result combines, by name, which have a column each in the tables of environments.
    """
    found = [
        verdicts.section([*judgements, *result.verdicts], result.cases),
        warnings.section(result),
        *(of_figures(result) for of_figures in _sections_of_figures()),
        cases.section(result),
        environment.section({"run": result} if runs is None else runs),
    ]
    return [section for section in found if section is not None]


def _sections_of_figures() -> list[Callable[[RunResult], Section | None]]:
    names = (f"pytest_throughput.report.sections.{name}" for name in _MEASURED)
    return [import_module(name).section for name in names if find_spec(name) is not None]
