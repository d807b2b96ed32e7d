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
    """At least so many steps before the rounds; None to go on until they no longer get faster."""
    min_rounds: int
    """Always measured, regardless of `max_seconds`."""
    max_rounds: int
    """Binds once `min_seconds` have been measured."""
    max_seconds: float
    """No further round is begun once the rounds have taken so long."""
    target: Optional[float]
    """Stop once half the 95 % interval of the median is at most this share of it; None never to."""
    min_warm_up_seconds: float = 0.0
    """Processors, caches and thread pools settle in time, not in steps: some steps last a millisecond."""
    min_seconds: float = 0.0
    """Rounds in less time than this agree with each other, and not with those of the next second."""


PLANS = {
    plan.name: plan
    for plan in (
        Plan("adaptive", None, 10, 500, 10.0, target=0.01, min_warm_up_seconds=0.5, min_seconds=1.0),
        Plan("paper", 10, 20, 20, math.inf, target=None),
        Plan("quick", 2, 5, 20, 3.0, target=0.01, min_warm_up_seconds=0.3, min_seconds=0.5),
    )
}
"""By the name that ``--throughput-protocol`` takes. ``paper``: the 10 + 20 of the first source report."""

ONCE = Plan("once", 0, min_rounds=1, max_rounds=1, max_seconds=math.inf, target=None)
"""Run the step a single time (``run_once``) and keep no figure: what ``--benchmark-disable`` asks for."""
