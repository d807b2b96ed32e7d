"""Noise: the trials of each case as points beside their mean and its interval; rounds where there is one trial.

All values are in percent of the case's own mean or median, so that the noise of fast and slow cases compares.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pytest_throughput.report.charts.chart import Axis, DotChart, DotRow, Section
from pytest_throughput.report.sections.case_panels import Panel, evenly, panels_of, selected
from pytest_throughput.report.values import metric_values
from pytest_throughput.results.model import CaseResult, RunResult
from pytest_throughput.text import factor, percent, significant

__all__ = ["section"]

_MOST_CASES = 24
_MOST_DOTS = 20
"""The most trials of a case that are shown, evenly chosen from the lowest to the highest."""
_LEAST_ROUNDS = 5
"""The least rounds whose percentiles say something: a phase has one round."""
_TWENTIETHS = {2: "10th", 5: "25th", 10: "50th", 15: "75th", 18: "90th"}
"""The percentiles of the rounds that are shown, by the number of twentieths below them."""
_LARGEST_FACTOR = 1e6
"""The factor at which intervals end: those of two trials that differ much would reach beyond any axis."""

_TRIALS = (
    "Dots are trials. Beside them stand their geometric mean, which is 100 %, and its 95 % interval. Trials that ran "
    "in one process are no independent evidence, and have no interval."
)
_IN_TURN = (
    "Trials measured in turn are compared by their neighbouring slices, whose ratios vary less than these figures."
)
_ROUNDS = (
    f"Where a case has one trial, the dots are the {', '.join(_TWENTIETHS.values())} percentile of the seconds of its "
    "rounds, and 100 % is their median. Rounds of one process are no independent evidence: they do not show how far "
    "another process would differ. --throughput-trials 5 measures that."
)


@dataclass(frozen=True)
class _Spread:
    """The values of one case in percent of their centre."""

    values: tuple[float, ...]
    """The values in increasing order."""
    mean: float | None = None
    """100 for trials; None for rounds, of which there is no estimate."""
    low: float | None = None
    high: float | None = None
    """The ends of the interval of the mean; None where there is none."""

    @property
    def width(self) -> float:
        """The ratio of the ends of the interval; of the outer values where there is none."""
        low, high = self.low or self.values[0], self.high or self.values[-1]
        return high / low if low > 0 else _LARGEST_FACTOR


_Spreads = Mapping[tuple[str, str], _Spread]


def section(result: RunResult) -> Section | None:
    """Return the section; None if no case has several trials, or one trial with several rounds."""
    trials = {case.key: spread for case in result.cases if (spread := _of_trials(case)) is not None}
    rounds = {case.key: spread for case in result.cases if (spread := _of_rounds(case)) is not None}
    if not trials and not rounds:
        return None
    of_trials, trials_left_out = _selected(result.cases, trials, "cases with the widest intervals")
    of_rounds, rounds_left_out = _selected(result.cases, rounds, "cases with the most variable rounds")
    in_turn = any(case.metadata_values("pair") for case in of_trials)
    notes = (*([_TRIALS] if trials else []), *([_IN_TURN] if in_turn else []), *([_ROUNDS] if rounds else []))
    charts = (
        *(_chart(panel, trials, "result, % of the mean", _title_of_trials) for panel in panels_of(of_trials, result)),
        *(
            _chart(panel, rounds, "seconds, % of the median", _title_of_rounds)
            for panel in panels_of(of_rounds, result)
        ),
    )
    return Section("noise", "Noise", charts, notes=(*notes, *trials_left_out, *rounds_left_out))


def _of_trials(case: CaseResult) -> _Spread | None:
    """Return the primary metric of the trials ÷ their geometric mean; None with fewer than two trials."""
    if case.primary is None or len(case.measured) < 2:
        return None
    mean, low, high = case.estimate()
    values = sorted(value for value in metric_values(case, case.primary.name) if value > 0)
    if mean is None or len(values) < 2:
        return None
    return _Spread(
        tuple(100 * value / mean for value in evenly(values, _MOST_DOTS)),
        100.0,
        None if low is None else 100 * max(low / mean, 1 / _LARGEST_FACTOR),
        None if high is None else 100 * min(high / mean, _LARGEST_FACTOR),
    )


def _of_rounds(case: CaseResult) -> _Spread | None:
    """Return percentiles of the rounds ÷ their median, for a case with one trial; None with few rounds."""
    if len(case.measured) != 1 or len(case.measured[0].seconds_per_step) < _LEAST_ROUNDS:
        return None
    cuts = statistics.quantiles(case.measured[0].seconds_per_step, n=20, method="inclusive")
    median = cuts[9]
    if not median:  # The clock could not resolve most rounds.
        return None
    return _Spread(tuple(100 * cuts[number - 1] / median for number in _TWENTIETHS))


def _selected(cases: Sequence[CaseResult], spreads: _Spreads, what: str) -> tuple[list[CaseResult], tuple[str, ...]]:
    found = [case for case in cases if case.key in spreads]
    return selected(found, lambda case: spreads[case.key].width, what, most=_MOST_CASES)


def _chart(panel: Panel, spreads: _Spreads, label: str, title: Callable[[Sequence[_Spread]], str]) -> DotChart:
    found = [spreads[row.case.key] for row in panel.rows]
    rows = tuple(
        DotRow(row.label, row.style, spread.values, spread.mean, spread.low, spread.high)
        for row, spread in zip(panel.rows, found, strict=True)
    )
    return DotChart(panel.name, title(found), Axis(label), rows)


def _title_of_trials(spreads: Sequence[_Spread]) -> str:
    known = [(spread.low, spread.high) for spread in spreads if spread.low is not None and spread.high is not None]
    if len(known) < len(spreads):
        return "trials in percent of their mean"
    low, high = max(known, key=lambda ends: ends[1] / ends[0])
    half = percent((high - low) / 200) if high <= 200 else factor(high / 100)
    return f"each mean is known to {half} or better" if len(known) > 1 else f"the mean is known to {half}"


def _title_of_rounds(spreads: Sequence[_Spread]) -> str:
    above = max(spread.values[-1] for spread in spreads) - 100
    each = " of each case" if len(spreads) > 1 else ""
    return f"90 % of the rounds{each} took at most {significant(round(above, 2), 2)} % longer than the median"
