"""Everything that a terminal shows of a run, at its end and by ``pytest-throughput show``."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_throughput.report import table
from pytest_throughput.report.batch_sweep import notes_on_sweeps
from pytest_throughput.report.best_table import render_bests
from pytest_throughput.report.kernels import where_the_time_goes
from pytest_throughput.results.model import RunResult

__all__ = ["overview"]


def overview(
    result: RunResult,
    *,
    width: int | None,
    colour: bool,
    sort: str,
    columns: Sequence[str] | None,
) -> list[str]:
    """Return the lines of heading, table, warnings and further tables; ``table.render`` explains the arguments.

    A plain result of pytest-benchmark has no heading.
    """
    notes = [*table.notes(result), *notes_on_sweeps(result)]
    return [
        *([table.heading(result), ""] if result.is_ours else []),
        *table.render(result, width=width, colour=colour, sort=sort, columns=columns).splitlines(),
        *(["", *notes] if notes else []),
        *render_bests(result, width=width, colour=colour),
        *where_the_time_goes(result, width=width, colour=colour),
    ]
