"""The sections of speeds, given axes that may be any JSON value and figures of any size."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from measured_cases import measured

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report.charts.chart import BarChart, Chart, LineChart
from pytest_throughput.report.sections import batch_size, best, devices, memory, scaling, time_per_image
from pytest_throughput.results.model import RATE, CaseResult, RunResult

SECTIONS = (
    best.section,
    batch_size.section,
    devices.section,
    time_per_image.section,
    scaling.section,
    memory.section,
)

sizes = st.sampled_from([1, 2, 8, 2**53, 0, -1, "max", "8", True, None])
json_values = st.sampled_from(
    [None, True, [], [1, "a"], {"a": None}, 0.5, 2**70, "", "x" * 300, "\x1b[31m", "\u202ea\n", "a::b["]
)
values = st.sampled_from(["jax", "pytorch", "cpu", "cuda"]) | json_values
axes = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("framework", "device", "model", "mode", "execution", "strategy"), values),
        "batch_size": sizes | json_values,
        "ranks": sizes | json_values,
    },
)
metrics = st.sampled_from(
    [Metric(RATE, "images/s", 1.0), Metric("seconds", "s", 1.0, "lower"), Metric("x" * 200, "y" * 200, 1.0)]
)
searches: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{}, {"largest_batch": {"fits": 64, "refused": 65}}, {"largest_batch": [1]}, {"peak_memory_bytes": 1}]
)


@st.composite
def cases(draw: st.DrawFn, number: int) -> CaseResult:
    rates = draw(st.lists(st.floats(1e-18, 1e18), max_size=2))
    case = measured(None, rates, id=f"{number}", metric=draw(metrics), metadata=draw(searches))
    status = draw(st.sampled_from(["ok", "ok", "out_of_memory"]))
    environment = draw(st.sampled_from(["default", "head", "\x1b[31m"]))
    return replace(case, axes=draw(axes), status=status, environment=environment)


@given(st.integers(0, 8).flatmap(lambda count: st.tuples(*map(cases, range(count)))))
def test_no_axis_breaks_a_section(given_cases: tuple[CaseResult, ...]) -> None:
    for section in SECTIONS:
        found = section(RunResult(given_cases))
        if found is not None:
            assert found.charts
            for chart in found.charts:
                assert 0 < len(chart.title) <= 90
                assert chart.panel.isprintable()
                assert all(map(math.isfinite, numbers(chart)))


def numbers(chart: Chart) -> list[Any]:
    """Return all values of a chart and the ends of their intervals."""
    if isinstance(chart, LineChart):
        points = [point for line in chart.series for point in line.points]
        return [end for point in points for end in point if end is not None] + [limit.x for limit in chart.limits]
    assert isinstance(chart, BarChart)
    parts = [part for bar in chart.bars for part in bar.parts]
    return [end for part in parts for end in (part.value, part.low, part.high) if end is not None]
