"""What a comparison can come to, and the rules it is decided by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["FEWEST_UNITS", "WORTH_CONFIRMING", "Code", "Design", "Rules"]

FEWEST_UNITS = 3
"""Pairs, or accepted runs: with two, the noise between them is known from a single difference."""


class Code(StrEnum):
    """Why: one word for programs, beside the sentence for people."""

    SLOWER = "slower"
    FASTER = "faster"
    WITHIN_THRESHOLD = "within_threshold"
    NOISE = "noise"
    NEAR_THRESHOLD = "near_threshold"
    CONTENTION = "contention"
    SLOW_TRIALS = "slow_trials"
    TOO_FEW_TRIALS = "too_few_trials"
    TOO_FEW_RUNS = "too_few_runs"
    UNSEEN_INDIVIDUAL = "unseen_individual"
    NO_BASELINE = "no_baseline"
    NOT_IN_RUN = "not_in_run"
    STATUS = "status"
    NETWORK_CHANGED = "network_changed"
    SETTINGS_CHANGED = "settings_changed"


WORTH_CONFIRMING = frozenset(
    {Code.SLOWER, Code.NOISE, Code.NEAR_THRESHOLD, Code.CONTENTION, Code.SLOW_TRIALS, Code.TOO_FEW_TRIALS}
)
"""More trials of head (and of base, in pairs) may change the verdict, or ought to bear it out.

Lacking accepted runs is not among them: more trials of one run say nothing about how runs differ.
"""


class Design(StrEnum):
    """How the two sides were measured, and so what is a unit of replication."""

    PAIRS = "pairs"
    """One run, case by case, both environments in turn: the pair of trials."""
    PAIRED_RUNS = "paired_runs"
    """Runs taken in turn: the pair of runs."""
    HISTORY = "history"
    """One run against accepted ones: the run."""
    GROUPS = "groups"
    """Two groups of runs, in no particular order: the run."""

    @property
    def is_paired(self) -> bool:
        return self in (Design.PAIRS, Design.PAIRED_RUNS)


@dataclass(frozen=True)
class Rules:
    """What counts as slower. Raises ValueError for rules that mean nothing."""

    threshold: float = 0.03
    """The slowdown that matters, as a share of the seconds: 0.03 is 3 % more of them."""
    false_alarm_rate: float = 0.01
    """The share of whole runs in which any case may be called regressed though none is."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 10:
            raise ValueError(f"threshold: expected a share above 0, such as 0.03 for 3 %, got {self.threshold!r}")
        if not 0 < self.false_alarm_rate <= 0.5:
            raise ValueError(f"false-alarm rate: expected a share above 0, at most 0.5, got {self.false_alarm_rate!r}")

    @property
    def log_threshold(self) -> float:
        return math.log1p(self.threshold)
