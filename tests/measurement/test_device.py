"""What the device does with a step: its own seconds, and whether it waits for the host."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_device import FakeDevice

from pytest_throughput import Step
from pytest_throughput.measurement.device import observe_device
from pytest_throughput.measurement.loop import measure
from pytest_throughput.measurement.plan import PLANS
from pytest_throughput.worker.trial import run_opened_step


@pytest.fixture
def device() -> FakeDevice:
    return FakeDevice(launch_seconds=0.001)


@pytest.mark.parametrize(("work_seconds", "ratio"), [(0.099, 0.01), (0.001, 0.5), (0.0, 1.0)])
def test_the_ratio_shows_a_step_that_waits_for_its_launches(
    device: FakeDevice, work_seconds: float, ratio: float
) -> None:
    found = observe_device(device.step(work_seconds), 1, clock=device.clock)
    assert found["enqueue_ratio"] == pytest.approx(ratio)


@pytest.mark.parametrize("steps_per_round", [1, 20])
def test_the_devices_own_seconds_are_of_one_step(device: FakeDevice, steps_per_round: int) -> None:
    found = observe_device(device.step(0.05), steps_per_round, clock=device.clock)
    # Its first launch is waited for; those of the others hide behind the work before them.
    assert found["device_seconds"] == pytest.approx(0.05 + 0.001 / steps_per_round)
    assert device.launches == 10 + (3 * 20 if steps_per_round > 1 else 0)


def test_gaps_in_which_the_device_waits_are_its_seconds_too(device: FakeDevice) -> None:
    """Events do not show a host-bound step: the enqueue ratio does."""
    found = observe_device(device.step(0.0002), 20, clock=device.clock)
    assert found["device_seconds"] == pytest.approx(0.00101)
    assert found["enqueue_ratio"] == pytest.approx(0.001 / 0.0012)


def test_of_long_steps_a_few_are_enough(device: FakeDevice) -> None:
    found = observe_device(device.step(2.0), 1, clock=device.clock)
    assert found["device_seconds"] == pytest.approx(2.001)
    assert device.launches == 3


def test_a_device_without_a_clock_still_has_a_ratio(device: FakeDevice) -> None:
    step = replace(device.step(0.099), device_clock=None)
    found = observe_device(step, 20, clock=device.clock)
    assert found == {"enqueue_ratio": pytest.approx(0.01), "device_seconds": None}
    assert device.launches == 10


def test_a_step_that_is_done_when_it_returns_is_not_run_again(device: FakeDevice) -> None:
    assert observe_device(device.step(0.05, asynchronous=False), 1, clock=device.clock) == {}
    assert device.launches == 0


def test_rounds_hold_no_mark(device: FakeDevice) -> None:
    """A mark takes a second here, and no round shows it."""

    def mark() -> float:
        device.now += 1.0
        return device.mark()

    step = device.step(0.05)
    assert step.device_clock is not None
    slow = replace(step, device_clock=replace(step.device_clock, mark=mark))
    measurement = measure(slow, PLANS["paper"], clock=device.clock)
    assert measurement.round_seconds == pytest.approx([0.051] * 20)
    assert observe_device(slow, 1, clock=device.clock)["enqueue_ratio"] == pytest.approx(0.001 / 1.001, rel=0.1)


def test_the_figures_are_facts_of_the_outcome() -> None:
    outcome = run_opened_step(Step(lambda: None, asynchronous=True), PLANS["paper"], 1)
    assert 0 < outcome.metadata["enqueue_ratio"] <= 1
    assert outcome.metadata["device_seconds"] is None
    assert "enqueue_ratio" not in run_opened_step(Step(lambda: None), PLANS["paper"], 1).metadata


def test_a_failure_here_takes_nothing_back() -> None:
    runs = []

    def run() -> None:
        runs.append(1)
        if len(runs) > 1 + 10 + 20:
            raise RuntimeError("no more")

    outcome = run_opened_step(Step(run, asynchronous=True), PLANS["paper"], 1)
    assert (outcome.status, len(runs)) == ("ok", 32)
    assert "enqueue_ratio" not in outcome.metadata


@pytest.mark.parametrize("plan", [PLANS["quick"], PLANS["paper"], PLANS["adaptive"]])
def test_the_step_says_how_much_warm_up_it_cannot_do_without(device: FakeDevice, plan: object) -> None:
    """Recording and replaying for the first time takes 25 steps here; none of them is a round."""
    step = replace(device.step(lambda launch: 9.0 if launch <= 25 else 0.1), least_warm_up_steps=25)
    measurement = measure(step, plan, steps_per_round=1, clock=device.clock)  # type: ignore[arg-type]
    assert measurement.warm_up_steps == 25
    assert max(measurement.round_seconds) == pytest.approx(0.101)
