"""What cannot be is marked, and noise alone is not."""

from __future__ import annotations

import random
from typing import Any

import pytest
from mutations import bounded

from pytest_throughput.measurement.disturbance import Disturbance
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.results.ledger import Ledger
from pytest_throughput.worker.protocol import Outcome

QUIET = Disturbance(0.0, 0.0, 0, 0.0, 0.0)


def marks(*cases: tuple[str, int, list[float]], **metadata: Any) -> dict[tuple[str, int], str | None]:
    """The mark of each case (mode, batch size, seconds per step), one trial each."""
    ledger = Ledger()
    for mode, batch_size, seconds in cases:
        case_id = f"{mode}-b{batch_size}"
        axes = {"mode": mode, "model": "m", "batch_size": batch_size, "layout": None}
        if mode == "update":
            axes["optimiser"] = "momentum"
        ledger.ask(case_id, "default", 1, axes)
        measurement = Measurement(tuple(seconds), 1, seconds[0], 2, "target", seconds[0], tuple([QUIET] * len(seconds)))
        outcome = Outcome("ok", measurement=measurement, metadata=metadata)
        ledger.settle(EndedTrial(case_id, "default", axes, 1, "2026-11-21T00:00:00+00:00", batch_size, outcome))
    return {(case.axes["mode"], case.axes["batch_size"]): case.implausible for case in ledger.result().cases}


def test_a_step_without_time_is_marked() -> None:
    assert "took no time" in (marks(("inference", 1, [0.0, 0.0, 0.0]))["inference", 1] or "")


def test_what_the_worker_said_of_the_outputs_is_the_mark() -> None:
    said = marks(("inference", 1, [0.1]), implausible="the outputs are not all finite numbers")
    assert said["inference", 1] == "the outputs are not all finite numbers"


@pytest.mark.parametrize(("training", "expected"), [(0.3, False), (0.095, False), (0.08, True), (0.001, True)])
def test_training_takes_longer_than_its_inference(training: float, expected: bool) -> None:
    for mode in ("training", "update"):
        found = marks(("inference", 8, [0.10, 0.12, 0.11]), (mode, 8, [training] * 3), (mode, 1, [0.001]))
        assert (found[mode, 8] is not None) == expected
        assert found["inference", 8] is None
        if expected:
            assert "but its inference takes 0.10 s (inference-b8): one of the two is wrong" in (found[mode, 8] or "")


@pytest.mark.parametrize(("larger", "expected"), [(0.2, False), (0.07, False), (0.06, True)])
def test_a_larger_batch_takes_no_less_time(larger: float, expected: bool) -> None:
    """It may take as long, where launching dominates."""
    found = marks(("inference", 1, [0.10, 0.13]), ("inference", 8, [larger] * 2), ("inference", 64, [0.5]))
    assert (found["inference", 8] is not None) == expected
    assert found["inference", 1] is None
    assert found["inference", 64] is None


def test_an_epoch_may_take_less_time_in_larger_batches() -> None:
    found = marks(("phases", 1, [0.10]), ("phases", 8, [0.01]), phase="train")
    assert set(found.values()) == {None}


def test_a_case_that_was_held_up_throughout_but_for_one_round_marks_no_other() -> None:
    assert set(marks(("inference", 1, [0.5, 0.5, 0.1]), ("training", 1, [0.3] * 3)).values()) == {None}


def test_noise_of_the_size_that_was_seen_marks_nothing() -> None:
    """Launch-bound steps, equally long at every batch, single cases up to 45 % slower, rounds by 10 %."""
    chance = random.Random(20261121)
    for _ in range(500):
        cases = []
        for batch_size in (1, 2, 4, 8):
            for mode, seconds in (("inference", 0.001), ("training", 0.002)):
                slow = chance.uniform(1.0, 1.45)
                rounds = [seconds * slow * chance.uniform(1.0, 1.1) for _ in range(20)]
                cases.append((mode, batch_size, rounds))
        assert set(marks(*cases).values()) == {None}


