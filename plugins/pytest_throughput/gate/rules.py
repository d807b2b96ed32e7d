"""The rules that a user can set, the designs of a comparison, and the codes that explain a verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from pytest_throughput.gate.thresholds import Thresholds

__all__ = ["FEWEST_FOR_FAR", "FEWEST_UNITS", "WORTH_CONFIRMING", "Code", "Design", "Rules"]

FEWEST_UNITS = 3
"""Fewest pairs, or accepted runs, for a verdict; two would give a single difference to estimate the noise from."""
FEWEST_FOR_FAR = 2
"""Fewest pairs, or accepted runs, that can show a slowdown beyond all noise; a single one may be disturbed."""


class Code(StrEnum):
    """The reason of a verdict, for programs; ``CaseVerdict.reason`` is the sentence for people."""

    SLOWER = "slower"
    FAR_SLOWER = "far_slower"
    SLOWER_AT_TIMES = "slower_at_times"
    SLOWER_ON_AVERAGE = "slower_on_average"
    FASTER = "faster"
    WITHIN_THRESHOLD = "within_threshold"
    NOISE = "noise"
    NEAR_THRESHOLD = "near_threshold"
    OWN_ERROR = "own_error"
    CONTENTION = "contention"
    SLOW_TRIALS = "slow_trials"
    SLOW_STEPS = "slow_steps"
    MAYBE_FASTER = "maybe_faster"
    TOO_FEW_TRIALS = "too_few_trials"
    TOO_FEW_RUNS = "too_few_runs"
    UNSEEN_INDIVIDUAL = "unseen_individual"
    NO_BASELINE = "no_baseline"
    NOT_IN_RUN = "not_in_run"
    STATUS = "status"
    NO_METRIC = "no_metric"
    NETWORK_CHANGED = "network_changed"
    SETTINGS_CHANGED = "settings_changed"
    ANCHOR_CHANGED = "anchor_changed"


WORTH_CONFIRMING = frozenset(
    {
        Code.NOISE,
        Code.NEAR_THRESHOLD,
        Code.CONTENTION,
        Code.SLOW_TRIALS,
        Code.SLOW_STEPS,
        Code.MAYBE_FASTER,
        Code.TOO_FEW_TRIALS,
    }
)
"""Codes of undecided cases that more trials of head (and of base, in pairs) may decide.

A lack of accepted runs is not among them: more trials of one run do not show how runs differ. Nor is
an error that the figures themselves have.
"""


class Design(StrEnum):
    """How the two sides were measured. This determines the unit of replication."""

    PAIRS = "pairs"
    """One run measured both environments case by case in turn; the unit is the pair of trials."""
    PAIRED_RUNS = "paired_runs"
    """The runs of both sides were taken in turn; the unit is the pair of runs."""
    HISTORY = "history"
    """One run is compared with accepted runs; the unit is the run."""
    GROUPS = "groups"
    """Two groups of runs in no particular order; the unit is the run."""

    @property
    def is_paired(self) -> bool:
        return self in (Design.PAIRS, Design.PAIRED_RUNS)


@dataclass(frozen=True)
class Rules:
    """When a case counts as regressed, and when as unchanged. Raises ValueError for values out of range."""

    threshold: float = 0.03
    """Smallest slowdown that matters, as a share of the seconds: 0.03 means 3 % more seconds."""
    false_alarm_rate: float = 0.01
    """Largest share of unchanged runs in which any case may be called regressed, by any metric."""
    metrics: tuple[str, ...] = ()
    """The names of the metrics that are judged; empty to judge each case by its primary metric."""
    thresholds: Thresholds = field(default_factory=Thresholds)
    """The thresholds of single cases and metrics; ``threshold`` is that of all others."""
    share: float = 1.0
    """The share of the false alarms that this judgement may raise, where it is one of several looks at a run."""
    missed_rate: float = 0.025
    """Largest share of slowdowns of exactly the threshold that this judgement may call unchanged."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 10:
            raise ValueError(f"threshold: expected a share above 0, such as 0.03 for 3 %, got {self.threshold!r}")
        if not 0 < self.false_alarm_rate <= 0.5:
            raise ValueError(f"false-alarm rate: expected a share above 0, at most 0.5, got {self.false_alarm_rate!r}")

    @property
    def level(self) -> float:
        """The rate of false alarms of this judgement."""
        return self.share * self.false_alarm_rate

    @property
    def log_threshold(self) -> float:
        return math.log1p(self.threshold)

    def threshold_of(self, case_id: str, metric: str) -> float:
        """Return the threshold of a case that is judged by that metric."""
        first = self.thresholds.first(case_id, metric)
        return self.threshold if first is None else first.share
