"""The measuring protocols: how much warm-up, how many rounds, and when to stop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional

__all__ = ["ONCE", "PLANS", "Plan"]


@dataclass(frozen=True)
class Plan:
    """How one trial is measured."""

    name: str
    warm_up_steps: Optional[int]
    """The least number of steps before the rounds; None to warm up until steps no longer get faster."""
    min_rounds: int
    """The rounds that are always measured, regardless of `max_seconds`."""
    max_rounds: int
    """The most rounds; the limit holds once `min_seconds` have been measured."""
    max_seconds: float
    """No further round is begun once the rounds have taken so long."""
    target: Optional[float]
    """Stop once half the 95 % interval of the median is at most this share of the median; None: never for this."""
    min_warm_up_seconds: float = 0.0
    """The least time to warm up: processors, caches and thread pools need time to settle, not a number of steps."""
    min_seconds: float = 0.0
    """The least time of all rounds: rounds of a shorter time vary less than the rounds of different seconds do."""


PLANS = {
    plan.name: plan
    for plan in (
        Plan("adaptive", None, 10, 500, 10.0, target=0.01, min_warm_up_seconds=0.5, min_seconds=1.0),
        Plan("gpu", None, 10, 500, 10.0, target=0.01, min_warm_up_seconds=0.5, min_seconds=5.0),
        Plan("paper", 10, 20, 20, math.inf, target=None),
        Plan("quick", 2, 5, 20, 3.0, target=0.01, min_warm_up_seconds=0.3, min_seconds=0.5),
    )
}
"""The plans by the value of ``--throughput-protocol``. ``paper``: 10 steps and 20 rounds, as in the first report.
``gpu``: clocks and temperature need seconds to settle, and NVML's power sensor is a mean over one second."""

ONCE = Plan("once", 0, min_rounds=1, max_rounds=1, max_seconds=math.inf, target=None)
"""Run the step a single time (``run_once``) and keep no figure, as ``--benchmark-disable`` asks for."""
