"""What a sweep over batch sizes shows: the largest batch that fits, and where swapping makes steps far slower."""

from __future__ import annotations

import statistics
from collections.abc import Hashable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from pytest_throughput.report.grouping import grouped
from pytest_throughput.report.marks import is_swapped
from pytest_throughput.report.rows import names_of
from pytest_throughput.report.values import is_count, numbers, searches_of
from pytest_throughput.results.model import CaseResult, RunResult
from pytest_throughput.text import byte_count, significant

__all__ = ["Fit", "batch_size_of", "fit_of", "notes_on_cliffs", "notes_on_sweeps"]

_SHOWN = ("ok", "out_of_memory")
"""The statuses of a case that show whether its batch fits."""
_CLIFF = 1.5
"""The least growth of the time per item, from one batch size to the next larger one, that swapping is named for."""

_NamedSweep = tuple[str, list[CaseResult]]


class Fit(NamedTuple):
    """Which batches of a sweep fit into the memory."""

    largest: int | None
    """The largest batch that does; None if none was measured."""
    refused: int | None
    """The smallest larger batch that does not; None if no larger one was measured."""


def batch_size_of(case: CaseResult) -> int | None:
    """Return the batch size of a case, or the largest batch that a search found for it; None if it has neither."""
    size = case.axes.get("batch_size")
    return size if is_count(size) else min((search["fits"] for search in searches_of(case)), default=None)


def fit_of(sweep: Sequence[CaseResult]) -> Fit:
    """Return which batches of these cases, which differ in nothing but the batch size, fit into the memory."""
    sized = [(case.status, size) for case in sweep if (size := batch_size_of(case)) is not None]
    largest = max((size for status, size in sized if status == "ok"), default=None)
    refused = [size for status, size in sized if status == "out_of_memory"]
    refused += [size for case in sweep for search in searches_of(case) if is_count(size := search.get("refused"))]
    return Fit(largest, min((size for size in refused if size > (largest or 0)), default=None))


def notes_on_sweeps(result: RunResult) -> list[str]:
    """Return a line on the batches that fit, if one did not, and a line for each cliff of swapping."""
    sweeps = _sweeps(result.cases)
    limits = [f"{name} {_limit(sweep)}" for name, sweep in sweeps]
    does_not_fit = any(case.status == "out_of_memory" for _, sweep in sweeps for case in sweep)
    return [*(["largest batch that fits: " + "; ".join(limits)] if does_not_fit else []), *_cliffs(sweeps)]


def notes_on_cliffs(cases: Sequence[CaseResult]) -> list[str]:
    """Return a line for each cliff of swapping."""
    return _cliffs(_sweeps(cases))


def _sweeps(cases: Sequence[CaseResult]) -> list[_NamedSweep]:
    """Return the cases that differ in nothing but the batch size, by batch size, with what they are called.

    A sweep has several sizes, and at least one that fits or does not fit: cases that were not run show nothing.
    """
    sized = [case for case in cases if type(case.axes.get("batch_size")) is int]
    ordered = [sorted(sweep, key=lambda case: int(case.axes["batch_size"])) for sweep in grouped(sized, _all_but_size)]
    sweeps = [sweep for sweep in ordered if len(sweep) > 1 and any(case.status in _SHOWN for case in sweep)]
    names = names_of([sweep[0] for sweep in sweeps], without=("batch_size",))
    return list(zip(names, sweeps, strict=True))


def _all_but_size(case: CaseResult) -> Hashable:
    return case.environment, *((name, str(axis)) for name, axis in case.axes.items() if name != "batch_size")


def _limit(sweep: Sequence[CaseResult]) -> str:
    largest, refused = fit_of(sweep)
    beyond = "no larger one was measured" if refused is None else f"{refused:,} does not fit"
    return "none of those measured" if largest is None else f"{largest:,} ({beyond})"


def _cliffs(sweeps: Sequence[_NamedSweep]) -> list[str]:
    return [f"swap cliff: {name}: {text}" for name, sweep in sweeps for text in _cliff(sweep)]


def _cliff(sweep: Sequence[CaseResult]) -> Iterator[str]:
    """Yield what happens at the first batch that was swapped out, if its steps take far longer per item."""
    timed = [case for case in sweep if case.measured]
    for smaller, larger in pairwise(timed):
        if is_swapped(larger):
            growth = _seconds_per_item(larger) / _seconds_per_item(smaller)
            if growth >= _CLIFF:
                swapped = byte_count(max(numbers(larger, "swapped_bytes")))
                yield (
                    f"from batch {smaller.axes['batch_size']:,} to {larger.axes['batch_size']:,} the time per item "
                    f"grows {significant(growth, 2)}-fold, with {swapped} swapped out"
                )
            return


def _seconds_per_item(case: CaseResult) -> float:
    return statistics.geometric_mean(trial.median_seconds / trial.items for trial in case.measured)
