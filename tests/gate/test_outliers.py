"""Test which trials are excluded as outliers, and the two probabilities that limit what few trials can show."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.gate.outliers import chance_of_contention, chance_of_separation, flag_outliers


def kept(base: list[float], head: list[float], *, base_alone_first: bool = False) -> tuple[list[bool], list[bool]]:
    found = flag_outliers(np.array([base]), np.array([head]), base_alone_first=base_alone_first)
    everything = found.kept[0].tolist()
    return everything[: len(base)], everything[len(base) :]


CALM = [0.0, 0.01, -0.01, 0.005, -0.005]


def test_calm_trials_are_all_kept() -> None:
    assert kept(CALM, CALM) == ([True] * 5, [True] * 5)


def test_contended_trials_are_set_aside_on_both_sides() -> None:
    base = [0.0, 0.01, -1.2, 0.005, -0.005]
    head = [0.0, -0.4, -0.01, -3.0, 0.005]
    assert kept(base, head) == ([True, True, False, True, True], [True, False, True, False, True])


def test_a_side_that_is_slower_as_a_whole_is_no_tail() -> None:
    head = [value - 0.26 for value in CALM]
    assert kept(CALM, head) == ([True] * 5, [True] * 5)


def test_the_tail_of_a_slower_side_is_set_aside() -> None:
    head = [-0.26, -0.27, -0.25, -1.5, -0.9]
    assert kept(CALM, head) == ([True] * 5, [True, True, True, False, False])


def test_one_trial_left_of_a_side_is_not_enough() -> None:
    head = [0.0, -0.5, -0.9, -1.4, -2.0]
    assert sum(kept(CALM, head)[1]) >= 2


def test_the_slow_hump_of_two_is_no_contention() -> None:
    base = [0.0, 0.001, -0.2, -0.201, 0.002]
    head = [0.0, -0.199, -0.2, 0.001, 0.0]
    assert kept(base, head) == ([True] * 5, [True] * 5)


def test_a_long_history_is_cleared_by_itself() -> None:
    """Its tail lies where the head is: together no gap would be left to see."""
    history = [*CALM, *CALM, *CALM, -0.2, -0.32, -0.45]
    head = [-0.26, -0.27, -0.25, -0.26, -0.265]
    base, all_of_head = kept(history, head, base_alone_first=True)
    assert base == [True] * 15 + [False] * 3
    assert all_of_head == [True] * 5


def test_absent_trials_are_neither_kept_nor_in_the_tail() -> None:
    found = flag_outliers(np.array([[0.0, math.nan, 0.01]]), np.array([[0.0, -0.9, math.nan]]), base_alone_first=False)
    assert found.kept.tolist() == [[True, False, True, True, True, False]]
    assert not found.tail[0, [1, 5]].any()


HUMPED = [0.0, 0.001, -0.2, -0.201, 0.002]


def exceptions(cases: list[list[float]]) -> list[bool]:
    head = np.array(cases)
    found = flag_outliers(np.array([CALM] * len(cases)), head, base_alone_first=False)
    return [bool(one) for one in found.is_exception]


def test_a_case_that_keeps_its_tail_is_an_exception_among_many() -> None:
    assert exceptions([CALM, HUMPED, *[CALM] * 8]) == [False, True] + [False] * 8
    assert exceptions([CALM, HUMPED, HUMPED, HUMPED, *[CALM] * 6]) == [False] * 10


def test_a_slower_side_and_an_excluded_tail_are_no_exceptions() -> None:
    slower = [value - 0.26 for value in CALM]
    contended = [0.0, 0.01, -1.2, 0.005, -0.005]
    slower_and_contended = [-0.26, -0.27, -0.25, -1.5, -0.9]
    assert exceptions([slower, contended, slower_and_contended, *[CALM] * 12]) == [False] * 15


figures = st.lists(st.floats(-4.0, 4.0), min_size=3, max_size=8)


@given(base=figures, head=figures, factor=st.floats(-10.0, 10.0), data=st.data())
def test_neither_the_unit_nor_the_order_of_trials_matters(
    base: list[float], head: list[float], factor: float, data: st.DataObject
) -> None:
    rounded = [[round(value, 3) for value in side] for side in (base, head)]
    order = data.draw(st.permutations(range(len(base))))
    one, other = kept(rounded[0], rounded[1])
    shifted = [[value + round(factor, 1) for value in side] for side in rounded]
    again, other_again = kept([shifted[0][index] for index in order], shifted[1])
    # A gap at the very limit may fall on either side of it by rounding; ties are ordered by place.
    ordered = sorted(rounded[0] + rounded[1])
    gaps = [high - low for low, high in pairwise(ordered)]
    if len(set(ordered)) == len(ordered) and all(abs(gap - 0.1) > 1e-6 for gap in gaps):
        assert sum(other_again) == sum(other)
        assert sum(again) == sum(one)


@pytest.mark.parametrize(
    ("base", "head", "chance"), [(1, 1, 1 / 4), (3, 3, 1 / 64), (5, 5, 1 / 1024), (9, 3, 0.75**9 * 0.25**3)]
)
def test_the_chance_of_separation_is_the_largest_over_the_share_of_the_humps(
    base: int, head: int, chance: float
) -> None:
    assert chance_of_separation(np.array([base]), np.array([head]))[0] == pytest.approx(chance)
    shares = np.linspace(0.001, 0.999, 999)
    assert (shares**base * (1 - shares) ** head).max() == pytest.approx(chance, rel=1e-3)


def test_contention_can_explain_a_slow_case_where_much_is_contended_only() -> None:
    generator = np.random.default_rng(3)

    def chance(share: float) -> float:
        base, head = generator.normal(0, 0.01, (2, 100, 5))
        for side in (base, head):
            side -= np.where(generator.random(side.shape) < share, generator.uniform(0.2, 3.4, side.shape), 0.0)
        # All trials of the head of one case contended, and not alike.
        head[0] = [-0.3, -0.9, -1.6, -2.2, -3.0]
        found = flag_outliers(base, head, base_alone_first=False)
        return float(chance_of_contention(found)[0])

    assert chance(0.2) > 0.005
    assert chance(0.02) < 0.005
