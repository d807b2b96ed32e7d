"""The figures of a run's cases, by the words that name them: the columns of its table, and what sorts its rows."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.text import Text

from pytest_throughput.measurement.correlation import independent_count
from pytest_throughput.measurement.stopping import relative_half_width
from pytest_throughput.report import percentiles, ratios, utilisation
from pytest_throughput.report.columns import Column
from pytest_throughput.report.ratios import Ratio
from pytest_throughput.report.values import geometric_mean, median_of, metric_values, numbers, searches_of, watts
from pytest_throughput.results.model import CaseResult, Estimate
from pytest_throughput.text import byte_count, duration, factor, percent, printable, significant

__all__ = ["Figure", "figures_of"]

Value = Callable[[CaseResult], float | None]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure that cases may have."""

    heading: str
    show: Callable[[CaseResult], str]
    """The figure as a text; ``-`` for a case without it."""
    order: Callable[[CaseResult], tuple[float, ...] | None]
    """What sorts the cases, the best first; None for a case without the figure."""
    rank: int
    """The rank of its column."""
    is_usual: bool = True
    """Whether a table has the column without being asked."""
    legend: str = ""

    def column(self, cases: Sequence[CaseResult]) -> Column:
        """Return the column of these cases."""
        return Column(self.heading, [Text(self.show(case)) for case in cases], self.rank, legend=self.legend)


def figures_of(cases: Sequence[CaseResult], to_fastest: Mapping[tuple[str, str], Ratio]) -> dict[str, Figure]:
    """Return the figures by the words of ``naming.FIGURES``, in their order.

    ``to_fastest`` has the ratios to the fastest case of each work, by key.
    """
    units = _units(cases)
    item = "image" if units == ["images/s"] else "item"
    seconds = partial(_figure, shown=_milliseconds)
    per_item = partial(seconds, rank=4, is_usual=any(map(_is_published_by_its_mean, cases)))
    of_rounds = partial(seconds, rank=12, is_usual=False, legend=percentiles.legend(cases))
    return {
        "largest_batch": _figure("largest\nbatch", _largest_batch, _whole, rank=1, larger_is_better=True),
        "images_per_second": Figure(
            heading=units[0] if len(units) == 1 else "result",
            show=partial(_primary, with_unit=len(units) > 1),
            order=partial(_speed_within_unit, units=units),
            rank=0,
        ),
        "accuracy": Figure(heading="accuracy", show=_shown_accuracy, order=_largest_first(_accuracy), rank=1),
        "ratio": _ratio(to_fastest),
        "spread": _spread_of_trials() if any(len(case.measured) > 1 for case in cases) else _spread_of_rounds(),
        "seconds": seconds("ms/step", _seconds, rank=4),
        "median_per_item": per_item(f"ms/{item}\nmedian", _median_per_item),
        "mean_per_item": per_item(f"ms/{item}\nmean", _mean_per_item),
        **{
            f"p{each}": of_rounds(f"ms/step\np{each}", partial(percentiles.percentile, percent=each))
            for each in percentiles.PERCENTILES
        },
        "rounds": _figure("rounds", _rounds, _whole, rank=12, is_usual=False, larger_is_better=True),
        "latency": seconds("latency\nms", _latency, rank=12, is_usual=False),
        "utilisation": Figure(
            heading="direct FLOPs\n÷ peak",
            show=utilisation.shown_utilisation,
            order=_largest_first(utilisation.utilisation),
            rank=6,
            legend=utilisation.legend(cases),
        ),
        "images_per_joule": _figure(
            "images/J", partial(median_of, name="images_per_joule"), significant, rank=7, larger_is_better=True
        ),
        "watts": _figure("watts", watts, significant, rank=12, is_usual=False),
        "first_step": _figure("first\nstep", _first_step_seconds, duration, rank=9),
        "compile": _figure("compile", partial(median_of, name="compile_seconds"), duration, rank=10),
        "build": _figure("build", partial(median_of, name="build_seconds"), duration, rank=11),
        "memory": _figure("peak\nmemory", _peak_memory_bytes, byte_count, rank=8),
        "disturbed": Figure(
            heading="disturbed\nrounds", show=_shown_disturbed, order=_smallest_first(_disturbed_share), rank=5
        ),
    }


def _figure(
    heading: str,
    value: Value,
    shown: Callable[[float | None], str],
    *,
    rank: int,
    larger_is_better: bool = False,
    is_usual: bool = True,
    legend: str = "",
) -> Figure:
    """Return the figure of one number, which ``shown`` makes a text."""
    order = _largest_first(value) if larger_is_better else _smallest_first(value)
    return Figure(
        heading=heading,
        show=lambda case: shown(value(case)),
        order=order,
        rank=rank,
        is_usual=is_usual,
        legend=legend,
    )


def _smallest_first(value: Value) -> Callable[[CaseResult], tuple[float] | None]:
    return lambda case: None if (found := value(case)) is None else (found,)


def _largest_first(value: Value) -> Callable[[CaseResult], tuple[float] | None]:
    return lambda case: None if (found := value(case)) is None else (-found,)


def _whole(number: float | None) -> str:
    return "-" if number is None else f"{number:,}"


def _milliseconds(seconds: float | None) -> str:
    return significant(None if seconds is None else 1000 * seconds)


def _units(cases: Sequence[CaseResult]) -> list[str]:
    """Return the distinct units of the primary metrics, safe to print; with other items, images count as items."""
    measured = [case for case in cases if case.primary is not None]
    units = list(dict.fromkeys(printable(case.unit) for case in measured or cases))
    return ["items/s"] if {*units} == {"images/s", "items/s"} else units


