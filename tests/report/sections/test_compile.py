"""Build, compilation and first step."""

from __future__ import annotations

import pytest
from invented_cases import case, phase, rates, trial

from pytest_throughput.report.charts.chart import BarChart, Section
from pytest_throughput.report.sections import compile as compilation
from pytest_throughput.results.model import CaseResult, RunResult


def section(*cases: CaseResult) -> Section:
    found = compilation.section(RunResult(cases))
    assert found is not None
    return found


def test_the_known_seconds_are_bars_beside_each_other() -> None:
    jax = case("jax", rates(80.0, 80.0, first_step_seconds=1.2, build_seconds=2.0, compile_seconds=1.0))
    torch = case("pytorch", [trial(first_step_seconds=0.5, build_seconds=None, compile_seconds=None)])
    (chart,) = section(jax, torch).charts
    assert isinstance(chart, BarChart)
    assert not chart.is_stacked
    assert [(bar.label, [(part.name, part.style, part.value) for part in bar.parts]) for bar in chart.bars] == [
        ("jax", [("build", 2, pytest.approx(2.0)), ("compile", 2, 1.0), ("first step", 2, pytest.approx(1.2))]),
        ("pytorch", [("first step", 0, pytest.approx(0.5))]),
    ]
    assert chart.bars[0].parts[0].low == pytest.approx(2.0)
    assert chart.bars[1].parts[0].low is None
    assert chart.title == "the first step took 5.0 to 12 times as long as a later one"


def test_the_title_is_the_quantity_where_first_steps_take_no_longer() -> None:
    found = section(case("jax", [trial(first_step_seconds=1.2)]), case("numpy", [trial(first_step_seconds=0.1)]))
    assert [chart.title for chart in found.charts] == ["seconds before the first measured step"]


def test_cases_without_such_seconds_and_jobs_are_left_out() -> None:
    job = phase("jax", "first_step", 3.0)
    assert compilation.section(RunResult((case("jax", rates(1.0)), case("jax", []), job))) is None
    unknown = case("jax", [trial(build_seconds="1", compile_seconds=0, first_step_seconds=0.0)])
    assert compilation.section(RunResult((unknown,))) is None
