"""The history of a baseline as a page: tables of change points, cases and runs, and a chart for each case."""

from __future__ import annotations

import math
from itertools import pairwise

from pytest_throughput.gate.history import CaseHistory, History, Machine
from pytest_throughput.gate.wording import bounded
from pytest_throughput.report.charts.chart import Axis, Limit, LineChart, Point, Section, Series
from pytest_throughput.report.charts.styles import styles_of
from pytest_throughput.report.history_rows import case_name, heading_of, in_words, notes_of, summary, tables_of, unit_of
from pytest_throughput.report.html.page import Page
from pytest_throughput.text import count

__all__ = ["page_of"]

_MOST_CHARTS = 60
"""The most charts of a machine, of some 12 kB each."""


def page_of(history: History, where: str) -> Page:
    """Return the page. ``where``: the folder or the URL of the baseline."""
    return Page(
        title="Throughput history",
        subtitle=(where, summary(history)),
        sections=tuple(section for number, one in enumerate(history.machines, 1) for section in _sections(one, number)),
        notes=tuple(f"left out: {path}: {why}" for path, why in history.damaged),
    )


def _sections(machine: Machine, number: int) -> tuple[Section, Section]:
    """Return the tables and the charts of a machine; cases with unwanted changes have the first charts."""
    cases = sorted(machine.cases, key=lambda case: (not case.unmarked, not case.changes))
    styles = styles_of(map(_framework, cases))
    left = len(cases) - _MOST_CHARTS
    charts = Section(
        f"charts-{number}",
        f"Each case: {heading_of(machine)}",
        charts=tuple(_chart(case, styles[_framework(case)]) for case in cases[:_MOST_CHARTS]),
        notes=(
            "Vertical lines are change points, each at the first run after it.",
            "Dashed lines are the levels between change points.",
            *([f"{count(left, 'case')} without a chart; --case chooses cases."] if left > 0 else []),
        ),
    )
    return Section(
        f"tables-{number}", heading_of(machine), tables=tuple(tables_of(machine)), notes=tuple(notes_of(machine))
    ), charts


def _framework(case: CaseHistory) -> str:
    return str(case.axes.get("framework"))


def _chart(case: CaseHistory, style: int) -> LineChart:
    points = tuple(Point(one.run.number, *one.compared) for one in case.runs)
    return LineChart(
        panel=case_name(case),
        title=_title(case),
        x=Axis("accepted run"),
        y=Axis(unit_of(case)),
        series=(Series("each run", style, points), Series("level", style, _levels(case), variant=1)),
        limits=tuple(Limit(change.first.run.number, in_words(case, change), style) for change in case.changes),
    )


def _title(case: CaseHistory) -> str:
    """Return the latest unwanted change in words, or that there is none."""
    if case.unmarked:
        change = case.unmarked[-1]
        run = change.first.run
        return f"{in_words(case, change)} since run {run.number} ({run.started_at[:10]})"
    if not case.is_tested:
        return f"{count(len(case.runs), 'run')}, too few to show a change"
    return f"No change in {count(len(case.runs), 'run')}{' but a wanted one' if case.changes else ''}"


def _levels(case: CaseHistory) -> tuple[Point, ...]:
    """Return the first and the last point of each level, which is the geometric mean of its runs."""
    starts = [0, *(case.runs.index(change.first) for change in case.changes), len(case.runs)]
    points = []
    for start, end in pairwise(starts):
        logs = [math.log(one.compared.value) for one in case.runs[start:end]]
        level = math.exp(bounded(math.fsum(logs) / len(logs)))
        points += [Point(case.runs[start].run.number, level), Point(case.runs[end - 1].run.number, level)]
    return tuple(points)
