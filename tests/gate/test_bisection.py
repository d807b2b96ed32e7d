"""The search for the first slower candidate: always the right one, and never a wrong one beside undecided ones."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.gate.bisection import Finding, finding_of, halfway, search
from pytest_throughput.gate.verdict import Verdict


class Judge:
    """Candidates from ``first`` on are slower, except that nothing can be said of ``undecided`` ones."""

    def __init__(self, first: int, undecided: frozenset[int] = frozenset()) -> None:
        self.first = first
        self.undecided = undecided
        self.asked: list[int] = []

    def __call__(self, candidate: int) -> Finding:
        self.asked.append(candidate)
        if candidate in self.undecided:
            return Finding.UNDECIDED
        return Finding.SLOWER if candidate >= self.first else Finding.NOT_SLOWER


@st.composite
def judges(draw: st.DrawFn) -> tuple[int, Judge]:
    bad = draw(st.integers(1, 300))
    undecided = draw(st.frozensets(st.integers(1, bad)))
    blocks = draw(st.lists(st.tuples(st.integers(1, bad), st.integers(0, 40)), max_size=2))
    return bad, Judge(draw(st.integers(1, bad)), undecided.union(*(range(start, start + n) for start, n in blocks)))


@given(st.integers(1, 3000), st.data())
def test_a_perfect_judge_leads_to_the_first_slower_candidate(bad: int, data: st.DataObject) -> None:
    judge = Judge(data.draw(st.integers(1, bad)))
    found = search(bad, judge)
    assert found.is_single and found.bad == judge.first
    assert len(judge.asked) <= math.ceil(math.log2(bad))


@given(judges())
def test_undecided_candidates_never_lead_to_a_wrong_one(case: tuple[int, Judge]) -> None:
    bad, judge = case
    found = search(bad, judge)
    assert found.good < judge.first <= found.bad
    # Nothing that could be decided is left: both neighbours of the undecided ones are in the answer.
    assert set(range(found.good + 1, found.bad)) <= judge.undecided
    assert found.good == 0 or found.good not in judge.undecided
    assert found.bad == bad or found.bad not in judge.undecided
    assert len(judge.asked) == len(set(judge.asked)) and all(0 < each < bad for each in judge.asked)


def test_a_block_of_undecided_candidates_is_left_by_large_steps() -> None:
    judge = Judge(90, frozenset(range(30, 70)))
    found = search(100, judge)
    assert (found.good, found.bad) == (89, 90)
    assert len(judge.asked) < 12


def test_verdicts_are_findings() -> None:
    findings = {verdict: finding_of(verdict) for verdict in Verdict}
    assert [verdict for verdict, finding in findings.items() if finding is Finding.SLOWER] == [Verdict.REGRESSED]
    not_slower = [verdict for verdict, finding in findings.items() if finding is Finding.NOT_SLOWER]
    assert not_slower == [Verdict.IMPROVED, Verdict.UNCHANGED]


def test_half_of_a_slowdown_is_half_of_its_logarithm() -> None:
    assert (1 + halfway(1 / 1.21)) == pytest.approx(1.1)
