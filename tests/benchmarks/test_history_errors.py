"""The errors of change points and drifts, in small simulations by default and in larger ones among the slow tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from history_errors import (
    NOISES,
    changes_found,
    drifts_shown,
    false_changes,
    main,
    normal,
    passing_levels_found,
)

FEW = [(10, 40), (30, 20)]
MANY = [pytest.param(*each, marks=pytest.mark.slow) for each in ((10, 300), (30, 150), (100, 60))]
"""The runs of a history, and how many histories."""


@pytest.fixture(autouse=True)
def fewer_orders(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Try fewer orders of the values than the command does but in slow tests; rates and power stay nearly the same."""
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr("pytest_throughput.gate.change_points._MOST_ORDERS", 1_999)


def allowed(rate: float, count: int) -> float:
    """The share that chance exceeds in one of some thousand simulations."""
    return rate + 3.3 * math.sqrt(rate * (1 - rate) / count)


@pytest.mark.parametrize(("length", "histories"), [*FEW, *MANY])
@pytest.mark.parametrize("noise", ["normal", "heavy-tailed", "1 in 10 contended"])
def test_few_histories_without_a_change_show_a_change(noise: str, length: int, histories: int) -> None:
    shown = false_changes(np.random.default_rng(length), NOISES[noise], length, histories)
    assert shown <= allowed(0.05, histories)


@pytest.mark.parametrize(("length", "histories"), [*FEW, *MANY])
@pytest.mark.parametrize("noise", ["normal", "heavy-tailed"])
def test_a_change_by_5_deviations_is_found_with_its_size(noise: str, length: int, histories: int) -> None:
    random = np.random.default_rng(100 + length)
    found, further, covered = changes_found(random, NOISES[noise], length, 5.0, histories)
    assert 1 - found <= allowed(0.05, histories)
    assert further <= allowed(0.05, histories)
    assert 1 - covered <= allowed(0.07, histories)


def test_a_level_that_is_left_again_is_two_changes_among_other_cases() -> None:
    assert passing_levels_found(np.random.default_rng(1), 30, 3, cases=10) == 1


@pytest.mark.slow
def test_many_cases_share_the_errors() -> None:
    shown = false_changes(np.random.default_rng(2), normal, 30, 30, cases=30)
    assert shown <= allowed(0.05, 30)


@pytest.mark.parametrize("repetitions", [300, pytest.param(3_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("cases", [1, 10])
@pytest.mark.parametrize("noise", ["normal", "heavy-tailed"])
def test_few_runs_warn_of_a_drift_that_is_none(noise: str, cases: int, repetitions: int) -> None:
    for runs in (5, 10, 20):
        shown = drifts_shown(np.random.default_rng(runs), NOISES[noise], runs, cases, 0.0, repetitions // cases)
        assert shown <= allowed(0.01, repetitions // cases)


def test_a_drift_of_1_percent_a_run_at_noise_of_1_percent_is_found() -> None:
    assert drifts_shown(np.random.default_rng(3), normal, 21, 10, 1.0, 50) >= 0.9


def test_the_program_prints_every_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("history_errors.LENGTHS", (10, 10, 10))
    main(["--histories", "1"])
    assert capsys.readouterr().out.count("\n") > 40
