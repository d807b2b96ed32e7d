"""The sections of a report in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_throughput.report.charts.chart import Section
from pytest_throughput.report.sections import (
    batch_size,
    best,
    cases,
    compile,  # noqa: A004 - the section of compilation
    convergence,
    devices,
    environment,
    memory,
    noise,
    operators,
    phases,
    scaling,
    telemetry,
    time_per_image,
    verdicts,
    warnings,
)
from pytest_throughput.results.model import RunResult

__all__ = ["sections_of"]

_OF_THE_RUN = (
    warnings,
    best,
    batch_size,
    devices,
    time_per_image,
    phases,
    convergence,
    scaling,
    noise,
    telemetry,
    compile,
    memory,
    operators,
    cases,
)
"""The modules whose sections follow the verdicts, each with a function ``section``."""


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
        *(module.section(result) for module in _OF_THE_RUN),
        environment.section({"run": result} if runs is None else runs),
    ]
    return [section for section in found if section is not None]
