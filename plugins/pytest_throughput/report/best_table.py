"""The short table of frameworks at their best, which follows the table of a run."""

from __future__ import annotations

from rich.text import Text

from pytest_throughput.report.best import compared_bests, notes_on_bests
from pytest_throughput.report.columns import Column, lay_out
from pytest_throughput.report.figures import figure_columns
from pytest_throughput.report.table import rows_of
from pytest_throughput.results.model import RunResult

__all__ = ["render_bests"]

_TITLE = "each at its best: the fastest configuration of each framework, at equal precision"
_FIGURES = ("÷ fastest", "± trials", "± rounds", "compile", "first step")
"""The columns of the table that are shown beside the primary metric."""
_OPTIONAL_RANK = 3
"""The least rank of columns that may be left out beside the case's name."""


def render_bests(result: RunResult, *, width: int | None, colour: bool) -> list[str]:
    """Return the lines of the short table; none where no framework that is compared had a choice."""
    found = compared_bests(result.cases)
    if not found:
        return []
    names = dict(zip((case.key for case in result.cases), rows_of(result.cases), strict=True))
    ratios = {best.case.key: best.ratio for best in found if best.ratio is not None}
    figures = figure_columns([best.case for best in found], ratios)
    lines = lay_out(
        [names[best.case.key] for best in found],
        [
            *(column for column in figures if column.rank == 0 or column.name in _FIGURES),
            Column("fastest\nof", [Text(str(best.configurations)) for best in found], rank=8),
        ],
        headings=("work", "measured in"),
        width=width,
        colour=colour,
        optional_rank=_OPTIONAL_RANK,
    )
    return ["", _TITLE, "", *lines, *notes_on_bests(found, result.cases)]
