"""The short table of frameworks at their best, which follows the table of a run."""

from __future__ import annotations

from dataclasses import replace

from rich.text import Text

from pytest_throughput.report.best import compared_bests, notes_on_bests
from pytest_throughput.report.columns import Column, lay_out
from pytest_throughput.report.figures import figures_of
from pytest_throughput.report.rows import rows_by_key
from pytest_throughput.results.model import RunResult

__all__ = ["render_bests"]

_TITLE = "each at its best: the fastest configuration of each framework, at equal precision"
_FIGURES = ("images_per_second", "ratio", "spread", "first_step", "compile")
_OPTIONAL_RANK = 3
"""The least rank of columns that may be left out beside the case's name."""


def render_bests(result: RunResult, *, width: int | None, colour: bool) -> list[str]:
    """Return the lines of the short table; none where no framework that is compared had a choice."""
    found = compared_bests(result.cases)
    if not found:
        return []
    names = rows_by_key(result.cases)
    ratios = {best.case.key: best.ratio for best in found if best.ratio is not None}
    cases = [best.case for best in found]
    figures = figures_of(cases, ratios)
    columns = [replace(figures[word].column(cases), legend="") for word in _FIGURES]
    lines = lay_out(
        [names[best.case.key] for best in found],
        [
            *(column for column in columns if column.is_filled),
            Column("fastest\nof", [Text(str(best.configurations)) for best in found], rank=8),
        ],
        headings=("work", "measured in"),
        width=width,
        colour=colour,
        optional_rank=_OPTIONAL_RANK,
    )
    return ["", _TITLE, "", *lines, *notes_on_bests(found, result.cases)]
