"""Measure a live pair: both sides are alive, and are measured slice by slice in turn while the other does not run.

Other work on the machine lasts for seconds, so it slows two neighbouring slices alike. The slices come in blocks
A B B A or B A A B, chosen at random, so that a steady drift cancels. A slice counts by the 10th percentile of its
seconds per step, which repeats best between processes (``benchmarks/pair_recordings.py``). The value of a pair is the
median of the log ratios of neighbouring slices, which ``benchmarks/pair_estimators.py`` chose. It uses every slice;
none is left out.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from pytest_throughput.worker.protocol import Outcome
from pytest_throughput.worker.running_trial import RunningTrial

__all__ = [
    "ENOUGH_SECONDS",
    "LEAST_BLOCKS",
    "SLICE_SECONDS",
    "STATISTIC",
    "MeasuredApart",
    "PairedTrial",
    "measure_pair",
    "speed_ratio",
    "unpaired",
]

SLICE_SECONDS = 0.2
"""The seconds of the rounds of a slice; at least three steps are measured."""
LEAST_BLOCKS = 6
"""The blocks after which a pair may end. With three, other work on the machine moves a pair's value twice as far."""
ENOUGH_SECONDS = 10.0
"""The time after which a pair may end with fewer blocks: slow steps make long slices."""
STATISTIC = "p10"
"""The statistic of the rounds of a slice by which the sides are compared: the 10th percentile."""
_BLOCKS = ("ABBA", "BAAB")


class PairedTrial(RunningTrial, Protocol):
    """A trial whose process can be stopped while the other side is measured."""

    def stop(self) -> bool:
        """See ``LaunchedTrial.stop``."""

    def kill(self) -> None:
        """Give the trial up at once, and end its process."""


class MeasuredApart(Exception):
    """The sides cannot be alive together. The text says why; measure them one after the other."""


@dataclass
class _Side:
    trial: PairedTrial
    is_open: bool = False
    """Whether it is open and warm."""
    is_stopped: bool = False
    """Whether its process is stopped, and does not only wait, while the other side is measured."""
    started_at: list[float] = field(default_factory=list)
    """The start of each slice, in seconds after the pair's first slice began."""
    rounds: list[int] = field(default_factory=list)
    """How many rounds each slice has."""
    is_fulfilled: bool = False
    """Whether the plan needs no further round."""
    outcome: Outcome | None = None

    def warm_up(self) -> bool:
        """Open the trial and warm it up; return whether that succeeded."""
        opened = self.trial.open()
        if opened.phases:
            raise MeasuredApart("a job of phases runs once, and has no slices")
        self.is_open = not (opened.is_finished or self.trial.warm_up().is_finished)
        return self.is_open

    def stop(self) -> None:
        try:
            self.is_stopped = self.trial.stop()
        except PermissionError as error:
            raise MeasuredApart(f"a worker cannot be stopped: {error}") from None

    def close(self) -> Outcome:
        """Close the trial, once, and return its outcome."""
        if self.outcome is None:
            self.outcome = self.trial.close()
        return self.outcome

    def slices(self) -> list[dict[str, Any]]:
        measurement = self.close().measurement
        assert measurement is not None
        seconds = iter(measurement.seconds_per_step)
        return [
            {
                "started_at": round(started_at, 4),
                "rounds": rounds,
                **_statistics([next(seconds) for _ in range(rounds)]),
            }
            for started_at, rounds in zip(self.started_at, self.rounds, strict=True)
        ]


def _statistics(seconds: Sequence[float]) -> dict[str, float]:
    """Return the statistics of the seconds per step of a slice's rounds."""
    ordered = sorted(seconds)
    whole, part = divmod(0.1 * (len(ordered) - 1), 1)
    low, next_higher = ordered[int(whole)], ordered[min(int(whole) + 1, len(ordered) - 1)]
    return {
        "p10_seconds": low + part * (next_higher - low),
        "median_seconds": statistics.median(ordered),
        "mean_seconds": statistics.fmean(ordered),
    }


