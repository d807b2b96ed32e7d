"""Search the largest batch that fits: double it until memory runs out, then bisect until it is known to 2 %."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_throughput.measurement.plan import ONCE, Plan
from pytest_throughput.telemetry.gpus import is_gpu
from pytest_throughput.worker.protocol import Outcome

__all__ = ["refuse_endless_search", "search_largest"]

_LARGEST = 2**20
"""The largest batch that is tried."""
_RESOLUTION = 0.02
"""Bisecting ends once the smallest batch that does not fit is larger by at most this share. Each further attempt would
cost a process and the import of a framework, and gain less than the difference between two trials."""
_REFUSALS = ("out_of_memory", "failed", "crashed")
"""The statuses of a batch that is too large: libraries index with 32 bits, and report that in many ways."""

Sized = tuple[int, Outcome]


def refuse_endless_search(isolation: str, memory_limit_bytes: int | None, device: str) -> None:
    """Raise pytest.UsageError where a search for the largest batch would have no end, or no fresh processes."""
    if isolation != "trial":
        raise pytest.UsageError(
            f"the largest batch is searched in fresh processes: give --throughput-isolation trial, not {isolation}"
        )
    if not is_gpu(device) and memory_limit_bytes is None:
        raise pytest.UsageError(
            "the largest batch on a CPU would fill this machine's memory: say how much of it may be used, "
            "as in --throughput-memory-limit 8G"
        )


def search_largest(run: Callable[[int, Plan], Outcome], plan: Plan) -> Sized:
    """Search the largest size that can be measured by the plan; ``run`` tries one in a fresh process.

    Return the size, to 2 %, and how measuring it ended. Sizes are tried by running the step a single time. Where the
    largest of them fails when it is measured (later steps may need more memory than the first), the search goes on
    below it with sizes that are measured. If even 1 does not fit, or a size is not refused but ends in another way
    (``unsupported``, ``timed_out``), that is the outcome.
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
    return size, replace(outcome, metadata={**outcome.metadata, "largest_batch": search})


def _bracket(attempt: Callable[[int], Outcome], refused: Sized | None) -> tuple[Sized, Sized | None]:
    """Return the largest size that fits and the smallest that does not; or the size that ended the search."""
    fits: Sized | None = None
    while True:
        known = 0 if fits is None else fits[0]
        if fits is not None and (known == _LARGEST if refused is None else _is_narrow(known, refused[0])):
            return fits, refused
        size = _next_size(known) if refused is None else (known + refused[0]) // 2
        outcome = attempt(size)
        if outcome.status == "ok":
            fits = size, outcome
        elif outcome.status in _REFUSALS and size > 1:
            refused = size, outcome
        else:
            return (size, outcome), refused


def _next_size(fits: int) -> int:
    """Return the next size to try. Up to 64, which fits almost everywhere, sizes grow fourfold, and then twofold."""
    return min((4 if fits < 64 else 2) * fits, _LARGEST) or 1


def _is_narrow(fits: int, refused: int) -> bool:
    return refused - fits <= max(1.0, _RESOLUTION * fits)