@pytest.mark.parametrize(
    ("utilisation", "method", "expected"),
    [
        (0.99, "datasheet", False),
        (1.01, "datasheet", True),
        (1.01, "given", True),
        (1.4, "measured", False),
        (1.6, "measured", True),
        ("2.0", "datasheet", False),
    ],
)
def test_more_than_the_device_can_do_is_marked(utilisation: Any, method: str, expected: bool) -> None:
    peak = {"tflops": 67.0, "method": method, "source": "NVIDIA H200 datasheet"}
    found = marks(("inference", 1, [0.1]), model_flops_utilisation=utilisation, peak=peak)["inference", 1]
    assert (found is not None) == expected
    if expected:
        assert "of the device's peak (NVIDIA H200 datasheet): something is not waited for" in (found or "")


@pytest.mark.parametrize(
    ("utilisation", "suited", "method", "expected"),
    [
        (1.4, 0.992, "datasheet", False),
        (3.8, 0.992, "datasheet", False),
        (4.0, 0.992, "datasheet", True),
        (4.0, 1.0, "given", False),
        (1.01, 0.0, "datasheet", True),
        (3.9, None, "datasheet", False),
        (4.1, None, "datasheet", True),
        (1.01, "most", "datasheet", True),
        (1.01, 2.0, "datasheet", True),
        (1.6, 1.0, "measured", False),
        (1.6, 0.1, "measured", True),
    ],
)
def test_what_winograds_method_can_save_is_not_marked(
    utilisation: float, suited: Any, method: str, expected: bool
) -> None:
    peak = {"tflops": 9.3, "method": method, "source": "NVIDIA Tesla P100 datasheet"}
    said = marks(("inference", 1, [0.1]), model_flops_utilisation=utilisation, peak=peak, winograd_flops_share=suited)
    assert (said["inference", 1] is not None) == expected


@pytest.mark.parametrize(("device_seconds", "expected"), [(0.1, False), (0.15, False), (0.16, True), (None, False)])
def test_a_step_that_takes_longer_by_the_devices_clock_is_marked(device_seconds: float | None, expected: bool) -> None:
    """Also where Winograd's method would explain the share of the peak."""
    peak = {"tflops": 9.3, "method": "datasheet", "source": "NVIDIA Tesla P100 datasheet"}
    said = marks(
        ("inference", 1, [0.1]),
        model_flops_utilisation=2.0,
        peak=peak,
        winograd_flops_share=0.992,
        device_seconds=device_seconds,
    )["inference", 1]
    assert (said is not None) == expected
    if expected:
        assert said is not None
        assert said.startswith("0.10 s for a step that takes 0.16 s by the device's own clock: it is not waited for")


@pytest.mark.parametrize("suited", [0.0, 0.992, None])
def test_a_step_that_returns_at_once_is_above_whatever_winograds_method_explains(suited: float | None) -> None:
    """It takes the time to launch it, less than a hundredth of its work's."""
    for method in ("measured", "datasheet"):
        peak = {"tflops": 0.2, "method": method, "source": "a large product of matrices by PyTorch"}
        said = marks(("inference", 8, [0.001]), model_flops_utilisation=60.0, peak=peak, winograd_flops_share=suited)[
            "inference", 8
        ]
        assert "something is not waited for" in (said or "")


def test_an_axis_that_a_project_calls_environment_is_an_axis() -> None:
    ledger = Ledger()
    for place, batch_size, seconds in (("lab", 1, 0.1), ("field", 8, 0.01)):
        axes = {"environment": place, "batch_size": batch_size}
        ledger.ask(place, "default", 1, axes)
        measurement = Measurement((seconds,), 1, seconds, 2, "target", seconds, (QUIET,))
        outcome = Outcome("ok", measurement=measurement)
        ledger.settle(EndedTrial(place, "default", axes, 1, "2026-11-21T00:00:00+00:00", batch_size, outcome))
    assert [case.implausible for case in ledger.result().cases] == [None, None]


@pytest.mark.slow
def test_many_batches_are_compared_in_little_time() -> None:
    """Each with the smaller ones, which once took the square of their number: 33 s for 3.8 MB of a journal."""
    many = [("inference", size, [0.1]) for size in range(1, 20_000)]
    with bounded(60.0):
        found = marks(*many, ("inference", 30_000, [0.01]))
    assert [key for key, mark in found.items() if mark is not None] == [("inference", 30_000)]
