"""Works and configurations: which cases one chart compares, what they are called, and how they are drawn."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pytest_throughput.naming import CONTENDERS, DEFAULT_ENVIRONMENT
from pytest_throughput.report.charts.chart import BarPart, Point
from pytest_throughput.report.charts.styles import styles_of
from pytest_throughput.report.ratios import metric_key, speed_of
from pytest_throughput.report.rows import rows_of
from pytest_throughput.results.model import CaseResult
from pytest_throughput.text import printable

__all__ = [
    "Labels",
    "batch_in_words",
    "chart_key",
    "framework_of",
    "framework_styles",
    "limited",
    "mean_speed",
    "name_of_test",
    "point",
    "shown_metric_key",
    "styled_as",
    "work_key",
]

T = TypeVar("T")

_MOST_FIGURES = 2_000
"""The most figures in the charts of a section: each makes a mark and a row of a table."""
_MOST_NAMES, _LONGEST_NAME, _LONGEST_BATCH = 20, 120, 20
_MOST_NAMED_AXES = 50
_FIRST_AXES = ("mode", "model", "device")
"""The axes that the name of a work begins with. They are named even if all works have the same."""


@dataclass(frozen=True)
class Labels:
    """The names and styles of all cases of a run, by their keys."""

    works: Mapping[tuple[str, str], str]
    """What was done, such as ``training, resnet50, cpu``: the axes but for some that the chart shows otherwise."""
    configurations: Mapping[tuple[str, str], str]
    """What did it: framework, execution, layout and environment, as in the table; else the name of the test."""
    styles: Mapping[str, int]

    @classmethod
    def of(
        cls, cases: Sequence[CaseResult], hidden: Collection[str], contenders: Collection[str] = CONTENDERS
    ) -> Labels:
        """Return the labels; names of works have no ``hidden`` axes, and those of configurations have ``contenders``.

        A work is named by mode, model and device, and by the other axes that are not the same in all cases.
        """
        times = Counter((name, str(value)) for case in cases for name, value in case.axes.items())
        differ = [name for (name, _), number in times.items() if number < len(cases)]
        named = [name for name in dict.fromkeys((*_FIRST_AXES, *differ)) if name not in hidden][:_MOST_NAMED_AXES]
        further = [name for name in contenders if name not in CONTENDERS]
        members = [row.member for row in rows_of(cases)]
        return cls(
            {case.key: _in_words(case, named, ", ") for case in cases},
            {
                case.key: _in_words(case, further, " ", name_of_test(case), member)
                for case, member in zip(cases, members, strict=True)
            },
            framework_styles(cases),
        )

    def work(self, case: CaseResult) -> str:
        """Return the name of the work of a case."""
        return self.works[case.key]

    def configuration(self, case: CaseResult) -> str:
        """Return the name of the configuration of a case."""
        return self.configurations[case.key]

    def style(self, case: CaseResult) -> int:
        """Return the style of the framework of a case, or of its test."""
        return self.styles[styled_as(case)]

    def bar_part(self, case: CaseResult) -> BarPart:
        """Return the primary metric of a measured case."""
        _, mean, low, high = point(0, case)
        return BarPart(self.configuration(case), self.style(case), mean, low, high)


def point(place: int, case: CaseResult) -> Point:
    """Return the primary metric of a measured case, at this place of an axis."""
    mean, low, high = case.estimate()
    assert mean is not None
    return Point(place, mean, low, high)


def mean_speed(cases: Iterable[CaseResult]) -> float:
    """Return the mean of the logarithms of the speeds of measured cases, by which batch sizes are compared.

    Unlike the speed of one of the cases, it says nothing about how they compare with each other: the choice of the
    highest one favours none.
    """
    return statistics.fmean(math.log(speed_of(case)) for case in cases)


def chart_key(case: CaseResult, hidden: Collection[str]) -> Hashable:
    """Return what measured cases of one chart have in common: their metric, and the axes that are not ``hidden``."""
    return work_key(case, hidden), shown_metric_key(case)


def work_key(case: CaseResult, hidden: Collection[str]) -> Hashable:
    """Return the axes that are not ``hidden``."""
    return tuple((name, str(value)) for name, value in case.axes.items() if name not in hidden)


def shown_metric_key(case: CaseResult) -> Hashable:
    """Return name, unit and direction of the primary metric; None if the figures of the case are not to be shown."""
    return metric_key(case) if case.status == "ok" and case.implausible is None else None


def framework_of(case: CaseResult) -> str:
    """Return the framework with its environment; the name of the test where it names no framework."""
    return styled_as(case) + ("" if case.environment == DEFAULT_ENVIRONMENT else f" ({case.environment})")


def styled_as(case: CaseResult) -> str:
    """Return the framework as a text, since a marker may give any JSON value; without one the name of the test."""
    framework = case.axes.get("framework")
    return str(framework) if framework is not None else name_of_test(case) or "measured"


def framework_styles(cases: Sequence[CaseResult]) -> Mapping[str, int]:
    """Return the styles of all frameworks of a run and, after them, of the tests that name none: see ``styled_as``."""
    frameworks = [styled_as(case) for case in cases if case.axes.get("framework") is not None]
    return styles_of([*frameworks, *map(styled_as, cases)])


def name_of_test(case: CaseResult) -> str:
    """Return the name of the test of a case whose id is its node id; empty for ids of the suite's own matrix."""
    return case.id.rsplit("::", 1)[1].split("[", 1)[0] if "::" in case.id else ""


def batch_in_words(case: CaseResult) -> str:
    """Return at which batch size a case was measured, as it ends a sentence; empty without one."""
    size = case.axes.get("batch_size")
    if size is None:
        return ""
    return f"at batch {size:,}" if type(size) is int else f"at batch {printable(str(size), _LONGEST_BATCH)}"


def limited(
    groups: Sequence[T], name: Callable[[T], str], size: Callable[[T], int], most: int
) -> tuple[list[T], list[str]]:
    """Return the groups that a section shows, the largest ones, in their order, and a note that names the others.

    ``size``: how many figures the chart of a group has. ``most``: how many charts the section may have.
    """
    kept: set[int] = set()
    figures = 0
    for index in sorted(range(len(groups)), key=lambda index: -size(groups[index])):
        if len(kept) < most and figures + size(groups[index]) <= _MOST_FIGURES:
            kept.add(index)
            figures += size(groups[index])
    left_out = [name(group) for index, group in enumerate(groups) if index not in kept]
    further = len(left_out) - _MOST_NAMES
    names = "; ".join([*left_out[:_MOST_NAMES], *([f"{further:,} more"] if further > 0 else [])])
    note = f"{len(left_out):,} of {len(groups):,} charts are left out, to keep this page small: {names}"
    return [group for index, group in enumerate(groups) if index in kept], [note] if left_out else []


def _in_words(case: CaseResult, axes: Sequence[str], separator: str, *first: str) -> str:
    values = [_value_in_words(name, case.axes[name]) for name in axes if case.axes.get(name) is not None]
    return printable(separator.join(filter(None, (*first, *values))) or styled_as(case), _LONGEST_NAME)


def _value_in_words(axis: str, value: Any) -> str:
    """Return the value of an axis; a number with what it counts, such as ``batch 8`` and ``epochs 12``."""
    return f"{axis.removesuffix('_size').replace('_', ' ')} {value:,}" if type(value) is int else str(value)
