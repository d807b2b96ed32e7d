"""The model by seeded simulation: false alarms of whole runs, coverage, and what may not matter.

`benchmarks/gate_operating_characteristics.py` does the same at length.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_throughput.gate.decision import CODES, Decisions, decide
from pytest_throughput.gate.estimator import estimate
from pytest_throughput.gate.rules import Code, Design, Rules

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]


def contended(random: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    slower = random.uniform(math.log(1.2), math.log(30), shape)
    return 0.01 * random.standard_normal(shape) - np.where(random.random(shape) < 0.2, slower, 0.0)


NOISE: dict[str, Draw] = {
    "gaussian": lambda random, shape: 0.03 * random.standard_normal(shape),
    "heavy-tailed": lambda random, shape: 0.03 * random.standard_t(3, shape),
    "two-humped": lambda random, shape: random.choice([-0.03, 0.03], shape) + 0.003 * random.standard_normal(shape),
    "contended": contended,
    "unlike cases": lambda random, shape: (
        random.choice([0.003, 0.01, 0.03, 0.1], (*shape[:2], *[1] * (len(shape) - 2))) * random.standard_normal(shape)
    ),
}


def verdicts(base: Floats, head: Floats, design: Design, rules: Rules | None = None) -> Decisions:
    rules = rules or Rules()
    return decide(estimate(base, head, design=design, false_alarm_rate=rules.false_alarm_rate), rules)


def slow(*values: Any) -> Any:
    """Return parameters of a simulation that is run by ``nox -s slow`` alone."""
    return pytest.param(*values, marks=pytest.mark.slow)


def at_most(rate: float, runs: int) -> float:
    """Return how many a simulation of a rate may count, allowing for 3.5 standard errors."""
    return rate + 3.5 * math.sqrt(rate * (1 - rate) / runs)


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize(("cases", "runs"), [slow(1, 2000), (10, 1000), slow(60, 150)])
def test_pairs_raise_few_false_alarms(noise: str, cases: int, runs: int) -> None:
    random = np.random.default_rng([cases, len(noise)])
    logs = NOISE[noise](random, (runs, cases, 5, 2))
    decisions = verdicts(logs[..., :1], logs[..., 1:], Design.PAIRS)
    assert decisions.regressed.any(axis=-1).mean() <= at_most(0.01, runs)
    assert decisions.improved.any(axis=-1).mean() <= at_most(0.01, runs)


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("shift", [slow(0.0), 0.03])
@pytest.mark.parametrize(("cases", "history", "runs"), [slow(1, 3, 2000), (10, 5, 600), slow(40, 3, 200)])
def test_histories_raise_few_false_alarms(noise: str, shift: float, cases: int, history: int, runs: int) -> None:
    random = np.random.default_rng([cases, history, len(noise)])
    logs = NOISE[noise](random, (runs, cases, history + 1, 5)) + shift * random.standard_normal(
        (runs, 1, history + 1, 1)
    )
    decisions = verdicts(logs[:, :, :-1], logs[:, :, -1:], Design.HISTORY)
    assert decisions.regressed.any(axis=-1).mean() <= at_most(0.01, runs)


def test_the_other_cases_vouch_for_how_far_humps_lie_apart() -> None:
    """All of base in the fast hump and all of head in the slow one: of ten cases in five pairs, 1 run in 100 has it."""
    random = np.random.default_rng(12)
    logs = 0.03 * (random.choice([-1.0, 1.0], (3000, 10, 5, 2)) + 0.1 * random.standard_normal((3000, 10, 5, 2)))
    base, head = logs[..., :1], logs[..., 1:]
    apart = (base.min(axis=(-1, -2)) > head.max(axis=(-1, -2))).any(axis=-1)
    assert apart.sum() > 15
    assert verdicts(base, head, Design.PAIRS).regressed.any(axis=-1).sum() < 0.4 * apart.sum()


@pytest.mark.parametrize("history", [3, 5])
def test_a_noisy_case_among_calm_ones_raises_few_false_alarms(history: int) -> None:
    random = np.random.default_rng([13, history])
    logs = 0.01 * random.standard_normal((1500, 10, history + 1, 5))
    logs[:, :1] += 0.03 * random.standard_normal((1500, 1, history + 1, 1))
    decisions = verdicts(logs[:, :, :-1], logs[:, :, -1:], Design.HISTORY)
    assert decisions.regressed.any(axis=-1).mean() <= at_most(0.012, 1500)


@pytest.mark.parametrize("deviation", [0.003, 0.01])
@pytest.mark.parametrize("design", [Design.PAIRS, Design.PAIRED_RUNS, Design.HISTORY])
def test_a_slowdown_of_5_percent_is_found(design: Design, deviation: float) -> None:
    random = np.random.default_rng(5)
    shape = (300, 10, 5, 5) if design is Design.HISTORY else (300, 10, 5, 1)
    base = deviation * random.standard_normal(shape)
    head = deviation * random.standard_normal((300, 10, 1, 5) if design is Design.HISTORY else shape)
    head[:, 0] -= math.log(1.05)
    decisions = verdicts(base, head, design)
    assert decisions.regressed[:, 0].mean() >= 0.95
    assert decisions.unchanged[:, 0].mean() <= 0.01


def test_a_slowdown_is_found_among_contended_trials() -> None:
    random = np.random.default_rng(6)
    base, head = (contended(random, (400, 10, 7, 1)) for _ in range(2))
    head[:, 0] -= math.log(1.10)
    assert verdicts(base, head, Design.PAIRS).regressed[:, 0].mean() > 0.9


def test_a_slowdown_is_found_by_a_contended_history() -> None:
    random = np.random.default_rng(14)
    logs = contended(random, (400, 10, 6, 5))
    logs[:, 0, -1] -= math.log(1.05)
    decisions = verdicts(logs[:, :, :-1], logs[:, :, -1:], Design.HISTORY)
    assert decisions.regressed[:, 0].mean() > 0.9


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("design", [Design.PAIRS, Design.HISTORY])
def test_a_real_slowdown_is_seldom_called_unchanged(noise: str, design: Design) -> None:
    """Of the threshold's own size: larger ones are called so more seldom still."""
    random = np.random.default_rng([len(noise), 7])
    if design is Design.HISTORY:
        logs = NOISE[noise](random, (400, 10, 6, 5))
        base, head = logs[:, :, :-1], logs[:, :, -1:]
    else:
        logs = NOISE[noise](random, (400, 10, 5, 2))
        base, head = logs[..., :1], logs[..., 1:]
    assert verdicts(base, head - math.log(1.03), design).unchanged.mean() <= 0.035


