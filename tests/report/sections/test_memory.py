"""Peak memory by batch size, with the batch that does not fit."""

from __future__ import annotations

from typing import Any

from invented_cases import case, trial

from pytest_throughput.report.charts.chart import BarChart, Limit, LineChart, Section
from pytest_throughput.report.sections import memory
from pytest_throughput.results.model import CaseResult, RunResult

GIB = 2**30


def one(framework: str, batch_size: Any, *peaks: Any, **axes: Any) -> CaseResult:
    trials = [trial(number, peak_memory_bytes=peak) for number, peak in enumerate(peaks, 1)]
    status = axes.pop("status", "ok" if peaks else "out_of_memory")
    return case(framework, trials, batch_size=batch_size, status=status, **axes)


def section(*cases: CaseResult) -> Section:
    found = memory.section(RunResult(cases))
    assert found is not None
    return found


def test_several_batch_sizes_are_lines_with_their_limits() -> None:
    found = section(
        one("pytorch", 16, 4 * GIB, 5 * GIB), one("pytorch", 1, GIB), one("jax", 1, 2 * GIB), one("pytorch", 32),
        one("pytorch", 64), one("jax", 16, None), one("tensorflow", 1, None),
    )  # fmt: skip
    (chart,) = found.charts
    assert isinstance(chart, LineChart)
    assert (chart.x.scale, chart.x.values, chart.y.label) == ("log", (1, 16), "peak memory, GiB")
    assert [(series.name, series.points) for series in chart.series] == [
        ("pytorch", ((1, 1.0, None, None), (16, 5.0, None, None))),
        ("jax", ((1, 2.0, None, None),)),
    ]
    assert chart.limits == (Limit(16, "pytorch: 16 fits, 32 does not", chart.series[0].style),)


def test_one_batch_size_is_bars() -> None:
    (chart,) = section(one("pytorch", 8, 2**20), one("jax", 8, 3 * 2**20)).charts
    assert isinstance(chart, BarChart)
    assert chart.value.label == "peak memory, MiB"
    assert [(bar.label, [part[:3] for part in bar.parts]) for bar in chart.bars] == [
        ("pytorch", [("peak memory", 0, 1.0)]),
        ("jax", [("peak memory", 2, 3.0)]),
    ]


def test_a_batch_size_that_is_no_number_is_a_bar_besides() -> None:
    lines, bars = section(one("pytorch", "max", GIB), one("jax", 8, GIB), one("jax", 16, GIB)).charts
    assert isinstance(lines, LineChart)
    assert [series.name for series in lines.series] == ["jax"]
    assert isinstance(bars, BarChart)
    assert [bar.label for bar in bars.bars] == ["pytorch"]


def test_executions_of_a_framework_are_variants_of_its_style() -> None:
    cases = [one("pytorch", size, GIB, execution=execution) for execution in ("eager", "compiled") for size in (1, 2)]
    (chart,) = section(*cases).charts
    assert isinstance(chart, LineChart)
    assert [(series.name, series.variant) for series in chart.series] == [("pytorch eager", 0), ("pytorch compiled", 1)]


def test_of_many_batch_sizes_some_are_shown_with_the_first_and_the_last() -> None:
    found = section(*(one("jax", size, GIB) for size in range(1, 101)))
    (chart,) = found.charts
    assert isinstance(chart, LineChart)
    (series,) = chart.series
    assert (len(series.points), series.points[0].x, series.points[-1].x) == (20, 1, 100)
    assert "Where there are more than 20 batch sizes, that many are shown, evenly chosen." in found.notes


def test_there_is_no_section_without_a_peak() -> None:
    cases = (one("pytorch", 8, None), one("pytorch", 16, "1"), one("jax", 8), one("jax", -1, -5))
    assert memory.section(RunResult(cases)) is None
