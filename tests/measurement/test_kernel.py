"""Operators of a profile: what is refused, and the rows that they become."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput import Kernel
from pytest_throughput.measurement.kernel import KINDS, LONGEST_NAME, MOST_KERNELS, kernels_to_json

kernels = st.builds(
    Kernel,
    st.sampled_from(["a", "b", "[c]", "d" * 400]) | st.text(min_size=1, max_size=9),
    st.integers(0, 10**6),
    st.floats(0, 1e6),
    st.sampled_from(KINDS),
)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("", 1, 0.1), "expected a text, got ''"),
        ((None, 1, 0.1), "expected a text, got None"),
        (("a", 1, 0.1, "conv"), "expected one of convolution, matrix product, "),
        (("a", -1, 0.1), "expected calls and seconds of at least 0"),
        (("a", 1.5, 0.1), "expected calls and seconds of at least 0"),
        (("a", 1, -0.1), "expected calls and seconds of at least 0"),
        (("a", 1, math.nan), "expected calls and seconds of at least 0"),
        (("a", 1, math.inf), "expected calls and seconds of at least 0"),
        (("a", math.inf, 0.1), "expected calls and seconds of at least 0"),
        (("a", "many", 0.1), "expected calls and seconds of at least 0"),
        (("a", 1, None), "expected calls and seconds of at least 0"),
    ],
)
def test_what_is_no_kernel_is_refused(arguments: tuple[Any, ...], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        Kernel(*arguments)


@given(st.lists(kernels, max_size=20))
def test_rows_keep_all_calls_and_seconds_and_are_in_order(given: list[Kernel]) -> None:
    rows = kernels_to_json(given)
    assert sum(row["calls"] for row in rows) == sum(kernel.calls for kernel in given)
    total = math.fsum(kernel.seconds for kernel in given)
    assert math.fsum(row["seconds"] for row in rows) == pytest.approx(total)
    assert [row["seconds"] for row in rows] == sorted((row["seconds"] for row in rows), reverse=True)
    assert sum(row["share"] for row in rows) == pytest.approx(1.0 if total else 0.0)
    keys = [(row["name"], row["class"]) for row in rows]
    assert len(set(keys)) == len(keys)
    assert all(len(name) <= LONGEST_NAME for name, _ in keys)


def test_what_is_beyond_the_limit_is_one_row() -> None:
    rows = kernels_to_json([Kernel(f"k{number}", 1, number / 1000, "copy") for number in range(MOST_KERNELS + 5)])
    assert len(rows) == MOST_KERNELS + 1
    assert rows[-1] == {
        "name": "(5 others)",
        "calls": 5,
        "seconds": pytest.approx(0.01),
        "share": pytest.approx(0.01 / 20.91),
        "class": "other",
    }