@pytest.mark.parametrize("shift", [0.0, 0.02])
@pytest.mark.parametrize("cases", [1, 20])
def test_the_interval_covers_the_difference_as_often_as_it_says(cases: int, shift: float) -> None:
    random = np.random.default_rng([cases, 8])
    logs = 0.01 * random.standard_normal((400, cases, 6, 5)) + shift * random.standard_normal((400, 1, 6, 1))
    estimates = estimate(logs[:, :, :-1], logs[:, :, -1:], design=Design.HISTORY, false_alarm_rate=0.01)
    covered = np.abs(estimates.difference) <= estimates.half_interval
    # Of one run all cases share the shift, so the runs are the sample.
    assert covered.mean() >= 0.95 - 3.5 * math.sqrt(0.95 * 0.05 / 400)


def test_a_common_shift_of_both_sides_of_pairs_is_nothing() -> None:
    random = np.random.default_rng(9)
    base, head = 0.01 * random.standard_normal((2, 10, 5, 1))
    shift = random.standard_normal((1, 5, 1))
    one = estimate(base, head, design=Design.PAIRED_RUNS, false_alarm_rate=0.01)
    other = estimate(base + shift, head + shift, design=Design.PAIRED_RUNS, false_alarm_rate=0.01)
    assert np.allclose(one.difference, other.difference)
    assert np.all(other.margin < 0.2), "pairs, not groups, where runs lie far apart"


@given(seed=st.integers(0, 2**32 - 1), unit=st.floats(-5, 5), design=st.sampled_from(list(Design)))
def test_neither_units_nor_order_nor_names_matter(seed: int, unit: float, design: Design) -> None:
    random = np.random.default_rng(seed)
    trials = 1 if design is Design.PAIRS else 4
    base = 0.02 * random.standard_normal((7, 5, trials))
    head = 0.02 * random.standard_normal((7, 5, trials)) - 0.03 * random.standard_normal((7, 1, 1))
    order, units, inner = (random.permutation(size) for size in (7, 5, trials))
    one = estimate(base, head, design=design, false_alarm_rate=0.01)
    other = estimate(
        (base + unit)[order][:, units][:, :, inner],
        (head + unit)[order][:, units][:, :, inner],
        design=design,
        false_alarm_rate=0.01,
    )
    for name in ("difference", "margin", "half_interval", "noise_between"):
        assert np.allclose(getattr(one, name)[order], getattr(other, name), rtol=1e-6, atol=1e-9), name
    rules = Rules()
    assert np.array_equal(decide(one, rules).codes[order], decide(other, rules).codes)


