"""Cases in panels: those that one chart shows together, with the labels and styles that tell them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pytest_throughput.report.grouping import grouped
from pytest_throughput.report.rows import names_of, side_by_side
from pytest_throughput.report.sections.works import framework_styles, styled_as
from pytest_throughput.results.model import CaseResult, RunResult
from pytest_throughput.text import printable

__all__ = ["MOST_PANELS", "Panel", "PanelRow", "evenly", "panels_of", "selected"]

MOST_PANELS = 8
"""The most charts of one kind in a section."""
_PANEL_AXES = ("mode", "model", "device")
_LONGEST_LABEL = 100

T = TypeVar("T")


@dataclass(frozen=True)
class PanelRow:
    """A case of a panel."""

    case: CaseResult
    label: str
    """What tells the case apart within its panel, safe to print."""
    style: int
    """The style of its framework."""


@dataclass(frozen=True)
class Panel:
    """Cases that one chart shows together."""

    name: str
    rows: tuple[PanelRow, ...]


def panels_of(cases: Sequence[CaseResult], result: RunResult, *, axes: Sequence[str] = _PANEL_AXES) -> list[Panel]:
    """Return the cases with a panel for each combination of the values of ``axes``, those of a work side by side.

    ``result``: the whole run, so that a framework has the same style in every chart.
    """
    styles = framework_styles(result.cases)
    return [
        Panel(
            _name(together[0], axes),
            tuple(
                PanelRow(case, label, styles[styled_as(case)])
                for case, label in zip(together, _labels(together, {"mode", *axes}), strict=True)
            ),
        )
        for together in grouped(side_by_side(cases), lambda case: _name(case, axes))
    ]


def selected(
    cases: Sequence[CaseResult],
    rank: Callable[[CaseResult], float],
    what: str,
    *,
    most: int,
    axes: Sequence[str] = _PANEL_AXES,
) -> tuple[list[CaseResult], tuple[str, ...]]:
    """Return the cases that a section shows, in their order, and the note that says what is left out, if anything is.

    They are the ``most`` cases of the highest ``rank``, in at most MOST_PANELS panels. ``what``: what they are, such as
    ``cases with the widest intervals``.
    """
    kept: set[tuple[str, str]] = set()
    panels: set[str] = set()
    for case in sorted(cases, key=rank, reverse=True):
        name = _name(case, axes)
        if len(kept) < most and (name in panels or len(panels) < MOST_PANELS):
            panels.add(name)
            kept.add(case.key)
    shown = [case for case in cases if case.key in kept]
    if len(shown) == len(cases):
        return shown, ()
    return shown, (f"Shown are {len(shown)} of {len(cases):,}: the {what}, in at most {MOST_PANELS} charts.",)


def evenly(values: Sequence[T], most: int) -> list[T]:
    """Return at most ``most`` of the values, at least two, at equal distances, with the first and the last one."""
    if len(values) <= most:
        return list(values)
    return [values[round(number * (len(values) - 1) / (most - 1))] for number in range(most)]


def _name(case: CaseResult, axes: Sequence[str]) -> str:
    values = (case.axes.get(name) for name in axes)
    named = ", ".join(str(value) for value in values if value is not None)
    return printable(named, _LONGEST_LABEL) or "tests without axes"


def _labels(cases: Sequence[CaseResult], unnamed: Collection[str]) -> list[str]:
    """Return what tells each case apart from the others; its id where the axes do not."""
    labels = names_of(cases, without=unnamed)
    times = Counter(labels)
    return [
        printable(label if label and times[label] == 1 else case.id, _LONGEST_LABEL)
        for label, case in zip(labels, cases, strict=True)
    ]
