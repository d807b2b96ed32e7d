"""What a step tells of itself after its first run, and compilations that fall into the rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from fake_device import FakeDevice

from pytest_throughput import Step, Unsupported
from pytest_throughput.measurement.loop import MeasuringLoop
from pytest_throughput.measurement.plan import ONCE, Plan
from pytest_throughput.worker.protocol import Outcome
from pytest_throughput.worker.running_trial import run_to_end
from pytest_throughput.worker.trial import Trial

PLAN = Plan("three", 2, min_rounds=3, max_rounds=3, max_seconds=60.0, target=None)


def measured(step: Step, plan: Plan = PLAN, *, own_process: bool = True) -> Outcome:
    return run_to_end(Trial(lambda: step, plan, own_process=own_process))


@pytest.mark.parametrize("plan", [PLAN, ONCE])
def test_it_is_asked_once_with_the_output_of_the_first_step(plan: Plan) -> None:
    outputs, seen = iter(range(100)), []

    def look(output: int) -> Mapping[str, Any]:
        seen.append(output)
        return {"settings": {"dtypes": {"weights": "float32"}}, "versions": {"b": "2"}, "compile_seconds": 1.5}

    step = Step(
        lambda: next(outputs),
        after_first_step=look,
        metadata={"model": "mine", "settings": {"layout": "nchw"}, "versions": {"a": "1"}},
    )
    metadata = measured(step, plan).metadata
    assert seen == [0]
    assert (metadata["model"], metadata["compile_seconds"]) == ("mine", 1.5)
    assert {"layout": "nchw", "dtypes": {"weights": "float32"}}.items() <= metadata["settings"].items()
    assert "allocator" in metadata["settings"]
    assert {"a": "1", "b": "2"}.items() <= metadata["versions"].items()


def test_its_time_belongs_to_no_step() -> None:
    device = FakeDevice()

    def look(output: object) -> Mapping[str, Any]:
        device.now += 5.0
        return {}

    step = Step(device.step(0.1).run, device.synchronize, after_first_step=look)
    loop = MeasuringLoop(step, PLAN, clock=device.clock)
    loop.warm_up()
    loop.measure()
    measurement = loop.measurement()
    assert [measurement.first_step_seconds, *measurement.round_seconds] == pytest.approx([0.101] * 4)


@pytest.mark.parametrize("plan", [PLAN, ONCE])
@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (RuntimeError("asked for bf16, but computed in float32"), "failed", "RuntimeError: asked for bf16, but comp"),
        (Unsupported("no bf16 here"), "unsupported", "no bf16 here"),
        (MemoryError("12 GiB"), "out_of_memory", "12 GiB"),
    ],
)
def test_an_error_ends_the_trial(error: Exception, status: str, reason: str, plan: Plan) -> None:
    runs = []

    def look(output: object) -> Mapping[str, Any]:
        raise error

    outcome = measured(Step(lambda: runs.append(1), after_first_step=look), plan)
    assert (outcome.status, len(runs), outcome.measurement) == (status, 1, None)
    assert (outcome.reason or "").startswith(reason)


def test_what_is_no_mapping_is_refused() -> None:
    outcome = measured(Step(int, after_first_step=lambda output: None))  # type: ignore[arg-type, return-value]
    assert outcome.reason == "TypeError: after_first_step: expected a mapping of metadata, got None"


@pytest.mark.parametrize("own_process", [True, False])
def test_the_time_of_compiling_is_known_only_of_a_process_of_its_own(own_process: bool) -> None:
    outcome = measured(Step(int, after_first_step=lambda output: {"compile_seconds": 2.0}), own_process=own_process)
    assert outcome.metadata["compile_seconds"] == (2.0 if own_process else None)


class Compiler:
    """Compiles in some steps, counted from 0, of which the first is no part of the warm-up."""

    def __init__(self, *compiles_in: int) -> None:
        self.compiles_in = compiles_in
        self.steps = self.count = 0

    def run(self) -> None:
        self.count += self.compiles_in.count(self.steps)
        self.steps += 1


@pytest.mark.parametrize(
    ("compiles_in", "expected"),
    [((0,), 0), ((0, 1, 2), 0), ((0, 3), 1), ((0, 4, 5, 5), 3), ((0, 6), 0)],
)
def test_only_compiling_in_the_rounds_counts(compiles_in: tuple[int, ...], expected: int) -> None:
    """Steps 1 and 2 are the warm-up, 3 to 5 the rounds, and 6 is run to check the outputs."""
    compiler = Compiler(*compiles_in)
    step = Step(compiler.run, compilations=lambda: compiler.count, check=lambda output: None)
    assert measured(step).metadata["recompilations"] == expected
    assert compiler.steps == 7


def test_the_count_is_not_read_between_rounds() -> None:
    read_at = []
    compiler = Compiler()

    def count() -> int:
        read_at.append(compiler.steps)
        return 0

    measured(Step(compiler.run, compilations=count))
    assert read_at == [3, 6]


def test_slices_count_the_compilations_of_all_of_them() -> None:
    compiler = Compiler(0, 5, 9)
    trial = Trial(lambda: Step(compiler.run, compilations=lambda: compiler.count), PLAN)
    trial.open()
    trial.warm_up()
    for _ in range(2):
        trial.measure(0.0)
    assert trial.close().metadata["recompilations"] == 2


def fails() -> int:
    raise RuntimeError("no counter")


@pytest.mark.parametrize("compilations", [None, fails])
def test_a_step_that_cannot_tell_has_no_count(compilations: Callable[[], int] | None) -> None:
    outcome = measured(Step(int, compilations=compilations))
    assert outcome.status == "ok"
    assert "recompilations" not in outcome.metadata
