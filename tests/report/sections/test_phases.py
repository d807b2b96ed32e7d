"""Phases: a bar for each job, with a part for each phase."""

from __future__ import annotations

from dataclasses import replace

from invented_cases import case, job, phase, rates, trial

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report.charts.chart import BarChart, Section
from pytest_throughput.report.sections import phases
from pytest_throughput.results.model import CaseResult, RunResult


def section(*cases: CaseResult) -> Section:
    found = phases.section(RunResult(cases))
    assert found is not None
    return found


def chart(*cases: CaseResult) -> BarChart:
    (found,) = section(*cases).charts
    assert isinstance(found, BarChart)
    assert found.is_stacked
    return found


def test_each_job_and_framework_is_a_bar() -> None:
    found = chart(
        *job("pytorch", {"load": [2.0], "train": [6.0]}, loader_workers=0),
        *job("pytorch", {"load": [1.0], "train": [5.0]}, loader_workers=2),
        *job("tensorflow", {"load": [3.0], "train": [4.0]}, loader_workers=0),
    )
    assert found.panel == "phases, resnet50, cpu"
    assert found.title == "seconds per phase"
    assert [
        (bar.label, [(part.name, part.style, round(part.value, 9)) for part in bar.parts]) for bar in found.bars
    ] == [
        ("pytorch 0 loader workers", [("load", 0, 2.0), ("train", 1, 6.0)]),
        ("tensorflow 0 loader workers", [("load", 0, 3.0), ("train", 1, 4.0)]),
        ("pytorch 2 loader workers", [("load", 0, 1.0), ("train", 1, 5.0)]),
    ]


def test_the_title_names_the_longest_phase_where_the_intervals_of_all_bars_show_it() -> None:
    clear, unclear = [6.0, 6.01, 5.99], [2.0, 6.0, 4.0]
    assert chart(*job("jax", {"load": [2.0, 2.01, 1.99], "train": clear})).title == (
        "train takes 75 % of the seconds of all phases in jax"
    )
    load = {"load": [2.0, 2.01, 1.99]}
    both = [*job("jax", {**load, "train": clear}), *job("pytorch", {**load, "train": [3.0, 3.01, 2.99]})]
    assert chart(*both).title == "train takes 60 % to 75 % of the seconds of all phases"
    assert chart(*job("jax", {**load, "train": unclear})).title == "seconds per phase"
    other = job("pytorch", {"load": [9.0, 9.01, 8.99], "train": clear})
    assert chart(*both, *other).title == "seconds per phase"


def test_a_bar_that_lacks_phases_is_named() -> None:
    found = section(*job("jax", {"load": [2.0], "train": []}), replace(phase("jax", "predict"), status=None))
    assert "jax: train (failed), predict (not run)" in found.notes[1]


def test_jobs_of_tests_are_told_apart_by_their_parameters() -> None:
    def one(name: str, named: str, seconds: float) -> CaseResult:
        metric = Metric("seconds", "s", seconds, "lower")
        return CaseResult(name, "default", {}, "ok", trials=(trial(metrics=(metric,), phase=named),))

    found = chart(
        one("test_it.py::test_job[a-load]", "load", 1.0),
        one("test_it.py::test_job[a-save]", "save", 2.0),
        one("test_it.py::test_job[b-load]", "load", 3.0),
        one("test_it.py::test_other[load]", "load", 4.0),
    )
    assert [(bar.label, [round(part.value, 9) for part in bar.parts]) for bar in found.bars] == [
        ("test_it.py::test_job[a]", [1.0, 2.0]),
        ("test_it.py::test_job[b]", [3.0]),
        ("test_it.py::test_other", [4.0]),
    ]


def test_many_phases_are_summed_up() -> None:
    (bar,) = chart(*job("jax", {f"p{number}": [1.0 + number] for number in range(15)})).bars
    assert len(bar.parts) == 13
    assert bar.parts[-1].name == "other phases"
    assert bar.parts[-1].value == 1.0 + 2.0 + 3.0


def test_steps_and_whole_trainings_are_no_jobs() -> None:
    training = case(
        "jax", [trial(metrics=(Metric("seconds", "s", 1.0, "lower"),), phase="training")], mode="convergence"
    )
    assert phases.section(RunResult((case("jax", rates(1.0)), training))) is None
    assert phases.section(RunResult((phase("jax", "load"),))) is None
