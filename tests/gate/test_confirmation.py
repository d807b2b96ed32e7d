"""Confirmation: the planned looks and their errors, which cases go on, which verdict counts, and how often it errs."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_throughput.gate.confirmation import after_look, planned_looks, to_confirm
from pytest_throughput.gate.decision import decide, decide_live_pairs
from pytest_throughput.gate.estimator import estimate
from pytest_throughput.gate.rules import Code, Design, Rules
from pytest_throughput.gate.verdict import CaseVerdict, Verdict

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Counts = NDArray[np.int_]


def of(case_id: str, verdict: Verdict, code: Code, low: float | None = None) -> CaseVerdict:
    """``low``: the lower end of the interval; the upper end is its reciprocal."""
    return CaseVerdict(case_id, verdict, code, "", ratio_low=low, ratio_high=None if low is None else 1 / low)


def counts(trials: int, more: int) -> list[int]:
    return [look.trials for look in planned_looks(trials, more, Rules())]


FIRST = [
    of("slower", Verdict.REGRESSED, Code.SLOWER, 0.8),
    of("noisy", Verdict.INCONCLUSIVE, Code.NOISE, 0.96),
    of("noisier", Verdict.INCONCLUSIVE, Code.NOISE, 0.9),
    of("same", Verdict.UNCHANGED, Code.WITHIN_THRESHOLD, 0.99),
    of("few", Verdict.INCONCLUSIVE, Code.TOO_FEW_TRIALS),
    of("young", Verdict.INCONCLUSIVE, Code.TOO_FEW_RUNS),
    of("elsewhere", Verdict.INCONCLUSIVE, Code.UNSEEN_INDIVIDUAL),
    of("faster", Verdict.IMPROVED, Code.FASTER, 0.99),
    of("gone", Verdict.MISSING, Code.NOT_IN_RUN),
    of("broken", Verdict.FAILED, Code.STATUS),
]


class TestPlan:
    @given(
        trials=st.integers(1, 100),
        more=st.integers(1, 1000),
        rate=st.floats(1e-6, 0.5),
    )
    def test_looks_grow_to_the_last_trial_and_share_out_the_errors(self, trials: int, more: int, rate: float) -> None:
        looks = planned_looks(trials, more, Rules(0.05, rate))
        found = [look.trials for look in looks]
        assert (found[0], found[-1]) == (trials, trials + more)
        assert all(earlier < later for earlier, later in pairwise(found))
        assert [look.number for look in looks] == list(range(1, len(looks) + 1))
        assert 2 <= len(looks) <= 4
        assert math.fsum(look.rules.level for look in looks) <= rate * (1 + 1e-12)
        assert math.fsum(look.rules.missed_rate for look in looks) <= 0.05 * (1 + 1e-12)
        # The 95 % interval of a case that is called unchanged lies wholly above the threshold.
        assert all(look.rules.missed_rate <= 0.025 for look in looks)
        assert {look.rules.threshold for look in looks} == {0.05}

    @given(st.integers(1, 100))
    def test_without_confirmation_there_is_one_look_by_the_rules_as_they_are(self, trials: int) -> None:
        (look,) = planned_looks(trials, 0, Rules())
        assert (look.trials, look.rules) == (trials, Rules())

    def test_trials_grow_by_about_a_half(self) -> None:
        assert counts(5, 5) == [5, 7, 10]
        assert counts(3, 6) == [3, 4, 6, 9]
        assert counts(1, 1) == [1, 2]
        assert counts(20, 5) == [20, 25]
        assert counts(3, 60) == [3, 8, 23, 63]


class TestWhichVerdictCounts:
    def test_undecided_cases_are_confirmed_the_widest_interval_first(self) -> None:
        assert to_confirm(FIRST) == ("few", "noisier", "noisy")
        assert to_confirm(FIRST, Design.PAIRS) == ("few", "young", "noisier", "noisy")

    def test_what_a_look_decided_stays_decided(self) -> None:
        first = after_look((), FIRST, 1)
        assert [one.look for one in first] == [1] * len(FIRST)
        now = [
            of("slower", Verdict.UNCHANGED, Code.WITHIN_THRESHOLD),
            of("noisy", Verdict.REGRESSED, Code.SLOWER),
            of("noisier", Verdict.INCONCLUSIVE, Code.NOISE),
            of("same", Verdict.INCONCLUSIVE, Code.NOISE),
            of("few", Verdict.FAILED, Code.STATUS),
        ]
        second = {one.id: (one.verdict, one.look) for one in after_look(first, now, 2)}
        assert second == {
            "slower": (Verdict.REGRESSED, 1),
            "noisy": (Verdict.REGRESSED, 2),
            "noisier": (Verdict.INCONCLUSIVE, 2),
            "same": (Verdict.UNCHANGED, 1),
            "few": (Verdict.FAILED, 2),
        }
        assert to_confirm(after_look(first, now, 2)) == ("noisier",)

    def test_metrics_of_a_case_are_decided_one_by_one(self) -> None:
        memory = replace(of("a", Verdict.INCONCLUSIVE, Code.NOISE, 0.9), metric="peak_memory_bytes")
        first = after_look((), [of("a", Verdict.UNCHANGED, Code.WITHIN_THRESHOLD, 0.99), memory, memory], 1)
        assert to_confirm(first) == ("a",)
        second = after_look(first, [of("a", Verdict.INCONCLUSIVE, Code.NOISE), memory], 2)
        assert [(one.verdict, one.look) for one in second] == [(Verdict.UNCHANGED, 1), (Verdict.INCONCLUSIVE, 2)]

    def test_what_was_detectable_is_that_of_the_last_judgement(self) -> None:
        """A slowdown that is too small for the first look would have been left to the later ones."""
        unchanged = of("a", Verdict.UNCHANGED, Code.WITHIN_THRESHOLD)
        first = after_look((), [replace(unchanged, detectable_ratio=0.4)], 1)
        (verdict,) = after_look(first, [replace(unchanged, detectable_ratio=0.9)], 2)
        assert (verdict.look, verdict.detectable_ratio) == (1, 0.9)


def in_looks(base: Floats, head: Floats, trials: int, *, live: bool = False) -> tuple[Bools, Bools, Counts]:
    """Judge pairs, of shape (runs, cases, pairs, 1), at planned looks; as live pairs, by their differences alone.

    Return for each case whether it is regressed, whether it is unchanged, and how many pairs it took.
    """
    taken = np.full(head.shape[:2], trials)
    undecided = np.ones(head.shape[:2], dtype=bool)
    regressed, unchanged = ~undecided, ~undecided
    for look in planned_looks(trials, head.shape[2] - trials, Rules()):
        taken = np.where(undecided, look.trials, taken)
        measured = (np.arange(head.shape[2]) < taken[..., None])[..., None]
        so_far = [np.where(measured, side, math.nan) for side in (base, head)]
        if live:
            decisions = decide_live_pairs((so_far[1] - so_far[0])[..., 0], look.rules)
        else:
            level, missed_rate = look.rules.level, look.rules.missed_rate
            estimates = estimate(*so_far, design=Design.PAIRS, false_alarm_rate=level, missed_rate=missed_rate)
            decisions = decide(estimates, look.rules)
        regressed = np.where(undecided, decisions.regressed, regressed)
        unchanged = np.where(undecided, decisions.unchanged, unchanged)
        undecided = undecided & decisions.worth_confirming
    return regressed, unchanged, taken


def side(noise: str, deviation: float, shape: tuple[int, ...], random: np.random.Generator) -> Floats:
    if noise == "two-humped":
        return deviation * (random.choice([-1.0, 1.0], shape) + 0.1 * random.standard_normal(shape))
    logs = deviation * random.standard_normal(shape)
    if noise == "contended":
        logs = logs - np.where(random.random(shape) < 0.2, random.uniform(0.2, 3.4, shape), 0.0)
    return logs


def at_most(rate: float, runs: int) -> float:
    return rate + 3.5 * math.sqrt(rate * (1 - rate) / runs)


NOISES = ["contended", *(pytest.param(noise, marks=pytest.mark.slow) for noise in ("gaussian", "two-humped"))]


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("cases", [pytest.param(1, marks=pytest.mark.slow), 10])
@pytest.mark.parametrize("live", [pytest.param(True, marks=pytest.mark.slow), False])
def test_looks_raise_few_false_alarms(noise: str, cases: int, live: bool) -> None:
    random = np.random.default_rng([cases, len(noise)])
    runs, shape = 1000, (1000, cases, 10, 1)
    base, head = (side(noise, 0.03, shape, random) for _ in range(2))
    regressed, unchanged, taken = in_looks(base, head, 5, live=live)
    assert regressed.any(axis=-1).mean() <= at_most(0.01, runs)
    assert taken.mean() > 6 and unchanged.any()


@pytest.mark.slow
@pytest.mark.parametrize("deviation", [0.003, 0.01, 0.02, 0.04])
@pytest.mark.parametrize("cases", [1, 10])
@pytest.mark.parametrize("live", [False, True])
def test_few_slowdowns_of_exactly_the_threshold_are_called_unchanged(deviation: float, cases: int, live: bool) -> None:
    random = np.random.default_rng([cases, int(1000 * deviation)])
    shape = (4000 // cases, cases, 12, 1)
    base, head = (side("gaussian", deviation, shape, random) for _ in range(2))
    _, unchanged, _ = in_looks(base, head - Rules().log_threshold, 4, live=live)
    assert unchanged.mean() <= at_most(0.05, unchanged.size)


def test_what_is_clear_is_decided_early() -> None:
    random = np.random.default_rng(7)
    shape = (200, 10, 10, 1)
    base, head = (side("gaussian", 0.01, shape, random) for _ in range(2))
    head[:, 0] -= math.log(1.3)
    regressed, unchanged, taken = in_looks(base, head, 5)
    assert regressed[:, 0].mean() > 0.99 and taken[:, 0].mean() < 5.1
    assert unchanged[:, 1:].mean() > 0.99 and taken[:, 1:].mean() < 6.5
