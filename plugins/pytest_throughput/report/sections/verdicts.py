"""The section of verdicts: what is worse first, each with its ratio, interval and sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_throughput.gate.verdict import Verdict
from pytest_throughput.report.charts.chart import Axis, Cell, DataTable, DotChart, DotRow, Section
from pytest_throughput.report.combined import on_its_hardware
from pytest_throughput.report.sections.works import framework_styles, styled_as
from pytest_throughput.results.model import CaseResult
from pytest_throughput.text import count, significant

__all__ = ["section"]

_WORSE = (Verdict.REGRESSED, Verdict.FAILED, Verdict.MISSING)
_ORDER = (
    *_WORSE,
    Verdict.INCONCLUSIVE,
    Verdict.INCOMPARABLE,
    Verdict.IMPROVED,
    Verdict.NEW,
    Verdict.UNCHANGED,
)
_MOST_DRAWN = 30
_RATIO = "head ÷ base"


def section(judgements: Sequence[Mapping[str, Any]], cases: Sequence[CaseResult]) -> Section | None:
    """Return the verdicts of each judgement, which has the form of ``Judgement.to_json``; None without any judgement.

    ``cases``: those of the report, whose frameworks give the charts their colours.
    """
    if not judgements:
        return None
    of_frameworks = framework_styles(cases)
    styles = {on_its_hardware(case)[0]: of_frameworks[styled_as(case)] for case in cases}
    charts = [_chart(judgement, styles) for judgement in judgements]
    return Section(
        identifier="verdicts",
        heading="Verdicts",
        charts=tuple(chart for chart in charts if chart.rows),
        tables=tuple(table for judgement in judgements for table in _tables(judgement)),
        notes=tuple(note for judgement in judgements for note in _notes(judgement)),
    )


def _notes(judgement: Mapping[str, Any]) -> list[str]:
    changes = (
        f"{name}: {change.get('base') or 'none'} → {change.get('head') or 'none'}"
        for name, change in judgement["software_changes"].items()
    )
    software = "; ".join(changes)
    found = _summary(judgement["cases"])
    return [
        f"{judgement['title']}: {found}" if found else judgement["title"],
        *([f"Versions that differ: {software}"] if software else []),
        *judgement["notes"],
    ]


def _summary(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """Return how many cases have each verdict, such as ``1 regressed, 5 unchanged``."""
    counts = Counter(one["verdict"] for one in verdicts)
    return ", ".join(f"{counts[name]} {name}" for name in sorted(counts, key=_place))


def _tables(judgement: Mapping[str, Any]) -> list[DataTable]:
    """Return a table of the cases that are worse, and one of all others; neither if it would be empty."""
    verdicts = sorted(judgement["cases"], key=lambda one: (_place(one["verdict"]), one["ratio"] or 0.0))
    worse = [one for one in verdicts if one["verdict"] in _WORSE]
    others = [one for one in verdicts if one["verdict"] not in _WORSE]
    return [_table(part) for part in (worse, others) if part]


def _table(verdicts: Sequence[Mapping[str, Any]]) -> DataTable:
    names_metrics = len({one["metric"] for one in verdicts}) > 1
    names = ("verdict", "case", *(["metric"] if names_metrics else []))
    columns = (*names, _RATIO, "95 % interval", "why", "base", "head", "trials")
    return DataTable(
        caption=_summary(verdicts),
        columns=columns,
        rows=tuple(tuple(_row(one, names_metrics)) for one in verdicts),
        numbers=frozenset(range(len(names), len(columns))) - {columns.index("why")},
    )


def _row(one: Mapping[str, Any], names_metrics: bool) -> list[Cell]:
    low, high = one["ratio_low"], one["ratio_high"]
    has_interval = low is not None and high is not None
    return [
        Cell(one["verdict"]),
        Cell(one["id"]),
        *([Cell(one["metric"] or "")] if names_metrics else []),
        Cell("-" if one["ratio"] is None else f"{one['ratio']:.3f}", one["ratio"]),
        Cell(f"{low:.3f} to {high:.3f}" if has_interval else "-", low if has_interval else None),
        Cell(one["reason"]),
        *(_value(one[f"value_{side}"], one["unit"]) for side in ("base", "head")),
        Cell(f"{one['trials_head']} against {one['trials_base']}", one["trials_head"]),
    ]


def _value(value: float | None, unit: str | None) -> Cell:
    return Cell("-" if value is None else f"{significant(value)} {unit or ''}".rstrip(), value)


def _chart(judgement: Mapping[str, Any], styles: Mapping[str, int]) -> DotChart:
    """Return the ratios with their intervals, those of worse cases first; a chart without rows if none has a ratio."""
    compared = [one for one in judgement["cases"] if one["ratio"] is not None]
    compared.sort(key=lambda one: (_place(one["verdict"]), one["ratio"]))
    drawn = compared[:_MOST_DRAWN]
    rows = [
        DotRow(
            label=label,
            style=styles.get(one["id"], 0),
            values=(),
            mean=one["ratio"],
            low=one["ratio_low"],
            high=one["ratio_high"],
        )
        for one, label in zip(drawn, _short_names([one["id"] for one in drawn]), strict=True)
    ]
    regressed = sum(one["verdict"] == Verdict.REGRESSED for one in judgement["cases"])
    finding = f"{regressed or 'None'} of {count(len(judgement['cases']), 'case')} regressed"
    some = "" if len(rows) == len(compared) else f", {len(rows)} of {len(compared)} compared cases"
    return DotChart(
        panel=f"{judgement['title']}{some}",
        title=finding,
        value=Axis(f"{_RATIO}, below 1 is worse"),
        rows=tuple(rows),
    )


def _short_names(ids: Sequence[str]) -> list[str]:
    """Return the ids without the parts that all of them have, if they have equally many."""
    parts = [one.split("-") for one in ids]
    if len(ids) < 2 or len({len(each) for each in parts}) > 1:
        return list(ids)
    differing = [len({*column}) > 1 for column in zip(*parts, strict=True)]
    return ["-".join(part for part, differs in zip(each, differing, strict=True) if differs) for each in parts]


def _place(verdict: str) -> int:
    """Return the place of a verdict in the order of the section; those of later versions are last."""
    return _ORDER.index(Verdict(verdict)) if verdict in _ORDER else len(_ORDER)
