"""The results of a run: its cases, their trials and their metrics. The only model of them.

A session builds a ``RunResult`` from its ledger, and the reader of files builds an equal one. Table, progress, gate,
plausibility and writer take these classes and no others.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.naming import work_of
from pytest_throughput.results.anchor import Anchor, anchor_of
from pytest_throughput.results.statistics import geometric_mean_interval

__all__ = [
    "LEAST_FIGURE",
    "MOST_FIGURE",
    "RATE",
    "CaseResult",
    "Estimate",
    "Pair",
    "RunResult",
    "TrialResult",
    "rate_unit",
]

RATE = "images_per_second"
"""The name of the metric that is items divided by the median seconds per step, whatever the items are."""

LEAST_FIGURE, MOST_FIGURE = 1e-18, 1e18
"""The bounds of primary metrics: no product or quotient of two metrics within them overflows."""


def rate_unit(axes: Mapping[str, Any]) -> str:
    """Return the unit of the rate of a case with these axes: a network takes a batch of images, other steps take items.

    It is the unit of cases that were never measured, and of files that name no unit.
    """
    return "images/s" if {"model", "batch_size"} <= axes.keys() else "items/s"


class Estimate(NamedTuple):
    """The geometric mean of a metric over trials, and the ends of its 95 % interval; None where unknown."""

    mean: float | None
    low: float | None
    high: float | None


class Pair(NamedTuple):
    """The live pair that a trial belongs to."""

    id: str
    """Equal for both sides."""
    ratio: float
    """The speed of this side ÷ that of the other: the median over neighbouring slices."""
    mean_ratio: float | None = None
    """The same by the mean of all slices, which contains steps that take far longer than others; None if unknown."""


@dataclass(frozen=True)
class TrialResult:
    """One trial that was measured."""

    trial: int
    """The number of the trial, counted from 1."""
    items: float
    """How many items one step works through: the batch size, for images; 1 where that is unknown."""
    median_seconds: float
    """The median of the seconds per step; zero if the clock could not resolve the time of any step."""
    metrics: tuple[Metric, ...] = ()
    """The metrics, the primary one first; empty if the median is zero."""
    seconds_per_step: tuple[float, ...] = ()
    """The seconds per step of each round; empty if a file lacks them."""
    rounds: int | None = None
    rounds_disturbed: int | None = None
    """How many rounds the rest of the machine held up; None where that is unknown for all of them."""
    first_step_seconds: float | None = None
    started_at: str | None = None
    """The time of its start in UTC, by ISO 8601."""
    resumed: bool = False
    """Whether an earlier run measured it, so that this run took it from that run's journal."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Further JSON values of ``extra_info``, null where unknown, without the axes of the case."""

    @property
    def primary(self) -> Metric | None:
        """The metric by which the case is judged; None if its value has no ratio to others, as zero has not."""
        has_one = bool(self.metrics) and LEAST_FIGURE <= self.metrics[0].value <= MOST_FIGURE
        return self.metrics[0] if has_one else None

    def metric(self, name: str) -> Metric | None:
        """Return the metric of that name; None where the trial has none."""
        return next((metric for metric in self.metrics if metric.name == name), None)

    @property
    def pair(self) -> Pair | None:
        """The live pair that the trial was measured in; None where it was measured alone, or with more than one."""
        if self.group is None or (ratio := self.metadata["pair"].get("ratio")) is None:
            return None
        return Pair(self.group, ratio, self.metadata["pair"].get("mean_ratio"))

    @property
    def group(self) -> str | None:
        """The id that trials share whose n-th slices are neighbours; None where the trial was not measured in turn."""
        settings, pair = self.metadata.get("settings") or {}, self.metadata.get("pair")
        return pair.get("id") if settings.get("pairing") == "slices" and isinstance(pair, dict) else None

    @property
    def slice_seconds(self) -> tuple[float, ...]:
        """The 10th percentile of the seconds per step of each slice; empty unless the clock resolved all of them."""
        slices = self.metadata.get("slices")
        each_slice = slices if isinstance(slices, list) else []
        found = [one.get("p10_seconds") if isinstance(one, dict) else None for one in each_slice]
        known = tuple(each for each in found if isinstance(each, int | float) and LEAST_FIGURE <= each <= MOST_FIGURE)
        return known if len(known) == len(found) else ()

    @property
    def anchor(self) -> Anchor | None:
        """The anchor that the trial was measured beside; None where there is none, or no ratio to it."""
        return anchor_of(self.metadata)

    @property
    def images_per_second(self) -> float | None:
        """The value of the metric ``RATE``; None where the trial has none."""
        rate = self.metric(RATE)
        return None if rate is None else rate.value


