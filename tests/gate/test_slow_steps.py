"""Steps that take far longer than others: live pairs whose typical step is unchanged, and whose mean is not."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from pytest_throughput.gate.decision import CODES, Decisions, decide
from pytest_throughput.gate.judge import judge
from pytest_throughput.gate.judged import JudgedCase, JudgedRun, JudgedTrial
from pytest_throughput.gate.live_pairs import estimate_live_pairs
from pytest_throughput.gate.rules import Code, Design, Rules
from pytest_throughput.gate.slow_steps import slow_steps
from pytest_throughput.gate.verdict import CaseVerdict, Verdict
from pytest_throughput.results.model import Pair

RULES = Rules()
RUNS = 2000


def decided(typical: np.ndarray, means: np.ndarray) -> Decisions:
    """Judge live pairs, given log(head ÷ base) of typical steps and of means, of shape (runs, cases, pairs)."""
    return decide(estimate_live_pairs(typical, RULES), RULES, means)


def pairs_of(typical: np.ndarray, rng: np.random.Generator, spread: float) -> np.ndarray:
    """Return means that vary around the typical steps."""
    return typical + spread * rng.standard_normal(typical.shape)


@pytest.mark.parametrize("cases", [1, 10])
def test_equal_sides_raise_few_false_alarms(cases: int) -> None:
    rng = np.random.default_rng(cases)
    typical = 0.01 * rng.standard_normal((RUNS, cases, 5))
    means = pairs_of(typical, rng, 0.04)
    found = decided(typical, means)
    assert found.regressed.any(axis=-1).mean() <= 0.01
    # The second comparison uses a tenth of the false-alarm rate, and leaves few cases undecided.
    assert slow_steps(means, RULES, 0.1, np.full(cases, RULES.log_threshold)).certain.any(axis=-1).mean() <= 0.002
    alone = decided(typical, np.full_like(means, np.nan))
    assert found.unchanged.mean() > 0.95 * alone.unchanged.mean()


def test_steps_that_take_far_longer_are_never_unchanged() -> None:
    """One step in ten takes twice as long: the mean is 10 % slower, the 10th percentile is as before."""
    rng = np.random.default_rng(3)
    typical = 0.01 * rng.standard_normal((RUNS, 1, 8))
    found = decided(typical, pairs_of(typical - np.log(1.1), rng, 0.02))
    assert found.unchanged.mean() + found.improved.mean() < 0.01
    assert found.regressed.mean() > 0.8
    assert CODES.index(Code.SLOWER_ON_AVERAGE) in found.codes
    assert found.mean_difference.mean() == pytest.approx(-np.log(1.1), abs=0.002)


def test_a_mean_that_is_slower_in_some_pairs_only_leaves_the_case_open() -> None:
    rng = np.random.default_rng(4)
    typical = 0.01 * rng.standard_normal((RUNS, 1, 8))
    means = typical.copy()
    means[..., 2:4] -= np.array([0.6, 1.0])
    found = decided(typical, means)
    assert found.unchanged.mean() < 0.02
    means[..., 5:7] += np.array([0.7, 1.1])  # Other work on the machine holds up base just as well.
    assert decided(typical, means).unchanged.mean() > 0.5


def test_too_few_or_unknown_means_say_nothing() -> None:
    typical = 0.001 * np.random.default_rng(5).standard_normal((1, 2, 6))
    means = np.full((1, 2, 6), np.nan)
    means[0, 1, :2] = -1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = decided(typical, means)
    assert found.unchanged.all()
    assert np.isnan(found.mean_difference).all()


def test_the_sentences_name_both() -> None:
    def case(mean_ratio: float) -> CaseVerdict:
        def run(side: int) -> JudgedRun:
            trials = tuple(
                JudgedTrial(number, 100.0, pair=Pair(f"{number}", ratio**side, (mean_ratio * ratio) ** side))
                for number, ratio in enumerate([1.0, 1.002, 0.998, 1.001, 0.999, 1.0], 1)
            )
            return JudgedRun("2026-01-01T00:00:00+00:00", {}, cases={"a": JudgedCase("a", trials=trials)})

        (verdict,) = judge([run(-1)], [run(1)], design=Design.PAIRS, rules=RULES)
        return verdict

    regressed = case(0.8)
    assert (regressed.verdict, regressed.code) == (Verdict.REGRESSED, Code.SLOWER_ON_AVERAGE)
    assert regressed.reason == ("25 % slower on average, since some steps take far longer; a typical step: no change")
    assert case(1.0).verdict is Verdict.UNCHANGED