@given(seed=st.integers(0, 2**32 - 1))
def test_sides_exchanged_turn_the_difference_around(seed: int) -> None:
    random = np.random.default_rng(seed)
    base, head = 0.02 * random.standard_normal((2, 6, 5, 1))
    one = estimate(base, head, design=Design.PAIRS, false_alarm_rate=0.01)
    other = estimate(head, base, design=Design.PAIRS, false_alarm_rate=0.01)
    assert np.allclose(one.difference, -other.difference)
    assert np.allclose(one.margin, other.margin)


def test_absent_trials_leave_a_case_with_what_it_has() -> None:
    random = np.random.default_rng(10)
    base, head = 0.01 * random.standard_normal((2, 8, 5, 1))
    base[0, 3:], head[0, 3:] = math.nan, math.nan
    base[1], head[1] = math.nan, math.nan
    estimates = estimate(base, head, design=Design.PAIRS, false_alarm_rate=0.01)
    assert estimates.units.tolist() == [3, 0, 5, 5, 5, 5, 5, 5]
    assert estimates.half_interval[0] > estimates.half_interval[2:].min()
    codes = [CODES[code] for code in decide(estimates, Rules()).codes]
    assert codes[1] is Code.TOO_FEW_RUNS


def test_head_trials_that_are_far_slower_forbid_unchanged() -> None:
    random = np.random.default_rng(11)
    base, head = 0.002 * random.standard_normal((2, 8, 5, 1))
    head[0, 2:, 0] -= [0.9, 1.6, 2.5]
    codes = [CODES[code] for code in verdicts(base, head, Design.PAIRS).codes]
    assert codes[0] is Code.SLOW_TRIALS
    assert codes[1] is Code.WITHIN_THRESHOLD


@pytest.mark.parametrize(("trials", "slow"), [(10, 4), (5, 2)])
@pytest.mark.parametrize("design", [Design.PAIRS, Design.HISTORY])
def test_an_intermittent_slowdown_of_head_is_never_called_unchanged(design: Design, trials: int, slow: int) -> None:
    """Some trials 30 to 140 % slower, and none of base."""
    random = np.random.default_rng([trials, 23])
    shape = (300, 6, trials, 1) if design is Design.PAIRS else (300, 6, 5, trials)
    base = 0.01 * random.standard_normal(shape)
    head = 0.01 * random.standard_normal(shape if design is Design.PAIRS else (300, 6, 1, trials))
    flat = head.reshape(300, 6, trials)
    flat[:, 0, :slow] -= np.log1p(random.uniform(0.3, 1.4, (300, slow)))
    flat[:, 1] += 0.2
    flat[:, 1, :slow] -= np.log1p(random.uniform(0.3, 1.4, (300, slow)))
    decisions = verdicts(base, head, design)
    assert not (decisions.improved | decisions.unchanged)[:, :2].any()


def test_slow_trials_of_both_sides_leave_a_case_unchanged() -> None:
    random = np.random.default_rng(24)
    base, head = 0.005 * random.standard_normal((2, 8, 10, 1))
    base[0, :2, 0] -= [0.9, 1.6]
    head[0, 4:6, 0] -= [0.7, 2.5]
    assert verdicts(base, head, Design.PAIRS).unchanged[0]


def test_what_is_far_slower_at_times_regressed() -> None:
    random = np.random.default_rng(25)
    base, head = 0.005 * random.standard_normal((2, 6, 25, 1))
    head[0, :12, 0] -= np.linspace(0.5, 3.0, 12)
    decisions = verdicts(base, head, Design.PAIRS)
    assert CODES[decisions.codes[0]] is Code.SLOWER_AT_TIMES
    assert decisions.regressed.tolist() == [True, *[False] * 5]


@pytest.mark.parametrize("cases", [1, 10])
@pytest.mark.parametrize(
    ("runs", "trials_base", "trials_head", "factor"),
    [(0, 2, 2, 30.0), (0, 3, 3, 10.0), (2, 3, 3, 3.0), (2, 1, 1, 190.0), (20, 1, 1, 100.0), (20, 5, 1, 20.0)],
)
def test_what_is_beyond_all_noise_alarms_with_few_trials(
    cases: int, runs: int, trials_base: int, trials_head: int, factor: float
) -> None:
    """``runs``: accepted runs; 0 for pairs."""
    random = np.random.default_rng([runs, trials_base, 26])
    design = Design.HISTORY if runs else Design.PAIRS
    base = 0.002 * random.standard_normal((50, cases, runs, trials_base) if runs else (50, cases, trials_base, 1))
    head = 0.002 * random.standard_normal((50, cases, 1, trials_head) if runs else (50, cases, trials_head, 1))
    calm = verdicts(base, head, design)
    assert not calm.regressed.any()
    head[:, 0] -= math.log(factor)
    decisions = verdicts(base, head, design)
    assert decisions.regressed[:, 0].all()
    assert np.all(decisions.detectable[:, 0] <= math.log(factor))


