"""Figures and untrusted texts, made safe to print."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.text import (
    byte_count,
    duration,
    percent,
    printable,
    printable_lines,
    significant,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (31.2449, "31.24"),
        (1234.56, "1,235"),
        (1234567.0, "1,234,567"),
        (0.0123456, "0.01235"),
        (9.9999, "10.000"),
        (0.0, "0.000"),
        (None, "-"),
        (math.nan, "-"),
        (math.inf, "-"),
    ],
)
def test_significant(value: float | None, text: str) -> None:
    assert significant(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0003, "0.3 ms"), (0.0512, "51 ms"), (0.614, "0.61 s"), (12.34, "12.3 s"), (185.2, "3:05 min"), (None, "-")],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(14 * 2**20, "14 MiB"), (3 * 2**29, "1.50 GiB"), (None, "-")])
def test_byte_count(count: float | None, text: str) -> None:
    assert byte_count(count) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.008, "±0.8 %"), (0.0996, "±10 %"), (2.62, "±262 %"), (math.inf, "-"), (None, "-")]
)
def test_percent(share: float | None, text: str) -> None:
    assert percent(share) == text


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert printable(text).isprintable()
    assert all(line.isprintable() for line in printable_lines(text).split("\n"))


def test_escapes_are_shown() -> None:
    assert printable("\x1b[31mred\n\tand  more") == "\\x1b[31mred and more"
    assert printable_lines("Traceback:\n  File 'a'\n    x\x07") == "Traceback:\n  File 'a'\n    x\\x07"
