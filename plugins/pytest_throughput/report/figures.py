"""The columns of figures in the table, with a text for each case."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from pytest_throughput.measurement.correlation import independent_count
from pytest_throughput.measurement.stopping import relative_half_width
from pytest_throughput.report.columns import Column
from pytest_throughput.report.ratios import Ratio
from pytest_throughput.results.above_peak import is_above_peak
from pytest_throughput.results.model import CaseResult, Estimate
from pytest_throughput.text import byte_count, duration, factor, percent, printable, share, significant

__all__ = ["figure_columns", "median_of", "numbers", "searches_of"]


def figure_columns(cases: Sequence[CaseResult], ratios: Mapping[tuple[str, str], Ratio]) -> list[Column]:
    """Return the columns that at least one case fills, and in any case that of the primary metric.

    The columns of the highest rank are the first to be left out where the terminal is narrow. ``ratios`` are those to
    the fastest case of each work, by key.
    """
    several_trials = any(len(case.trials) > 1 for case in cases)
    units = _units(cases)
    heading = units[0] if len(units) == 1 else "result"
    # An interval is what the trials were made for; a ratio without one is only convenient.
    ratio_rank = 2 if any(ratio.estimate.low is not None for ratio in ratios.values()) else 3
    figures: dict[str, tuple[int, list[str]]] = {
        "largest\nbatch": (1, [_largest_batch(case) for case in cases]),
        heading: (0, [_primary(case, with_unit=len(units) > 1) for case in cases]),
        "accuracy": (1, [_accuracy(case) for case in cases]),
        "÷ fastest": (ratio_rank, [_ratio(ratios.get(case.key)) for case in cases]),
        "± trials" if several_trials else "± rounds": (2, [_spread(case, several_trials) for case in cases]),
        "ms/step": (4, [_milliseconds(case) for case in cases]),
        **(_milliseconds_per_item(cases) if any(map(_is_published_by_its_mean, cases)) else {}),
        "direct FLOPs\n÷ peak": (6, [_utilisation(case) for case in cases]),
        "images/J": (7, [significant(median_of(case, "images_per_joule")) for case in cases]),
        "first\nstep": (9, [duration(_first_step_seconds(case)) for case in cases]),
        "compile": (10, [duration(median_of(case, "compile_seconds")) for case in cases]),
        "build": (11, [duration(median_of(case, "build_seconds")) for case in cases]),
        "peak\nmemory": (8, [byte_count(max(numbers(case, "peak_memory_bytes"), default=None)) for case in cases]),
        "disturbed\nrounds": (5, [_disturbed(case) for case in cases]),
    }
    return [
        Column(heading, [Text(cell) for cell in cells], rank)
        for heading, (rank, cells) in figures.items()
        if rank == 0 or {*cells} != {"-"}
    ]


def numbers(case: CaseResult, name: str) -> list[float]:
    """Return the values of a metadata item that are numbers, one for each trial that has one."""
    return [value for value in case.metadata_values(name) if type(value) in (int, float) and 0 <= value < 1e18]


def median_of(case: CaseResult, name: str) -> float | None:
    """Return the median of ``numbers``; None if there are none."""
    found = numbers(case, name)
    return statistics.median(found) if found else None


def searches_of(case: CaseResult) -> list[dict[str, Any]]:
    """Return what searches for the largest batch found: ``fits`` is a number; one for each trial that has one."""
    return [search for search in case.metadata_values("largest_batch") if _is_search(search)]


def _units(cases: Sequence[CaseResult]) -> list[str]:
    """Return the distinct units of the primary metrics, safe to print; with other items, images count as items."""
    measured = [case for case in cases if case.primary is not None]
    units = list(dict.fromkeys(printable(case.unit) for case in measured or cases))
    return ["items/s"] if {*units} == {"images/s", "items/s"} else units


def _primary(case: CaseResult, *, with_unit: bool) -> str:
    mean = case.estimate().mean
    return f"{significant(mean)} {printable(case.unit)}" if with_unit and mean is not None else significant(mean)


def _accuracy(case: CaseResult) -> str:
    """Return the mean accuracy of the trials, and the interval that a single trial gives."""
    found = [metric.value for trial in case.measured if (metric := trial.metric("accuracy")) is not None]
    if not found:
        return "-"
    shown = f"{100 * statistics.mean(found):.1f} %"
    intervals = [each for each in case.metadata_values("accuracy_interval") if _is_interval(each)]
    if len(found) > 1 or not intervals:
        return shown
    low, high = intervals[0]
    return f"{shown} ({100 * low:.1f} to {100 * high:.1f})"


def _is_interval(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(end) is float and 0 <= end <= 1 for end in value)


def _spread(case: CaseResult, several_trials: bool) -> str:
    """Return half the 95 % interval as a share of the mean over trials, or else of the median over rounds."""
    if not several_trials:
        rounds = case.measured[0].seconds_per_step if case.measured else ()
        # The rule that ends a trial is cautious, and raises the correlation; the table shows the likely interval.
        worth = independent_count(rounds, standard_errors=0.0)
        return percent(relative_half_width(rounds, worth) if rounds else None)
    return _half_interval(case.estimate())


def _half_interval(estimate: Estimate) -> str:
    """Return half the interval as a share of the mean.

    An interval that reaches beyond twice the mean is a factor: on logarithms, where it was computed, it is symmetric.
    """
    mean, low, high = estimate
    if mean is None or low is None or high is None:
        return "-"
    return percent((high - low) / 2 / mean) if high <= 2 * mean else factor(high / mean)


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None or not ratio.in_turn:
        return "-" if ratio is None else "1"
    mean = significant(ratio.estimate.mean, 3)
    return mean if ratio.estimate.low is None else f"{mean} {_half_interval(ratio.estimate)}"


def _milliseconds(case: CaseResult) -> str:
    medians = [trial.median_seconds for trial in case.measured]
    return significant(1000 * statistics.geometric_mean(medians) if medians else None)


def _is_published_by_its_mean(case: CaseResult) -> bool:
    """Return whether the reports that such cases repeat printed means: those of the protocol, and updates."""
    protocols = [settings.get("protocol") for settings in case.metadata_values("settings")]
    return "paper" in protocols or case.axes.get("mode") == "update"


def _milliseconds_per_item(cases: Sequence[CaseResult]) -> dict[str, tuple[int, list[str]]]:
    """Return the columns of the median and the mean of a trial's rounds, per item."""
    item = "image" if _units(cases) == ["images/s"] else "item"
    median = [[trial.median_seconds / trial.items for trial in case.measured] for case in cases]
    mean = [
        [statistics.fmean(trial.seconds_per_step) / trial.items for trial in case.measured if trial.seconds_per_step]
        for case in cases
    ]
    return {
        f"ms/{item}\n{how}": (
            4,
            [significant(1000 * statistics.geometric_mean(each) if each else None) for each in found],
        )
        for how, found in (("median", median), ("mean", mean))
    }


def _utilisation(case: CaseResult) -> str:
    mark = "*" if any(map(is_above_peak, (trial.metadata for trial in case.measured))) else ""
    return share(median_of(case, "model_flops_utilisation")) + mark


def _first_step_seconds(case: CaseResult) -> float | None:
    known = [trial.first_step_seconds for trial in case.measured if trial.first_step_seconds is not None]
    return statistics.median(known) if known else None


def _largest_batch(case: CaseResult) -> str:
    """Return the smallest of the largest batches of several trials, which fits in all of them."""
    fits = [search["fits"] for search in searches_of(case)]
    return f"{min(fits):,}" if fits else "-"


def _is_search(value: Any) -> bool:
    return isinstance(value, dict) and type(value.get("fits")) is int and 0 < value["fits"] < 1e18


def _disturbed(case: CaseResult) -> str:
    known = [trial.rounds_disturbed for trial in case.measured if trial.rounds_disturbed is not None]
    return f"{sum(known)}/{sum(trial.rounds or 0 for trial in case.measured)}" if known else "-"
