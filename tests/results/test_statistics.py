"""The intervals of means and deviations: against scipy, and by simulation of their coverage."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtr

from pytest_throughput.results.statistics import deviation_about_zero, geometric_mean_interval


@pytest.mark.parametrize("confidence", [0.2, 0.95, 0.999])
@pytest.mark.parametrize("trials", [2, 3, 5, 30, 999])
def test_the_interval_is_students(trials: int, confidence: float) -> None:
    values = [random.Random(number).lognormvariate(3.0, 0.05) for number in range(trials)]
    logarithms = [math.log(value) for value in values]
    centre, error = statistics.fmean(logarithms), statistics.stdev(logarithms) / math.sqrt(trials)
    _, low, high = geometric_mean_interval(values, confidence)
    assert low is not None and high is not None
    ends = [(math.log(end) - centre) / error for end in (low, high)]
    assert stdtr(trials - 1, ends) == pytest.approx([0.5 - confidence / 2, 0.5 + confidence / 2], rel=1e-7)


@pytest.mark.parametrize("trials", [2, 3, 5, 10])
def test_the_interval_covers_the_mean_as_often_as_it_says(trials: int) -> None:
    generator = random.Random(trials)
    covered, repetitions = 0, 2000
    for _ in range(repetitions):
        _, low, high = geometric_mean_interval([generator.lognormvariate(3.0, 0.05) for _ in range(trials)])
        assert low is not None
        assert high is not None
        covered += low <= math.exp(3.0) <= high
    assert covered / repetitions == pytest.approx(0.95, abs=3.5 * math.sqrt(0.95 * 0.05 / repetitions))


def test_one_trial_has_no_interval() -> None:
    mean, low, high = geometric_mean_interval([12.5])
    assert mean == pytest.approx(12.5)
    assert (low, high) == (None, None)


def test_no_trial_has_no_mean() -> None:
    with pytest.raises(ValueError, match="at least one"):
        geometric_mean_interval([])


@given(st.lists(st.floats(1e-3, 1e6), min_size=2, max_size=9), st.floats(1e-3, 1e3))
def test_the_interval_scales_with_the_unit(values: list[float], factor: float) -> None:
    one = geometric_mean_interval(values)
    other = geometric_mean_interval([value * factor for value in values])
    assert other == pytest.approx([part * factor for part in one if part is not None], rel=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3, 6, 40])
def test_the_interval_of_a_deviation_covers_it_as_often_as_it_says(count: int) -> None:
    generator = random.Random(count)
    repetitions = 1000
    found = [deviation_about_zero([generator.gauss(0.0, 0.05) for _ in range(count)]) for _ in range(repetitions)]
    covered = sum(one.low <= 0.05 <= one.high for one in found)
    assert covered / repetitions == pytest.approx(0.95, abs=3.5 * math.sqrt(0.95 * 0.05 / repetitions))
    assert statistics.fmean(one.value**2 for one in found) == pytest.approx(0.05**2, rel=0.2)


def test_a_deviation_of_values_that_agree_is_zero() -> None:
    found = deviation_about_zero([0.0, 0.0])
    assert (found.value, found.low, found.high, found.count) == (0.0, 0.0, 0.0, 2)
    with pytest.raises(ValueError, match="at least one value"):
        deviation_about_zero([])
