"""The section of each framework at its best: its fastest configuration beside those of the others."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_throughput.naming import CONTENDERS
from pytest_throughput.report.best import Best, bests, notes_on_bests
from pytest_throughput.report.charts.chart import Axis, Bar, BarChart, Cell, DataTable, Section
from pytest_throughput.report.charts.number_text import with_interval
from pytest_throughput.report.findings import notes_on_findings, quantity_of, title_at
from pytest_throughput.report.grouping import grouped
from pytest_throughput.report.sections.works import (
    Labels,
    batch_in_words,
    chart_key,
    framework_of,
    limited,
    mean_speed,
)
from pytest_throughput.results.model import RunResult
from pytest_throughput.text import printable, significant

__all__ = ["section"]

_MOST_CHARTS = 12
_HIDDEN = ("batch_size", *CONTENDERS)
"""The axes in which the works of a panel may differ, of which one is shown."""


def section(result: RunResult) -> Section | None:
    """Return the section; None where no work was measured with several frameworks, or in several environments.

    The phases of whole jobs have a section of their own.
    """
    cases = [case for case in result.cases if case.axes.get("mode") != "phases"]
    works = [work for work in bests(cases) if len(work) > 1]
    if not works:
        return None
    panels = grouped(works, lambda work: chart_key(work[0].case, _HIDDEN))
    chosen = [max(panel, key=_frameworks_and_speed) for panel in panels]
    labels = Labels.of(result.cases, _HIDDEN)
    shown, left_out = limited(chosen, lambda work: labels.work(work[0].case), len, _MOST_CHARTS)
    found = [best for work in shown for best in work]
    return Section(
        identifier="best",
        heading="Each framework at its best",
        charts=tuple(_chart(work, labels) for work in shown),
        tables=(_table(found, labels),),
        notes=(
            "The fastest configuration of each framework, at equal precision, at one batch size: of those that most "
            "frameworks were measured at, the one at which they are fastest on average.",
            *notes_on_bests(found, cases),
            *notes_on_findings([best.case for best in found]),
            *left_out,
        ),
    )


def _frameworks_and_speed(work: Sequence[Best]) -> tuple[int, float]:
    return len(work), mean_speed(best.case for best in work)


def _chart(work: Sequence[Best], labels: Labels) -> BarChart:
    fastest = work[0].case
    assert fastest.primary is not None
    rivals = {framework_of(best.case): best.rows for best in work}
    return BarChart(
        panel=labels.work(fastest),
        title=title_at(rivals, fastest.primary, batch_in_words(fastest)),
        value=Axis(quantity_of(fastest.primary)),
        bars=tuple(Bar(labels.configuration(best.case), (labels.bar_part(best.case),)) for best in work),
    )


def _table(found: Sequence[Best], labels: Labels) -> DataTable:
    return DataTable(
        caption="Each framework at its best, compared with the fastest",
        columns=("work", "measured in", "result", "÷ fastest", "configurations"),
        rows=tuple(_row(best, labels) for best in found),
        numbers=frozenset({2, 3, 4}),
    )


def _row(best: Best, labels: Labels) -> tuple[Cell, ...]:
    case = best.case
    mean = case.estimate().mean
    ratio = Cell("-")
    estimate = None if best.ratio is None else best.ratio.estimate
    if estimate is not None and estimate.mean is not None:
        ratio = Cell(with_interval(estimate.mean, estimate.low, estimate.high, digits=3), estimate.mean)
    return (
        Cell(f"{labels.work(case)} {batch_in_words(case)}".strip()),
        Cell(labels.configuration(case)),
        Cell(f"{significant(mean)} {printable(case.unit)}", mean),
        ratio,
        Cell(str(best.configurations), best.configurations),
    )
