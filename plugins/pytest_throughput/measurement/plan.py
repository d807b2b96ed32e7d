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
    """Exactly so many steps before the rounds; None to go on until they no longer get faster."""
    min_rounds: int
    """Measured whatever they take."""
    max_rounds: int
    max_seconds: float
    """No further round is begun once the rounds have taken so long."""
    target: Optional[float]
    """Stop once half the 95 % interval of the median is at most this share of it; None never to."""


PLANS = {
    plan.name: plan
    for plan in (
        Plan("adaptive", None, min_rounds=10, max_rounds=500, max_seconds=10.0, target=0.01),
        Plan("paper", 10, min_rounds=20, max_rounds=20, max_seconds=math.inf, target=None),
        Plan("quick", 2, min_rounds=5, max_rounds=20, max_seconds=3.0, target=0.01),
    )
}
"""By the name that ``--throughput-protocol`` takes. ``paper``: the 10 + 20 of the first source report."""

ONCE = Plan("once", 0, min_rounds=1, max_rounds=1, max_seconds=math.inf, target=None)
"""Run the step and keep no figure: what ``--benchmark-disable`` asks for."""
