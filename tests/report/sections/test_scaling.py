"""The section of speed and efficiency by the number of ranks."""

from __future__ import annotations

import pytest
from measured_cases import measured

from pytest_throughput.report.charts.chart import LineChart
from pytest_throughput.report.sections.scaling import section
from pytest_throughput.results.model import CaseResult, RunResult


def charts(*cases: CaseResult) -> list[LineChart]:
    found = section(RunResult(cases))
    assert found is not None
    return [chart for chart in found.charts if isinstance(chart, LineChart)]


def on(ranks: int, *rates: float, strategy: str = "ddp") -> CaseResult:
    return measured("pytorch", rates, ranks=ranks, strategy=strategy, mode="scaling")


def test_speed_and_efficiency_by_ranks_have_a_line_for_each_strategy() -> None:
    speed, efficiency = charts(
        *(on(1, 100.0, 110.0), on(2, 180.0, 198.0), on(4, 200.0, 240.0)),
        *(on(1, 50.0, strategy="fsdp"), on(2, 50.0, strategy="fsdp")),
    )
    assert speed.panel == efficiency.panel == "scaling, vgg16, cpu"
    assert speed.x.values == efficiency.x.values == (1, 2, 4)
    assert [(line.name, line.variant) for line in speed.series] == [("pytorch ddp", 0), ("pytorch fsdp", 1)]
    points = efficiency.series[0].points
    assert [point.x for point in points] == [1, 2, 4]
    assert [point.y for point in points[:2]] == [1.0, pytest.approx(0.9)]
    assert points[0].low is None
    assert points[2].y == pytest.approx(200**0.5 * 240**0.5 / (110 * 100) ** 0.5 / 4)
    assert points[2].low is not None and points[2].high is not None
    assert points[2].low < points[2].y < points[2].high


def test_a_line_begins_with_the_fewest_ranks_that_were_measured() -> None:
    _, efficiency = charts(on(2, 100.0), on(8, 200.0))
    assert [point.y for point in efficiency.series[0].points] == [1.0, pytest.approx(0.5)]


def test_there_is_no_section_without_several_numbers_of_ranks() -> None:
    assert section(RunResult((measured("pytorch", [1.0]),))) is None
    assert section(RunResult((on(1, 1.0), on(1, 2.0, strategy="fsdp")))) is None
