"""Findings: sentences that say which framework is fastest, only where the intervals of the trials' ratios show it.

What is claimed, and how surely: a chart names a framework that is not the fastest, or one of several that are equally
fast, with a probability of at most 5 %. Trials are taken as independent, and the logarithms of their ratios as normally
distributed. A report has many charts, and each has its own 5 %.

- At one place, such as a batch size, the winner has to be faster than each rival by a two-sided Student's interval of
  the ratio of the two. More rivals need no wider intervals: a wrong name is most likely where two are equally fast, and
  the others far slower (Gutmann and Maymin, "Is the selected population the best?", Annals of Statistics 15, 1987, for
  equal variances).
- A framework may have several configurations. It is fastest if one of them is faster than all configurations of the
  other frameworks. As that may be any of them, their number divides the error (Bonferroni).
- Over batch sizes there is a test at each size. They are done in two orders, from the largest size down and from the
  smallest up, and each order ends at its first size without a winner. So an order as a whole has the error of one test
  (Maurer, Hothorn and Lehmacher, 1995). The two orders share the error: their intervals are of 97.5 %.

``tests/report/test_findings.py`` simulates all three.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report.ratios import ratio_between
from pytest_throughput.results.model import CaseResult
from pytest_throughput.text import printable

__all__ = [
    "Rivals",
    "fastest",
    "notes_on_findings",
    "quantity_of",
    "title_at",
    "title_by_batch_size",
    "title_by_device",
]

_CONFIDENCE = 0.95
_LONGEST_TITLE, _LONGEST_NAME = 90, 40
_TIME_UNITS = ("s", "ms", "us", "µs", "ns", "min", "h")

Rivals = Mapping[str, Sequence[CaseResult]]
"""The configurations of each rival, such as a framework, by its name. All have done the same work."""


def fastest(rivals: Rivals, confidence: float = _CONFIDENCE) -> str | None:
    """Return the name of the rival that is faster than each other one; None if the intervals do not show one."""
    if len(rivals) < 2:
        return None
    rows = [(name, row) for name, configurations in rivals.items() for row in configurations]
    winner, champion = rows[0]
    for name, row in rows[1:]:
        ratio = ratio_between(row, champion)
        if ratio is not None and ratio.estimate.mean is not None and ratio.estimate.mean > 1:
            winner, champion = name, row
    error = (1 - confidence) / len(rivals[winner])
    others = [row for name, row in rows if name != winner]
    return winner if all(_is_faster(champion, other, 1 - error) for other in others) else None


def quantity_of(metric: Metric) -> str:
    """Return what a metric measures, in words: ``images per second``, ``seconds (s), lower is better``."""
    words = printable(metric.name, _LONGEST_NAME).replace("_", " ")
    unit = printable(metric.unit, _LONGEST_NAME)
    shown = f"{unit[:-2]} per second" if unit.endswith("/s") else f"{words} ({unit})" if unit else words
    return f"{shown}, lower is better" if metric.better == "lower" else shown


def title_at(rivals: Rivals, metric: Metric, where: str) -> str:
    """Return the title of a chart of rivals at one place: the finding, or what is shown.

    ``where``: the place, such as ``at batch 8``; empty without one.
    """
    winner = fastest(rivals)
    finding = None if winner is None else f"{_is_fastest(winner, metric)} {where}".strip()
    return _title(finding, [rivals], metric, where)


def title_by_batch_size(rivals: Mapping[int, Rivals], metric: Metric) -> str:
    """Return the title of a chart of the rivals at each of several batch sizes: the finding, or what is shown."""
    return _title(_finding(rivals, metric), list(rivals.values()), metric, "by batch size")


def title_by_device(rivals: Mapping[str, Rivals], metric: Metric, where: str) -> str:
    """Return the title of a chart of devices: the one that is fastest with each framework, or what is shown.

    ``rivals``: the devices on which each framework was measured. All frameworks have to agree, so that more of them
    make a wrong finding less likely.
    """
    winners = {fastest(devices) for devices in rivals.values()}
    winner = winners.pop() if len(winners) == 1 else None
    frameworks = _name(*rivals) if len(rivals) == 1 else "every framework"
    finding = None if winner is None else f"{_is_fastest(winner, metric)} with {frameworks} {where}".strip()
    return _title(finding, list(rivals.values()), metric, f"by device {where}".strip())


def notes_on_findings(cases: Sequence[CaseResult]) -> list[str]:
    """Return sentences on what the intervals and titles of charts of these cases mean."""
    have_intervals = [case.estimate().low is not None for case in cases]
    notes = []
    if any(have_intervals):
        notes.append(
            "Intervals are 95 % intervals over trials. A title names the fastest only where the ratios of the trials "
            "show it: where several are equally fast, at most 5 % of such titles name one."
        )
    if not all(have_intervals):
        notes.append(
            "Cases without several trials in fresh processes have no interval, and no title says that one of them is "
            "the fastest: measure with --throughput-order paired --throughput-trials 5."
        )
    return notes


def _finding(rivals: Mapping[int, Rivals], metric: Metric) -> str | None:
    """Return who is fastest up to a batch size, from one on, or at all; None if the intervals do not show it."""
    sizes = sorted(rivals)
    winners = [fastest(rivals[size], (1 + _CONFIDENCE) / 2) for size in sizes]
    smallest, largest = winners[0], winners[-1]
    below, above = _equal_at_the_beginning(winners), _equal_at_the_beginning(winners[::-1])
    if largest is not None and above == len(sizes):
        return f"{_is_fastest(largest, metric)} at every batch size"
    up_to = f"{'at' if below == 1 else 'up to'} batch {sizes[below - 1]:,}"
    from_on = f"at batch {sizes[-1]:,}" if above == 1 else f"from batch {sizes[-above]:,} on"
    if smallest is None:
        return None if largest is None else f"{_is_fastest(largest, metric)} {from_on}"
    finding = f"{_is_fastest(smallest, metric)} {up_to}"
    if largest is None:
        return finding
    return f"{finding} and {from_on}" if smallest == largest else f"{finding}, {_name(largest)} {from_on}"


def _equal_at_the_beginning(winners: Sequence[str | None]) -> int:
    """Return how many winners at the beginning are the first one."""
    return next((place for place, winner in enumerate(winners) if winner != winners[0]), len(winners))


def _title(finding: str | None, all_rivals: Sequence[Rivals], metric: Metric, where: str) -> str:
    shown = f"{quantity_of(metric)} {where}".strip()[:_LONGEST_TITLE]
    if finding is None and _show_no_difference(all_rivals):
        finding = f"{shown}: no difference that the intervals show"
    return shown if finding is None or len(finding) > _LONGEST_TITLE else finding


def _show_no_difference(all_rivals: Sequence[Rivals]) -> bool:
    """Return whether every ratio of two rows has a 95 % interval, and each interval contains 1."""
    any_interval = False
    for low, high in _intervals(all_rivals):
        if low is None or high is None or not low <= 1 <= high:
            return False
        any_interval = True
    return any_interval


def _intervals(all_rivals: Sequence[Rivals]) -> Iterator[tuple[float | None, float | None]]:
    for rivals in all_rivals:
        for one, other in combinations([row for rows in rivals.values() for row in rows], 2):
            ratio = ratio_between(one, other)
            yield (None, None) if ratio is None else (ratio.estimate.low, ratio.estimate.high)


def _is_faster(row: CaseResult, other: CaseResult, confidence: float) -> bool:
    ratio = ratio_between(row, other, confidence)
    return ratio is not None and ratio.estimate.low is not None and ratio.estimate.low > 1


def _is_fastest(name: str, metric: Metric) -> str:
    """Return the beginning of a sentence; a metric that is no speed, such as an accuracy, has a best value."""
    is_speed = metric.unit.endswith("/s") if metric.better == "higher" else metric.unit in _TIME_UNITS
    return f"{_name(name)} is {'fastest' if is_speed else 'best'}"


def _name(name: str) -> str:
    return printable(name, _LONGEST_NAME)
