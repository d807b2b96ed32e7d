"""How many independent rounds correlated rounds are worth."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.measurement.correlation import independent_count


def _autoregressive(correlation: float, count: int, seed: int) -> list[float]:
    generator = random.Random(seed)
    state, states = generator.gauss(0.0, 1.0), []
    for _ in range(count):
        states.append(state)
        state = correlation * state + math.sqrt(1.0 - correlation**2) * generator.gauss(0.0, 1.0)
    return states


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_it_is_what_the_correlation_makes_of_them_or_somewhat_less(correlation: float) -> None:
    count = 5000
    found = statistics.median(independent_count(_autoregressive(correlation, count, seed)) for seed in range(5))
    assert 0.3 <= found / (count * (1 - correlation) / (1 + correlation)) <= 1.0


def test_a_slow_part_under_noise_is_seen_at_a_larger_scale() -> None:
    """Neighbours of these are correlated by 0.48 only, but the variance of their mean is that of one in twenty."""
    slow, noise = _autoregressive(0.95, 5000, 1), _autoregressive(0.0, 5000, 2)
    assert independent_count([one + other for one, other in zip(slow, noise, strict=True)]) < 5000 / 15


def test_rounds_that_alternate_are_worth_no_more_than_all() -> None:
    assert independent_count([1.0, 2.0] * 50) == 100


@given(st.lists(st.floats(-1e9, 1e9), max_size=19))
def test_few_rounds_show_no_correlation(samples: list[float]) -> None:
    assert independent_count(samples) == len(samples)


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=200), st.integers(1, 5))
def test_it_is_at_most_the_number_of_rounds_and_knows_no_unit(samples: list[float], exponent: int) -> None:
    found = independent_count(samples)
    assert 0.0 < found <= len(samples)
    assert independent_count([sample * 2.0**exponent for sample in samples]) == found


def test_equal_rounds_show_no_correlation() -> None:
    assert independent_count([0.25] * 1000) == 1000


@pytest.mark.parametrize("stall", [10.0, 1e6])
def test_a_stall_of_any_length_is_one_value_among_others(stall: float) -> None:
    calm = _autoregressive(0.0, 200, 3)
    least = [*calm[:100], max(calm) + 0.01, *calm[101:]]
    assert independent_count([*calm[:100], stall, *calm[101:]]) == independent_count(least)


def test_twenty_independent_rounds_are_enough_for_an_interval_of_the_table() -> None:
    """A median has a 95 % interval from six independent rounds on. The cautious count would rarely be that large."""
    worth = [independent_count(_autoregressive(0.0, 20, seed), standard_errors=0.0) for seed in range(200)]
    assert sum(each >= 6 for each in worth) >= 190
