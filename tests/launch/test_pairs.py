"""Trials in turn: live pairs and larger groups, with fake trials on a virtual clock."""

from __future__ import annotations

import math
import random
import statistics
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.launch import pairs
from pytest_throughput.launch.pairs import MeasuredApart, measure_in_turn, speed_ratio
from pytest_throughput.measurement.disturbance import Disturbance
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.worker.protocol import Outcome, Progress

QUIET = Disturbance(0.0, 0.0, 0, 0.0, 0.0)


@dataclass
class Machine:
    """The clock of a machine, what was done on it, and which of its processes run."""

    now: float = 0.0
    log: list[str] = field(default_factory=list)
    running: set[str] = field(default_factory=set)
    slowdown: Callable[[float], float] = lambda now: 1.0

    def clock(self) -> float:
        return self.now


@dataclass
class FakeTrial:
    """A trial whose step takes a given time, and whose plan needs a number of rounds."""

    name: str
    machine: Machine
    step_seconds: float = 0.06
    needs_rounds: int = 30
    fails_at: str | None = None
    """The call in which it fails: ``open``, ``warm_up``, the number of a slice, or ``close``."""
    status: str = "crashed"
    can_be_stopped: bool | None = True
    """None if a process belongs to another user."""
    phases: tuple[str, ...] = ()
    rounds: list[float] = field(default_factory=list)
    slices: int = 0
    has_failed: bool = False
    is_killed: bool = False

    def _call(self, what: str) -> Progress | None:
        assert not self.machine.running - {self.name}, "another side runs"
        self.machine.running.add(self.name)
        self.machine.log.append(f"{self.name}.{what}")
        self.has_failed |= what == self.fails_at
        return Progress(is_finished=True) if self.has_failed else None

    def open(self) -> Progress:
        return self._call("open") or Progress(phases=self.phases)

    def warm_up(self) -> Progress:
        return self._call("warm_up") or Progress()

    def measure(self, slice_seconds: float = math.inf) -> Progress:
        self.slices += 1
        failed = self._call("rest" if math.isinf(slice_seconds) else str(self.slices))
        if failed:
            return failed
        before, began_at = len(self.rounds), self.machine.now
        while (
            len(self.rounds) < self.needs_rounds
            if math.isinf(slice_seconds)
            else len(self.rounds) - before < 3 or self.machine.now - began_at < slice_seconds
        ):
            seconds = self.step_seconds * self.machine.slowdown(self.machine.now)
            self.machine.now += seconds
            self.rounds.append(seconds)
        return Progress(len(self.rounds) >= self.needs_rounds, rounds=len(self.rounds) - before)

    def stop(self) -> bool:
        if self.can_be_stopped is None:
            raise PermissionError("process 7 of the worker belongs to another user")
        self.machine.running.discard(self.name)
        return self.can_be_stopped

    def close(self) -> Outcome:
        failed = self._call("close")
        self.machine.running.discard(self.name)
        if failed:
            return Outcome(self.status, reason=f"{self.name} is broken")
        disturbances = (QUIET,) * len(self.rounds)
        return Outcome("ok", measurement=Measurement(tuple(self.rounds), 1, 1.0, 1, "target", 1.0, disturbances))

    def kill(self) -> None:
        self.is_killed = True
        self.machine.running.discard(self.name)


def pair(machine: Machine, **of_b: object) -> tuple[FakeTrial, FakeTrial]:
    return FakeTrial("a", machine), FakeTrial("b", machine, **of_b)  # type: ignore[arg-type]


def group(machine: Machine, names: str) -> list[FakeTrial]:
    return [FakeTrial(name, machine) for name in names]


def order_of(machine: Machine) -> str:
    return "".join(entry[0].upper() for entry in machine.log if entry[2:].isdigit())


def test_the_sides_are_measured_in_blocks_by_lot_and_never_at_once() -> None:
    machine = Machine()
    trials = pair(machine)
    outcomes = measure_in_turn(trials, "seed", machine.clock)
    order = order_of(machine)
    blocks = [order[start : start + 4] for start in range(0, len(order), 4)]
    assert set(blocks) == {"ABBA", "BAAB"}
    assert len(blocks) == pairs.LEAST_BLOCKS
    assert [outcome.metadata["pair"]["order"] for outcome in outcomes] == [order, order]
    assert [outcome.metadata["pair"]["side"] for outcome in outcomes] == ["A", "B"]
    assert machine.log[:4] in (
        ["a.open", "a.warm_up", "b.open", "b.warm_up"],
        ["b.open", "b.warm_up", "a.open", "a.warm_up"],
    )
    again = Machine()
    measure_in_turn(pair(again), "seed", again.clock)
    assert again.log == machine.log