def measure_pair(
    trials: tuple[PairedTrial, PairedTrial], pair_id: str, clock: Callable[[], float] = time.monotonic
) -> tuple[Outcome, Outcome]:
    """Measure both sides, A and B, until both plans are fulfilled. Return their outcomes.

    ``pair_id`` is the seed of the lot. Both sides get equally many slices. The metadata of the outcomes have ``pair``
    and ``slices``. If one side fails, the other is measured to its end alone, and its metadata have ``unpaired``, which
    says why. Raise MeasuredApart, with both processes ended, if the two cannot be alive together.
    """
    sides = _Side(trials[0]), _Side(trials[1])
    try:
        return _measure(sides, pair_id, clock)
    except BaseException:
        for side in sides:
            if side.outcome is None:
                side.trial.kill()
        raise


def _measure(sides: tuple[_Side, _Side], pair_id: str, clock: Callable[[], float]) -> tuple[Outcome, Outcome]:
    lot = random.Random(pair_id)
    for side in lot.sample(sides, 2):
        if not side.warm_up():
            return _alone(sides, side)
        side.stop()
    order, began_at = "", clock()
    while not _is_enough(sides, order, clock() - began_at):
        block = lot.choice(_BLOCKS)
        for letter in block:
            side = sides["AB".index(letter)]
            side.started_at.append(clock() - began_at)
            progress = side.trial.measure(SLICE_SECONDS)
            if not progress.rounds:
                return _alone(sides, side)
            side.rounds.append(progress.rounds)
            side.is_fulfilled = progress.is_finished
            side.stop()
        order += block
    for side in sides:
        if side.close().measurement is None:
            return _alone(sides, side)
    return _with_pair(sides, order, pair_id)


def _is_enough(sides: Sequence[_Side], order: str, seconds: float) -> bool:
    blocks = len(order) // len(_BLOCKS[0])
    return all(side.is_fulfilled for side in sides) and (blocks >= LEAST_BLOCKS or seconds >= ENOUGH_SECONDS)


def _alone(sides: tuple[_Side, _Side], failed: _Side) -> tuple[Outcome, Outcome]:
    """Measure the other side to its end, and return both outcomes.

    Memory may have sufficed for one process and not for two, so that nothing is known of a side that ran out of it.
    """
    failure = failed.close()
    if failure.status == "out_of_memory":
        raise MeasuredApart(f"both sides together ran out of memory: {failure.reason}")
    (other,) = (side for side in sides if side is not failed)
    if other.outcome is None and (other.is_open or other.warm_up()):
        while not other.trial.measure().is_finished:
            pass
    reason = f"the other side is {failure.status}: {failure.reason}"
    return unpaired(sides[0].close(), reason), unpaired(sides[1].close(), reason)


def unpaired(outcome: Outcome, reason: str) -> Outcome:
    """Return the outcome of a trial that was measured alone; its metadata say why."""
    own = {name: value for name, value in outcome.metadata.items() if name not in ("pair", "slices")}
    return replace(outcome, metadata={**own, "unpaired": reason})


def _with_pair(sides: tuple[_Side, _Side], order: str, pair_id: str) -> tuple[Outcome, Outcome]:
    slices = [side.slices() for side in sides]
    ratio = speed_ratio(*([each[f"{STATISTIC}_seconds"] for each in one] for one in slices))
    ratios = (None, None) if ratio is None else (1 / ratio, ratio)
    means = [statistics.fmean(each["mean_seconds"] for each in one) for one in slices]
    mean_ratios = (None, None) if ratio is None else (means[1] / means[0], means[0] / means[1])

    def paired(index: int) -> Outcome:
        side, outcome = sides[index], sides[index].close()
        pair = {
            "id": pair_id,
            "side": "AB"[index],
            "order": order,
            "ratio": ratios[index],
            "statistic": STATISTIC,
            "mean_ratio": mean_ratios[index],
            "stopped": side.is_stopped,
        }
        return replace(outcome, metadata={**outcome.metadata, "pair": pair, "slices": slices[index]})

    return paired(0), paired(1)


def speed_ratio(seconds_a: Sequence[float], seconds_b: Sequence[float]) -> float | None:
    """Return the speed of B ÷ the speed of A, given the seconds per step of the slices of each side.

    The n-th slices of both sides are neighbours in ``ABBABAAB``, since every two letters are AB or BA. Return None if
    the clock could not resolve the time of a slice.
    """
    if not all(seconds_a) or not all(seconds_b):
        return None
    return math.exp(statistics.median(math.log(a / b) for a, b in zip(seconds_a, seconds_b, strict=True)))
