"""Measure trials in turn: all of them are alive, and each is measured slice by slice while the others do not run.

Other work on the machine lasts for seconds, so it slows neighbouring slices alike. The slices come in blocks: all sides
in random order, and then in the reverse order, such as A B B A or B C A A C B. So a steady drift cancels, and the n-th
slices of any two sides are neighbours. Two sides, base and head, are a live pair. A slice counts by the 10th percentile
of its seconds per step, which repeats best between processes (``benchmarks/pair_recordings.py``). The value of a pair
is the median of the log ratios of neighbouring slices, chosen by simulation (``benchmarks/pair_estimators.py``). It
uses every slice; none is left out.
"""

from __future__ import annotations

import math
import random
import statistics
import string
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from pytest_throughput.worker.protocol import Outcome
from pytest_throughput.worker.running_trial import RunningTrial

__all__ = [
    "ENOUGH_SECONDS",
    "LEAST_BLOCKS",
    "MOST_SIDES",
    "SLICE_SECONDS",
    "STATISTIC",
    "MeasuredApart",
    "PairedTrial",
    "measure_in_turn",
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
"""The statistic of the rounds of a slice by which the sides of a pair are compared: the 10th percentile."""
MOST_SIDES = len(string.ascii_uppercase)
"""The most sides of a group: each has a letter."""


class PairedTrial(RunningTrial, Protocol):
    """A trial whose process can be stopped while another side is measured."""

    def stop(self) -> bool:
        """See ``LaunchedTrial.stop``."""

    def kill(self) -> None:
        """Give the trial up at once, and end its process."""


class MeasuredApart(Exception):
    """The sides cannot be alive together. The text says why; measure them one after the other."""


@dataclass
class _Side:
    letter: str
    trial: PairedTrial
    is_stopped: bool = False
    """Whether its process is stopped, and does not only wait, while another side is measured."""
    started_at: list[float] = field(default_factory=list)
    """The start of each slice, in seconds after the first slice of all began."""
    rounds: list[int] = field(default_factory=list)
    """How many rounds each slice has."""
    is_fulfilled: bool = False
    """Whether the plan needs no further round."""
    outcome: Outcome | None = None
    """Known once the trial is closed: at the end, or when it has failed."""

    def warm_up(self) -> None:
        """Open the trial, warm it up, and stop its process."""
        opened = self.trial.open()
        if opened.phases:
            raise MeasuredApart("a job of phases runs once, and has no slices")
        if opened.is_finished or self.trial.warm_up().is_finished:
            self.fail()
        else:
            self._stop()

    def measure(self, started_at: float) -> str:
        """Measure a slice, stop the process, and return the letter; return nothing if the trial has failed."""
        if self.outcome is None:
            progress = self.trial.measure(SLICE_SECONDS)
            if progress.rounds:
                self.started_at.append(started_at)
                self.rounds.append(progress.rounds)
                self.is_fulfilled = progress.is_finished
                self._stop()
                return self.letter
            self.fail()
        return ""

    def _stop(self) -> None:
        try:
            self.is_stopped = self.trial.stop()
        except PermissionError as error:
            raise MeasuredApart(f"a worker cannot be stopped: {error}") from None

    def fail(self) -> None:
        """Close the trial, which has failed.

        Memory may have sufficed for one process and not for several, so that nothing is known of a side that ran out of
        it: raise MeasuredApart.
        """
        failure = self.close()
        if failure.status == "out_of_memory":
            raise MeasuredApart(f"the sides together ran out of memory: {failure.reason}")

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


def measure_in_turn(
    trials: Sequence[PairedTrial], group_id: str, clock: Callable[[], float] = time.monotonic
) -> list[Outcome]:
    """Measure all sides, A, B and so on, at most MOST_SIDES, until their plans are fulfilled. Return their outcomes.

    ``group_id`` is the seed of the lot. All sides get equally many slices. The metadata of the outcomes have ``pair``
    and ``slices``. A side that fails leaves the group. The last one that is left is measured to its end alone, and its
    metadata have ``unpaired``, which says why. Raise MeasuredApart, with all processes ended, if the sides cannot be
    alive together.
    """
    sides = [_Side(letter, trial) for letter, trial in zip(string.ascii_uppercase, trials, strict=False)]
    try:
        return _measure(sides, group_id, clock)
    except BaseException:
        for side in sides:
            if side.outcome is None:
                side.trial.kill()
        raise


def _measure(sides: Sequence[_Side], group_id: str, clock: Callable[[], float]) -> list[Outcome]:
    lot = random.Random(group_id)
    for side in lot.sample(sides, len(sides)):
        side.warm_up()
    order, began_at, left = "", clock(), _left(sides)
    # The limit of time is that of two sides.
    while len(left) > 1 and not _is_enough(left, order, (clock() - began_at) * 2 / len(left)):
        half = lot.sample(left, len(left))
        for side in (*half, *reversed(half)):
            order += side.measure(clock() - began_at)
        left = _left(sides)
    if len(left) == 1:
        while not left[0].trial.measure().is_finished:
            pass
    for side in left:
        if side.close().measurement is None:
            side.fail()
    return _outcomes(sides, order, group_id)


def _left(sides: Sequence[_Side]) -> list[_Side]:
    return [side for side in sides if side.outcome is None]


def _is_enough(sides: Sequence[_Side], order: str, seconds: float) -> bool:
    blocks = order.count(sides[0].letter) // 2
    return all(side.is_fulfilled for side in sides) and (blocks >= LEAST_BLOCKS or seconds >= ENOUGH_SECONDS)


def _outcomes(sides: Sequence[_Side], order: str, group_id: str) -> list[Outcome]:
    """Return the outcomes of the closed sides. Those that were measured together say so."""
    measured = [side for side in sides if side.close().measurement is not None]
    if len(measured) < 2:
        failures = [f"{side.close().status}: {side.close().reason}" for side in sides if side not in measured]
        reason = f"the other side{' is' if len(failures) == 1 else 's are'} {'; '.join(failures)}"
        return [unpaired(side.close(), reason) if side in measured else side.close() for side in sides]
    slices = {side.letter: side.slices() for side in measured}
    ratios = _ratios(slices) if len(slices) == 2 else {}

    def outcome(side: _Side) -> Outcome:
        ended = side.close()
        if side.letter not in slices:
            return ended
        ratio, mean_ratio = ratios.get(side.letter, (None, None))
        pair = {
            "id": group_id,
            "side": side.letter,
            "order": order,
            "ratio": ratio,
            "statistic": STATISTIC,
            "mean_ratio": mean_ratio,
            "stopped": side.is_stopped,
        }
        return replace(ended, metadata={**ended.metadata, "pair": pair, "slices": slices[side.letter]})

    return [outcome(side) for side in sides]


def _ratios(slices: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, tuple[float, float]]:
    """Return, for each of two sides, its speed ÷ that of the other, and the same of all steps; nothing if unknown."""
    (one, of_one), (other, of_other) = slices.items()
    ratio = speed_ratio(*([each[f"{STATISTIC}_seconds"] for each in side] for side in (of_one, of_other)))
    if ratio is None:
        return {}
    means = [statistics.fmean(each["mean_seconds"] for each in side) for side in (of_one, of_other)]
    return {one: (1 / ratio, means[1] / means[0]), other: (ratio, means[0] / means[1])}


def unpaired(outcome: Outcome, reason: str) -> Outcome:
    """Return the outcome of a trial that was measured alone; its metadata say why."""
    own = {name: value for name, value in outcome.metadata.items() if name not in ("pair", "slices")}
    return replace(outcome, metadata={**own, "unpaired": reason})


def speed_ratio(seconds_a: Sequence[float], seconds_b: Sequence[float]) -> float | None:
    """Return the speed of B ÷ the speed of A, given the seconds per step of the slices of each side.

    The n-th slices of both sides are neighbours, in ``ABBABAAB`` as in ``BCAACB``, since each half block has every side
    once. Return None if the clock could not resolve the time of a slice.
    """
    if not all(seconds_a) or not all(seconds_b):
        return None
    return math.exp(statistics.median(math.log(a / b) for a, b in zip(seconds_a, seconds_b, strict=True)))
