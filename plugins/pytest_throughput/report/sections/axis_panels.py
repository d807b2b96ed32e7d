"""Panels over a numeric axis of the cases, such as the batch size: a line for each configuration of a work."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.naming import CONTENDERS
from pytest_throughput.report.charts.chart import Axis, Point, Series
from pytest_throughput.report.findings import Rivals
from pytest_throughput.report.grouping import grouped
from pytest_throughput.report.sections.works import (
    Labels,
    framework_of,
    limited,
    name_of_test,
    shown_metric_key,
    styled_as,
    work_key,
)
from pytest_throughput.results.model import CaseResult
from pytest_throughput.text import printable

__all__ = ["Line", "Panel", "limited_panels", "log_axis", "panels_of"]

_MOST_LINES = 12
"""The most lines of a panel; a panel of more is split by framework."""
_MOST_TICKS = 12
_LONGEST_NAME = 80

Placed = tuple[int, CaseResult]
"""A case with its place on the axis."""


@dataclass(frozen=True)
class Line:
    """The cases that differ in nothing but their place on the axis."""

    name: str
    framework: str
    """The framework with its environment, or the name of the test."""
    style: int
    variant: int
    cases: tuple[CaseResult, ...]
    """All cases by their place, also those that were not measured."""
    measured: tuple[Placed, ...]
    """The cases whose figures can be shown."""

    def series(self, point_of: Callable[[int, CaseResult], Point]) -> Series:
        """Return the points of the measured cases."""
        return Series(self.name, self.style, tuple(point_of(*each) for each in self.measured), self.variant)


@dataclass(frozen=True)
class Panel:
    """The lines of one work, all measured by the same metric."""

    name: str
    metric: Metric
    """The primary metric of one of the cases, for its name, unit and direction."""
    lines: tuple[Line, ...]

    @property
    def places(self) -> list[int]:
        """The places at which something was measured, in ascending order."""
        return sorted({place for line in self.lines for place, _ in line.measured})

    @property
    def cases(self) -> list[CaseResult]:
        """The cases whose figures can be shown."""
        return [case for line in self.lines for _, case in line.measured]

    @property
    def rivals(self) -> Mapping[int, Rivals]:
        """What competes at each place: the frameworks, or, if there is only one, its configurations."""
        several = len({line.framework for line in self.lines}) > 1
        found: dict[int, dict[str, list[CaseResult]]] = {}
        for line in self.lines:
            for place, case in line.measured:
                found.setdefault(place, {}).setdefault(line.framework if several else line.name, []).append(case)
        return found


def panels_of(
    cases: Sequence[CaseResult],
    axis: str,
    place_of: Callable[[CaseResult], int | None],
    contenders: Collection[str] = CONTENDERS,
) -> list[Panel]:
    """Return the panels over an axis in which something was measured at several places, in the order of the cases.

    ``place_of`` returns the place of a case; cases without one are left out. Cases that differ in ``contenders`` or in
    the environment are lines of one panel.
    """
    hidden = {axis, *contenders}
    labels, variants = Labels.of(cases, hidden, contenders), _variants(cases, contenders)

    def line(placed: Sequence[Placed], metric: Hashable) -> Line:
        ordered = sorted(placed, key=lambda each: each[0])
        first = ordered[0][1]
        return Line(
            name=labels.configuration(first),
            framework=framework_of(first),
            style=labels.style(first),
            variant=variants[_configuration(first, contenders)],
            cases=tuple(case for _, case in ordered),
            measured=tuple(each for each in ordered if shown_metric_key(each[1]) == metric),
        )

    panels = []
    sized = [(place, case) for case in cases if (place := place_of(case)) is not None]
    for work in grouped(sized, lambda each: work_key(each[1], hidden)):
        configurations = grouped(work, lambda each: _configuration(each[1], contenders))
        for metric in dict.fromkeys(shown_metric_key(case) for _, case in work):
            lines = [line(each, metric) for each in configurations if metric is not None]
            panels += _panels(labels.work(work[0][1]), [each for each in lines if each.measured])
    return [panel for panel in panels if len(panel.places) > 1]


def limited_panels(panels: Sequence[Panel], most: int) -> tuple[list[Panel], list[str]]:
    """Return the panels that a section shows, at most so many, and a note that names the others."""
    return limited(panels, lambda panel: panel.name, lambda panel: len(panel.cases), most)


def log_axis(label: str, places: Sequence[int]) -> Axis:
    """Return the axis of these places; each is marked, unless there are too many."""
    return Axis(label, "log", tuple(places) if len(places) <= _MOST_TICKS else ())


def _panels(name: str, lines: Sequence[Line]) -> list[Panel]:
    """Return the lines as one panel, or as one for each framework if there are too many."""
    if len(lines) <= _MOST_LINES:
        return [_panel(name, lines)] if lines else []
    frameworks = grouped(lines, lambda line: line.framework)
    return [_panel(f"{name}, {printable(of[0].framework, _LONGEST_NAME)}", of) for of in frameworks]


def _panel(name: str, lines: Sequence[Line]) -> Panel:
    metric = lines[0].measured[0][1].primary
    assert metric is not None
    return Panel(name, metric, tuple(lines))


def _variants(cases: Sequence[CaseResult], contenders: Collection[str]) -> Mapping[Hashable, int]:
    """Return the number of each configuration among those of its style, the same in all panels."""
    numbers: dict[Hashable, int] = {}
    for of_style in grouped(cases, styled_as):
        found = dict.fromkeys(_configuration(case, contenders) for case in of_style)
        numbers |= {configuration: number for number, configuration in enumerate(found)}
    return numbers


def _configuration(case: CaseResult, contenders: Collection[str]) -> Hashable:
    values = (str(case.axes.get(name)) for name in contenders)
    return styled_as(case), name_of_test(case), case.environment, *values
