"""Noise: trials as dots beside their mean and its interval; percentiles of rounds where there is one trial."""

from __future__ import annotations

import pytest
from invented_cases import case, rates, trial

from pytest_throughput.report.charts.chart import DotChart, Section
from pytest_throughput.report.sections import noise
from pytest_throughput.results.model import CaseResult, RunResult


def section(*cases: CaseResult) -> Section:
    found = noise.section(RunResult(cases))
    assert found is not None
    return found


def charts(*cases: CaseResult) -> list[DotChart]:
    found = [chart for chart in section(*cases).charts if isinstance(chart, DotChart)]
    assert len(found) == len(section(*cases).charts)
    return found


def test_trials_are_dots_in_percent_of_their_mean_with_its_interval() -> None:
    (chart,) = charts(case("jax", rates(100.0, 104.0, 96.0)), case("pytorch", rates(10.0, 10.0, 10.01)))
    assert (chart.panel, chart.value.label) == ("training, resnet50, cpu", "result, % of the mean")
    jax, pytorch = chart.rows
    assert jax.label == "jax"
    assert jax.values == pytest.approx((96.05, 100.05, 104.06), abs=0.01)
    assert (jax.mean, jax.low, jax.high) == pytest.approx((100.0, 90.54, 110.45), abs=0.01)
    assert pytorch.low is not None and pytorch.low > 99.8
    assert chart.title == "each mean is known to ±10 % or better"


def test_the_interval_of_two_trials_that_differ_much_is_a_factor() -> None:
    (chart,) = charts(case("jax", rates(100.0, 200.0)))
    assert chart.title == "the mean is known to ×/÷ 82"
    (chart,) = charts(case("jax", rates(1e-18, 1e18)))
    assert chart.rows[0].low == pytest.approx(1e-4)
    assert chart.rows[0].high == pytest.approx(1e8)


def test_trials_of_one_process_have_no_interval() -> None:
    (chart,) = charts(case("jax", rates(100.0, 104.0, settings={"isolation": "none"})))
    assert (chart.rows[0].mean, chart.rows[0].low, chart.rows[0].high) == (100.0, None, None)
    assert chart.title == "trials in percent of their mean"


def test_many_trials_have_few_dots() -> None:
    (chart,) = charts(case("jax", rates(*(100.0 + number for number in range(100)))))
    values = chart.rows[0].values
    assert len(values) == 20
    assert values[-1] / values[0] == pytest.approx(1.99)


def test_rounds_of_a_single_trial_are_percentiles_without_an_interval() -> None:
    rounds = tuple(0.1 + 0.001 * number for number in range(21))
    found = section(case("jax", [trial(seconds_per_step=rounds)]))
    (chart,) = found.charts
    assert isinstance(chart, DotChart)
    assert chart.rows[0].values == pytest.approx(
        tuple(100 * (0.1 + each) / 0.11 for each in (0.002, 0.005, 0.01, 0.015, 0.018))
    )
    assert (chart.rows[0].mean, chart.rows[0].low) == (None, None)
    assert chart.title == "90 % of the rounds took at most 7.3 % longer than the median"
    assert "no independent evidence" in found.notes[0]


def test_trials_and_rounds_stand_in_charts_of_their_own() -> None:
    found = section(
        case("jax", rates(1.0, 2.0, pair={"id": "1", "ratio": 1.0})),
        case("numpy", [trial(seconds_per_step=(0.1,) * 5)]),
    )
    assert [chart.title for chart in found.charts] == [
        "the mean is known to ×/÷ 82",
        "90 % of the rounds took at most 0.0 % longer than the median",
    ]
    assert "neighbouring slices" in found.notes[1]


def test_plain_files_have_noise_too() -> None:
    plain = CaseResult(
        "bench.py::test_it", "default", {}, "ok", trials=(trial(seconds_per_step=(1.0, 1.0, 1.1, 1.0, 1.2)),)
    )
    (chart,) = charts(plain)
    assert chart.rows[0].label == "bench.py::test_it"


def test_the_noisiest_cases_are_shown_where_there_are_many() -> None:
    cases = [case("jax", rates(100.0, 100.0 + number), batch_size=number) for number in range(1, 60)]
    found = section(*cases)
    (chart,) = found.charts
    assert isinstance(chart, DotChart)
    assert [row.label for row in chart.rows] == [f"jax batch {number}" for number in range(36, 60)]
    assert found.notes[-1].startswith("Shown are 24 of 59: the cases with the widest intervals")


@pytest.mark.parametrize("rounds", [(), (0.1,), (0.0,) * 9])
def test_a_single_trial_without_rounds_shows_no_noise(rounds: tuple[float, ...]) -> None:
    assert noise.section(RunResult((case("jax", [trial(seconds_per_step=rounds)]), case("jax", [])))) is None
