"""What the gate compares: the part of a run's results that verdicts depend on, which is also what a baseline stores.

The model of all results is ``results/model.py``. ``from_results`` derives a ``JudgedRun`` from a
``RunResult``: one value per trial, that of the primary metric, and digests instead of the settings.
``store_format`` writes it to a file of the baseline, and reads it back.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_throughput.measurement.metric import BETTER
from pytest_throughput.results.anchor import Anchor
from pytest_throughput.results.model import Pair

__all__ = [
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


@dataclass(frozen=True)
class JudgedMetric:
    """The metric that a case is judged by."""

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
    pair: Pair | None = None
    """The live pair that it was measured in. A baseline does not store it."""
    anchor: Anchor | None = None
    """The anchor that it was measured beside, with the ratio of the speeds."""

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

    def logarithm(self, trial: JudgedTrial) -> float:
        """Return the logarithm of a trial's value, negated where lower values are better: more is always better."""
        is_reversed = self.metric is not None and self.metric.better == "lower"
        return -math.log(trial.value) if is_reversed else math.log(trial.value)


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


def hardware_key(fingerprint: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits, equal for equal hardware; they are the name of a folder of the baseline."""
    canonical = json.dumps(fingerprint, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def hashed_machine_id(name: str) -> str:
    """Return 16 hexadecimal digits for a GPU's UUID or a machine's id, which cannot be recovered from them."""
    return hashlib.sha256(f"pytest-throughput individual {name}".encode()).hexdigest()[:16]
