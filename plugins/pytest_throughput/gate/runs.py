"""What is compared: runs, their cases and trials, read from anywhere and free of pytest."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Axes", "CaseResult", "Run", "Trial", "hardware_key", "hashed_machine_id"]

Axes = Mapping[str, str | int | None]
"""Of a case, by name: framework, model, batch size, …"""


@dataclass(frozen=True)
class Trial:
    """One case in one fresh process."""

    number: int
    """Counted from 1; in interleaved pairs, trials of one number belong together."""
    images_per_second: float
    disturbed_share: float | None = None
    """Of its rounds; None where that is unknown. Told, and never judged by: a change can disturb itself."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.images_per_second) and self.images_per_second > 0):
            raise ValueError(f"trial {self.number}: expected images/second above 0, got {self.images_per_second!r}")


@dataclass(frozen=True)
class CaseResult:
    """One case in one run."""

    id: str
    status: str = "ok"
    trials: tuple[Trial, ...] = ()
    network_hash: str | None = None
    settings_digest: str | None = None
    """Of the settings that a figure depends on: threads, isolation, steps per round, … None where unknown."""
    axes: Axes = field(default_factory=dict)
    """Empty where the case names none."""


@dataclass(frozen=True)
class Run:
    """One invocation, on one machine in one hour."""

    started_at: str
    """ISO 8601."""
    fingerprint: Mapping[str, Any]
    """The hardware, in JSON: what makes two machines alike."""
    machine_id: str | None = None
    """Which of the machines that are alike it was, hashed; None where that is unknown."""
    software: Mapping[str, str] = field(default_factory=dict)
    """Versions by name."""
    cases: Mapping[str, CaseResult] = field(default_factory=dict)
    """By id."""


def hardware_key(fingerprint: Mapping[str, Any]) -> str:
    """16 hexadecimal digits, equal for equal hardware: fit for the name of a folder."""
    canonical = json.dumps(fingerprint, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def hashed_machine_id(name: str) -> str:
    """16 hexadecimal digits for a GPU's UUID or a machine's id, which nobody can read back from a file."""
    return hashlib.sha256(f"pytest-throughput individual {name}".encode()).hexdigest()[:16]
