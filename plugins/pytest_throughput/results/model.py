"""Every case that was asked for, and what became of each of its trials."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_throughput.measurement.loop import Measurement
from pytest_throughput.measurement.metric import Metric
from pytest_throughput.results.statistics import geometric_mean_interval
from pytest_throughput.worker.protocol import STATUSES, Outcome

__all__ = ["CaseRecord", "Ledger", "TrialRecord"]


@dataclass(frozen=True)
class TrialRecord:
    """One trial of one case, ended well or not."""

    trial: int
    started_at: str
    """ISO 8601, UTC."""
    items: int
    """What one step works through: the batch size, for images."""
    outcome: Outcome
    resumed: bool = False
    """Whether it was measured by an earlier run, and taken from its journal."""

    @property
    def measurement(self) -> Measurement | None:
        """The figures; None unless the outcome is ok."""
        return self.outcome.measurement

    @property
    def median_seconds(self) -> float | None:
        """Median seconds per step; None without a measurement."""
        return None if self.measurement is None else statistics.median(self.measurement.seconds_per_step)

    @property
    def images_per_second(self) -> float | None:
        """Items divided by the median seconds per step; None without one, where it is zero, or if no images count."""
        metrics = {metric.name: metric.value for metric in self.metrics}
        return metrics.get("images_per_second")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Its figures, the primary one first: those that the worker knows, or else the rate."""
        if self.outcome.metrics or not self.median_seconds:
            return self.outcome.metrics
        return (Metric("images_per_second", "images/s", self.items / self.median_seconds),)

    @property
    def seconds_per_step(self) -> Sequence[float]:
        """One of each round; none without a measurement."""
        return [] if self.measurement is None else self.measurement.seconds_per_step

    @property
    def first_step_seconds(self) -> float | None:
        """The very first step; None without a measurement."""
        return None if self.measurement is None else self.measurement.first_step_seconds

    @property
    def rounds(self) -> int | None:
        """How many rounds were measured."""
        return None if self.measurement is None else len(self.measurement.round_seconds)

    @property
    def disturbed_by(self) -> str | None:
        """Why its figures tell of something else, too, such as a GPU that was throttled; None if of nothing."""
        reason = self.outcome.metadata.get("disturbed_by")
        return None if reason is None else str(reason)

    @property
    def rounds_disturbed(self) -> int | None:
        """How many of them the rest of the machine held up, as far as that is known; None where of none it is.

        All, where what disturbed them disturbed the trial.
        """
        if self.disturbed_by is not None:
            return self.rounds
        known = [] if self.measurement is None else [each for each in self.measurement.disturbed if each is not None]
        return sum(known) if known else None


@dataclass
class CaseRecord:
    """One case in one environment."""

    id: str
    environment: str
    axes: Mapping[str, Any]
    """The axes of the case by name; empty for a test that names none."""
    implausible: str | None = None
    """Why the figures cannot be, where they cannot."""
    _asked: dict[int, None] = field(default_factory=dict)
    _ended: dict[int, TrialRecord] = field(default_factory=dict)

    @property
    def asked(self) -> list[int]:
        """The trials that were asked for."""
        return list(self._asked)

    @property
    def trials(self) -> list[TrialRecord]:
        """Those that ended, in the order in which they did; a repeated one replaces the earlier."""
        return list(self._ended.values())

    def ask(self, trial: int) -> None:
        """Note that a trial is to be run."""
        self._asked[trial] = None

    def settle(self, record: TrialRecord) -> None:
        """Note how a trial has ended."""
        self._ended.pop(record.trial, None)
        self._ended[record.trial] = record

    def has_ended(self, trial: int) -> bool:
        """Return whether a trial has ended."""
        return trial in self._ended

    @property
    def worst(self) -> TrialRecord | None:
        """The trial that ended worst; None before any has ended."""
        return max(self.trials, key=lambda trial: STATUSES.index(trial.outcome.status), default=None)

    @property
    def status(self) -> str | None:
        """The status of the worst trial; None if none was run."""
        return None if self.worst is None else self.worst.outcome.status

    @property
    def reason(self) -> str | None:
        """Why the status is not ok, in one sentence."""
        return "not run" if self.worst is None else self.worst.outcome.reason

    @property
    def is_complete(self) -> bool:
        """Whether every trial that was asked for has ended."""
        return {trial.trial for trial in self.trials} >= set(self.asked)

    @property
    def measured(self) -> list[TrialRecord]:
        """The trials with a rate."""
        return [trial for trial in self.trials if trial.images_per_second is not None]

    def images_per_second(self) -> tuple[float | None, float | None, float | None]:
        """Geometric mean over the trials, and the ends of its 95 % interval; None where unknown.

        Trials in one and the same process are no independent evidence, and have no interval.
        """
        rates = [trial.images_per_second for trial in self.measured if trial.images_per_second]
        if not rates:
            return None, None, None
        mean, low, high = geometric_mean_interval(rates)
        fresh = all(settings.get("isolation") != "none" for settings in self.fact("settings"))
        return (mean, low, high) if fresh else (mean, None, None)

    @property
    def settings(self) -> Mapping[str, Any] | None:
        """How it was measured; None where nothing was."""
        return next(iter(self.fact("settings")), None)

    @property
    def network_hash(self) -> str | None:
        """Of the network that was measured; None where unknown."""
        return next(iter(self.fact("network_hash")), None)

    def fact(self, name: str) -> list[Any]:
        """A fact of each measured trial that knows it."""
        values = (trial.outcome.metadata.get(name) for trial in self.measured)
        return [value for value in values if value is not None]


class Ledger:
    """All cases of this run, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._cases: dict[tuple[str, str], CaseRecord] = {}

    def ask(self, case_id: str, environment: str, trial: int, axes: Mapping[str, Any]) -> None:
        """Notes that a trial is to be run."""
        key = (case_id, environment)
        self._cases.setdefault(key, CaseRecord(case_id, environment, axes)).ask(trial)

    def settle(self, case_id: str, environment: str, record: TrialRecord) -> CaseRecord:
        """Notes how a trial that was asked for has ended."""
        case = self._cases[case_id, environment]
        case.settle(record)
        return case

    def has_ended(self, case_id: str, environment: str, trial: int) -> bool:
        """Whether a trial that was asked for has ended."""
        return self._cases[case_id, environment].has_ended(trial)

    @property
    def is_complete(self) -> bool:
        """Whether every trial of every case has ended."""
        return all(case.is_complete for case in self)

    @property
    def trials_asked(self) -> int:
        """How many trials were asked for, of all cases together."""
        return sum(len(case.asked) for case in self)

    @property
    def trials_ended(self) -> int:
        """How many of them have ended."""
        return sum(len(case.trials) for case in self)

    def axis_values(self, name: str) -> list[Any]:
        """The distinct values of one axis, in order of appearance."""
        return list(dict.fromkeys(_known(case.axes.get(name) for case in self)))

    def __iter__(self) -> Iterator[CaseRecord]:
        return iter(self._cases.values())


def _known(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value is not None]