def test_among_five_cases_three_pairs_show_a_doubling() -> None:
    random = np.random.default_rng(30)
    base, head = 0.01 * random.standard_normal((2, 100, 5, 3, 1))
    head[:, 0] -= math.log(2)
    assert verdicts(base, head, Design.PAIRS).regressed[:, 0].mean() > 0.95


@pytest.mark.parametrize("apart", [0.7, 1.0])
def test_states_of_the_process_that_differ_by_far_raise_few_false_alarms(apart: float) -> None:
    random = np.random.default_rng([31, int(10 * apart)])
    shape = (2000, 1, 3, 2)
    logs = np.where(random.random(shape) < 0.5, 0.0, -apart) + 0.003 * random.standard_normal(shape)
    assert verdicts(logs[..., :1], logs[..., 1:], Design.PAIRS).regressed.any(axis=-1).mean() <= at_most(0.01, 2000)


@pytest.mark.parametrize("noise", ["contended", "two-humped", "heavy-tailed"])
@pytest.mark.parametrize(("runs", "trials"), [(0, 2), (0, 3), (2, 1), (2, 2), (2, 3), (20, 1)])
@pytest.mark.parametrize("cases", [1, 10])
def test_few_trials_raise_few_false_alarms(noise: str, runs: int, trials: int, cases: int) -> None:
    random = np.random.default_rng([runs, trials, cases, 27])
    repeats = 1500 // cases
    if runs:
        logs = NOISE[noise](random, (repeats, cases, runs + 1, trials))
        decisions = verdicts(logs[:, :, :-1], logs[:, :, -1:], Design.HISTORY)
    else:
        logs = NOISE[noise](random, (repeats, cases, trials, 2))
        decisions = verdicts(logs[..., :1], logs[..., 1:], Design.PAIRS)
    assert decisions.regressed.any(axis=-1).mean() <= at_most(0.01, repeats)


