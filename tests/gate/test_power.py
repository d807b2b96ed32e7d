"""What the gate would find: the predictions against runs that are drawn and judged one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_throughput.gate.judge import judge
from pytest_throughput.gate.judged import JudgedCase, JudgedRun, JudgedTrial
from pytest_throughput.gate.power import MOST_PAIRS, pairs_needed, power, smallest_found
from pytest_throughput.gate.rules import Design, Rules
from pytest_throughput.gate.verdict import Verdict
from pytest_throughput.results.model import Pair

Floats = NDArray[np.float64]

RULES = Rules()
BUSY, QUIET = 0.03, 0.005


def found_share(deviation: float, slowdown: float, pairs: int, cases: int, runs: int) -> float:
    """The share of runs, drawn without what is tested and judged by the gate's entry, that find the first case."""
    random = np.random.default_rng([7, pairs, cases])

    def side(rates: Floats, ratios: Floats) -> JudgedRun:
        results = {
            str(case): JudgedCase(
                str(case),
                trials=tuple(
                    JudgedTrial(number, rate, pair=Pair(f"{case}-{number}", ratio))
                    for number, (rate, ratio) in enumerate(zip(of_case, ratios[case].tolist(), strict=True), 1)
                ),
            )
            for case, of_case in enumerate(rates.tolist())
        }
        return JudgedRun("2026-01-01T00:00:00+00:00", {}, cases=results)

    found = 0
    for _ in range(runs):
        base = 100 * np.exp(random.normal(0.0, 0.2, (cases, pairs)))
        logs = random.normal(0.0, deviation, (cases, pairs))
        logs[0] -= math.log1p(slowdown)
        sides = side(base, np.exp(-logs)), side(base * np.exp(logs), np.exp(logs))
        verdicts = judge([sides[0]], [sides[1]], design=Design.PAIRS, rules=RULES)
        found += verdicts[0].verdict is Verdict.REGRESSED
    return found / runs


@pytest.mark.parametrize("deviation", [BUSY, QUIET], ids=["busy", "quiet"])
@pytest.mark.parametrize("cases", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_the_smallest_slowdown_that_is_found_is_the_gates_own_to_a_point(deviation: float, cases: int) -> None:
    smallest = smallest_found(deviation, 5, cases, RULES)
    assert smallest is not None
    assert found_share(deviation, smallest - 0.01, 5, cases, 150) < 0.8 + 0.05
    assert found_share(deviation, smallest + 0.01, 5, cases, 150) > 0.8 - 0.05


@pytest.mark.parametrize(("deviation", "slowdown"), [(QUIET, 0.05), (BUSY, 0.10)], ids=["quiet", "busy"])
def test_as_many_pairs_as_are_needed_find_it_and_one_pair_fewer_does_not(deviation: float, slowdown: float) -> None:
    needed = pairs_needed(deviation, slowdown, 1, RULES)
    assert needed is not None
    assert power(deviation, slowdown, needed, 1, RULES) >= 0.8 > power(deviation, slowdown, needed - 1, 1, RULES)
    assert found_share(deviation, slowdown, needed, 1, 150) > 0.8 - 0.1


def test_more_noise_finds_less_and_needs_more() -> None:
    smallest = [smallest_found(deviation, 5, 1, RULES) or math.inf for deviation in (0.002, 0.01, 0.03, 0.1)]
    assert smallest == sorted(smallest)
    assert smallest[0] > 0.03, "a slowdown of the threshold is found half of the time at most"
    needed = [pairs_needed(deviation, 0.05, 1, RULES) or math.inf for deviation in (0.002, 0.01, 0.03)]
    assert needed == sorted(needed)
    assert needed[0] >= 3


def test_what_no_pairs_find_has_no_number() -> None:
    assert smallest_found(3.0, 5, 1, RULES) is None
    assert pairs_needed(0.5, 0.05, 1, RULES) is None
    assert power(0.5, 0.05, MOST_PAIRS, 1, RULES) < 0.8
