"""A step that returns before its work is done is noticed by its outputs, on any device."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from dlworkloads.frameworks.numpy.workload import NumPyWorkload
from dlworkloads.opening import open_step
from dlworkloads.waiting import is_waited_for


class Device:
    """Work that goes on while the host does not wait for it, by a clock that stands still otherwise."""

    def __init__(self, step_seconds: float, waited_seconds: float, late_reads: int = 0) -> None:
        self.now = self.busy_until = 0.0
        self.step_seconds, self.waited_seconds, self.late_reads = step_seconds, waited_seconds, late_reads
        self.steps = 0

    def clock(self) -> float:
        return self.now

    def run(self) -> None:
        self.steps += 1
        self.busy_until = max(self.now, self.busy_until) + self.step_seconds
        self.now += self.waited_seconds

    def read(self, output: object) -> None:
        self.now = max(self.now, self.busy_until) + 0.002
        if self.late_reads > 0:
            self.late_reads -= 1
            self.now += 1.0

    def is_waited_for(self) -> bool:
        self.run()
        return is_waited_for(self.run, lambda output: None, self.read, None, clock=self.clock)


@pytest.mark.parametrize(
    ("waited_seconds", "expected"), [(0.1, True), (0.06, True), (0.04, False), (0.025, False), (1e-5, False)]
)
def test_a_step_that_returns_in_less_than_half_of_its_time_is_noticed(waited_seconds: float, expected: bool) -> None:
    assert Device(0.1, waited_seconds).is_waited_for() is expected


def test_a_step_that_is_waited_for_costs_one_more_reading_and_no_step() -> None:
    device = Device(0.1, 0.1)
    assert device.is_waited_for() and device.steps == 1


def test_a_reading_that_compiles_or_is_held_up_is_repeated() -> None:
    device = Device(0.1, 0.1, late_reads=1)
    assert device.is_waited_for() and device.steps == 2


def test_what_is_late_by_a_moment_is_not_noticed() -> None:
    assert Device(0.004, 1e-5).is_waited_for()


def test_a_framework_that_does_not_wait_gives_implausible_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU, where no clock of a device contradicts it."""
    axes: dict[str, Any] = {
        "mode": "inference",
        "framework": "numpy",
        "device": "cpu",
        "model": "letter_mlp",
        "batch_size": 1,
    }
    threads = ThreadPoolExecutor(1)

    def is_finite(workload: NumPyWorkload, output: Any) -> bool:
        if isinstance(output, Future):
            output.result()
        return True

    monkeypatch.setattr(NumPyWorkload, "run_inference", lambda workload: threads.submit(time.sleep, 0.03))
    monkeypatch.setattr(NumPyWorkload, "is_finite", is_finite)
    step = open_step(**axes, precision="fp32", execution="eager")
    assert step.check is not None
    assert step.check(step.run()) == "the outputs are ready long after the step: it is not waited for"
    monkeypatch.setattr(NumPyWorkload, "wait", is_finite)
    step = open_step(**axes, precision="fp32", execution="eager")
    output = step.run()
    step.wait(output)
    assert step.check is not None and step.check(output) is None
