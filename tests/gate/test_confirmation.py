"""Confirmation: which cases get it, which verdict counts, and that it adds no false alarms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_throughput.gate.confirmation import after_confirmation, to_confirm
from pytest_throughput.gate.decision import Decisions, decide
from pytest_throughput.gate.estimator import estimate
from pytest_throughput.gate.rules import Code, Design, Rules
from pytest_throughput.gate.verdict import CaseVerdict, Verdict


def of(case_id: str, verdict: Verdict, code: Code) -> CaseVerdict:
    return CaseVerdict(case_id, verdict, code, "")


FIRST = [
    of("slower", Verdict.REGRESSED, Code.SLOWER),
    of("open", Verdict.INCONCLUSIVE, Code.NOISE),
    of("same", Verdict.UNCHANGED, Code.WITHIN_THRESHOLD),
    of("young", Verdict.INCONCLUSIVE, Code.TOO_FEW_RUNS),
    of("elsewhere", Verdict.INCONCLUSIVE, Code.UNSEEN_INDIVIDUAL),
    of("faster", Verdict.IMPROVED, Code.FASTER),
    of("gone", Verdict.MISSING, Code.NOT_IN_RUN),
    of("broken", Verdict.FAILED, Code.STATUS),
]


def test_flagged_and_undecided_cases_are_confirmed() -> None:
    assert to_confirm(FIRST) == ("slower", "open")


def test_the_second_verdict_counts_on_confirmed_cases_alone() -> None:
    second = [
        of("slower", Verdict.UNCHANGED, Code.WITHIN_THRESHOLD),
        of("open", Verdict.REGRESSED, Code.SLOWER),
        of("same", Verdict.REGRESSED, Code.SLOWER),
    ]
    verdicts = {one.id: one.verdict for one in after_confirmation(FIRST, second, to_confirm(FIRST))}
    assert list(verdicts) == [one.id for one in FIRST]
    assert verdicts["slower"] is Verdict.UNCHANGED
    assert verdicts["open"] is Verdict.REGRESSED
    assert verdicts["same"] is Verdict.UNCHANGED


def test_a_confirmed_case_without_a_second_verdict() -> None:
    with pytest.raises(ValueError, match="no verdict after confirmation on open, slower; expected one on every"):
        after_confirmation(FIRST, [], to_confirm(FIRST))


@pytest.mark.parametrize(
    "noise", ["contended", *(pytest.param(noise, marks=pytest.mark.slow) for noise in ("gaussian", "two-humped"))]
)
def test_confirmation_raises_no_more_false_alarms(noise: str) -> None:
    """5 pairs of 10 cases, and 5 more of those that the first look does not acquit."""
    random = np.random.default_rng(len(noise))
    runs, shape = 1000, (1000, 10, 10, 1)

    def side() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        if noise == "two-humped":
            return random.choice([-0.03, 0.03], shape) + 0.003 * random.standard_normal(shape)
        logs = 0.03 * random.standard_normal(shape)
        if noise == "contended":
            logs = logs - np.where(random.random(shape) < 0.2, random.uniform(0.2, 3.4, shape), 0.0)
        return logs

    base, head = side(), side()
    rules = Rules()

    def look(more: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Decisions:
        sides = [one.copy() for one in (base, head)]
        for one in sides:
            one[:, :, 5:][~more] = math.nan
        return decide(estimate(*sides, design=Design.PAIRS, false_alarm_rate=rules.false_alarm_rate), rules)

    asked = look(np.zeros((runs, 10), dtype=bool)).worth_confirming
    alarms = (look(asked).regressed & asked).any(axis=-1).mean()
    assert 0.2 < asked.mean() < 1
    assert alarms <= 0.01 + 3.5 * math.sqrt(0.01 * 0.99 / runs)
