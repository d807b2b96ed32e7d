"""Intervals of accuracies cover the true one, and guessing is told from learning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dlworkloads.convergence import accuracy
from dlworkloads.convergence.accuracy import binomial_interval, interval, is_above, upper_tail


@given(st.integers(1, 3000).flatmap(lambda tested: st.tuples(st.integers(0, tested), st.just(tested))))
def test_the_interval_of_a_split_is_wilsons(counts: tuple[int, int]) -> None:
    expected = stats.binomtest(*counts).proportion_ci(method="wilson")
    assert interval([counts[0]], [counts[1]]) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(
    st.integers(1, 3000).flatmap(lambda tested: st.tuples(st.integers(0, tested), st.just(tested))),
    st.floats(0.001, 0.999),
)
def test_the_test_against_guessing_is_the_exact_one(counts: tuple[int, int], share: float) -> None:
    expected = stats.binomtest(*counts, share, alternative="greater").pvalue
    assert upper_tail(*counts, share) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_guessing_is_not_learning() -> None:
    """The source document printed 3.2 % on 26 classes of 6,000 letters as a result."""
    assert not is_above(192, 6000, 1 / 26)
    assert is_above(2929, 6000, 1 / 26)
    assert not is_above(10, 10, 1.0)
    assert upper_tail(42_000, 70_000, 0.1) == 0.0


def test_guesses_are_taken_for_learning_in_one_of_a_hundred_trainings_at_most() -> None:
    draws = np.random.default_rng(0).binomial(540, 0.102, 4000)
    assert 0.004 < np.mean([is_above(int(correct), 540, 0.102) for correct in draws]) <= 0.0125


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_the_interval_of_a_split_covers_the_true_accuracy(share: float) -> None:
    draws = np.random.default_rng(1).binomial(540, share, 2000)
    bounds = [binomial_interval(int(correct), 540) for correct in draws]
    assert 0.935 <= np.mean([low <= share <= high for low, high in bounds]) <= 0.975


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.03])
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_the_interval_of_ten_folds_covers_what_trainings_reach_on_average(share: float, spread: float) -> None:
    """Each fold's training reaches another true accuracy; a binomial interval would miss that."""
    random, tested = np.random.default_rng(2), [180] * 7 + [179] * 3
    covered = []
    for _ in range(1000):
        reached = np.clip(share + spread * random.standard_normal(10), 0.0, 1.0)
        low, high = interval(random.binomial(tested, reached).tolist(), tested)
        covered.append(low <= share <= high)
    assert np.mean(covered) >= 0.935


def test_folds_that_agree_keep_the_binomial_interval() -> None:
    assert interval([180] * 10, [180] * 10) == binomial_interval(1800, 1800)
    low, high = interval([180] * 5 + [0] * 5, [180] * 10)
    assert low < 0.15 and high > 0.85


def test_the_quantile_of_students_t_is_that_of_nine_degrees_of_freedom() -> None:
    assert accuracy._STUDENT[10] == pytest.approx(stats.t.ppf(0.975, 9), abs=1e-9)
