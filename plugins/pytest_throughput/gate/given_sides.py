"""Checks of the runs that a user gives: each run once, and pairs that were really measured in turn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from pytest_throughput.gate.from_results import GivenRun
from pytest_throughput.gate.store_format import utc

__all__ = ["check_distinct", "check_pairs"]


def check_distinct(runs: Sequence[GivenRun]) -> None:
    """Raise ValueError where two files hold the same run: its figures would count as two measurements."""
    measured = [one for one in runs if any(case.trials for case in one.run.cases.values())]
    for index, one in enumerate(measured):
        for other in measured[:index]:
            if (one.run.started_at, one.run.cases) == (other.run.started_at, other.run.cases):
                raise ValueError(
                    f"{other.name} and {one.name} hold the same run, of {one.run.started_at}; give each run once"
                )


def check_pairs(base: Sequence[GivenRun], head: Sequence[GivenRun]) -> None:
    """Raise ValueError where the runs are no pairs: of two machines, or with other runs between the two of a pair."""
    without = "leave out --paired to compare two groups of runs"
    pairs = []
    for one, other in zip(base, head, strict=False):
        machines = {one.run.machine_id, other.run.machine_id} - {None}
        if len(machines) > 1:
            raise ValueError(f"--paired: {one.name} and {other.name} were measured on different machines; {without}")
        first, second = sorted(utc(each.run.started_at) for each in (one, other))
        pairs.append((first, second, f"{one.name} and {other.name}"))
    pairs.sort()
    for (_, end, earlier), (start, _, later) in pairwise(pairs):
        if start < end:
            raise ValueError(
                f"--paired: the pair {later} began before the pair {earlier} was complete; expected runs in turn "
                f"(base head head base), the first of base with the first of head, and so on; {without}"
            )
