"""A second look at flagged and undecided cases, with more trials in fresh processes.

It costs no false alarms. Whatever the first look says, only the second can call a case regressed;
it judges all trials, old and new, by the same margin as a single look would, over all cases of the
run and not the flagged ones alone. So an alarm needs that one test to fail, whether or not there was
a look before; the first look can only acquit. It may acquit wrongly, in up to 2.5 % of slowdowns of
the threshold's size, and the second once more: hence the interval of 95 % on both sides.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pytest_throughput.gate.rules import WORTH_CONFIRMING, Code, Design
from pytest_throughput.gate.verdict import CaseVerdict

__all__ = ["after_confirmation", "to_confirm"]


def to_confirm(verdicts: Sequence[CaseVerdict], design: Design = Design.HISTORY) -> tuple[str, ...]:
    """The ids of the cases that more trials may decide, or ought to bear out."""
    # In pairs of trials, each further one is the unit that is lacking.
    codes = WORTH_CONFIRMING | {Code.TOO_FEW_RUNS} if design is Design.PAIRS else WORTH_CONFIRMING
    return tuple(one.id for one in verdicts if one.code in codes)


def after_confirmation(
    first: Sequence[CaseVerdict], second: Sequence[CaseVerdict], asked: Collection[str]
) -> tuple[CaseVerdict, ...]:
    """The verdicts after the second look: its own on the cases that were ``asked``, the first on the others.

    ``second`` judges all cases again, with all the trials there are. Raises ValueError where it lacks
    a case that was asked.
    """
    again = {one.id: one for one in second}
    lacking = sorted(set(asked) - again.keys())
    if lacking:
        raise ValueError(f"the second look lacks {', '.join(lacking)}; expected every case that was asked")
    return tuple(again[one.id] if one.id in asked else one for one in first)
