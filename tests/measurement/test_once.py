"""Running a step once: what ``--benchmark-disable`` and the search for the largest batch do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_device import FakeDevice

from pytest_throughput import Step
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.measurement.plan import ONCE
from pytest_throughput.worker.running_trial import run_to_end
from pytest_throughput.worker.trial import Trial, run_opened_step


@pytest.mark.parametrize("steps_per_round", [None, 1, 5])
def test_a_step_on_a_device_runs_once_and_is_waited_for(steps_per_round: int | None) -> None:
    """Neither rounds, warm-up, latency, the device's clock nor the check of the outputs run it again."""
    device = FakeDevice()
    checked: list[object] = []
    step = replace(device.step(0.1), least_warm_up_steps=4, check=checked.append)
    outcome = run_opened_step(step, ONCE, steps_per_round)
    assert (outcome.status, device.launches, device.waits, len(checked)) == ("ok", 1, 1, 1)
    assert "enqueue_ratio" not in outcome.metadata


def test_the_output_of_the_one_step_is_checked() -> None:
    """After the wait; and it is freed before the step is closed."""
    seen: list[str] = []

    class Output:
        def __del__(self) -> None:
            seen.append("freed")

    def check(output: object) -> str:
        assert isinstance(output, Output)
        seen.append("checked")
        return "not finite"

    step = Step(Output, lambda _: seen.append("waited"), check=check, close=lambda: seen.append("closed"))
    assert run_opened_step(step, ONCE).metadata["implausible"] == "not finite"
    assert seen == ["waited", "checked", "freed", "closed"]


def test_its_measurement_is_as_valid_as_any() -> None:
    """The protocol accepts no trial that is ok without one."""
    measurement = run_to_end(Trial(lambda: Step(lambda: None), ONCE, own_process=True)).measurement
    assert measurement is not None
    assert Measurement.from_json(measurement.to_json()) == measurement
    assert measurement.round_seconds == (measurement.first_step_seconds,) == (measurement.latency_seconds,)
    assert (measurement.steps_per_round, measurement.warm_up_steps, measurement.disturbed) == (1, 0, [None])


@pytest.mark.parametrize("fails", ["run", "wait"])
def test_a_step_that_fails_is_not_run_again(fails: str) -> None:
    runs: list[int] = []

    def failing(*_: object) -> None:
        raise MemoryError("12 GiB")

    step = Step(lambda: runs.append(1), failing) if fails == "wait" else Step(failing)
    outcome = run_opened_step(step, ONCE)
    assert (outcome.status, outcome.reason, len(runs)) == ("out_of_memory", "12 GiB", int(fails == "wait"))
