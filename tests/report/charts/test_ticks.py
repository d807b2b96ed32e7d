"""Round ticks, whatever the range."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.report.charts.chart import Axis
from pytest_throughput.report.charts.domain import domain_of
from pytest_throughput.report.charts.number_text import number_text, short_number, with_interval
from pytest_throughput.report.charts.ticks import given_ticks, linear_ticks, log_ticks

VALUES = st.lists(st.floats(-1e18, 1e18) | st.floats(-1, 1) | st.sampled_from([0.0, 1e-18, 1e18]), max_size=5)


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0, 430, ["0", "100", "200", "300", "400"]),
        (0, 12_000, ["0", "2,000", "4,000", "6,000", "8,000", "10,000", "12,000"]),
        (-0.3, 0.4, ["-0.2", "0.0", "0.2", "0.4"]),
        (0, 2e18, ["0", "0.5×10¹⁸", "1.0×10¹⁸", "1.5×10¹⁸", "2.0×10¹⁸"]),
        (0, 2e-18, ["0", "0.5×10⁻¹⁸", "1.0×10⁻¹⁸", "1.5×10⁻¹⁸", "2.0×10⁻¹⁸"]),
        (99.98, 100.02, ["99.98", "99.99", "100.00", "100.01", "100.02"]),
    ],
)
def test_linear_ticks_are_round(low: float, high: float, texts: list[str]) -> None:
    assert [tick.text for tick in linear_ticks(low, high, 6)] == texts


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0.8, 120, ["1", "2", "5", "10", "20", "50", "100"]),
        (0.001, 1000, ["0.001", "0.01", "0.1", "1", "10", "100", "1,000"]),
        (1e-18, 1e18, ["10⁻¹⁸", "10⁻¹²", "10⁻⁶", "1", "10⁶", "10¹²", "10¹⁸"]),
        (30, 60, ["30", "35", "40", "45", "50", "55", "60"]),
    ],
)
def test_logarithmic_ticks_are_round(low: float, high: float, texts: list[str]) -> None:
    assert [tick.text for tick in log_ticks(low, high, 7)] == texts


def test_given_ticks_are_those_within_the_axis() -> None:
    assert [tick.text for tick in given_ticks([64, 1, 8, 8, 128], 1, 64)] == ["1", "8", "64"]


@given(VALUES, st.sampled_from(["always", "near", "never"]), st.booleans())
def test_a_linear_range_has_all_values_and_a_few_ticks(values: list[float], zero: str, ends_on_ticks: bool) -> None:
    domain = domain_of(values, Axis(""), 6, zero=zero, ends_on_ticks=ends_on_ticks)  # type: ignore[arg-type]
    assert domain.low < domain.high and 2 <= len(domain.ticks) <= 9
    assert all(domain.holds(value) for value in values if abs(value) >= 1e-100)
    assert zero != "always" or domain.low <= 0 <= domain.high
    assert len({tick.text for tick in domain.ticks}) == len(domain.ticks)


@given(st.lists(st.floats(1e-18, 1e18) | st.floats(1, 1.001), min_size=1, max_size=5))
def test_a_logarithmic_range_has_all_values_and_a_few_ticks(values: list[float]) -> None:
    domain = domain_of(values, Axis("", "log"), 6)
    assert all(domain.holds(value) for value in values) and 1 <= len(domain.ticks) <= 9
    assert len({tick.text for tick in domain.ticks}) == len(domain.ticks)


def test_one_value_and_none_have_a_range() -> None:
    assert (domain_of([5.0], Axis(""), 6).low, domain_of([5.0], Axis(""), 6).high) == (4.5, 5.5)
    assert (domain_of([0.0, 0.0], Axis(""), 6).low, domain_of([0.0], Axis(""), 6).high) == (0, 1)
    assert domain_of([], Axis("", "log"), 6).holds(5)


def test_a_range_near_zero_includes_it_and_one_far_from_it_does_not() -> None:
    assert domain_of([50.0, 100.0], Axis(""), 6, zero="near").low == 0
    assert domain_of([95.0, 100.0], Axis(""), 6, zero="near").low == 95


def test_a_very_long_interval_does_not_flatten_the_values() -> None:
    assert domain_of([90.0, 100.0], Axis(""), 6, ends=[-5e6, 5e6]).high == 200


@pytest.mark.parametrize(
    ("value", "short", "full"),
    [
        (128, "128", "128.0"),
        (0.25, "0.25", "0.2500"),
        (0, "0", "0"),
        (12345678, "1.23457×10⁷", "12,345,678"),
        (1e12, "10¹²", "1.000×10¹²"),
        (5e-7, "5×10⁻⁷", "5.000×10⁻⁷"),
        (-2e18, "-2×10¹⁸", "-2.000×10¹⁸"),
    ],
)
def test_numbers_of_any_magnitude_are_short(value: float, short: str, full: str) -> None:
    assert (short_number(value), number_text(value)) == (short, full)


def test_intervals_follow_their_numbers() -> None:
    assert with_interval(81.2, 79.95, 82.471) == "81.20 (79.95 to 82.47)"
    assert (with_interval(81.2, None, None), with_interval(81.2, None, 90)) == ("81.20", "81.20 (81.20 to 90.00)")
