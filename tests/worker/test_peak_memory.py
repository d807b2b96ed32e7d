"""Which steps count for the peak memory: those after the warm-up, and beside them all."""

from __future__ import annotations

from typing import Any

import pytest
from fake_device import FakeDevice

from pytest_throughput import Once, Phase, Step
from pytest_throughput.measurement.plan import ONCE, Plan
from pytest_throughput.worker import peak_memory
from pytest_throughput.worker.protocol import Outcome
from pytest_throughput.worker.running_trial import run_to_end
from pytest_throughput.worker.trial import Trial

PLAN = Plan("test", 2, min_rounds=3, max_rounds=3, max_seconds=10.0, target=None)


class Allocator:
    """An allocator that counts its peak: of trying algorithms out in the first step, and of every step."""

    def __init__(self) -> None:
        self.peak = 900
        """An earlier case of the process has left this."""
        self.calls: list[str] = []

    def reset(self) -> None:
        self.calls.append("reset")
        self.peak = 10

    def read(self) -> int:
        self.calls.append("read")
        return self.peak

    def use(self) -> None:
        first = "step" not in self.calls
        self.calls.append("step")
        self.peak = max(self.peak, 500 if first else 100)


@pytest.fixture
def allocator() -> Allocator:
    return Allocator()


def measured(opened: Step | Once, plan: Plan = PLAN, *, own_process: bool = False) -> Outcome:
    outcome = run_to_end(Trial(lambda: opened, plan, own_process=own_process))
    assert outcome.status == "ok", outcome.reason
    return outcome


def peaks(outcome: Outcome) -> tuple[Any, Any]:
    return outcome.metadata["peak_memory_bytes"], outcome.metadata["peak_memory_bytes_in_all"]


def test_a_devices_peak_is_that_of_the_rounds_and_beside_it_that_of_all_steps(allocator: Allocator) -> None:
    device = FakeDevice()

    def run() -> None:
        allocator.use()
        device.launch(0.01)

    step = Step(run, device.synchronize, reset_peak_memory=allocator.reset, peak_memory_bytes=allocator.read)
    assert peaks(measured(step)) == (100, 500)
    first_and_warm_up, rounds = ["step"] * 3, ["step"] * 3
    assert allocator.calls == ["reset", *first_and_warm_up, "read", "reset", *rounds, "read"]


def test_a_device_that_cannot_restart_its_count_gives_the_peak_of_all_steps(allocator: Allocator) -> None:
    assert peaks(measured(Step(allocator.use, peak_memory_bytes=allocator.read))) == (900, 900)


def test_each_phase_has_its_own_peak(allocator: Allocator) -> None:
    phases = [Phase("large", allocator.use), Phase("small", allocator.use)]
    job = Once(phases, reset_peak_memory=allocator.reset, peak_memory_bytes=allocator.read)
    outcome = measured(job)
    assert {name: peaks(phase) for name, phase in outcome.phases.items()} == {"large": (500, 500), "small": (100, 500)}


class TestOfAProcess:
    """Where the target reads no memory of a device."""

    @pytest.fixture(autouse=True)
    def _kernel(self, monkeypatch: pytest.MonkeyPatch, allocator: Allocator) -> None:
        def reset() -> bool:
            allocator.reset()
            return True

        monkeypatch.setattr(peak_memory, "peak_resident_bytes", allocator.read)
        monkeypatch.setattr(peak_memory, "reset_peak_resident", reset)

    @pytest.mark.parametrize(("plan", "expected"), [(PLAN, (100, 900)), (ONCE, (500, 900))])
    def test_it_is_that_of_the_rounds_and_beside_it_that_since_the_process_began(
        self, allocator: Allocator, plan: Plan, expected: tuple[int, int]
    ) -> None:
        step = Step(allocator.use, peak_memory_bytes=lambda: None)
        assert peaks(measured(step, plan, own_process=True)) == expected

    def test_it_is_unknown_where_the_kernel_cannot_restart_the_count(
        self, allocator: Allocator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(peak_memory, "reset_peak_resident", lambda: False)
        assert peaks(measured(Step(allocator.use), own_process=True)) == (None, 900)

    def test_a_shared_process_is_neither_read_nor_reset(self, allocator: Allocator) -> None:
        assert peaks(measured(Step(allocator.use))) == (None, None)
        assert {*allocator.calls} == {"step"}


@pytest.mark.parametrize("own_process", [True, False])
def test_first_step_and_build_time_are_known_only_of_a_process_of_its_own(own_process: bool) -> None:
    outcome = measured(Step(int, build_seconds=0.25), own_process=own_process)
    assert outcome.measurement is not None
    assert (outcome.measurement.first_step_seconds is not None) is own_process
    assert outcome.metadata["build_seconds"] == (0.25 if own_process else None)
    assert Outcome.from_json(outcome.to_json()) == outcome


def test_an_opening_that_builds_nothing_has_no_build_time() -> None:
    outcome = measured(Step(int, metadata={"build_seconds": None}), own_process=True)
    assert outcome.metadata["build_seconds"] is None
