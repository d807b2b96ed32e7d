"""The formats by name. This module is quick to import."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_throughput.gate.verdict import Judgement
    from pytest_throughput.report.exports.exported import Exported
    from pytest_throughput.results.model import RunResult

__all__ = ["BINARY", "FORMATS", "JUDGED", "exported"]

FORMATS = (
    "csv",
    "parquet",
    "markdown",
    "github-action-benchmark",
    "github-action-benchmark-smaller",
    "bencher",
    "openmetrics",
    "junit",
)
BINARY = ("parquet",)
"""The formats that are no text."""
JUDGED = ("markdown", "junit")
"""The formats that show verdicts."""


def exported(name: str, result: RunResult, judgements: Sequence[Judgement]) -> Exported:
    """Return the run in the format of that name. Raise ValueError for a run that the format cannot hold."""
    from pytest_throughput.report.exports import (
        bencher,
        csv_text,
        github_benchmark,
        junit,
        markdown,
        openmetrics,
        parquet,
    )

    with_verdicts: Mapping[str, Callable[[RunResult, Sequence[Judgement]], Exported]] = {
        "markdown": markdown.export,
        "junit": junit.export,
    }
    of_run: Mapping[str, Callable[[RunResult], Exported]] = {
        "csv": csv_text.export,
        "parquet": parquet.export,
        "github-action-benchmark": github_benchmark.bigger_is_better,
        "github-action-benchmark-smaller": github_benchmark.smaller_is_better,
        "bencher": bencher.export,
        "openmetrics": openmetrics.export,
    }
    return with_verdicts[name](result, judgements) if name in with_verdicts else of_run[name](result)