@dataclass(frozen=True)
class CaseResult:
    """One case in one environment."""

    id: str
    environment: str
    axes: Mapping[str, Any]
    """The axes of the case by name; empty for a test that names none."""
    status: str | None
    """The worst status of its trials, one of ``STATUSES``; None if no trial was run."""
    reason: str | None = None
    """The reason why the status is not ok, in one sentence; None if it is ok."""
    implausible: str | None = None
    """The reason why the figures cannot be right; None if there is none."""
    trials: tuple[TrialResult, ...] = ()
    """The trials that were measured, in the order in which they ended."""
    settings: Mapping[str, Any] | None = None
    """The settings of the measurement; None if nothing was measured."""
    network_hash: str | None = None
    node_id: str | None = field(default=None, compare=False)
    """The node id of its test, which selects all trials; None for a case that was not read from a file."""

    @property
    def key(self) -> tuple[str, str]:
        """Id and environment, which together are unique in a run."""
        return self.id, self.environment

    @cached_property
    def work(self) -> Hashable:
        """The case without its framework, execution and layout: see ``work_of``."""
        return work_of(self.id, self.axes)

    @cached_property
    def measured(self) -> tuple[TrialResult, ...]:
        """The trials with a primary metric."""
        return tuple(trial for trial in self.trials if trial.primary is not None)

    @property
    def primary(self) -> Metric | None:
        """The primary metric of the first trial, for its name, unit and direction; None where nothing was measured."""
        return self.measured[0].primary if self.measured else None

    @property
    def unit(self) -> str:
        """The unit of the primary metric."""
        return rate_unit(self.axes) if self.primary is None else self.primary.unit

    def estimate(self, name: str | None = None) -> Estimate:
        """Estimate the metric of that name, by default the primary one, from the trials that have it.

        Trials in one and the same process are not independent evidence, so they have no interval.
        """
        name = name or (self.primary.name if self.primary is not None else RATE)
        found = [metric.value for trial in self.measured if (metric := trial.metric(name)) and metric.value > 0]
        if not found:
            return Estimate(None, None, None)
        mean, low, high = geometric_mean_interval(found)
        fresh = all(settings.get("isolation") != "none" for settings in self.metadata_values("settings"))
        return Estimate(mean, low, high) if fresh else Estimate(mean, None, None)

    def metadata_values(self, name: str) -> list[Any]:
        """Return the metadata of that name of each measured trial that has it."""
        return [trial.metadata[name] for trial in self.measured if trial.metadata.get(name) is not None]


@dataclass(frozen=True)
class RunResult:
    """One run: every case that was asked for, on one machine."""

    cases: tuple[CaseResult, ...]
    """The cases, in the order in which they were asked for."""
    complete: bool = True
    """Whether every trial that was asked for has ended; true for a plain file of pytest-benchmark."""
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    """The description of the hardware; empty if unknown."""
    machine_id: str | None = None
    """The hashed id of the machine among those with the same hardware; None if unknown."""
    deselected: tuple[str, ...] | None = None
    """Ids of the cases that ``-k``, ``-m`` or ``--deselect`` left out; None where that is unknown."""
    is_ours: bool = True
    """Whether this plugin measured the run; false for a plain result of pytest-benchmark."""
    machine_info: Mapping[str, Any] = field(default_factory=dict)
    """The ``machine_info`` of pytest-benchmark's file, unchecked."""
    written_at: str | None = None
    """The time at which pytest-benchmark wrote the file; None for a run that is in no file."""
    verdicts: tuple[Mapping[str, Any], ...] = field(default=(), compare=False)
    """The judgements in the file, in the form of docs/schema/gate-1.schema.json; none for a run that is in no file."""
