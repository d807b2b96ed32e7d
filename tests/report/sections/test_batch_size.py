"""The section of speeds by batch size: panels, lines, titles, and what is left out."""

from __future__ import annotations

from typing import Any

import pytest
from measured_cases import measured

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report.charts.chart import Axis, LineChart, Point, Section
from pytest_throughput.report.sections.batch_size import section
from pytest_throughput.results.model import CaseResult, RunResult
from pytest_throughput.results.statistics import geometric_mean_interval


def shown(*cases: CaseResult) -> Section:
    found = section(RunResult(cases))
    assert found is not None
    return found


def charts(*cases: CaseResult) -> list[LineChart]:
    return [chart for chart in shown(*cases).charts if isinstance(chart, LineChart)]


SIZES = (1, 8, 64)
TRIALS = [100.0, 101.0, 102.0]
TORCH = [measured("pytorch", [size * each for each in TRIALS], batch_size=size) for size in SIZES]
JAX = [measured("jax", [2 * size * each for each in TRIALS], batch_size=size) for size in SIZES]


def test_each_framework_is_a_line_over_the_batch_sizes() -> None:
    (chart,) = charts(*reversed(TORCH), *JAX)
    assert chart.panel == "inference, vgg16, cpu"
    assert chart.title == "jax is fastest at every batch size"
    assert chart.x == Axis("batch size", "log", SIZES)
    assert chart.y == Axis("images per second")
    assert [(line.name, line.style, line.variant) for line in chart.series] == [("pytorch", 0, 0), ("jax", 2, 0)]
    assert chart.series[1].points[1] == Point(8, *geometric_mean_interval([16 * each for each in TRIALS]))
    assert [point.x for point in chart.series[0].points] == [*SIZES]


def test_modes_networks_devices_and_precisions_are_panels() -> None:
    changes: list[dict[str, Any]] = [{}, {"mode": "training"}, {"model": "alexnet"}, {"device": "cuda"}]
    cases = [
        measured("jax", [1.0], batch_size=size, **axes) for size in (1, 2) for axes in (*changes, {"precision": "bf16"})
    ]
    assert [chart.panel for chart in charts(*cases)] == [
        "inference, vgg16, cpu, fp32",
        "training, vgg16, cpu, fp32",
        "inference, alexnet, cpu, fp32",
        "inference, vgg16, cuda, fp32",
        "inference, vgg16, cpu, bf16",
    ]


def test_executions_layouts_and_environments_are_variants_of_a_framework_the_same_in_all_panels() -> None:
    eager, compiled = (
        [measured("pytorch", [1.0], batch_size=size, execution=how, model=model) for size in (1, 2)]
        for how, model in (("eager", "alexnet"), ("compiled", "vgg16"))
    )
    again = [measured("pytorch", [1.0], batch_size=size, execution="eager") for size in (1, 2)]
    head = [measured("pytorch", [1.0], batch_size=size, execution="eager", environment="head") for size in (1, 2)]
    first, second = charts(*eager, *compiled, *again, *head)
    assert [(line.name, line.variant) for line in first.series] == [("pytorch eager", 0)]
    assert [(line.name, line.style, line.variant) for line in second.series] == [
        ("pytorch compiled", 0, 1),
        ("pytorch eager", 0, 0),
        ("pytorch eager head", 0, 2),
    ]


def test_the_configurations_of_a_single_framework_are_compared_with_each_other() -> None:
    cases = [
        measured("pytorch", [speed * each for each in TRIALS], batch_size=size, execution=how)
        for size in SIZES
        for how, speed in (("eager", 1.0), ("compiled", 2.0))
    ]
    (chart,) = charts(*cases)
    assert chart.title == "pytorch compiled is fastest at every batch size"


def test_a_panel_of_many_lines_is_split_by_framework() -> None:
    cases = [
        measured(name, [1.0], batch_size=size, layout=f"layout {number}")
        for size in (1, 2)
        for name in ("jax", "pytorch")
        for number in range(7)
    ]
    assert [(chart.panel, len(chart.series)) for chart in charts(*cases)] == [
        ("inference, vgg16, cpu, jax", 7),
        ("inference, vgg16, cpu, pytorch", 7),
    ]


