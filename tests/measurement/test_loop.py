"""The measuring loop, on a device with a virtual clock."""

from __future__ import annotations

import gc
import json
import math
import sys
import time
import weakref
from typing import Any

import pytest
from fake_device import FakeDevice

from pytest_throughput import Step
from pytest_throughput.measurement import loop, warm_up
from pytest_throughput.measurement.disturbance import DisturbanceWatch
from pytest_throughput.measurement.loop import MeasuringLoop, measure
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.measurement.plan import PLANS, Plan

PAPER, ADAPTIVE, QUICK = PLANS["paper"], PLANS["adaptive"], PLANS["quick"]


@pytest.fixture
def device() -> FakeDevice:
    return FakeDevice()


def test_a_round_ends_when_the_device_has_finished(device: FakeDevice) -> None:
    measurement = measure(device.step(0.050), PAPER, clock=device.clock)
    assert measurement.round_seconds == pytest.approx([0.051] * 20)
    assert measurement.first_step_seconds == pytest.approx(0.051)
    assert measurement.latency_seconds == pytest.approx(0.051)


def test_the_fake_device_shows_a_forgotten_wait(device: FakeDevice) -> None:
    """The test above could not fail if it did not: without waiting only the launch is seen."""
    forgetful = Step(device.step(0.050).run)
    measurement = measure(forgetful, PAPER, clock=device.clock)
    assert measurement.round_seconds == pytest.approx([0.001] * 20)


def test_the_paper_protocol_is_a_first_step_ten_to_warm_up_and_twenty_rounds(device: FakeDevice) -> None:
    measurement = measure(device.step(0.010), PAPER, clock=device.clock)
    assert (device.launches, device.waits) == (1 + 10 + 20, 1 + 10 + 20)
    assert measurement.warm_up_steps == 10
    assert measurement.steps_per_round == 1
    assert measurement.stop_reason == "max_rounds"


def test_warm_up_is_not_recorded(device: FakeDevice) -> None:
    """Compiling, then ten slow steps: none of it in the rounds."""
    measurement = measure(
        device.step(lambda launch: 30.0 if launch == 0 else 0.5 if launch <= 10 else 0.1),
        PAPER,
        clock=device.clock,
    )
    assert measurement.first_step_seconds == pytest.approx(30.001)
    assert measurement.round_seconds == pytest.approx([0.101] * 20)


def test_slices_add_up_to_the_same_rounds(device: FakeDevice) -> None:
    """A slice ends with the first round that fills it; what the device does between two slices is in no round."""
    whole = measure(device.step(0.050), PAPER, clock=device.clock)
    loop_in_slices = MeasuringLoop(device.step(0.050), PAPER, clock=device.clock)
    loop_in_slices.warm_up()
    rounds = []
    while not loop_in_slices.is_finished:
        rounds.append(loop_in_slices.measure(0.25))
        device.now += 1000.0
    assert rounds == [5, 5, 5, 5]
    in_slices = loop_in_slices.measurement()
    assert in_slices.round_seconds == pytest.approx(whole.round_seconds)
    assert (in_slices.stop_reason, len(in_slices.disturbances)) == (whole.stop_reason, 20)


@pytest.mark.parametrize(("asynchronous", "unrecorded"), [(False, 1), (True, 3)])
def test_a_slice_begins_with_steps_that_are_not_recorded(
    device: FakeDevice, asynchronous: bool, unrecorded: int
) -> None:
    """The machine's caches are another's when a process goes on, and a device has no queue."""
    slow_until = 0

    def seconds(launch: int) -> float:
        return 1.0 if launch < slow_until else 0.050

    loop = MeasuringLoop(device.step(seconds, asynchronous=asynchronous), PAPER, clock=device.clock)
    loop.warm_up()
    for _ in range(2):
        before = slow_until = device.launches
        slow_until += unrecorded
        assert loop.measure(0.0) == 3
        assert device.launches == before + unrecorded + 3
    assert loop.measurement().round_seconds == pytest.approx([0.051] * 6)


def test_a_slice_is_measured_whole_where_the_plan_needs_no_more(device: FakeDevice) -> None:
    loop = MeasuringLoop(device.step(0.009), PAPER, clock=device.clock)
    loop.warm_up()
    assert [loop.measure(0.295), loop.is_finished, loop.measure(0.095), loop.measure()] == [30, True, 10, 0]
    measurement = loop.measurement()
    assert (len(measurement.round_seconds), measurement.stop_reason) == (40, "max_rounds")