def _primary(case: CaseResult, *, with_unit: bool) -> str:
    mean = case.estimate().mean
    return f"{significant(mean)} {printable(case.unit)}" if with_unit and mean is not None else significant(mean)


def _speed_within_unit(case: CaseResult, *, units: Sequence[str]) -> tuple[float, float] | None:
    """Return what sorts cases by their primary metrics, those of a unit together: units cannot be compared."""
    mean = case.estimate().mean
    if mean is None or case.primary is None:
        return None
    unit = printable(case.unit)
    return units.index(unit) if unit in units else 0, mean if case.primary.better == "lower" else -mean


def _accuracy(case: CaseResult) -> float | None:
    found = metric_values(case, "accuracy")
    return statistics.mean(found) if found else None


def _shown_accuracy(case: CaseResult) -> str:
    """Return the mean accuracy of the trials, and the interval that a single trial gives."""
    mean = _accuracy(case)
    if mean is None:
        return "-"
    shown = f"{100 * mean:.1f} %"
    intervals = [each for each in case.metadata_values("accuracy_interval") if _is_interval(each)]
    if len(metric_values(case, "accuracy")) > 1 or not intervals:
        return shown
    low, high = intervals[0]
    return f"{shown} ({100 * low:.1f} to {100 * high:.1f})"


def _is_interval(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(end) is float and 0 <= end <= 1 for end in value)


def _ratio(to_fastest: Mapping[tuple[str, str], Ratio]) -> Figure:
    def value(case: CaseResult) -> float | None:
        return to_fastest[case.key].estimate.mean if case.key in to_fastest else None

    return Figure(
        heading="÷ fastest",
        show=lambda case: _shown_ratio(to_fastest.get(case.key)),
        order=_largest_first(value),
        rank=2,
        legend=ratios.legend(to_fastest),
    )


def _shown_ratio(ratio: Ratio | None) -> str:
    if ratio is None or not ratio.in_turn:
        return "-" if ratio is None else "1"
    mean = significant(ratio.estimate.mean, 3)
    return mean if ratio.estimate.low is None else f"{mean} {_half_interval(ratio.estimate)}"


def _spread_of_trials() -> Figure:
    def reach(case: CaseResult) -> float | None:
        mean, _, high = case.estimate()
        return None if mean is None or high is None else high / mean

    return Figure(
        heading="± trials",
        show=lambda case: _half_interval(case.estimate()),
        order=_smallest_first(reach),
        rank=2,
        legend="± trials: half the 95 % interval over trials",
    )


def _half_interval(estimate: Estimate) -> str:
    """Return half the interval as a share of the mean.

    An interval that reaches beyond twice the mean is a factor: on logarithms, where it was computed, it is symmetric.
    """
    mean, low, high = estimate
    if mean is None or low is None or high is None:
        return "-"
    return percent((high - low) / 2 / mean) if high <= 2 * mean else factor(high / mean)


def _spread_of_rounds() -> Figure:
    def half_width(case: CaseResult) -> float | None:
        rounds = case.measured[0].seconds_per_step if case.measured else ()
        # The rule that ends a trial is cautious, and raises the correlation; the table shows the likely interval.
        worth = independent_count(rounds, standard_errors=0.0)
        return relative_half_width(rounds, worth) if rounds else None

    return _figure(
        "± rounds", half_width, percent, rank=2, legend="± rounds: half the 95 % interval, within one process"
    )


def _seconds(case: CaseResult) -> float | None:
    return geometric_mean([trial.median_seconds for trial in case.measured])


def _latency(case: CaseResult) -> float | None:
    return geometric_mean(numbers(case, "latency_seconds"))


def _median_per_item(case: CaseResult) -> float | None:
    return geometric_mean([trial.median_seconds / trial.items for trial in case.measured])


def _mean_per_item(case: CaseResult) -> float | None:
    trials = [trial for trial in case.measured if trial.seconds_per_step]
    return geometric_mean([statistics.fmean(trial.seconds_per_step) / trial.items for trial in trials])


def _is_published_by_its_mean(case: CaseResult) -> bool:
    """Return whether the reports that such cases repeat printed means: those of the protocol, and updates."""
    protocols = [settings.get("protocol") for settings in case.metadata_values("settings")]
    return "paper" in protocols or case.axes.get("mode") == "update"


def _first_step_seconds(case: CaseResult) -> float | None:
    known = [trial.first_step_seconds for trial in case.measured if trial.first_step_seconds is not None]
    return statistics.median(known) if known else None


def _peak_memory_bytes(case: CaseResult) -> float | None:
    return max(numbers(case, "peak_memory_bytes"), default=None)


def _largest_batch(case: CaseResult) -> int | None:
    """Return the smallest of the largest batches of several trials, which fits in all of them."""
    return min((search["fits"] for search in searches_of(case)), default=None)


def _rounds(case: CaseResult) -> int | None:
    """Return the rounds of all trials together."""
    return sum(trial.rounds or 0 for trial in case.measured) or None


def _disturbed(case: CaseResult) -> tuple[int, int] | None:
    """Return how many rounds were disturbed, and of how many: those of the trials in which they were counted."""
    known = [
        (trial.rounds_disturbed, trial.rounds or 0) for trial in case.measured if trial.rounds_disturbed is not None
    ]
    return (sum(count for count, _ in known), sum(rounds for _, rounds in known)) if known else None


def _shown_disturbed(case: CaseResult) -> str:
    counts = _disturbed(case)
    return "-" if counts is None else "{}/{}".format(*counts)


def _disturbed_share(case: CaseResult) -> float | None:
    disturbed, rounds = _disturbed(case) or (0, 0)
    return disturbed / rounds if rounds else None
