"""The simulation of a bisection: noise as large as any measured here leads it to the right commit."""

from __future__ import annotations

import numpy as np
from bisect_noise import DEVIATIONS, Judge, bisected, two_humped


def test_a_slowdown_of_10_percent_is_found_where_pairs_vary_most() -> None:
    rng = np.random.default_rng(1)
    for culprit in (1, 38, 64, 100):
        judge = Judge(two_humped(DEVIATIONS[-1]), rng, 0.10, culprit)
        ended = bisected(judge)
        assert (ended.at, ended.confirmed) == (culprit, True)
        assert ended.pairs < 150


def test_without_a_slowdown_nothing_is_found() -> None:
    ended = bisected(Judge(two_humped(DEVIATIONS[-1]), np.random.default_rng(1), 0.0, 50))
    assert ended.at is None and not ended.confirmed
