"""What is said of a sweep over batch sizes: which batches fit, where swapping begins, and means beside medians."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report import table
from pytest_throughput.report.batch_sweep import notes_on_sweeps
from pytest_throughput.results.model import RATE, CaseResult, RunResult, TrialResult

GIB = 2**30


def case(framework: str, batch_size: int, seconds_per_image: float | None, **given: Any) -> CaseResult:
    """Return a case that takes so long; None if memory did not suffice."""
    axes = {"mode": "update", "model": given.pop("model", "alexnet"), "batch_size": batch_size, "framework": framework}
    axes |= {"device": "cpu", "precision": "fp32", **given.pop("axes", {})}
    name = "-".join(map(str, axes.values()))
    if seconds_per_image is None:
        return CaseResult(name, "default", axes, "out_of_memory", "8 GiB")
    step, rate = batch_size * seconds_per_image, 1 / seconds_per_image
    metrics = (Metric(RATE, "images/s", rate, "higher"),)
    trial = TrialResult(1, batch_size, step, metrics, (step, step, 4 * step), metadata=given)
    return CaseResult(name, "default", axes, "ok", trials=(trial,))


def notes(*cases: CaseResult) -> list[str]:
    return notes_on_sweeps(RunResult(cases))


def test_the_largest_batch_that_fits_is_said_of_every_sweep_if_one_met_its_limit() -> None:
    sweeps = [
        *(case("torch", size, 0.01) for size in (1, 2, 4)),
        case("torch", 8, None),
        case("torch", 16, None),
        case("flow", 1, 0.01),
        case("flow", 2, 0.01),
        case("flow", 1, None, model="googlenet"),
        case("flow", 2, None, model="googlenet"),
        case("jax", 1, 0.01),  # One batch is no sweep.
    ]
    assert notes(*reversed(sweeps)) == [
        "largest batch that fits: flow update googlenet none of those measured; "
        "flow update alexnet 2 (no larger one was measured); torch update alexnet 4 (8 does not fit)"
    ]
    assert notes(*sweeps[:3]) == []


def test_a_sweep_of_which_nothing_was_run_shows_no_limit() -> None:
    not_run = [replace(case("flow", size, None), status=None, reason="the budget is spent") for size in (1, 2)]
    assert notes(case("torch", 1, 0.01), case("torch", 2, None), *not_run) == [
        "largest batch that fits: torch update alexnet 1 (2 does not fit)"
    ]


def test_modes_devices_and_environments_are_sweeps_of_their_own() -> None:
    cases = [
        case("torch", size, None if size == 2 and device == "cuda" else 0.01, axes={"device": device})
        for device in ("cpu", "cuda")
        for size in (1, 2)
    ]
    assert notes(*cases) == [
        "largest batch that fits: torch update alexnet cpu 2 (no larger one was measured); "
        "torch update alexnet cuda 1 (2 does not fit)"
    ]


@pytest.mark.parametrize(("seconds", "swapped", "named"), [(0.041, GIB, True), (0.014, GIB, False), (0.041, 0, False)])
def test_swapping_is_named_where_it_makes_steps_far_slower(seconds: float, swapped: int, named: bool) -> None:
    cases = [case("torch", 128, 0.01), case("torch", 256, seconds, swapped_bytes=swapped)]
    assert notes(*cases) == named * [
        "swap cliff: torch update alexnet: from batch 128 to 256 the time per item grows 4.1-fold, "
        "with 1.00 GiB swapped out"
    ]


def test_tests_without_axes_are_no_sweep() -> None:
    assert (
        notes(CaseResult("mine", "default", {}, "out_of_memory", "x"), CaseResult("other", "default", {}, "ok")) == []
    )


@pytest.mark.parametrize(
    ("mode", "protocol", "shown"),
    [("update", "adaptive", True), ("training", "paper", True), ("training", "adaptive", False)],
)
def test_means_stand_beside_medians_where_published_figures_are_means(mode: str, protocol: str, shown: bool) -> None:
    row = case("torch", 2, 0.01, axes={"mode": mode}, settings={"protocol": protocol})
    lines = table.render(RunResult((row,)), width=None, colour=False).splitlines()
    assert ("median" in lines[0] or "median" in lines[1]) == shown
    assert ("10.00     20.00" in lines[-2]) == shown