def test_short_steps_are_warmed_up_and_measured_for_a_while(device: FakeDevice) -> None:
    """Twenty rounds of a millisecond would all belong to one moment of the machine."""
    quick = measure(device.step(0.001), QUICK, steps_per_round=1, clock=device.clock)
    assert quick.warm_up_steps * 0.002 >= 0.3
    assert 0.5 <= sum(quick.round_seconds) < 0.51
    adaptive = measure(device.step(0.001), ADAPTIVE, steps_per_round=1, clock=device.clock)
    assert adaptive.warm_up_steps * 0.002 >= 0.5
    assert 1.0 <= sum(adaptive.round_seconds) < 1.01


def test_steps_of_microseconds_do_not_make_millions_of_rounds() -> None:
    device = FakeDevice(launch_seconds=1e-6)
    measurement = measure(device.step(0.0), ADAPTIVE, steps_per_round=1, clock=device.clock)
    assert (len(measurement.round_seconds), measurement.stop_reason) == (5000, "max_rounds")
    assert measurement.warm_up_steps == 5000


def test_adaptive_warm_up_goes_on_until_steps_no_longer_get_faster(device: FakeDevice) -> None:
    """Each step 5 % faster than the one before until the 40th, then steady."""
    measurement = measure(
        device.step(lambda launch: 0.01 * 0.95 ** min(launch, 40)), ADAPTIVE, steps_per_round=1, clock=device.clock
    )
    assert measurement.warm_up_steps >= 40
    steady = 0.001 + 0.01 * 0.95**40
    assert measurement.round_seconds[0] == pytest.approx(steady, rel=0.02)


def test_warm_up_of_slow_steps_is_bounded_in_seconds(device: FakeDevice) -> None:
    measurement = measure(device.step(2.0), ADAPTIVE, steps_per_round=1, clock=device.clock)
    assert measurement.warm_up_steps == 3


