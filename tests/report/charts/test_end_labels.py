"""Names at the ends of lines: in order, apart, and near."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.report.charts.end_labels import label_heights


@given(st.lists(st.floats(0, 240), max_size=12))
def test_names_are_apart_and_in_the_order_of_the_ends(ends: list[float]) -> None:
    heights = label_heights([[(0.0, end), (100.0, end)] for end in ends], 120, 0, 240)
    if heights is None:
        return
    assert all(0 <= height <= 240 and abs(height - end) <= 26 for height, end in zip(heights, ends, strict=True))
    for (one, first), (other, second) in itertools.combinations(zip(ends, heights, strict=True), 2):
        assert abs(first - second) >= 15.9 and ((one <= other and first < second) or (one >= other and first > second))


def test_a_name_alone_stands_at_its_end() -> None:
    assert label_heights([[(0.0, 50.0), (100.0, 60.0)]], 120, 0, 240) == [60.0]


def test_names_move_apart_as_little_as_they_can() -> None:
    lines = [[(0.0, 10.0), (100.0, 60.0)], [(0.0, 20.0), (100.0, 64.0)]]
    assert label_heights(lines, 120, 0, 240) == [54.0, 70.0]


def test_too_many_names_do_not_fit() -> None:
    assert label_heights([[(0.0, n), (100.0, n)] for n in range(12)], 120, 0, 240) is None


def test_the_leader_of_a_line_that_ends_early_does_not_cross_another_line() -> None:
    early = [(0.0, 100.0), (40.0, 100.0)]
    assert label_heights([early, [(0.0, 50.0), (100.0, 150.0)]], 120, 0, 240) is None
    assert label_heights([early, [(0.0, 50.0), (100.0, 60.0)]], 120, 0, 240) == [100.0, 60.0]
