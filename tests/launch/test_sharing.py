"""Workers that cases share: what makes a worker unfit for the next case, and which workers live side by side."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from pytest_throughput.launch.interpreters import Interpreter
from pytest_throughput.launch.launcher import LauncherConfig, Placement
from pytest_throughput.launch.staging import StagedPath
from pytest_throughput.launch.workers import SharedWorkers
from pytest_throughput.measurement.disturbance import Disturbance
from pytest_throughput.measurement.plan import ONCE
from pytest_throughput.measurement.scenario import Elapsed
from pytest_throughput.telemetry.device import Device
from pytest_throughput.worker.parts import EndedPart, KeptParts
from pytest_throughput.worker.protocol import Outcome, Progress, Request

PACKAGE = Path(__file__).parents[2] / "plugins/pytest_throughput"
PLACE = Placement(Interpreter("default", "python", (sys.executable,)), trial=1)
OTHER = replace(PLACE, variables=(("FRAMEWORK", "other"),))
STEPS = """
import os, resource, signal, subprocess, sys, threading, time
from pytest_throughput import Once, OutOfMemory, Part, Phase, Step

BUSY = [sys.executable, "-c", "while True: pass"]

def spin(seconds=1000):
    until = time.monotonic() + seconds
    while time.monotonic() < until: pass