def test_nothing_but_the_step_and_the_wait_is_between_the_readings(
    device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else the loop does takes an hour here, and no round shows it."""
    hour = 3600.0

    class SlowWatch(DisturbanceWatch):
        def before_round(self) -> None:
            device.now += hour
            super().before_round()

        def after_round(self, round_seconds: float) -> None:
            device.now += hour
            super().after_round(round_seconds)

    monkeypatch.setattr(loop, "DisturbanceWatch", SlowWatch)
    monkeypatch.setattr(gc, "collect", lambda: setattr(device, "now", device.now + hour))
    measurement = measure(device.step(0.050), PAPER, clock=device.clock)
    assert measurement.round_seconds == pytest.approx([0.051] * 20)


def test_every_round_is_watched_from_its_beginning_to_its_end(
    device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, float]] = []

    class Watch(DisturbanceWatch):
        def before_round(self) -> None:
            seen.append(("before", device.now))
            super().before_round()

        def after_round(self, round_seconds: float) -> None:
            seen.append(("after", device.now))
            super().after_round(round_seconds)

    monkeypatch.setattr(loop, "DisturbanceWatch", Watch)
    measurement = measure(device.step(0.050), PAPER, clock=device.clock)
    assert [name for name, _ in seen] == ["before", "after"] * 20
    spans = [after - before for (_, before), (_, after) in zip(seen[::2], seen[1::2], strict=True)]
    assert spans == pytest.approx(list(measurement.round_seconds))
    assert len(measurement.disturbances) == 20


@pytest.mark.parametrize("steps", [1, 4])
def test_freeing_what_a_step_returned_is_part_of_every_step(device: FakeDevice, steps: int) -> None:
    """As in any loop; however many steps make a round."""

    class Gradients:
        def __del__(self) -> None:
            device.now += 0.02

    measurement = measure(Step(Gradients), PAPER, steps_per_round=steps, clock=device.clock)
    assert measurement.seconds_per_step == pytest.approx([0.02] * 20)


def test_what_a_step_returns_is_freed_before_the_next_begins(device: FakeDevice) -> None:
    """Two steps' outputs at once would raise the peak memory."""
    alive: weakref.WeakSet[Output] = weakref.WeakSet()
    most_alive = []

    class Output:
        pass

    def run() -> Output:
        most_alive.append(len(alive))
        output = Output()
        alive.add(output)
        return output

    measure(Step(run), PAPER, steps_per_round=3, clock=device.clock)
    assert len(most_alive) == 1 + 10 + 20 * 3 + 10
    assert set(most_alive) == {0}


def test_a_round_of_several_steps_waits_once_and_counts_them_all(device: FakeDevice) -> None:
    measurement = measure(device.step(0.050), PAPER, steps_per_round=4, clock=device.clock)
    # The launches of the later steps hide behind the work of the earlier ones.
    assert measurement.round_seconds == pytest.approx([0.001 + 4 * 0.050] * 20)
    assert measurement.seconds_per_step == pytest.approx([0.05025] * 20)
    assert measurement.latency_seconds == pytest.approx(0.051)
    assert (device.launches, device.waits) == (1 + 10 + 20 * 4 + 10, 1 + 10 + 20 + 10)


@pytest.mark.parametrize(("work_seconds", "steps"), [(0.3, 1), (0.05, 4), (0.0003, 200)])
def test_asynchronous_steps_are_pipelined_into_rounds_of_a_fifth_of_a_second(
    device: FakeDevice, work_seconds: float, steps: int
) -> None:
    measurement = measure(device.step(work_seconds), ADAPTIVE, clock=device.clock)
    assert measurement.steps_per_round == steps
    assert min(measurement.round_seconds) >= 0.2


@pytest.mark.parametrize(("step_seconds", "steps"), [(0.1, 1), (0.0021, 1), (0.0019, 2), (0.0003, 7), (0.000022, 91)])
@pytest.mark.parametrize("plan", [ADAPTIVE, QUICK])
def test_short_steps_that_are_done_when_they_return_share_a_round_of_2_ms(
    plan: Plan, step_seconds: float, steps: int
) -> None:
    device = FakeDevice(launch_seconds=step_seconds)
    measurement = measure(device.step(0.0, asynchronous=False), plan, clock=device.clock)
    assert measurement.steps_per_round == steps
    assert measurement.seconds_per_step == pytest.approx([step_seconds] * len(measurement.round_seconds))
    assert measurement.latency_seconds == pytest.approx(step_seconds)
    assert not measurement.pipelining


def test_a_synchronous_step_with_a_wait_of_its_own_is_waited_for_each_time() -> None:
    """Rounds of several steps may not turn it into another step."""
    device = FakeDevice(launch_seconds=0.0001)
    measurement = measure(device.step(0.0004, asynchronous=False), ADAPTIVE, clock=device.clock)
    assert measurement.steps_per_round == 4
    assert measurement.seconds_per_step == pytest.approx([0.0005] * len(measurement.round_seconds))
    assert device.waits == device.launches


def test_a_long_step_is_not_run_again_to_learn_that_it_is_long(device: FakeDevice) -> None:
    measurement = measure(device.step(1.0, asynchronous=False), ADAPTIVE, clock=device.clock)
    assert device.launches == 1 + measurement.warm_up_steps + len(measurement.round_seconds)


def test_short_steps_store_no_more_rounds_than_long_ones() -> None:
    """However noisy they are: a round is stored with all that disturbed it, in 170 bytes of JSON."""
    device = FakeDevice(launch_seconds=0.0001)
    noisy = device.step(lambda launch: 0.0004 * (launch * 7919 % 97) / 97, asynchronous=False)
    measurement = measure(noisy, ADAPTIVE, clock=device.clock)
    assert measurement.steps_per_round > 1
    assert len(measurement.round_seconds) <= 510
    assert len(json.dumps(measurement.to_json())) < 100_000


def test_a_stall_while_the_steps_of_a_round_are_counted_does_not_shorten_rounds() -> None:
    device = FakeDevice(launch_seconds=0.0001)
    stalled: list[int] = []

    def work(launch: int) -> float:
        # After the first step and 5,000 to warm up, this one is in the first round of several.
        if launch == 5003 and not stalled:
            stalled.append(launch)
            return 0.01
        return 0.0

    measurement = measure(device.step(work, asynchronous=False), ADAPTIVE, clock=device.clock)
    assert stalled
    assert measurement.steps_per_round == 20


def test_the_paper_protocol_measures_short_steps_one_by_one(device: FakeDevice) -> None:
    measurement = measure(device.step(0.0, asynchronous=False), PAPER, clock=device.clock)
    assert (measurement.steps_per_round, len(measurement.round_seconds)) == (1, 20)


def test_steps_per_round_that_are_given_are_obeyed_and_rounds_bounded() -> None:
    device = FakeDevice(launch_seconds=0.00001)
    measurement = measure(device.step(0.0, asynchronous=False), ADAPTIVE, steps_per_round=3, clock=device.clock)
    assert (measurement.steps_per_round, len(measurement.round_seconds)) == (3, 5000)
    assert measurement.stop_reason == "max_rounds"


@pytest.mark.parametrize(
    ("asynchronous", "plan", "given", "work_seconds", "pipelining"),
    [
        (True, ADAPTIVE, None, 0.15, True),
        # One step is as long as a round: whether it is just longer or just shorter says nothing about the setting.
        (True, ADAPTIVE, None, 0.25, True),
        (True, ADAPTIVE, 5, 0.15, True),
        (True, ADAPTIVE, 1, 0.15, False),
        (True, PAPER, None, 0.15, False),
        (True, PAPER, 5, 0.15, True),
        (False, ADAPTIVE, None, 0.00001, False),
        (False, ADAPTIVE, 5, 0.15, False),
    ],
)
def test_only_steps_that_return_before_they_are_done_are_pipelined(
    asynchronous: bool, plan: Plan, given: int | None, work_seconds: float, pipelining: bool
) -> None:
    device = FakeDevice(launch_seconds=0.0001)
    step = device.step(work_seconds, asynchronous=asynchronous)
    measurement = measure(step, plan, steps_per_round=given, clock=device.clock)
    assert measurement.pipelining is pipelining


def test_a_step_too_short_for_the_clock_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm_up, "_MAX_STEPS_PER_ROUND", 30)
    for asynchronous in (True, False):
        measurement = measure(Step(lambda: None, asynchronous=asynchronous), QUICK, clock=lambda: 0.0)
        assert (measurement.steps_per_round, len(measurement.round_seconds)) == (30, 5000)


