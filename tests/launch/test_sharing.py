"""A worker that cases share is given to the next one only as the last one found it: idle, its settings unchanged."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_throughput.launch.interpreters import Interpreter
from pytest_throughput.launch.launcher import LauncherConfig, Placement
from pytest_throughput.launch.staging import StagedPath
from pytest_throughput.launch.workers import SharedWorker
from pytest_throughput.measurement.plan import ONCE
from pytest_throughput.worker.protocol import Outcome, Request

PACKAGE = Path(__file__).parents[2] / "plugins/pytest_throughput"
PLACE = Placement(Interpreter("default", "python", (sys.executable,)), trial=1)
STEPS = """
import os, resource, signal, subprocess, sys, threading, time
from pytest_throughput import Step

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

def step(what=None):
    return Step(lambda: leave(what), metadata={"worker": os.getpid()})
"""


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[SharedWorker]:
    (tmp_path / "steps.py").write_text(STEPS)
    staged = StagedPath([PACKAGE])
    launcher = SharedWorker(LauncherConfig(staged, [tmp_path], timeout_seconds=120))
    yield launcher
    launcher.close()
    staged.remove()


def run_trial(launcher: SharedWorker, what: str | None = None) -> Outcome:
    outcome, _ = launcher.run(Request("steps:step", {"what": what}, ONCE), PLACE)
    assert outcome.status == "ok", outcome.reason
    return outcome


@pytest.mark.parametrize("what", ["busy thread", "busy child", "busy grandchild"])
def test_what_a_case_leaves_at_work_slows_no_other(launcher: SharedWorker, what: str) -> None:
    """The next case used to be measured beside it, up to nine times too slow."""
    assert run_trial(launcher, what).metadata["worker"] != run_trial(launcher).metadata["worker"]


@pytest.mark.parametrize("what", ["priority", "processors", "alarm", "virtual timer", "signal mask", "limit"])
def test_settings_of_the_process_that_a_case_changes_reach_no_other(launcher: SharedWorker, what: str) -> None:
    if what == "processors" and len(os.sched_getaffinity(0)) == 1:
        pytest.skip("needs two processors")
    assert run_trial(launcher, what).metadata["worker"] != run_trial(launcher).metadata["worker"]


@pytest.mark.parametrize("what", [None, "idle thread", "idle child", "busy for a moment"])
def test_a_worker_that_is_idle_is_shared(launcher: SharedWorker, what: str | None) -> None:
    """Pools of threads and processes wait for the next case of the same framework."""
    assert run_trial(launcher, what).metadata["worker"] == run_trial(launcher).metadata["worker"]
