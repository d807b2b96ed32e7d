"""Where the time goes: the classes of operators as stacked shares of each profiled case, and the longest operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_throughput.measurement.kernel import KINDS
from pytest_throughput.report.charts.chart import Axis, Bar, BarChart, BarPart, Cell, DataTable, Section
from pytest_throughput.report.kernels import Operator, operators_of, seconds_by_kind
from pytest_throughput.report.sections.case_panels import Panel, panels_of, selected
from pytest_throughput.report.sections.wording import span
from pytest_throughput.results.model import RunResult
from pytest_throughput.text import printable, share, significant

__all__ = ["section"]

_MOST_CASES = 12
_MOST_OPERATORS = 5
_LONGEST_NAME = 80
_COLUMNS = ("case", "operator", "class", "calls/step", "ms/step", "share")

_NOTE = (
    "Shares of the seconds of all operators in the steps that ran under a profiler after the measured rounds. "
    "Operators that run at the same time count in full, and profiling slows some of them."
)

_Profiles = Mapping[tuple[str, str], Sequence[Operator]]


def section(result: RunResult) -> Section | None:
    """Return the section; None if no case was profiled."""
    profiles = {case.key: operators for case in result.cases if _total(operators := operators_of(case))}
    shown, left_out = selected(
        [case for case in result.cases if case.key in profiles],
        lambda case: _total(profiles[case.key]),
        "profiled cases with the longest steps",
        most=_MOST_CASES,
    )
    if not shown:
        return None
    panels = panels_of(shown, result)
    return Section(
        "operators",
        "Where the time goes",
        charts=tuple(_chart(panel, profiles) for panel in panels),
        tables=(_table(panels, profiles),),
        notes=(_NOTE, *left_out),
    )


def _total(operators: Sequence[Operator]) -> float:
    return sum(operator.seconds for operator in operators)


def _chart(panel: Panel, profiles: _Profiles) -> BarChart:
    bars = tuple(Bar(row.label, _parts(profiles[row.case.key])) for row in panel.rows)
    return BarChart(panel.name, _title(bars), Axis("share of the operators' seconds, %"), bars, is_stacked=True)


def _parts(operators: Sequence[Operator]) -> tuple[BarPart, ...]:
    seconds, total = seconds_by_kind(operators), _total(operators)
    return tuple(
        BarPart(kind, style, 100 * seconds[kind] / total) for style, kind in enumerate(KINDS) if kind in seconds
    )


def _title(bars: Sequence[Bar]) -> str:
    """Return which class took the most time, if it is the same in every bar."""
    longest = [max(bar.parts, key=lambda part: part.value) for bar in bars]
    if len({part.name for part in longest}) > 1:
        return "share of each class of operators"
    return f"{longest[0].name} took {span([part.value / 100 for part in longest], share)} of the operators' seconds"


def _table(panels: Sequence[Panel], profiles: _Profiles) -> DataTable:
    rows = tuple(
        _row(f"{row.label} ({panel.name})", operator, _total(profiles[row.case.key]))
        for panel in panels
        for row in panel.rows
        for operator in profiles[row.case.key][:_MOST_OPERATORS]
    )
    caption = f"The {_MOST_OPERATORS} longest operators of each case"
    return DataTable(caption, _COLUMNS, rows, numbers=frozenset({3, 4, 5}))


def _row(name: str, operator: Operator, total: float) -> tuple[Cell, ...]:
    part = operator.seconds / total
    return (
        Cell(name),
        Cell(printable(operator.name, _LONGEST_NAME)),
        Cell(printable(operator.kind, 50)),
        Cell(significant(operator.calls, 3), operator.calls),
        Cell(significant(1000 * operator.seconds), 1000 * operator.seconds),
        Cell(share(part), part),
    )
