"""The largest batch that fits: doubled until memory ends, and halved in between from there on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pytest_throughput.isolation.protocol import Outcome
from pytest_throughput.measurement.plan import ONCE, Plan

__all__ = ["search_largest"]

_LARGEST = 2**20
"""Whoever has memory for more is not looking for its end."""
_REFUSALS = ("out_of_memory", "failed", "crashed")
"""How a batch may turn out to be too large: libraries index with 32 bits, and say so in many ways."""

Sized = tuple[int, Outcome]


def search_largest(run: Callable[[int, Plan], Outcome], plan: Plan) -> Sized:
    """The largest size that is measured by the plan, and how that went; ``run`` does so in a fresh process.

    Sizes are tried by running the step once. Where the largest does so once, and not when it is measured,
    all below it are measured. If even 1 does not fit, or a size fails for the time it takes, that is the outcome.
    """
    tried: dict[int, str] = {}

    def once(size: int) -> Outcome:
        outcome = run(size, ONCE)
        tried[size] = outcome.status
        return outcome

    def whole(size: int) -> Outcome:
        outcome = run(size, plan)
        tried[size] = outcome.status
        return outcome

    (size, outcome), refused = _bracket(once, None)
    if outcome.status == "ok":
        outcome = whole(size)
        if outcome.status in _REFUSALS and size > 1:
            (size, outcome), refused = _bracket(whole, (size, outcome))
    if outcome.status == "unsupported":
        return size, outcome
    if outcome.status != "ok":
        return size, replace(outcome, reason=f"with a batch of {size:,}: {outcome.reason}")
    search = {
        "fits": size,
        "refused": None if refused is None else refused[0],
        "refused_status": None if refused is None else refused[1].status,
        "refused_reason": None if refused is None else refused[1].reason,
        "tried": {str(each): status for each, status in sorted(tried.items())},
    }
    return size, replace(outcome, facts={**outcome.facts, "largest_batch": search})


def _bracket(attempt: Callable[[int], Outcome], refused: Sized | None) -> tuple[Sized, Sized | None]:
    """The largest size that fits and the smallest that does not; or the size that ended the search, being neither."""
    fits: Sized | None = None
    while True:
        known = 0 if fits is None else fits[0]
        size = min(2 * known, _LARGEST) or 1 if refused is None else (known + refused[0]) // 2
        if fits is not None and size == known:
            return fits, refused
        outcome = attempt(size)
        if outcome.status == "ok":
            fits = size, outcome
        elif outcome.status in _REFUSALS and size > 1:
            refused = size, outcome
        else:
            return (size, outcome), refused
