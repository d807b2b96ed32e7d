"""Two workers that live together and are measured in turn, each with its own rounds."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pytest_throughput.launch.interpreters import Interpreter
from pytest_throughput.launch.launcher import LauncherConfig, Placement
from pytest_throughput.launch.process_tree import ProcessTree
from pytest_throughput.launch.staging import StagedPath
from pytest_throughput.launch.workers import FreshWorkers
from pytest_throughput.measurement.plan import Plan
from pytest_throughput.worker.protocol import Request

PACKAGE = Path(__file__).parents[2] / "plugins/pytest_throughput"
PLACE = Placement(Interpreter("default", "python", (sys.executable,)), trial=1)
FOUR_ROUNDS = Plan("four", 0, min_rounds=4, max_rounds=4, max_seconds=math.inf, target=None)
"""After the first step, each step is a round."""
STEPS = """
import os, subprocess, threading
from pytest_throughput import Step

def writes(name, log, dies_at=None):
    runs = []
    def run():
        runs.append(name)
        with open(log, "a") as file: file.write(name)
        if len(runs) == dies_at: os.kill(os.getpid(), 9)
    return Step(run, metadata={"name": name, "pid": os.getpid()})

def parent():
    child = subprocess.Popen(["sleep", "100"])
    return Step(lambda: None)

def noisy():
    def write():
        for fd in range(3, 20):
            if os.path.exists(f"/proc/self/fd/{fd}") and os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:"):
                try: os.write(fd, b"noise")
                except OSError: pass
    def run():
        # It writes while the worker waits for the next question, and ends before that comes.
        threading.Timer(0.2, write).start()
    return Step(run)
