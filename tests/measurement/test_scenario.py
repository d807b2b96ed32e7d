"""Phases: what is timed, what is counted, and what is no phase."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

from pytest_throughput import Metric, Once, Phase
from pytest_throughput.measurement.scenario import MeasuredPhase, measure_phase
from pytest_throughput.worker.protocol import Outcome
from pytest_throughput.worker.running_trial import run_to_end
from pytest_throughput.worker.trial import Trial


class Clock:
    """A clock that only the phase moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def takes(self, seconds: float, output: Any = None) -> Callable[..., Any]:
        def run(*_: object) -> Any:
            self.now += seconds
            return output

        return run


@pytest.fixture
def clock() -> Clock:
    return Clock()


def named(measured: MeasuredPhase) -> dict[str, tuple[float, str, str]]:
    return {metric.name: (metric.value, metric.unit, metric.better) for metric in measured.metrics}


def test_the_work_and_the_wait_are_timed_and_nothing_else(clock: Clock) -> None:
    phase = Phase(
        "load",
        clock.takes(2.0, output=10),
        wait=clock.takes(3.0),
        items=clock.takes(100.0, output=20),
        metrics=clock.takes(100.0, output=[Metric("accuracy", "", 0.5)]),
    )
    measured = measure_phase(phase, clock=clock)
    assert measured.measurement.round_seconds == (5.0,)
    assert measured.items == 20
    assert list(named(measured).items()) == [
        ("images_per_second", (4.0, "images/s", "higher")),
        ("seconds", (5.0, "s", "lower")),
        ("accuracy", (0.5, "", "higher")),
    ]
    assert len(measured.measurement.disturbances) == 1
    assert measured.measurement.window is not None


def test_a_phase_without_items_is_judged_by_its_seconds(clock: Clock) -> None:
    measured = measure_phase(Phase("save", clock.takes(2.0)), clock=clock)
    assert (measured.items, named(measured)) == (None, {"seconds": (2.0, "s", "lower")})


def test_a_phase_that_took_no_time_has_no_metrics(clock: Clock) -> None:
    assert measure_phase(Phase("save", lambda: None, items=1), clock=clock).metrics == ()


def test_garbage_is_collected_during_a_phase() -> None:
    """It may last for hours."""
    seen = []
    measure_phase(Phase("train", lambda: seen.append(gc.isenabled())))
    assert seen == [True]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"items": 0}, "items of the phase load: expected a whole number of at least 1, got 0"),
        ({"items": lambda _: 2.5}, "items of the phase load: expected a whole number of at least 1, got 2.5"),
        ({"metrics": lambda _: [1]}, "metrics of the phase load: expected pytest_throughput.Metric, got 1"),
        (
            {"metrics": lambda _: [Metric("seconds", "s", 1.0, "lower")]},
            "metrics of the phase load: expected names that differ, got seconds, seconds",
        ),
    ],
)
def test_what_cannot_be_counted_fails_the_phase(clock: Clock, fields: dict[str, Any], error: str) -> None:
    with pytest.raises((TypeError, ValueError)) as raised:
        measure_phase(Phase("load", clock.takes(1.0), **fields), clock=clock)
    assert str(raised.value) == error


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"name": "two words"}, "name of a phase: expected an identifier such as 'load', got 'two words'"),
        ({"unit": "images/s"}, "unit of the phase load: expected a plural such as 'images', got 'images/s'"),
        ({"run": 3}, "run of the phase load: expected a function, got 3"),
    ],
)
def test_what_is_no_phase_is_refused(fields: dict[str, Any], error: str) -> None:
    with pytest.raises((TypeError, ValueError)) as raised:
        Phase(**{"name": "load", "run": int, **fields})
    assert str(raised.value) == error


LOAD = Phase("load", int)


@pytest.mark.parametrize("phases", [[], [LOAD, LOAD], [LOAD] * 1001, LOAD, None, [LOAD, 3], "load"])
def test_what_is_no_job_is_refused(phases: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^phases: expected "):
        Once(phases)


def test_phases_may_come_from_a_generator() -> None:
    outcome = run_to_end(Trial(lambda: Once(Phase(name, int) for name in "ab"), None))  # type: ignore[arg-type]
    assert (outcome.status, list(outcome.phases)) == ("ok", ["a", "b"])


def gone_through(*phases: Phase, **opened: Any) -> Outcome:
    return run_to_end(Trial(lambda: Once(phases, **opened), None))  # type: ignore[arg-type]


def test_a_job_goes_through_its_phases_in_order_and_is_closed_once() -> None:
    seen: list[str] = []
    phases = [Phase(name, lambda name=name: seen.append(name)) for name in ("b", "a", "c")]  # type: ignore[misc]
    outcome = gone_through(
        *phases,
        metadata={"known": 1},
        reset_peak_memory=lambda: seen.append("reset"),
        peak_memory_bytes=lambda: len(seen),
        close=lambda: seen.append("closed"),
    )
    assert seen == ["reset", "reset", "b", "reset", "a", "reset", "c", "closed"]
    assert (outcome.status, list(outcome.phases), outcome.measurement) == ("ok", ["b", "a", "c"], None)
    assert [phase.metadata["peak_memory_bytes"] for phase in outcome.phases.values()] == [3, 5, 7]
    assert all(phase.metadata["known"] == 1 for phase in outcome.phases.values())


def failing() -> None:
    raise ValueError("RESOURCE_EXHAUSTED")


def test_a_phase_that_fails_is_the_last_one() -> None:
    seen: list[str] = []
    phases = [Phase("a", int), Phase("b", failing), Phase("c", lambda: seen.append("c"))]
    outcome = gone_through(
        *phases,
        is_out_of_memory=lambda error: "RESOURCE_EXHAUSTED" in str(error),
        close=lambda: seen.append("closed"),
    )
    assert seen == ["closed"]
    assert {name: (phase.status, phase.reason) for name, phase in outcome.phases.items()} == {
        "a": ("ok", None),
        "b": ("out_of_memory", "RESOURCE_EXHAUSTED"),
        "c": ("out_of_memory", "not measured, since phase b failed"),
    }
    assert (outcome.status, outcome.reason) == ("out_of_memory", "RESOURCE_EXHAUSTED")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_in_a_thread_fails_the_phase_in_which_it_came() -> None:
    import threading

    def run() -> None:
        thread = threading.Thread(target=failing)
        thread.start()
        thread.join()

    outcome = gone_through(Phase("a", int), Phase("b", run), Phase("c", int))
    assert [phase.status for phase in outcome.phases.values()] == ["ok", "failed", "failed"]
    assert outcome.phases["b"].reason == "in a thread: ValueError: RESOURCE_EXHAUSTED"


def test_metadata_that_are_no_json_fail_the_first_phase() -> None:
    outcome = gone_through(Phase("a", int), Phase("b", int), metadata={"set": {1}})
    assert [phase.status for phase in outcome.phases.values()] == ["failed", "failed"]
    assert (outcome.phases["a"].reason or "").startswith("the step's metadata are not JSON: ")
