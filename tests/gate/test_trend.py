"""Slow drifts over accepted runs and this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from pytest_throughput.gate.drift import Line, drifts_of
from pytest_throughput.gate.judge import judge
from pytest_throughput.gate.judged import JudgedRun
from pytest_throughput.gate.rules import Design, Rules
from pytest_throughput.gate.trend import trends
from pytest_throughput.gate.verdict import Trend

MakeRun = Callable[..., JudgedRun]
NOISE = [0.4, -0.9, 0.1, 0.7, -0.2, -0.6, 1.0, -0.3, 0.2, -0.5, 0.8, -0.7]


def is_drift(values: Sequence[float], pieces: Sequence[int] | None = None, least: float = 0.0) -> bool:
    (found,) = drifts_of([Line(values, pieces or [0] * len(values), least)], 0.01)
    return found is not None


def found_in(runs: Sequence[JudgedRun], rules: Rules | None = None) -> tuple[tuple[Trend, ...], int]:
    *base, head = runs
    rules = rules or Rules()
    verdicts = judge(base, [head], design=Design.HISTORY, rules=rules)
    return trends(base, [head], design=Design.HISTORY, rules=rules, verdicts=verdicts)


class TestDrift:
    def test_a_fall_beyond_noise_is_one(self) -> None:
        assert is_drift([noise - index for index, noise in enumerate(NOISE)])

    def test_a_rise_and_noise_alone_are_none(self) -> None:
        assert not is_drift([noise + index for index, noise in enumerate(NOISE)])
        assert not is_drift(NOISE)
        assert not is_drift([1.0] * 12)

    def test_a_step_is_none(self) -> None:
        assert not is_drift([noise - 10 * (index >= 6) for index, noise in enumerate(NOISE)])

    def test_a_fall_that_does_not_matter_is_none(self) -> None:
        values = [noise - index for index, noise in enumerate(NOISE)]
        assert is_drift(values, least=8.0) and not is_drift(values, least=20.0)

    def test_a_wanted_step_does_not_count_and_hides_no_drift(self) -> None:
        pieces = [0] * 4 + [1] * 8
        assert not is_drift([noise - 10 * piece for noise, piece in zip(NOISE, pieces, strict=True)], pieces)
        values = [noise - index + 30 * piece for index, (noise, piece) in enumerate(zip(NOISE, pieces, strict=True))]
        assert is_drift(values, pieces) and not is_drift(values)

    def test_every_value_after_a_wanted_step_of_its_own_shows_nothing(self) -> None:
        assert not is_drift(NOISE, list(range(12)))

    def test_without_lines_there_is_nothing(self) -> None:
        assert drifts_of([], 0.01) == []


def drifting(make_run: MakeRun, share: float, runs: int = 15) -> list[JudgedRun]:
    """Return runs whose first case takes so much more time in each run, as a share of the seconds."""
    return [make_run(seed, cases=3, slower={"case-0": share * seed}) for seed in range(runs)]


def test_a_case_that_drifts_is_named_with_its_interval(make_run: MakeRun) -> None:
    ((found,), looked_for) = found_in(drifting(make_run, 0.01))
    assert (found.id, found.metric, found.runs, looked_for) == ("case-0", "images_per_second", 15, 3)
    assert found.since == "2026-01-01T00:00:00+00:00"
    assert found.ratio_per_run_low < 0.9905 < found.ratio_per_run_high < 1
    assert found.ratio == pytest.approx(found.ratio_per_run**14)
    assert " slower from run to run (95 % interval " in found.reason
    assert "over 15 runs since 2026-01-01; no single jump explains it" in found.reason


def test_the_order_of_time_counts_and_not_that_of_the_list(make_run: MakeRun) -> None:
    *base, head = drifting(make_run, 0.01)
    assert found_in([*reversed(base), head]) == found_in([*base, head])


def test_what_one_run_shows_is_no_drift(make_run: MakeRun) -> None:
    runs = [*drifting(make_run, 0.0)[:-1], make_run(20, cases=3, slower={"case-0": 0.5})]
    assert found_in(runs) == ((), 2)


def test_a_small_drift_is_none_by_the_threshold_of_the_case(make_run: MakeRun) -> None:
    runs = drifting(make_run, 0.004)
    assert [one.id for one in found_in(runs)[0]] == ["case-0"]
    assert found_in(runs, Rules(threshold=0.10)) == ((), 3)


def test_runs_of_other_machines_and_too_few_runs_show_none(make_run: MakeRun) -> None:
    runs = drifting(make_run, 0.01)
    assert found_in(runs[:4]) == ((), 0)
    assert found_in([replace(run, machine_id=str(index % 4)) for index, run in enumerate(runs)]) == ((), 0)


def test_a_wanted_step_is_no_drift(make_run: MakeRun) -> None:
    runs = drifting(make_run, 0.01, runs=20)
    ((before,), _), ((after,), _) = (
        found_in(each) for each in (runs, [replace(run, note="bf16" if i == 9 else "") for i, run in enumerate(runs)])
    )
    assert after.ratio_per_run_high - after.ratio_per_run_low > before.ratio_per_run_high - before.ratio_per_run_low
