"""What the gate compares: the part of a run's results that verdicts depend on, which is also what a baseline stores.

The model of all results is ``results/model.py``. ``from_results`` derives a ``JudgedRun`` from a
``RunResult``: for each trial its value of the primary metric and those of the further ones, and digests instead of the
settings. What is judged is always one value per trial: ``JudgedCase.by`` puts a further metric in the place of the
primary one.
``store_format`` writes it to a file of the baseline, and reads it back.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_throughput.measurement.metric import BETTER
from pytest_throughput.results.anchor import Anchor
from pytest_throughput.results.model import RATE, Pair

__all__ = [
    "MOST_METRICS",
    "MOST_SETTINGS",
    "Axes",
    "JudgedCase",
    "JudgedMetric",
    "JudgedRun",
    "JudgedTrial",
    "hardware_key",
    "hashed_machine_id",
]

Axes = Mapping[str, str | int | None]
"""Axis values of a case, by the name of the axis: framework, model, batch size, …"""

MOST_SETTINGS = 100
"""The most settings of a case that are kept for messages."""

MOST_METRICS = 50
"""The most further metrics of a case that are kept."""


@dataclass(frozen=True)
class JudgedMetric:
    """A metric that a case can be judged by."""

    name: str
    unit: str
    better: str
    """``higher`` or ``lower``."""

    def __post_init__(self) -> None:
        if self.better not in BETTER:
            raise ValueError(f"metric {self.name}: better is {self.better!r}; expected one of {', '.join(BETTER)}")


@dataclass(frozen=True)
class JudgedTrial:
    """One measurement of a case in a fresh process."""

    number: int
    """Counted from 1; in interleaved pairs, trials of one number belong together."""
    value: float
    """The value of the case's metric."""
    disturbed_share: float | None = None
    """Share of disturbed rounds; None where it is unknown. No verdict depends on it: a change can disturb itself."""
    pair: Pair | None = field(default=None, compare=False)
    """The live pair that it was measured in. A baseline does not store it, and so it is not compared."""
    anchor: Anchor | None = None
    """The anchor that it was measured beside, with the ratio of the speeds."""
    further_values: Mapping[str, float] = field(default_factory=dict, compare=False)
    """The values above 0 of the case's further metrics, by name; one that is unknown is absent.

    They are not compared: a run is still the same if it was accepted before further metrics were kept.
    """
    standard_errors: Mapping[str, float] = field(default_factory=dict, compare=False)
    """The standard errors that the trial itself gives of its metrics, by name, above 0; not compared, likewise."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value > 0):
            raise ValueError(f"trial {self.number}: expected a value above 0, got {self.value!r}")


@dataclass(frozen=True)
class JudgedCase:
    """One case in one run."""

    id: str
    status: str = "ok"
    trials: tuple[JudgedTrial, ...] = ()
    network_hash: str | None = None
    settings_digest: str | None = None
    """Digest of the settings that a value depends on, such as threads and isolation; None where they are unknown."""
    axes: Axes = field(default_factory=dict)
    """Empty where the case names none."""
    metric: JudgedMetric | None = None
    """None where it is unknown: higher values are better then."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """The settings of the digest as JSON texts by name, for messages; empty where they are unknown."""
    anchor_versions: Mapping[str, str] = field(default_factory=dict)
    """The versions of the anchor of its last trial, for messages; empty without an anchor."""
    further_metrics: tuple[JudgedMetric, ...] = field(default=(), compare=False)
    """The metrics that the case can be judged by instead of ``metric``. They are not compared, like their values."""

    @property
    def metric_name(self) -> str:
        """The name of the metric; that of the rate where it is unknown."""
        return RATE if self.metric is None else self.metric.name

    @property
    def metric_names(self) -> list[str]:
        """The names of all metrics that the case can be judged by."""
        return [self.metric_name, *(metric.name for metric in self.further_metrics)]

    @property
    def has_rate(self) -> bool:
        """Whether the metric is a rate, whatever the items are."""
        return self.metric is None or (self.metric.better == "higher" and self.metric.name.endswith("_per_second"))

    def by(self, name: str) -> JudgedCase | None:
        """Return the case with a further metric in the place of the primary one; None if no trial has a value of it.

        Unit and direction become settings of the case, so that a metric that changed is not compared.
        """
        metric = next((one for one in self.further_metrics if one.name == name), None)
        trials = tuple(
            JudgedTrial(
                trial.number,
                trial.further_values[name],
                trial.disturbed_share,
                standard_errors=trial.standard_errors,
            )
            for trial in self.trials
            if name in trial.further_values
        )
        if metric is None or not trials:
            return None
        digest = self.settings_digest and f"{self.settings_digest} {metric.unit} {metric.better}"
        of_metric = {f"{name}.unit": metric.unit, f"{name}.better": metric.better} if self.settings else {}
        return replace(
            self,
            trials=trials,
            metric=metric,
            settings_digest=digest,
            settings={**self.settings, **of_metric},
            further_metrics=(),
        )

    def logarithm(self, trial: JudgedTrial) -> float:
        """Return the logarithm of a trial's value, negated where lower values are better: more is always better."""
        is_reversed = self.metric is not None and self.metric.better == "lower"
        return -math.log(trial.value) if is_reversed else math.log(trial.value)

    def own_error(self, trial: JudgedTrial) -> float:
        """Return the standard error of that logarithm that the trial itself gives; 0 if it gives none."""
        return trial.standard_errors.get(self.metric_name, 0.0) / trial.value


@dataclass(frozen=True)
class JudgedRun:
    """One invocation of pytest, on one machine."""

    started_at: str
    """ISO 8601, with the offset from UTC."""
    fingerprint: Mapping[str, Any]
    """The hardware, as JSON; runs are comparable if their fingerprints are equal."""
    machine_id: str | None = None
    """Hashed id, which distinguishes machines of equal hardware; None where it is unknown."""
    software: Mapping[str, str] = field(default_factory=dict)
    """Versions by name."""
    cases: Mapping[str, JudgedCase] = field(default_factory=dict)
    """Cases by id."""
    note: str = field(default="", compare=False)
    """The note of `accept`: the intended change since the accepted run before; empty without a note.

    Runs that differ only in their notes are equal."""


def hardware_key(fingerprint: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits, equal for equal hardware; they are the name of a folder of the baseline."""
    canonical = json.dumps(fingerprint, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def hashed_machine_id(name: str) -> str:
    """Return 16 hexadecimal digits for a GPU's UUID or a machine's id, which cannot be recovered from them."""
    return hashlib.sha256(f"pytest-throughput individual {name}".encode()).hexdigest()[:16]