def test_metrics_are_not_mixed() -> None:
    seconds = Metric("seconds", "s", 1.0, "lower")
    cases = [measured("jax", [float(size)], batch_size=size) for size in (1, 2)]
    cases += [measured("jax", [float(size)], batch_size=size, metric=seconds, execution="graph") for size in (1, 2)]
    assert [chart.y.label for chart in charts(*cases)] == ["images per second", "seconds (s), lower is better"]


@pytest.mark.parametrize(
    "left_out",
    [
        measured("pytorch", [1.0], batch_size=64, status="crashed"),
        measured("pytorch", [1.0], batch_size=64, implausible="a step takes no time"),
        measured("pytorch", [], batch_size=64, status="out_of_memory"),
        measured("pytorch", [1.0], batch_size="64"),
        measured("pytorch", [1.0], batch_size=0),
        measured("pytorch", [1.0], batch_size=True),
    ],
)
def test_only_sound_figures_of_known_sizes_are_points(left_out: CaseResult) -> None:
    (chart,) = charts(*TORCH[:2], left_out)
    assert [point.x for point in chart.series[0].points] == [1, 8]


def test_there_is_no_section_without_several_batch_sizes() -> None:
    assert section(RunResult(())) is None
    assert section(RunResult((TORCH[0], JAX[0]))) is None
    assert section(RunResult(tuple(CaseResult(f"t.py::t[{size}]", "default", {}, "ok") for size in SIZES))) is None


def test_the_largest_batch_that_a_search_found_is_a_size() -> None:
    search = {"largest_batch": {"fits": 213, "refused": 217}}
    (chart,) = charts(*TORCH, measured("pytorch", [1.0], batch_size="max", metadata=search))
    assert [point.x for point in chart.series[0].points] == [*SIZES, 213]


def test_tests_of_other_projects_are_lines_named_after_the_tests() -> None:
    cases = [
        measured(None, [1.0], id=f"test_it.py::{name}[{size}]", batch_size=size, model=None, mode=None, device=None)
        for name in ("test_encode", "test_decode")
        for size in (1, 2)
    ]
    (chart,) = charts(*cases)
    assert [line.name for line in chart.series] == ["test_encode", "test_decode"]
    assert len({line.style for line in chart.series}) == 2


def test_cases_of_equal_axes_are_all_shown() -> None:
    cases = [measured(None, [speed], id=f"{speed}-{size}", batch_size=size) for size in (1, 2) for speed in (3.0, 4.0)]
    (chart,) = charts(*cases)
    assert [(point.x, round(point.y)) for point in chart.series[0].points] == [(1, 3), (1, 4), (2, 3), (2, 4)]


def test_one_trial_has_a_neutral_title_and_a_note() -> None:
    found = shown(*(measured("jax", [float(size)], batch_size=size) for size in SIZES))
    assert found.charts[0].title == "images per second by batch size"
    assert "--throughput-trials 5" in found.notes[-1]


def test_of_too_many_panels_the_largest_are_shown_and_the_others_named() -> None:
    cases = [
        measured("jax", [1.0], batch_size=size, model=f"net{number:02}")
        for number in range(30)
        for size in ((1, 2, 4) if number % 2 else (1, 2))
    ]
    found = shown(*cases)
    assert len(found.charts) == 24
    assert {f"inference, net{number:02}, cpu" for number in range(1, 30, 2)} < {chart.panel for chart in found.charts}
    assert found.notes[-1].startswith("6 of 30 charts are left out, to keep this page small: inference, net18, cpu; ")


def test_five_thousand_cases_make_no_more_than_a_page() -> None:
    cases = [
        measured("jax", [1.0], batch_size=size, model=f"net{number}") for number in range(5) for size in range(1, 1001)
    ]
    found = charts(*cases)
    assert len(found) == 2  # Those of 2,000 points.
    assert found[0].x.values == ()
