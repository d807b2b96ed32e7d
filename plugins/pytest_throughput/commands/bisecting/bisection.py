"""One bisection: which candidates are compared, in which order and by which threshold, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_throughput.commands.bisecting.comparing import FoundVerdict, NotMeasured
from pytest_throughput.commands.bisecting.state import NOT_MEASURED, Compared, Question, State
from pytest_throughput.gate.bisection import Finding, Remaining, finding_of, halfway, search
from pytest_throughput.text import listed

__all__ = ["Bisected", "bisect"]

Compare = Callable[[str, int, int, float], Sequence[FoundVerdict]]
"""Compares two candidates, given the purpose, their numbers and the threshold. Raises NotMeasured."""


@dataclass(frozen=True)
class Bisected:
    """The result of a bisection."""

    compared: tuple[Compared, ...]
    """Every comparison: first that of the ends, last the confirmation, if there is one."""
    remaining: Remaining | None = None
    """Where the candidates become slower; None if the last one is not known to be slower."""

    @property
    def ends(self) -> Compared:
        """The comparison of the last candidate with the first."""
        return self.compared[0]

    @property
    def is_confirmed(self) -> bool:
        """Whether the search has left a single candidate, and it is slower than the one before it."""
        last = self.compared[-1]
        return last.purpose == "confirmation" and finding_of(last.verdict) is Finding.SLOWER


def bisect(question: Question, state: State, compare: Compare) -> Bisected:
    """Compare candidates until the first slower one is found, or only undecided ones are left.

    The ends are compared first, by the threshold of the question. Those between are compared with the good one by half
    of the slowdown that the ends show, if that is more: it is as far from a candidate as fast as the good one as from
    one as slow as the bad one. The found one is compared with the one before it.
    """
    compared: list[Compared] = []

    def judge(purpose: str, base: int, head: int, threshold: float, case: str | None) -> Compared:
        found = state.find(purpose, base, head)
        if found is None:
            found = _compared(compare, purpose, base, head, threshold, case)
            if found.verdict != NOT_MEASURED:
                state.keep(found)
        compared.append(found)
        return found

    last = len(question.candidates) - 1
    ends = judge("ends", 0, last, question.threshold, question.case)
    if finding_of(ends.verdict) is not Finding.SLOWER or ends.ratio is None:
        return Bisected(tuple(compared))
    between = max(question.threshold, halfway(ends.ratio))
    remaining = search(last, lambda each: finding_of(judge("search", 0, each, between, ends.case).verdict))
    if remaining.is_single:
        judge("confirmation", remaining.good, remaining.bad, question.threshold, ends.case)
    return Bisected(tuple(compared), remaining)


def _compared(compare: Compare, purpose: str, base: int, head: int, threshold: float, case: str | None) -> Compared:
    try:
        found = _of_case(compare(purpose, base, head, threshold), case)
    except NotMeasured as error:
        return Compared(purpose, base, head, threshold, NOT_MEASURED, str(error), case or "")
    return Compared(
        purpose,
        base,
        head,
        threshold,
        found.verdict,
        found.reason,
        found.id,
        found.ratio,
        found.ratio_low,
        found.ratio_high,
        found.trials_head,
    )


def _of_case(verdicts: Sequence[FoundVerdict], case: str | None) -> FoundVerdict:
    """Return the verdict on the case; without a name, that on the case that most likely slowed. Raise NotMeasured.

    Where a case is judged by several metrics, the first one counts.
    """
    first: dict[str, FoundVerdict] = {}
    for one in verdicts:
        first.setdefault(one.id, one)
    if case is not None:
        found = first.get(case)
        if found is None:
            measured = listed(list(first)) or "nothing"
            raise NotMeasured(f"--case {case} was not measured; COMMAND measured {measured}")
        return found
    if not first:
        raise NotMeasured("no case was measured")
    most_likely_first = [Finding.SLOWER, Finding.UNDECIDED, Finding.NOT_SLOWER]
    return min(first.values(), key=lambda one: (most_likely_first.index(finding_of(one.verdict)), one.ratio or 1.0))
