"""The correlation of runs with the next ones."""

from __future__ import annotations

import numpy as np

from pytest_throughput.gate.correlation import Floats, correlation_of


def independent(length: int, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).standard_normal(length)


def test_independent_values_have_none() -> None:
    assert correlation_of([[independent(40, seed)] for seed in range(5)]) is None


def test_values_that_resemble_the_next_ones_have_one() -> None:
    noise = [independent(201, seed) for seed in range(5)]
    found = correlation_of([[one[1:] + 0.5 * one[:-1]] for one in noise])
    assert found is not None and abs(found - 0.4) < 0.1  # 0.5 ÷ (1 + 0.5²)


def test_levels_and_single_far_values_are_none() -> None:
    values = independent(40)
    values[30] = 500.0
    assert correlation_of([[values[:20], values[20:] + 50]]) is None
    assert correlation_of([[np.concatenate([values[:20], values[20:] + 50])]]) is not None


def test_equal_values_and_no_series_have_none() -> None:
    assert correlation_of([[np.ones(10)]]) is None
    assert correlation_of([]) is None
