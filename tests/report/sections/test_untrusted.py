"""Sections take any JSON value in the metadata and axes of a stranger's file, and stay small whatever its size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented_cases import case, phase, trial

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report.charts.chart import BarChart, Chart, DotChart, LineChart, Section
from pytest_throughput.report.sections import compile as compilation
from pytest_throughput.report.sections import convergence, memory, noise, operators, phases, telemetry
from pytest_throughput.results.model import CaseResult, RunResult, TrialResult

SECTIONS = (phases, convergence, noise, telemetry, compilation, memory, operators)
NAMES = (
    "accuracy_interval", "build_seconds", "compile_seconds", "did_not_learn", "disturbed_by", "history",
    "images_per_joule", "kernels", "pair", "peak_memory_bytes", "phase", "profile", "stop_reason", "telemetry",
)  # fmt: skip
ANYTHING: tuple[Any, ...] = (
    None, True, 0, -1, 2**70, 0.5, 1e308, math.nan, math.inf, "", "once", "\x1b[31m", [], [1], [0.5, 0.5],
    [{}], [[]], {},
    [{"epoch": 1, "test_accuracy": 0.5}, {"epoch": 2, "test_loss": 1}], {"gpu": {}, "cpu": []}, {"unknown": {"a": 1}},
    {"gpu": {"power_watts": 1, "sm_clock_mhz": "fast"}, "unknown": ["a"]},
)  # fmt: skip


def values(chart: Chart) -> Iterator[float | None]:
    if isinstance(chart, LineChart):
        for series in chart.series:
            for point in series.points:
                yield from point
    elif isinstance(chart, BarChart):
        for bar in chart.bars:
            for part in bar.parts:
                yield from part[2:]
    elif isinstance(chart, DotChart):
        for row in chart.rows:
            yield from (*row.values, row.mean, row.low, row.high)


def sections(result: RunResult) -> list[Section]:
    return [found for module in SECTIONS if (found := module.section(result)) is not None]


@given(
    metadata=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(ANYTHING)),
    axes=st.dictionaries(
        st.sampled_from(["batch_size", "model", "phase", "mode", "framework"]),
        st.sampled_from([None, 0, -1, 8, 2**53, "", "max", "convergence", "load", "\x1b"]),
    ),
    figures=st.lists(st.sampled_from([1e-18, 0.5, 1.0, 3.0, 1e18]), min_size=1, max_size=3),
)
def test_anything_in_a_file_gives_finite_figures(metadata: Any, axes: Any, figures: list[float]) -> None:
    trials = [
        TrialResult(
            number, 1, 1.0, (Metric("seconds", "s", value, "lower"), Metric("accuracy", "", value)), metadata=metadata
        )
        for number, value in enumerate(figures, 1)
    ]
    found = sections(RunResult((CaseResult("a[b]", "default", axes, "ok", trials=tuple(trials)),)))
    assert all(
        value is None or math.isfinite(value) for each in found for chart in each.charts for value in values(chart)
    )


def everything(model: str, batch_size: int) -> list[CaseResult]:
    """Return a step, a job and a training that have all data."""
    kernels = [{"name": f"k{number}", "class": "copy", "calls": 1, "seconds": 1.0, "share": 0.1} for number in range(9)]
    given: dict[str, Any] = {
        "kernels": kernels,
        "profile": {"steps": 1},
        "telemetry": {"gpu": {"power_watts": 100.0}},
        "images_per_joule": 1.0,
        "build_seconds": 1.0,
        "peak_memory_bytes": 2**30,
    }
    axes: dict[str, Any] = {"model": model, "batch_size": batch_size}
    history = [{"epoch": number, "test_accuracy": 0.5, "test_loss": 1.0} for number in range(1, 101)]
    metrics = (Metric("seconds", "s", 1.0, "lower"), Metric("accuracy", "", 0.5))
    steps = [trial(number, first_step_seconds=1.0, **given) for number in range(1, 6)]
    return [
        case("jax", steps, **axes),
        phase("jax", "load", 1.0, **axes),
        case("jax", [trial(metrics=metrics, history=history)], **{**axes, "mode": "convergence"}),
    ]


@pytest.mark.parametrize("models", [1, 30])
def test_sections_of_many_cases_stay_small_and_say_so(models: int) -> None:
    cases = [
        one for size in range(1, 301 // models) for model in range(models) for one in everything(f"m{model}", size)
    ]
    found = sections(RunResult(tuple(cases)))
    assert [each.identifier for each in found] == [
        "phases", "convergence", "noise", "telemetry", "compile", "memory", "operators"
    ]  # fmt: skip
    assert all(
        any(note.startswith("Shown are ") for note in each.notes) for each in found if each.identifier != "memory"
    )
    assert sum(len(each.charts) for each in found) <= 8 * 11
    marks = [value for each in found for chart in each.charts for value in values(chart) if value is not None]
    assert len(marks) < 1_500