def leave(what):
    if what == "busy thread": threading.Thread(target=spin, daemon=True).start()
    if what == "busy for a moment": threading.Thread(target=spin, args=(0.2,)).start()
    if what == "busy child": subprocess.Popen(BUSY)
    if what == "busy grandchild": subprocess.Popen(["sh", "-c", '"$@" & wait', "sh", *BUSY])
    if what == "idle thread": threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    if what == "idle child": subprocess.Popen(["sleep", "1000"])
    if what == "priority": os.nice(1)
    if what == "processors": os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if what == "alarm": signal.alarm(1000)
    if what == "virtual timer": signal.setitimer(signal.ITIMER_VIRTUAL, 1000)
    if what == "signal mask": signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    if what == "limit": resource.setrlimit(resource.RLIMIT_NOFILE, (200, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

def is_alive(pid):
    try: os.kill(pid, 0)
    except ProcessLookupError: return False
    return True

def step(what=None, beside=0):
    return Step(lambda: leave(what), metadata={"worker": os.getpid(), "beside": is_alive(beside)})

def fill(beside):
    if is_alive(beside): raise OutOfMemory("another holds it")
    return step()

def train(beside):
    epochs = []
    def restore(path): epochs.extend(open(path).read())
    def save(path): open(path, "w").write("".join(epochs))
    def run():
        while len(epochs) < 3:
            if len(epochs) == 2: fill(beside)
            epochs.append(str(len(epochs) + 1))
            yield Part(f"epoch {len(epochs)}", len(epochs) / 3, save)
        return epochs
    return Once([Phase("training", run, items=len, restore=restore)])
"""


def slow(what: str) -> Any:
    return pytest.param(what, marks=pytest.mark.slow)


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[SharedWorkers]:
    (tmp_path / "steps.py").write_text(STEPS)
    staged = StagedPath([PACKAGE])
    launcher = SharedWorkers(LauncherConfig(staged, [tmp_path], timeout_seconds=120))
    yield launcher
    launcher.close()
    staged.remove()


def run_trial(
    launcher: SharedWorkers, what: str | None = None, placement: Placement = PLACE, beside: int | None = None
) -> Outcome:
    """``beside``: the process of which the outcome says whether it was alive meanwhile."""
    arguments = {"what": what} if beside is None else {"what": what, "beside": beside}
    outcome, _ = launcher.run(Request("steps:step", arguments, ONCE), placement)
    assert outcome.status == "ok", outcome.reason
    return outcome


@pytest.mark.parametrize("what", ["busy thread", slow("busy child"), slow("busy grandchild")])
def test_what_a_case_leaves_at_work_slows_no_other(launcher: SharedWorkers, what: str) -> None:
    """The next case used to be measured beside it, up to nine times too slow."""
    assert run_trial(launcher, what).metadata["worker"] != run_trial(launcher).metadata["worker"]


@pytest.mark.parametrize(
    "what", ["priority", *map(slow, ("processors", "alarm", "virtual timer", "signal mask", "limit"))]
)
def test_settings_of_the_process_that_a_case_changes_reach_no_other(launcher: SharedWorkers, what: str) -> None:
    if what == "processors" and len(os.sched_getaffinity(0)) == 1:
        pytest.skip("needs two processors")
    assert run_trial(launcher, what).metadata["worker"] != run_trial(launcher).metadata["worker"]


@pytest.mark.parametrize("what", [None, "idle thread", "idle child", "busy for a moment"])
def test_a_worker_that_is_idle_is_shared(launcher: SharedWorkers, what: str | None) -> None:
    """Pools of threads and processes wait for the next case of the same framework."""
    assert run_trial(launcher, what).metadata["worker"] == run_trial(launcher).metadata["worker"]


def test_workers_of_frameworks_in_turn_live_side_by_side(launcher: SharedWorkers) -> None:
    first, second, third, fourth = (
        run_trial(launcher, placement=placement).metadata["worker"] for placement in (PLACE, OTHER, PLACE, OTHER)
    )
    assert (first, second) == (third, fourth)
    assert first != second


def test_nothing_that_works_lives_beside_a_case_of_another_framework(launcher: SharedWorkers) -> None:
    busy = run_trial(launcher, "busy thread").metadata["worker"]
    assert run_trial(launcher, placement=OTHER, beside=busy).metadata["beside"] is False


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (PLACE, replace(OTHER, trial=2)),
        (PLACE, replace(OTHER, devices=(Device("cuda"),))),
        (replace(PLACE, devices=(Device("cuda:1"),)), OTHER),
        (replace(PLACE, devices=(Device("cuda"),)), replace(OTHER, devices=(Device("cuda"),))),
    ],
    ids=["of the next trial", "on a gpu beside one on a cpu", "on a cpu beside one on a gpu", "on one gpu"],
)
def test_workers_are_alone(launcher: SharedWorkers, one: Placement, other: Placement) -> None:
    first = run_trial(launcher, placement=one).metadata["worker"]
    assert run_trial(launcher, placement=other, beside=first).metadata["beside"] is False


def test_idle_workers_end_where_memory_is_short(launcher: SharedWorkers, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_trial(launcher).metadata["worker"]
    needed = psutil.Process(first).memory_info().rss
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=100 * needed))
    assert run_trial(launcher, placement=OTHER, beside=first).metadata["beside"] is True
    # A worker that exists already holds a part of what its next case needs.
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1.6 * needed))
    assert run_trial(launcher, placement=OTHER, beside=first).metadata["beside"] is True
    third = replace(PLACE, variables=(("FRAMEWORK", "third"),))
    assert run_trial(launcher, placement=third, beside=first).metadata["beside"] is False


def test_a_case_that_ran_out_of_memory_beside_others_is_measured_alone(launcher: SharedWorkers) -> None:
    first = run_trial(launcher).metadata["worker"]
    outcome, _ = launcher.run(Request("steps:fill", {"beside": first}, ONCE), OTHER)
    assert outcome.status == "ok"
    outcome, _ = launcher.run(Request("steps:fill", {"beside": os.getpid()}, ONCE), OTHER)
    assert (outcome.status, outcome.reason) == ("out_of_memory", "another holds it")


def test_a_resumed_training_that_ran_out_of_memory_beside_others_goes_on_alone_after_what_it_has_saved(
    launcher: SharedWorkers, tmp_path: Path
) -> None:
    """It used to begin again after the part of the earlier run, whose file was gone by then."""
    first = run_trial(launcher).metadata["worker"]
    elapsed = Elapsed(1.0, Disturbance(0.0, 0.0, 0, 0.0, 0.0), 0)
    parts = KeptParts("training", str(tmp_path / "part-"), EndedPart(1, "epoch 1", 1 / 3, elapsed, is_saved=True))
    Path(parts.file_after(1)).write_text("1")
    ended = []

    def keep(progress: Progress) -> None:
        if progress.ended_part is not None:
            ended.append(progress.ended_part.number)
            Path(parts.file_after(ended[-1] - 1)).unlink()

    launcher.config = replace(launcher.config, on_progress=keep)
    outcome, _ = launcher.run(Request("steps:train", {"beside": first}, ONCE, kept_parts=parts), OTHER)
    assert (outcome.status, outcome.reason) == ("ok", None)
    assert ended == [2, 3]