"""


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[FreshWorkers]:
    (tmp_path / "steps.py").write_text(STEPS)
    staged = StagedPath([PACKAGE])
    launcher = FreshWorkers(LauncherConfig(staged, [tmp_path], timeout_seconds=120))
    yield launcher
    launcher.close()
    staged.remove()
    assert psutil.Process().children(recursive=True) == []


def request(log: Path, name: str, **arguments: object) -> Request:
    return Request("steps:writes", {"name": name, "log": str(log), **arguments}, FOUR_ROUNDS)


def test_two_live_workers_are_measured_in_turn(launcher: FreshWorkers, tmp_path: Path) -> None:
    log = tmp_path / "log"
    a, b = (launcher.start(request(log, name), PLACE) for name in "ab")
    for trial in (a, b):
        assert not trial.open().is_finished
        assert not trial.warm_up().is_finished
    progress = []
    for trial in (a, b, b, a, a, b, b, a):
        progress.append(trial.measure(slice_seconds=0.0))
        assert trial.stop()
    outcomes = [trial.close() for trial in (a, b)]
    # A slice of no seconds is three rounds after a step that is not recorded, and the other worker is idle meanwhile.
    assert log.read_text() == "ab" + "".join(4 * each for each in "abbaabba")
    assert [each.rounds for each in progress] == [3] * 8
    assert [each.is_finished for each in progress] == [False] * 2 + [True] * 6
    for outcome, name in zip(outcomes, "ab", strict=True):
        assert (outcome.status, outcome.metadata["name"]) == ("ok", name)
        assert outcome.measurement is not None
        assert len(outcome.measurement.round_seconds) == len(outcome.measurement.disturbances) == 12
        assert outcome.measurement.stop_reason == "max_rounds"
    assert outcomes[0].metadata["pid"] != outcomes[1].metadata["pid"]


def test_a_trial_may_be_closed_before_its_plan_is_fulfilled(launcher: FreshWorkers, tmp_path: Path) -> None:
    trial = launcher.start(request(tmp_path / "log", "a"), PLACE)
    trial.open()
    trial.warm_up()
    trial.measure(slice_seconds=0.0)
    measurement = trial.close().measurement
    assert measurement is not None
    assert (len(measurement.round_seconds), measurement.stop_reason) == (3, "stopped")


def test_a_crash_of_one_costs_the_other_nothing(launcher: FreshWorkers, tmp_path: Path) -> None:
    log = tmp_path / "log"
    a, b = launcher.start(request(log, "a", dies_at=2), PLACE), launcher.start(request(log, "b"), PLACE)
    for trial in (a, b):
        trial.open()
        trial.warm_up()
    assert a.measure(slice_seconds=0.0).is_finished
    assert not b.measure(slice_seconds=0.0).is_finished
    assert b.measure().is_finished
    assert a.close().status == "crashed"
    measurement = b.close().measurement
    assert measurement is not None
    assert len(measurement.round_seconds) == 4


def test_what_a_worker_writes_between_two_questions_is_no_answer(launcher: FreshWorkers) -> None:
    trial = launcher.start(Request("steps:noisy", {}, FOUR_ROUNDS), PLACE)
    trial.open()
    assert not trial.warm_up().is_finished
    (process,) = (each for each in psutil.Process().children() if each.num_threads() > 1)
    while process.num_threads() > 1:  # The timer is one.
        pass
    assert trial.measure(slice_seconds=0.0).is_finished
    outcome = trial.close()
    assert outcome.status == "crashed"
    assert "after its answer" in (outcome.reason or "")
    assert "b'noise'" in (outcome.reason or "")


def test_the_idle_side_is_stopped_with_its_descendants(launcher: FreshWorkers, tmp_path: Path) -> None:
    trial = launcher.start(Request("steps:parent", {}, FOUR_ROUNDS), PLACE)
    trial.open()
    trial.warm_up()
    assert trial.stop()
    (worker,) = (each for each in psutil.Process().children() if "pytest_throughput.worker.main" in each.cmdline())
    tree = [worker, *worker.children()]
    assert len(tree) == 2
    while any(each.status() != psutil.STATUS_STOPPED for each in tree):  # A signal takes a moment to arrive.
        time.sleep(0.001)
    assert trial.measure(slice_seconds=0.0).rounds == 3
    assert psutil.STATUS_STOPPED not in [each.status() for each in tree]
    trial.stop()
    trial.kill()
    # The request to end reached it, not only the kill that follows two seconds later.
    assert trial._worker.process._process.returncode == -signal.SIGTERM  # type: ignore[attr-defined]
    assert all(not each.is_running() or each.status() == psutil.STATUS_ZOMBIE for each in tree)


def test_a_worker_that_runs_elsewhere_is_not_stopped(launcher: FreshWorkers, tmp_path: Path) -> None:
    """A container's process has another id there than here; what started it would not answer if it were stopped."""
    trial = launcher.start(request(tmp_path / "log", "a"), PLACE)
    trial.open()
    trial._worker._pid = 1  # type: ignore[attr-defined]
    assert not trial.stop()
    (worker,) = (each for each in psutil.Process().children() if "pytest_throughput.worker.main" in each.cmdline())
    assert worker.status() != psutil.STATUS_STOPPED
    trial.kill()


def test_a_process_of_another_user_cannot_be_stopped(
    launcher: FreshWorkers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(process: psutil.Process) -> None:
        raise psutil.AccessDenied(process.pid)

    trial = launcher.start(request(tmp_path / "log", "a"), PLACE)
    trial.open()
    monkeypatch.setattr(psutil.Process, "suspend", refuse)
    with pytest.raises(PermissionError, match="belongs to another user"):
        trial.stop()
    trial.kill()


def test_an_interruption_while_a_process_is_stopped_leaves_none_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    suspend = psutil.Process.suspend

    def interrupted(process: psutil.Process) -> None:
        suspend(process)
        raise KeyboardInterrupt

    monkeypatch.setattr(psutil.Process, "suspend", interrupted)
    with subprocess.Popen(["sleep", "100"]) as process:
        tree = ProcessTree(process.pid)
        with pytest.raises(KeyboardInterrupt):
            tree.stop(process.pid)
        os.waitpid(process.pid, os.WUNTRACED)  # It has been stopped.
        tree.resume()
        process.terminate()  # A stopped process would not end.
        assert process.wait(timeout=60) == -signal.SIGTERM


def test_a_trial_that_is_given_up_leaves_no_process(launcher: FreshWorkers, tmp_path: Path) -> None:
    trial = launcher.start(request(tmp_path / "log", "a"), PLACE)
    trial.open()
    worker = [each for each in psutil.Process().children() if "pytest_throughput.worker.main" in each.cmdline()]
    assert len(worker) == 1
    trial.kill()
    assert not worker[0].is_running()
