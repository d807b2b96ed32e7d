"""Confirmation: flagged and undecided cases get more trials in fresh processes, and are judged again.

Confirmation adds no false alarms. The first pass can only clear a case, never flag it: every case that
it flags or leaves undecided is confirmed, and only the second pass can call such a case regressed. The
second pass uses all trials, old and new, with the margin of a single pass over all cases of the run. So
a false alarm needs that one test to fail, with or without a first pass. Each pass may clear a slowdown
of exactly the threshold in up to 2.5 % of cases; together these are the 5 % that ``unchanged`` allows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pytest_throughput.gate.rules import WORTH_CONFIRMING, Code, Design
from pytest_throughput.gate.verdict import CaseVerdict

__all__ = ["after_confirmation", "to_confirm"]


def to_confirm(verdicts: Sequence[CaseVerdict], design: Design = Design.HISTORY) -> tuple[str, ...]:
    """Return the ids of the cases that more trials may decide, or should confirm."""
    # In pairs of trials, more trials are more units; in a history they are not.
    codes = WORTH_CONFIRMING | {Code.TOO_FEW_RUNS} if design is Design.PAIRS else WORTH_CONFIRMING
    return tuple(dict.fromkeys(one.id for one in verdicts if one.code in codes))


def after_confirmation(
    first: Sequence[CaseVerdict], second: Sequence[CaseVerdict], confirmed: Collection[str]
) -> tuple[CaseVerdict, ...]:
    """Return the verdicts after confirmation: the second on the ``confirmed`` cases, the first on all others.

    ``second``: the verdicts on all cases with all trials. Raises ValueError where a confirmed case is
    not among them.
    """
    before, again = _by_case(first), _by_case(second)
    absent = sorted(set(confirmed) - again.keys())
    if absent:
        raise ValueError(f"no verdict after confirmation on {', '.join(absent)}; expected one on every confirmed case")
    return tuple(one for case_id in before for one in (again if case_id in confirmed else before)[case_id])


def _by_case(verdicts: Sequence[CaseVerdict]) -> dict[str, list[CaseVerdict]]:
    """Return the verdicts on each case, one for each metric that is judged."""
    found: dict[str, list[CaseVerdict]] = {}
    for one in verdicts:
        found.setdefault(one.id, []).append(one)
    return found
