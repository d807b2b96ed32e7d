"""Whole trainings: accuracy and loss by epoch, and what a training takes and reaches in the end."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta, Struct

from pytest_throughput.report.charts.chart import Axis, Bar, BarChart, BarPart, Chart, LineChart, Point, Section, Series
from pytest_throughput.report.sections.case_panels import Panel, evenly, panels_of, selected
from pytest_throughput.report.sections.wording import clearly_first
from pytest_throughput.report.values import metric_values
from pytest_throughput.results.model import CaseResult, Estimate, RunResult
from pytest_throughput.results.validation import convert
from pytest_throughput.text import listed

__all__ = ["section"]

_MOST_TRAININGS = 12
_MOST_POINTS = 200
"""The most points of all lines of one quantity."""
_MOST_POINTS_OF_A_LINE = 30
_MOST_TARGETS = 2
_AXES = ("model", "device", "data", "evaluation")
"""The axes of a panel: trainings on other data, or tested otherwise, are not compared."""
_REACHED = re.compile(r"seconds_to_(\d{1,3}(?:_\d{1,9})?)_percent")
"""The names of metrics that are the seconds until an accuracy is reached."""

_NOTE = (
    "Lines are means over the folds and trials of a training, after every epoch or after evenly chosen ones. The "
    "seconds are means over trials, with 95 % intervals where there are several. The interval of an accuracy covers "
    "the choice of test examples, which more trials on the same examples do not narrow, and the differences between "
    "trials."
)

Share = Annotated[float, Meta(ge=0, le=1)]


class _Epoch(Struct):
    """An element of ``history``, as far as it is shown."""

    epoch: Annotated[int, Meta(ge=1, le=1_000_000)]
    test_accuracy: Share | None = None
    test_loss: Annotated[float, Meta(ge=-1e18, le=1e18)] | None = None


_History = Annotated[list[_Epoch], Meta(max_length=20_000)]
_Interval = tuple[Share, Share]


@dataclass(frozen=True)
class _Training:
    """What is known of the training of a case."""

    accuracies: Mapping[int, float]
    """The test accuracy after each epoch as a share: the mean over folds and trials."""
    losses: Mapping[int, float]
    """The same of the test loss."""
    accuracy: Estimate
    """The accuracy of the whole training as a share."""


_Trainings = Mapping[tuple[str, str], _Training]


def section(result: RunResult) -> Section | None:
    """Return the section; None without trainings whose accuracy is known."""
    found = {case.key: training for case in result.cases if (training := _training(case)) is not None}
    if not found:
        return None
    shown, left_out = selected(
        [case for case in result.cases if case.key in found],
        lambda case: case.estimate("seconds").mean or 0.0,
        "trainings that took the longest",
        most=_MOST_TRAININGS,
        axes=_AXES,
    )
    most = min(_MOST_POINTS_OF_A_LINE, _MOST_POINTS // len(shown))
    panels = panels_of(shown, result, axes=_AXES)
    return Section(
        "convergence",
        "Whole trainings",
        charts=tuple(chart for panel in panels for chart in _charts(panel, found, most)),
        notes=(_NOTE, *_not_learned(panels), *left_out),
    )


def _training(case: CaseResult) -> _Training | None:
    """Return what is known of a training; None for a case that is none, or whose accuracy is unknown."""
    accuracy = _accuracy(case)
    epochs = [epoch for value in case.metadata_values("history") for epoch in _checked(value, _History) or ()]
    if accuracy is None or not (epochs or case.axes.get("mode") == "convergence"):
        return None
    return _Training(
        _means([(epoch.epoch, epoch.test_accuracy) for epoch in epochs]),
        _means([(epoch.epoch, epoch.test_loss) for epoch in epochs]),
        accuracy,
    )


def _accuracy(case: CaseResult) -> Estimate | None:
    """Return the mean accuracy of the trials, with an interval where one is known; None without any accuracy.

    The interval has the outer ends of two: the mean of those of the trials, which cover the choice of test examples
    that all trials share, and that of the mean over trials, which covers what differs between trainings.
    """
    found = metric_values(case, "accuracy")
    if not found or not all(0 <= value <= 1 for value in found):
        return None
    checked = (_checked(value, _Interval) for value in case.metadata_values("accuracy_interval"))
    own = [ends for ends in checked if ends is not None and ends[0] <= ends[1]]
    _, low, high = case.estimate("accuracy")
    lows = [statistics.fmean(ends[0] for ends in own)] if own else []
    highs = [statistics.fmean(ends[1] for ends in own)] if own else []
    if low is not None and high is not None:
        lows.append(low)
        highs.append(min(1.0, high))
    return Estimate(statistics.fmean(found), min(lows, default=None), max(highs, default=None))


def _checked(value: Any, kind: Any) -> Any:
    """Return a value of JSON as the type; None if it does not fit."""
    try:
        return convert(value, kind)
    except ValueError:
        return None


def _means(values: Sequence[tuple[int, float | None]]) -> Mapping[int, float]:
    """Return the mean of the known values of each epoch, in the order of the epochs."""
    found: dict[int, list[float]] = {}
    for epoch, value in values:
        if value is not None:
            found.setdefault(epoch, []).append(value)
    return {epoch: statistics.fmean(found[epoch]) for epoch in sorted(found)}


def _charts(panel: Panel, trainings: _Trainings, most: int) -> list[Chart]:
    """Return the charts of a panel: lines by epoch, then bars of the whole trainings."""
    found = [trainings[row.case.key] for row in panel.rows]
    in_percent = [{epoch: 100 * value for epoch, value in training.accuracies.items()} for training in found]
    charts: list[Chart | None] = [
        _by_epoch(panel, "test accuracy by epoch", "test accuracy, %", in_percent, most),
        _by_epoch(panel, "test loss by epoch", "test loss", [training.losses for training in found], most),
        _bars(panel, "seconds of the whole training", "seconds", _estimates(panel, "seconds"), "{} trains fastest"),
    ]
    for name, target in _targets(panel):
        estimates = _estimates(panel, name)
        finding = f"{{}} is the first to reach {target}"
        charts.append(_bars(panel, f"seconds until a test accuracy of {target}", "seconds", estimates, finding))
    accuracies = [_percent(training.accuracy) for training in found]
    finding = "{} is the most accurate"
    charts.append(
        _bars(panel, "test accuracy after the last epoch", "test accuracy, %", accuracies, finding, is_highest=True)
    )
    return [chart for chart in charts if chart is not None]


def _by_epoch(
    panel: Panel, title: str, label: str, curves: Sequence[Mapping[int, float]], most: int
) -> LineChart | None:
    series: list[Series] = []
    for row, curve in zip(panel.rows, curves, strict=True):
        if len(curve) > 1:
            points = tuple(Point(epoch, value) for epoch, value in evenly(list(curve.items()), most))
            variant = sum(other.style == row.style for other in series)
            series.append(Series(row.label, row.style, points, variant))
    return LineChart(panel.name, title, Axis("epoch"), Axis(label), tuple(series)) if series else None


def _bars(
    panel: Panel, title: str, label: str, estimates: Sequence[Estimate], finding: str, *, is_highest: bool = False
) -> BarChart | None:
    """Return a bar for each training with an estimate; the title is the ``finding`` where the intervals show it."""
    known = [
        (row, BarPart(label, row.style, mean, low, high))
        for row, (mean, low, high) in zip(panel.rows, estimates, strict=True)
        if mean is not None
    ]
    if not known:
        return None
    first = clearly_first([part for _, part in known], is_highest=is_highest)
    if first is not None:
        title = finding.format(known[first][0].label)
    return BarChart(panel.name, title, Axis(label), tuple(Bar(row.label, (part,)) for row, part in known))


def _estimates(panel: Panel, metric: str) -> list[Estimate]:
    return [row.case.estimate(metric) for row in panel.rows]


def _targets(panel: Panel) -> list[tuple[str, str]]:
    """Return the metrics that are the seconds until an accuracy is reached, each with that accuracy."""
    names = {metric.name for row in panel.rows for trial in row.case.measured for metric in trial.metrics}
    found = [(name, matched) for name in sorted(names) if (matched := _REACHED.fullmatch(name))]
    return [(name, f"{matched[1].replace('_', '.')} %") for name, matched in found[:_MOST_TARGETS]]


def _percent(accuracy: Estimate) -> Estimate:
    return Estimate(*(None if value is None else 100 * value for value in accuracy))


def _not_learned(panels: Sequence[Panel]) -> list[str]:
    """Return the note that names trainings whose accuracy is no better than guessing."""
    names = [
        f"{row.label} ({panel.name})"
        for panel in panels
        for row in panel.rows
        if True in row.case.metadata_values("did_not_learn")
    ]
    return [f"Not significantly better than always naming the most frequent class: {listed(names)}."] if names else []
