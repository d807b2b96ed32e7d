"""Where the level of a series changed. ``tests/benchmarks/test_history_errors.py`` has the rates of error."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.gate.change_points import FEWEST_VALUES, change_points


def positions(*series: list[float]) -> list[list[int]]:
    return [[one.position for one in found] for found in change_points(series)]


def noisy(*levels: tuple[float, int], seed: int = 1) -> list[float]:
    """Return a value for each of so many runs at each level, with noise of 1."""
    random = np.random.default_rng(seed)
    return [float(level + value) for level, count in levels for value in random.standard_normal(count)]


def test_a_change_has_its_place_its_size_and_an_interval() -> None:
    ((change,),) = change_points([noisy((0, 12), (-6, 8))])
    assert change.position == 12
    assert change.low < -6 < change.high
    assert math.isclose(change.size, (change.low + change.high) / 2)
    assert change.high - change.low < 2.5


def test_every_change_of_a_staircase_is_found() -> None:
    assert positions(noisy((0, 12), (8, 12), (16, 12), (8, 12))) == [[12, 24, 36]]


def test_a_level_that_is_left_again_is_found_in_the_middle_of_a_series() -> None:
    assert positions(noisy((0, 10), (6, 10), (0, 10))) == [[10, 20]]


def test_one_far_value_is_no_change_and_hides_none() -> None:
    values = noisy((0, 12), (0, 12))
    values[5] = 500.0
    assert positions(values) == [[]]
    values = noisy((0, 12), (6, 12))
    values[5] = 500.0
    assert positions(values) == [[12]]


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 20, [0.0] * 3 + [9.0] * (FEWEST_VALUES - 4)])
def test_too_few_or_equal_values_have_no_change(values: list[float]) -> None:
    assert positions(values) == [[]]


def test_one_changed_case_among_many_is_found_if_it_has_enough_runs() -> None:
    steady = [noisy((0, 30), seed=seed) for seed in range(2, 20)]
    assert positions(*steady, noisy((0, 15), (5, 15))) == [[]] * 18 + [[15]]


@given(
    values=st.lists(st.floats(-1, 1), min_size=10, max_size=20),
    factor=st.sampled_from([0.25, 4.0]),
    shift=st.sampled_from([-8.0, 0.0, 16.0]),
)
def test_unit_and_level_of_the_values_do_not_matter(values: list[float], factor: float, shift: float) -> None:
    rounded = [round(value * 64) / 64 for value in values]
    assert positions(rounded) == positions([factor * value + shift for value in rounded])


def test_the_same_values_give_the_same_changes() -> None:
    values = noisy((0, 10), (2, 10))
    assert change_points([values]) == change_points([values])
