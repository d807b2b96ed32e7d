"""Processor time of a process's own children: by injected readings, and of real children."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.measurement import descendants
from pytest_throughput.measurement.descendants import DescendantsClock
from pytest_throughput.measurement.disturbance import DisturbanceWatch

needs_proc = pytest.mark.skipif(
    not Path(f"/proc/self/task/{os.getpid()}/children").exists(), reason="this system does not list children"
)


@dataclass
class Process:
    parent: int
    began_at: int
    own: float = 0.0
    waited_for: float = 0.0


class Processes:
    """What the kernel knows: 0 is the measuring process, and 1 adopts what has lost its parent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.living = {0: Process(1, 0), 1: Process(1, 0)}
        self._ticks = 0
        monkeypatch.setattr(descendants, "_has_children", lambda: bool(self.children("self")))
        monkeypatch.setattr(descendants, "_children_of", self.children)
        monkeypatch.setattr(descendants, "_read_process", self.read)
        monkeypatch.setattr(descendants, "_waited_for_by_this_process", lambda: self.living[0].waited_for)

    def children(self, process: str) -> list[int]:
        parent = 0 if process == "self" else int(process)
        return [number for number, each in self.living.items() if each.parent == parent and number > 1]

    def read(self, number: int) -> tuple[tuple[int, int], descendants._Process] | None:
        if number not in self.living:
            return None
        each = self.living[number]
        return (number, each.began_at), descendants._Process(each.own, each.waited_for)

    def fork(self, parent: int, number: int) -> int:
        self._ticks += 1
        self.living[number] = Process(parent, self._ticks)
        return number

    def end(self, number: int, *, waited_for: bool = True) -> None:
        ended = self.living.pop(number)
        if waited_for:
            self.living[ended.parent].waited_for += ended.own + ended.waited_for
        for each in self.living.values():
            if each.parent == number:
                each.parent = 1


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    return Processes(monkeypatch)


def test_children_and_grandchildren_count_while_they_live_and_after(processes: Processes) -> None:
    child = processes.fork(0, 10)
    grandchild = processes.fork(child, 11)
    processes.living[child].own = 100.0  # Before the first reading.
    clock = DescendantsClock()
    assert clock.read() == 0.0
    processes.living[child].own += 1.0
    processes.living[grandchild].own += 2.0
    assert clock.read() == pytest.approx(3.0)
    processes.living[grandchild].own += 0.5
    processes.end(grandchild)
    assert clock.read() == pytest.approx(3.5)
    processes.living[child].own += 0.25
    processes.end(child)
    assert clock.read() == pytest.approx(3.75)
    assert clock.read() == pytest.approx(3.75)


def test_a_child_between_two_readings_counts_once_it_was_waited_for(processes: Processes) -> None:
    clock = DescendantsClock()
    clock.read()
    processes.living[processes.fork(0, 10)].own = 5.0
    processes.end(10)
    assert clock.read() == pytest.approx(5.0)


def test_a_child_that_becomes_a_daemon_is_followed(processes: Processes) -> None:
    child = processes.fork(0, 10)
    daemon = processes.fork(child, 11)
    clock = DescendantsClock()
    clock.read()
    processes.end(child)
    processes.living[daemon].own += 2.0
    assert clock.read() == pytest.approx(2.0)
    processes.living[processes.fork(daemon, 12)].own = 1.0
    assert clock.read() == pytest.approx(3.0)
    # Its last processor time is added to a process that is no descendant; the clock does not decrease for that.
    processes.living[daemon].own += 9.0
    processes.end(daemon)
    assert clock.read() == pytest.approx(3.0)


def test_a_process_of_others_that_is_given_the_number_of_a_child_does_not_count(processes: Processes) -> None:
    clock = DescendantsClock()
    processes.fork(0, 10)
    clock.read()
    processes.end(10)
    processes.living[processes.fork(1, 10)].own = 50.0
    assert clock.read() == 0.0
    processes.living[10].own += 1.0
    assert clock.read() == 0.0


@given(
    actions=st.lists(
        st.tuples(st.sampled_from(["fork", "work", "end", "lose", "read"]), st.integers(0, 9), st.floats(0.0, 9.0)),
        max_size=60,
    )
)
def test_no_more_is_counted_than_was_used(actions: list[tuple[str, int, float]]) -> None:
    """Nor anything that others used, nor ever less than before; all of it where each process was waited for."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        processes = Processes(monkeypatch)
        clock = DescendantsClock()
        used, lost, before = 0.0, False, clock.read()
        ours = [0]
        for number, (action, which, seconds) in enumerate(actions, 10):
            ours = [each for each in ours if each in processes.living]
            chosen = ours[which % len(ours)]
            if action == "fork":
                ours.append(processes.fork(chosen, number))
            elif action == "work" and chosen:
                processes.living[chosen].own += seconds
                used += seconds
            elif action in ("end", "lose") and chosen:
                # An orphan is waited for by another process.
                waited_for = action == "end" and processes.living[chosen].parent != 1
                lost = lost or not waited_for or bool(processes.children(str(chosen)))
                processes.end(chosen, waited_for=waited_for)
            elif action == "read":
                now = clock.read()
                assert before <= now <= used + 1e-6
                before = now
        now = clock.read()
        assert before <= now <= used + 1e-6
        assert lost or now == pytest.approx(used)


BURN = """
import sys, time
while time.process_time() < 0.4:
    pass
print(flush=True)
sys.stdin.read()
"""
OF_A_CHILD = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BURN!r}])
"""


@pytest.fixture
def burning() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(stack: ExitStack, code: str) -> subprocess.Popen[bytes]:
    """A child that works for 0.4 s, says so, and lives until its input is closed."""
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return stack.enter_context(child)


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("code", [BURN, OF_A_CHILD], ids=["child", "grandchild"])
def test_real_processes_count_while_they_live_and_after(code: str, burning: ExitStack) -> None:
    clock = DescendantsClock()
    clock.read()
    child = start(burning, code)
    assert child.stdout is not None and child.stdin is not None
    child.stdout.readline()
    living = clock.read()
    assert 0.4 <= living < 3.0
    child.stdin.close()
    child.wait()
    assert living <= clock.read() < living + 1.0


@needs_proc
def test_what_a_steps_own_children_use_is_not_others(burning: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside each other, one watch that counts children and one that does not: whatever else the machine does."""
    with DisturbanceWatch() as watch, DisturbanceWatch() as blind:
        monkeypatch.setattr(blind._descendants, "read", lambda: 0.0)
        for each in (blind, watch):
            each.start()
            each.before_round()
        began_at = time.perf_counter()
        children = [start(burning, BURN) for _ in range(2)]
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()
        seconds = max(time.perf_counter() - began_at, 0.5)
        time.sleep(max(0.0, began_at + seconds - time.perf_counter()))
        for each in (blind, watch):
            each.after_round(seconds)
        (with_children,), (of_others,) = blind.disturbances(), watch.disturbances()
    assert with_children.foreign_seconds is not None and of_others.foreign_seconds is not None
    # Two children of 0.4 s; the ticks in which the machine's idle time is counted make a difference of some 0.02 s.
    assert with_children.foreign_seconds - of_others.foreign_seconds == pytest.approx(0.8, abs=0.4)
    assert with_children.foreign_seconds > 0.6


@needs_proc
def test_reading_costs_little_where_there_is_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is opened."""
    monkeypatch.setattr(descendants, "_has_children", lambda: False)
    monkeypatch.setattr(descendants, "_children_of", lambda _: pytest.fail("looked for children"))
    clock = DescendantsClock()
    assert clock.read() == clock.read() == 0.0
