"""The values of the sides of live pairs, as the estimator takes them."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.gate.live_pairs import sides_of

LOGS = st.lists(st.one_of(st.floats(-5, 5), st.just(math.nan)), min_size=1, max_size=9)


@given(LOGS)
def test_the_difference_of_the_sides_is_that_of_the_pair_and_no_side_is_faster_than_usual(logs: list[float]) -> None:
    differences = np.array(logs)
    base, head = sides_of(differences)
    np.testing.assert_allclose(head - base, differences, atol=1e-12)
    known = differences[~np.isnan(differences)]
    if known.size:
        assert np.nanmax(base) <= -np.median(known) / 2 + 1e-12
        assert np.nanmax(head) <= np.median(known) / 2 + 1e-12


def test_the_slower_side_of_an_unusual_pair_has_the_deviation() -> None:
    base, head = sides_of(np.array([[0.0, 0.0, 0.0, -0.4, 0.3], [-0.2, -0.2, -0.2, -0.2, -0.5]]))
    np.testing.assert_allclose(base, [[0.0, 0.0, 0.0, 0.0, -0.3], [0.1, 0.1, 0.1, 0.1, 0.1]])
    np.testing.assert_allclose(head, [[0.0, 0.0, 0.0, -0.4, 0.0], [-0.1, -0.1, -0.1, -0.1, -0.4]])