def test_the_lot_decides_who_opens_first_and_who_is_measured_first() -> None:
    opened, first = set(), set()
    for seed in range(20):
        machine = Machine()
        measure_in_turn(pair(machine), str(seed), machine.clock)
        opened.add(machine.log[0])
        first.add(order_of(machine)[0])
    assert (opened, first) == ({"a.open", "b.open"}, {"A", "B"})


@pytest.mark.parametrize("names", ["ab", "abc", "abcde"])
def test_each_half_of_a_block_has_every_side_once_and_the_second_reverses_the_first(names: str) -> None:
    machine = Machine()
    outcomes = measure_in_turn(group(machine, names), "seed", machine.clock)
    order, sides = order_of(machine), names.upper()
    halves = [order[start : start + len(names)] for start in range(0, len(order), len(names))]
    assert all(sorted(half) == list(sides) for half in halves)
    assert halves[1::2] == [half[::-1] for half in halves[::2]]
    assert len(halves) == 2 * pairs.LEAST_BLOCKS
    assert len(set(halves[::2])) > 1
    found = [outcome.metadata["pair"] for outcome in outcomes]
    assert [pair["side"] for pair in found] == list(sides)
    assert {(pair["id"], pair["order"], pair["stopped"]) for pair in found} == {("seed", order, True)}
    assert [len(outcome.metadata["slices"]) for outcome in outcomes] == [len(order) // len(names)] * len(names)
    assert sorted(machine.log[: 2 * len(names)]) == sorted(
        f"{name}.{what}" for name in names for what in ("open", "warm_up")
    )


@given(st.integers(2, 6), st.floats(-0.02, 0.05), st.integers())
def test_drift_cancels_between_any_two_sides(count: int, drift: float, seed: int) -> None:
    """Over whole blocks; the slices of all sides take equally long here, so that the drift is one over the slices."""
    speeds = [1.0 + 0.1 * index for index in range(count)]
    machine = Machine()
    trials = group(machine, string.ascii_lowercase[:count])
    outcomes = measure_in_turn(trials, str(seed), machine.clock)
    order = outcomes[0].metadata["pair"]["order"]
    logs: dict[str, list[float]] = {letter: [] for letter in order}
    for place, letter in enumerate(order):
        logs[letter].append(drift * place + math.log(speeds["ABCDEF".index(letter)]))
    for one, other in permutations(logs, 2):
        expected = math.log(speeds["ABCDEF".index(one)] / speeds["ABCDEF".index(other)])
        differences = [a - b for a, b in zip(logs[one], logs[other], strict=True)]
        assert statistics.fmean(differences) == pytest.approx(expected, abs=1e-9)
        # The n-th slices are neighbours: fewer slices apart than the group has sides.
        assert max(abs(each - expected) for each in differences) <= abs(drift) * (count - 1) + 1e-9


def test_only_two_sides_have_a_ratio_of_their_own() -> None:
    machine = Machine()
    outcomes = measure_in_turn(group(machine, "abc"), "seed", machine.clock)
    assert [outcome.metadata["pair"]["ratio"] for outcome in outcomes] == [None, None, None]


@pytest.mark.parametrize("call", ["open", "warm_up", "3", "4", "close"])
def test_a_side_that_fails_leaves_a_group_that_goes_on(call: str) -> None:
    for seed in "12":
        machine = Machine()
        trials = group(machine, "abcd")
        trials[1].fails_at = call
        outcomes = measure_in_turn(trials, seed, machine.clock)
        assert (outcomes[1].status, outcomes[1].metadata) == ("crashed", {})
        left = [outcomes[0], *outcomes[2:]]
        assert [outcome.metadata["pair"]["side"] for outcome in left] == ["A", "C", "D"]
        assert {len(outcome.metadata["slices"]) for outcome in left} == {2 * pairs.LEAST_BLOCKS}
        order = left[0].metadata["pair"]["order"]
        assert order.count("B") == {"3": 2, "4": 3, "close": 2 * pairs.LEAST_BLOCKS}.get(call, 0)
        rest = order.replace("B", "")
        assert all(sorted(rest[start : start + 3]) == ["A", "C", "D"] for start in range(0, len(rest), 3))
        assert machine.running == set()


def test_the_last_side_that_is_left_is_measured_to_its_end() -> None:
    machine = Machine()
    trials = group(machine, "abc")
    trials[0].fails_at, trials[2].fails_at = "open", "3"
    outcomes = measure_in_turn(trials, "seed", machine.clock)
    assert [outcome.status for outcome in outcomes] == ["crashed", "ok", "crashed"]
    assert outcomes[1].metadata == {"unpaired": "the other sides are crashed: a is broken; crashed: c is broken"}
    assert outcomes[1].measurement is not None
    assert len(outcomes[1].measurement.round_seconds) >= 30


def test_two_sides_that_are_left_of_a_group_are_a_pair() -> None:
    machine = Machine()
    trials = group(machine, "abc")
    trials[0].fails_at, trials[2].step_seconds = "warm_up", 0.03
    outcomes = measure_in_turn(trials, "seed", machine.clock)
    assert [outcomes[side].metadata["pair"]["ratio"] for side in (1, 2)] == [pytest.approx(0.5), pytest.approx(2)]


@pytest.mark.parametrize("call", ["open", "2", "close"])
def test_a_group_that_runs_out_of_memory_is_measured_apart(call: str) -> None:
    machine = Machine()
    trials = group(machine, "abc")
    trials[2].fails_at, trials[2].status = call, "out_of_memory"
    with pytest.raises(MeasuredApart, match="the sides together ran out of memory: c is broken"):
        measure_in_turn(trials, "seed", machine.clock)
    assert machine.running == set()


def test_both_plans_are_fulfilled_with_equally_many_slices() -> None:
    machine = Machine()
    outcomes = measure_in_turn(pair(machine, needs_rounds=200), "seed", machine.clock)
    slices = [outcome.metadata["slices"] for outcome in outcomes]
    assert len(slices[0]) == len(slices[1]) == 50
    assert [sum(one["rounds"] for one in side) for side in slices] == [200, 200]
    assert slices[0][0].keys() == {"started_at", "rounds", "p10_seconds", "median_seconds", "mean_seconds"}
    starts = sorted(one["started_at"] for side in slices for one in side)
    assert starts[0] == 0.0
    assert all(later - earlier >= 0.2 - 1e-9 for earlier, later in pairwise(starts))


@pytest.mark.parametrize("names", ["ab", "abcde"])
def test_slow_steps_end_a_group_before_its_last_block(names: str) -> None:
    machine = Machine()
    trials = [FakeTrial(name, machine, step_seconds=1.0, needs_rounds=5) for name in names]
    measure_in_turn(trials, "seed", machine.clock)
    assert len(order_of(machine)) == 2 * len(names)
    assert {len(trial.rounds) for trial in trials} == {6}


def test_the_value_of_a_pair_is_that_of_its_sides_where_the_machine_drifts() -> None:
    machine = Machine(slowdown=lambda now: 1.0 + 0.05 * now)
    outcomes = measure_in_turn(pair(machine, step_seconds=0.066), "seed", machine.clock)
    assert outcomes[1].metadata["pair"]["ratio"] == pytest.approx(1 / 1.1, rel=0.01)
    assert outcomes[0].metadata["pair"]["ratio"] == pytest.approx(1 / outcomes[1].metadata["pair"]["ratio"])


def test_what_passes_by_does_not_move_it() -> None:
    rng = random.Random(7)
    hits = [rng.random() < 0.15 for _ in range(1000)]
    machine = Machine(slowdown=lambda now: 3.0 if hits[int(now / 0.2)] else 1.0)
    outcomes = measure_in_turn(pair(machine, step_seconds=0.063), "seed", machine.clock)
    assert outcomes[1].metadata["pair"]["ratio"] == pytest.approx(1 / 1.05, rel=0.01)


@pytest.mark.parametrize("call", ["open", "warm_up", "3", "close"])
def test_a_side_that_fails_ends_the_pair_and_the_other_is_an_ordinary_trial(call: str) -> None:
    for broken in (0, 1):
        machine = Machine()
        trials = [FakeTrial(name, machine) for name in "ab"]
        trials[broken].fails_at = call
        for seed in "12":
            outcomes = measure_in_turn(trials, seed, machine.clock)
            assert outcomes[broken].status == "crashed"
            other = outcomes[1 - broken]
            assert other.measurement is not None
            assert len(other.measurement.round_seconds) >= 30
            assert other.metadata == {"unpaired": f"the other side is crashed: {'ab'[broken]} is broken"}
            machine = Machine()
            trials = [FakeTrial(name, machine) for name in "ab"]
            trials[broken].fails_at = call


def test_two_broken_sides_have_their_own_reasons() -> None:
    machine = Machine()
    trials = FakeTrial("a", machine, fails_at="open"), FakeTrial("b", machine, fails_at="open")
    assert [outcome.reason for outcome in measure_in_turn(trials, "seed", machine.clock)] == [
        "a is broken",
        "b is broken",
    ]


@pytest.mark.parametrize(
    ("of_b", "reason"),
    [
        ({"fails_at": "warm_up", "status": "out_of_memory"}, "the sides together ran out of memory: b is broken"),
        ({"fails_at": "2", "status": "out_of_memory"}, "the sides together ran out of memory: b is broken"),
        ({"can_be_stopped": None}, "a worker cannot be stopped: process 7 of the worker belongs to another user"),
        ({"phases": ("load",)}, "a job of phases runs once, and has no slices"),
    ],
)
def test_what_cannot_live_together_is_left_to_whole_trials(of_b: dict[str, object], reason: str) -> None:
    for seed in "12":
        machine = Machine()
        trials = pair(machine, **of_b)
        with pytest.raises(MeasuredApart, match=reason):
            measure_in_turn(trials, seed, machine.clock)
        assert trials[0].is_killed or machine.log == [] or "a.close" in machine.log
        assert machine.running == set()


def test_a_side_that_only_waits_is_noted() -> None:
    machine = Machine()
    outcomes = measure_in_turn(pair(machine, can_be_stopped=False), "seed", machine.clock)
    assert [outcome.metadata["pair"]["stopped"] for outcome in outcomes] == [True, False]


def test_an_interruption_ends_both_processes() -> None:
    machine = Machine()

    def interrupt(now: float) -> float:
        raise KeyboardInterrupt

    machine.slowdown = interrupt
    trials = pair(machine)
    with pytest.raises(KeyboardInterrupt):
        measure_in_turn(trials, "seed", machine.clock)
    assert all(trial.is_killed for trial in trials)


Seconds = st.lists(st.floats(1e-6, 1e3), min_size=2, max_size=30)


@given(Seconds, st.floats(0.01, 100))
def test_a_ratio_is_a_factor_of_the_sides(seconds: list[float], factor: float) -> None:
    ratio = speed_ratio(seconds, [factor * each for each in seconds])
    assert ratio == pytest.approx(1 / factor)


def test_a_clock_that_shows_no_time_gives_no_ratio() -> None:
    assert speed_ratio([0.0, 1.0], [1.0, 1.0]) is None


def test_a_slice_counts_by_its_10th_percentile_and_the_mean_of_all_steps_is_kept_beside_it() -> None:
    """Every fifth step of b takes three times as long."""
    machine = Machine()
    a, b = pair(machine, step_seconds=0.01, needs_rounds=200)
    a.step_seconds = 0.01
    measure_b = b.measure

    def measure(slice_seconds: float = math.inf) -> Progress:
        before = len(b.rounds)
        progress = measure_b(slice_seconds)
        b.rounds[before:] = [0.03 if index % 5 == 4 else 0.01 for index in range(before, len(b.rounds))]
        return progress

    b.measure = measure  # type: ignore[method-assign]
    of_a, of_b = (outcome.metadata["pair"] for outcome in measure_in_turn((a, b), "seed", machine.clock))
    assert (of_b["ratio"], of_b["statistic"]) == (pytest.approx(1.0), "p10")
    assert of_b["mean_ratio"] == pytest.approx(1 / 1.4, rel=0.02)
    assert of_a["mean_ratio"] == pytest.approx(1 / of_b["mean_ratio"])