def test_quiet_rounds_stop_at_the_target(device: FakeDevice) -> None:
    measurement = measure(device.step(0.1), ADAPTIVE, steps_per_round=1, clock=device.clock)
    assert (measurement.stop_reason, len(measurement.round_seconds)) == ("target", 50)


def test_slow_rounds_stop_at_the_time_cap_but_not_before_the_fewest_allowed(device: FakeDevice) -> None:
    measurement = measure(device.step(2.0), QUICK, steps_per_round=1, clock=device.clock)
    assert (measurement.stop_reason, len(measurement.round_seconds)) == ("time_cap", 5)


def test_noisy_rounds_stop_at_the_most_allowed(device: FakeDevice) -> None:
    step = device.step(lambda launch: 0.05 if launch % 2 else 0.10)
    measurement = measure(step, QUICK, steps_per_round=1, clock=device.clock)
    assert (measurement.stop_reason, len(measurement.round_seconds)) == ("max_rounds", 20)


@pytest.mark.parametrize("fails", [False, True])
def test_garbage_collection_and_tracing_are_off_meanwhile_and_restored(device: FakeDevice, fails: bool) -> None:
    seen = set()

    def run() -> None:
        device.now += 0.1
        seen.add((gc.isenabled(), sys.gettrace() is None, sys.getprofile() is None))
        if fails:
            raise RuntimeError("the step failed")

    tracer_before = sys.gettrace()
    sys.setprofile(lambda *_: None)
    try:
        if fails:
            with pytest.raises(RuntimeError, match="the step failed"):
                measure(Step(run), QUICK, clock=device.clock)
        else:
            measure(Step(run), QUICK, clock=device.clock)
        assert sys.getprofile() is not None
    finally:
        sys.setprofile(None)
    assert seen == {(False, True, True)}
    assert gc.isenabled()
    assert sys.gettrace() is tracer_before


def test_the_window_is_that_of_the_rounds(device: FakeDevice) -> None:
    """The window is by the machine's clock, whatever clock times the rounds, so that telemetry can be related to it."""
    before = time.monotonic()
    measurement = measure(device.step(0.1), PAPER, clock=device.clock)
    assert measurement.window is not None
    assert before <= measurement.window[0] <= measurement.window[1] <= time.monotonic()
    assert Measurement.from_json({**measurement.to_json(), "window": None}).window is None


def test_a_measurement_survives_json(device: FakeDevice) -> None:
    measurement = measure(device.step(0.1), PAPER, clock=device.clock)
    assert Measurement.from_json(measurement.to_json()) == measurement


@pytest.mark.parametrize(
    "changes",
    [
        {"round_seconds": []},
        {"round_seconds": [-1.0] * 20},
        {"round_seconds": [math.nan] * 20},
        {"round_seconds": [1.0] * 19},
        {"steps_per_round": 0},
        {"first_step_seconds": math.inf},
        {"pipelining": 1},
        {"window": [2.0, 1.0]},
        {"window": [1.0, math.inf]},
        {"window": [1.0, 2.0, 3.0]},
    ],
)
def test_figures_that_cannot_be_are_refused(device: FakeDevice, changes: dict[str, Any]) -> None:
    value = measure(device.step(0.1), PAPER, clock=device.clock).to_json()
    with pytest.raises((TypeError, ValueError), match="expected"):
        Measurement.from_json({**value, **changes})


def test_presets_of_the_plan_are_what_the_documentation_says() -> None:
    assert Plan("paper", 10, 20, 20, float("inf"), None) == PAPER
    assert (QUICK.warm_up_steps, QUICK.min_rounds, QUICK.max_rounds, QUICK.max_seconds) == (2, 5, 20, 3.0)
    assert ADAPTIVE.target == 0.01