@pytest.mark.parametrize("share_slow", [0.5, 0.3, 0.125])
@pytest.mark.parametrize(("runs", "trials"), [(3, 1), (3, 3), (5, 1), (10, 1)])
@pytest.mark.parametrize("cases", [1, 10])
def test_one_trial_of_head_seldom_hides_a_slowdown(share_slow: float, runs: int, trials: int, cases: int) -> None:
    random = np.random.default_rng([runs, trials, cases, 28])

    def humps(shape: tuple[int, ...]) -> Floats:
        fast = random.random(shape) < share_slow
        return np.asarray(np.where(fast, 0.03, -0.03) + 0.003 * random.standard_normal(shape))

    base, head = humps((1000 // cases, cases, runs, trials)), humps((1000 // cases, cases, 1, 1)) - math.log(1.05)
    assert verdicts(base, head, Design.HISTORY).unchanged.mean() <= at_most(0.05, 1000)


def test_a_large_speed_up_is_not_called_unchanged() -> None:
    random = np.random.default_rng(29)
    base, head = 0.002 * random.standard_normal((2, 6, 3, 1))
    head[0] += math.log(1.3)
    codes = [CODES[code] for code in verdicts(base, head, Design.PAIRS).codes]
    assert codes[0] is Code.MAYBE_FASTER
    assert codes[1:] == [Code.WITHIN_THRESHOLD] * 5


def test_three_pairs_raise_no_alarm() -> None:
    """In 1 of 64 runs a case of two humps has all of base in the one and all of head in the other."""
    random = np.random.default_rng(12)
    base, head = 0.001 * random.standard_normal((2, 10, 3, 1))
    head[0] -= 0.3
    decisions = verdicts(base, head, Design.PAIRS)
    assert CODES[decisions.codes[0]] is Code.TOO_FEW_TRIALS
    assert decisions.detectable.min() > math.log(1.5)


def test_no_complete_pair_is_no_agreement() -> None:
    """Base was contended in the last two pairs, head in the first two."""
    random = np.random.default_rng(15)
    shared = 0.05 * random.standard_normal((8, 4, 1))
    base, head = shared + 0.0005 * random.standard_normal((2, 8, 4, 1))
    base[0, 2:, 0] -= [1.0, 2.0]
    head[0, :2, 0] -= [0.9, 2.2]
    estimates = estimate(base, head, design=Design.PAIRS, false_alarm_rate=0.01)
    assert estimates.outliers.tolist() == [4, *[0] * 7]
    assert estimates.margin[1:].max() < 0.01, "pair by pair"
    assert estimates.half_interval[0] > 0.03
    assert not decide(estimates, Rules()).unchanged[0]


def test_of_a_single_case_it_is_the_trials_left_that_have_to_be_enough() -> None:
    base, head = np.zeros((1, 5, 1)), np.full((1, 5, 1), -0.3)
    base[0, :2, 0], head[0, :2, 0] = [-1.0, -2.0], [-1.4, -3.0]
    base += 0.001 * np.arange(5)[:, None]
    head += 0.001 * np.arange(5)[:, None]
    decisions = verdicts(base, head, Design.PAIRS)
    assert CODES[decisions.codes[0]] is Code.TOO_FEW_TRIALS
    assert decisions.detectable[0] > 3


def test_accepted_runs_of_which_all_trials_are_set_aside_do_not_count() -> None:
    random = np.random.default_rng(16)
    base, head = 0.01 * random.standard_normal((8, 3, 1)), 0.01 * random.standard_normal((8, 1, 5))
    base[0, 1] -= 1.0
    estimates = estimate(base, head, design=Design.HISTORY, false_alarm_rate=0.01)
    assert estimates.units.tolist() == [2, *[3] * 7]


def test_a_side_without_any_trial_is_not_compared() -> None:
    random = np.random.default_rng(17)
    base, head = 0.01 * random.standard_normal((6, 1, 5)), 0.01 * random.standard_normal((6, 4, 5))
    base[0] = math.nan
    head += 4.0
    estimates = estimate(base, head, design=Design.GROUPS, false_alarm_rate=0.01)
    assert CODES[decide(estimates, Rules()).codes[0]] is Code.TOO_FEW_RUNS


def test_a_young_case_takes_nothing_from_the_old_ones() -> None:
    """Four cases in five accepted runs, and a fifth in the last of them alone."""
    random = np.random.default_rng(18)
    base, head = 0.003 * random.standard_normal((5, 5, 5)), 0.003 * random.standard_normal((5, 1, 5))
    base[4, :4] = math.nan
    young = estimate(base, head, design=Design.HISTORY, false_alarm_rate=0.01)
    alone = estimate(base[:4], head[:4], design=Design.HISTORY, false_alarm_rate=0.01)
    assert np.all(young.margin[:4] < 2 * alone.margin)
    assert young.units[4] == 1


def test_cases_that_are_in_the_last_run_alone_do_not_hide_how_runs_lie_apart() -> None:
    random = np.random.default_rng(19)
    shift = 0.03 * random.standard_normal((800, 1, 4, 1))
    logs = 0.003 * random.standard_normal((800, 25, 4, 5)) + shift
    logs[:, 10:, :2] = math.nan
    decisions = verdicts(logs[:, :, :-1], logs[:, :, -1:], Design.HISTORY)
    assert decisions.regressed.any(axis=-1).mean() <= at_most(0.01, 800)


def test_two_trials_of_head_against_runs_of_one_are_not_wild() -> None:
    random = np.random.default_rng(20)
    base, head = 0.01 * random.standard_normal((10, 10, 1)), 0.01 * random.standard_normal((10, 1, 2))
    estimates = estimate(base, head, design=Design.HISTORY, false_alarm_rate=0.01)
    assert np.median(estimates.margin) < 0.08


def test_a_head_of_one_trial_raises_no_alarm_but_beyond_all_noise() -> None:
    random = np.random.default_rng(21)
    base, head = 0.001 * random.standard_normal((1, 80, 5)), np.full((1, 1, 1), -0.5)
    decisions = verdicts(base, head, Design.HISTORY)
    assert CODES[decisions.codes[0]] is Code.TOO_FEW_TRIALS
    assert decisions.detectable[0] > 0.5


def test_what_contention_may_explain_is_not_said_to_be_detectable() -> None:
    random = np.random.default_rng(22)
    base, head = 0.001 * random.standard_normal((1, 8, 1)), np.array([[[-0.5, -0.5005]]])
    decisions = verdicts(base, head, Design.HISTORY)
    assert CODES[decisions.codes[0]] is Code.CONTENTION
    assert decisions.detectable[0] > 0.5


@pytest.mark.parametrize(("threshold", "rate"), [(0.0, 0.01), (-1.0, 0.01), (0.03, 0.0), (0.03, 0.9)])
def test_rules_that_mean_nothing(threshold: float, rate: float) -> None:
    with pytest.raises(ValueError, match="expected a share"):
        Rules(threshold, rate)
