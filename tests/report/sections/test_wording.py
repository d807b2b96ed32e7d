"""Titles state a difference only where intervals are apart."""

from __future__ import annotations

import pytest

from pytest_throughput.report.charts.chart import BarPart
from pytest_throughput.report.sections.wording import clearly_first, span
from pytest_throughput.text import share


def part(value: float, low: float | None = None, high: float | None = None) -> BarPart:
    return BarPart("a", 0, value, low, high)


@pytest.mark.parametrize(
    ("parts", "highest", "lowest"),
    [
        ([part(3, 2.5, 3.5), part(1, 0.5, 1.5)], 0, 1),
        ([part(1, 0.5, 1.5), part(3, 2.5, 3.5), part(5, 4, 6)], 2, 0),
        ([part(3, 1.4, 3.5), part(1, 0.5, 1.5)], None, None),
        ([part(3), part(1, 0.5, 1.5)], None, None),
        ([part(3, 2.5, 3.5), part(1)], None, None),
        ([part(3, 2.5, 3.5)], None, None),
    ],
)
def test_only_an_interval_apart_from_all_others_is_first(
    parts: list[BarPart], highest: int | None, lowest: int | None
) -> None:
    assert clearly_first(parts, is_highest=True) == highest
    assert clearly_first(parts, is_highest=False) == lowest


def test_a_span_is_one_text_where_both_ends_read_the_same() -> None:
    assert span([0.411, 0.6, 0.412], share) == "41 % to 60 %"
    assert span([0.411, 0.412], share) == "41 %"
