"""The benchmark of the cost of a verdict, on recordings that are made up."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import cost_judging
import numpy as np
import pytest
from cost_judging import (
    Pool,
    asv_rules,
    cheapest,
    in_looks,
    limits_of_sessions,
    significance_of_sessions,
    with_rules,
)
from cost_of_a_verdict import judge_pairs, main, seconds_of_pair
from pair_recordings import JUDGED, log_ratio

from pytest_throughput.gate.confirmation import Look, planned_looks
from pytest_throughput.gate.rules import Rules
from pytest_throughput.launch.pairs import LEAST_BLOCKS

CASES = tuple("abcdef")


def pool(noise: float, units: int = 12, samples: int = 1) -> Pool:
    """Return units of 10 seconds whose sides differ by noise alone."""
    rng = np.random.default_rng(7)
    shape = (units, 2, samples)
    made = [0.02 * np.exp(noise * rng.standard_normal(shape)) for _ in CASES]
    return Pool(CASES, tuple(made), tuple(np.full(units, 10.0) for _ in CASES))


def recorded_pair(rng: np.random.Generator, case: str, slowdown: float, blocks: int = 8) -> dict[str, object]:
    """Return a line of ``pair_recordings.py``: slices of 0.2 s that begin every 0.25 s, with 5 s around them."""
    noise = 0.0 if slowdown else 0.01 * rng.standard_normal()
    sides: list[list[list[float]]] = [[], []]
    for number in range(4 * blocks):
        side = (0, 1, 1, 0)[number % 4]
        seconds = 0.02 * (1 + slowdown * side) * math.exp(noise * side)
        sides[side].append([0.25 * number, *[seconds] * 4])
    known = {"state": "quiet", "round": 0, "case": case, "slowdown": slowdown}
    return {**known, "wall_seconds": 5 + blocks, "sides": sides}


def test_a_pair_costs_what_it_would_have_with_fewer_blocks() -> None:
    pair = recorded_pair(np.random.default_rng(1), "a", 0.1)
    assert seconds_of_pair(pair, 8) == pytest.approx(13)
    assert seconds_of_pair(pair, 6) == pytest.approx(11)
    assert log_ratio(pair, JUDGED, 6) == pytest.approx(-math.log1p(0.1))


def test_quiet_pairs_are_decided_at_the_first_look_and_noisy_ones_cost_all() -> None:
    rng = np.random.default_rng(1)
    plan = in_looks(judge_pairs, planned_looks(5, 7, Rules()))
    (quiet,) = plan(pool(0.004), 90, rng).values()
    assert quiet.alarms <= 0.03
    assert quiet.found[0.30] == 1
    assert quiet.seconds[0.30] == 50
    (noisy,) = plan(pool(0.3), 90, rng).values()
    assert noisy.found[0.05] < 0.1
    assert noisy.seconds[0.05] > 100
    assert cheapest({"noisy": noisy}, 0.05)[0] == math.inf


def test_looks_judge_only_what_is_undecided() -> None:
    asked = []

    def judge(base: np.ndarray, head: np.ndarray, rules: Rules) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        asked.append((base.shape[-1], rules.false_alarm_rate, int(np.isnan(base[..., -1]).sum())))
        everywhere = np.ones(base.shape[:2], dtype=bool)
        is_first = np.arange(base.shape[1]) == 0
        return ~everywhere, everywhere & is_first, everywhere & ~is_first

    looks = [Look(1, 4, Rules(false_alarm_rate=0.002)), Look(2, 8, Rules(false_alarm_rate=0.008))]
    (rates,) = in_looks(judge, looks)(pool(0.01), 10, np.random.default_rng(1)).values()
    assert asked[:2] == [(4, 0.002, 0), (8, 0.008, 10)]
    assert rates.seconds[0.0] == pytest.approx(10 * (4 + 5 * 8) / 6)
    assert rates.cleared == pytest.approx(1 / 6)


def test_rules_of_other_tools_find_slowdowns_beyond_their_limits() -> None:
    rng = np.random.default_rng(1)
    found = with_rules(limits_of_sessions, 1)(pool(0.001, samples=3), 200, rng)
    assert found["1 × min:5%"].found == {0.05: pytest.approx(0.5, abs=0.2), 0.10: 1, 0.30: 1}
    assert found["1 × min:20%"].found == {0.05: 0, 0.10: 0, 0.30: 1}
    assert found["1 × min:20%"].seconds_to_decide(0.30) == 10
    assert math.isinf(found["1 × min:20%"].seconds_to_decide(0.10))
    found = with_rules(significance_of_sessions, 6)(pool(0.01, samples=3), 2000, rng)
    for test in ("t-test", "paired t-test", "U test"):
        assert found[f"6 × {test}"].alarms < 0.03
        assert found[f"6 × {test}"].found[0.30] == 1
    found = with_rules(asv_rules, 4)(pool(0.01, samples=5), 200, rng)
    assert found["4 × interval, factor 1.10"].found[0.05] == 0
    assert found["4 × U test, factor 1.03"].found[0.30] == 1
    assert cheapest(found, 0.30)[0] == 40


@pytest.mark.parametrize("count", [4, 6])
def test_the_critical_value_of_the_u_test_is_exact(count: int) -> None:
    everything = range(2 * count)
    values = [sum(ranks) - count * (count - 1) // 2 for ranks in itertools.combinations(everything, count)]
    for p in (0.002, 0.02, 0.2):
        below = [u for u in range(count**2) if 2 * sum(value <= u for value in values) / len(values) < p]
        assert cost_judging._critical_u(count, p) == max(below, default=-1)


def test_the_tables_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    pairs = [recorded_pair(rng, case, 0.0) for case in CASES for _ in range(5)]
    pairs += [recorded_pair(rng, case, 0.1) for case in CASES]
    units = [
        {
            "tool": tool,
            "unit": unit,
            "case": case,
            "sides": [
                {"samples": (0.02 * np.exp(0.01 * rng.standard_normal(5))).tolist(), "wall_seconds": 3.0}
                for _ in range(2)
            ],
        }
        for tool in ("asv", "pytest-benchmark")
        for unit in range(4)
        for case in CASES
    ]
    for name, lines in (("pairs.jsonl", pairs), ("units.jsonl", units)):
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    main(
        [
            "judge",
            "--pairs",
            f"{tmp_path}/pairs.jsonl",
            "--blocks=6",
            "--runs=40",
            "--resamplings=1",
            f"{tmp_path}/units.jsonl",
        ]
    )
    printed = capsys.readouterr().out
    assert "| live pairs of 6 blocks, in looks | 5 | 11.0 |" in printed
    assert "| asv | 4 | 6.0 |" in printed
    assert "| pytest-benchmark, tests | 4 | 6.0 |" in printed
    assert "| a | – | 10.0 (1) | – |" in printed
    assert f"| a | 5.00 | 1.00 | {5 + LEAST_BLOCKS}.00 |" in printed
