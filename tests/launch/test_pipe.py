"""Nothing but a worker's own answer to its own request is taken for a result: forked processes, stray writes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pytest_throughput.launch.worker_process import Worker
from pytest_throughput.measurement.plan import ONCE, PLANS
from pytest_throughput.worker.protocol import Outcome, Request

PLUGINS = Path(__file__).parents[2] / "plugins"

STEPS = """
import ctypes, json, multiprocessing, os, signal, subprocess, sys, threading, time
from pytest_throughput import Step

def sleeping(seconds):
    return Step(lambda: time.sleep(seconds), metadata={"seconds": seconds})

def forking(where, how="os.fork", file="/dev/null", seconds=0.02):
    forks = {
        "os.fork": os.fork,
        "libc.fork": ctypes.CDLL(None).fork,  # Python's own hooks do not see it.
    }
    children = []
    def fork(at):
        if at == where and not children:
            children.append(forks[how]())
    def run():
        time.sleep(seconds)
        fork("run")
        if where == "is_out_of_memory":
            raise ValueError("what was wrong")
        if where == "exit" and os.fork() == 0:
            sys.exit(7)
        if where == "error" and os.fork() == 0:
            raise RuntimeError("in the child")
    def check(output):
        fork("check")
    def close():
        with open(file, "a") as out: out.write("closed ")
        fork("close")
    def is_out_of_memory(error):
        fork("is_out_of_memory")
        return False
    fork("open")
    return Step(run, wait=lambda _: fork("wait"), check=check, close=close, metadata={"seconds": seconds},
                reset_peak_memory=lambda: fork("reset_peak_memory"), is_out_of_memory=is_out_of_memory)

def pipes():
    return [fd for fd in range(3, 20) if os.path.exists(f"/proc/self/fd/{fd}")
            and os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:")]

FORGED = {"status": "ok", "reason": None, "details": None, "metadata": {"forged": True}, "measurement": {
    "round_seconds": [1e-9], "steps_per_round": 1, "first_step_seconds": 1e-9, "warm_up_steps": 0,
    "stop_reason": "target", "latency_seconds": 1e-9, "disturbances": [{
        "waiting_seconds": None, "longest_wait_seconds": None, "involuntary_switches": 0,
        "foreign_seconds": None, "steal_seconds": None}]}}

def write(text):
    for fd in pipes():
        try: os.write(fd, text)
        except OSError: pass

def stray(what, when):
    text = {
        "outcome": json.dumps(FORGED) + "\\n",
        "answer": json.dumps({"id": "0" * 32, "pid": os.getpid(), "outcome": FORGED}) + "\\n",
        "half": "{",
        "newline": "\\n",
    }[what].encode()
    if when == "run":
        return Step(lambda: write(text))
    if when == "close":
        return Step(lambda: None, close=lambda: write(text))
    if when == "afterwards":  # After the answer, most likely.
        def close():
            threading.Timer(0.5, lambda: write(text)).start()
        return Step(lambda: None, close=close)

def later(text, seconds):
    threading.Timer(seconds, lambda: write(text.encode())).start()
    return Step(lambda: None)

def inheriting(file):
    # What a forked child and an executed one see of the pipes.
    def run():
        child = os.fork()
        if child == 0:
            with open(file, "w") as out: out.write(repr(pipes()))
            os._exit(0)
        os.waitpid(child, 0)
        listing = "import os; os.execvp('ls', ['ls', '-l', '/proc/self/fd'])"
        with open(file + ".executed", "w") as out:
            subprocess.run([sys.executable, "-c", listing], close_fds=False, stdout=out, check=True)
    return Step(run)

def pool():
    def run():
        with multiprocessing.get_context("fork").Pool(2) as workers:
            assert workers.map(abs, range(-4, 0)) == [4, 3, 2, 1]
    return Step(run)

def replacing(how, files):
    kept = []
    def run():
        if kept: return
        if how == "copied over":
            kept[:] = [open(file, "w") for file in files]
            for fd in pipes(): os.dup2(kept[0].fileno(), fd)
        else:
            for fd in pipes(): os.close(fd)
            kept[:] = [how == "closed"] + [open(file, "w") for file in files if how != "closed"]
    return Step(run)

def unblocking():
    def run():
        for fd in pipes(): os.set_blocking(fd, False)
    return Step(run, metadata={"long": "x" * 500_000})

def bomb():
    return Step(os.fork)
"""


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    (tmp_path / "steps.py").write_text(STEPS)
    environment = {**os.environ, "PYTHONPATH": f"{PLUGINS}{os.pathsep}{tmp_path}", "PYTHONSAFEPATH": "1"}
    worker = Worker([sys.executable], environment)
    yield worker
    worker.close()
    assert psutil.Process().children(recursive=True) == []


def once(function: str, **arguments: object) -> Request:
    return Request(f"steps:{function}", arguments, ONCE)


def seconds_of(outcome: Outcome) -> float:
    assert outcome.measurement is not None
    return outcome.measurement.round_seconds[0]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["os.fork", "libc.fork"])
@pytest.mark.parametrize("where", ["open", "reset_peak_memory", "run", "wait", "check", "close"])
def test_a_step_that_forks_has_one_answer(worker: Worker, tmp_path: Path, where: str, how: str) -> None:
    """Both processes return from the fork; the second one ends, and only the first closes the step."""
    closed = tmp_path / "closed"
    forked = worker.run(once("forking", where=where, how=how, file=str(closed)), 60)
    assert (forked.status, forked.metadata["seconds"]) == ("ok", 0.02)
    for seconds in (0.04, 0.06):
        outcome = worker.run(once("sleeping", seconds=seconds), 60)
        assert (outcome.status, outcome.metadata["seconds"]) == ("ok", seconds)
        assert seconds_of(outcome) >= seconds
    assert closed.read_text() == "closed "


def test_a_fork_where_an_error_is_looked_at_has_one_answer(worker: Worker, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    outcome = worker.run(once("forking", where="is_out_of_memory", file=str(closed)), 60)
    assert (outcome.status, outcome.reason) == ("failed", "ValueError: what was wrong")
    assert worker.run(once("sleeping", seconds=0.04), 60).metadata["seconds"] == 0.04
    assert closed.read_text() == "closed "


@pytest.mark.parametrize(("where", "printed"), [("exit", ""), ("error", "RuntimeError: in the child")])
def test_a_forked_process_that_ends_by_an_exception_ends(worker: Worker, where: str, printed: str) -> None:
    assert worker.run(once("forking", where=where), 60).status == "ok"
    assert worker.run(once("sleeping", seconds=0.01), 60).status == "ok"
    assert printed in worker.new_stderr()


def test_a_step_that_forks_each_time_has_no_process_measure_beside_it(worker: Worker) -> None:
    """Otherwise their number would double with each step."""
    outcome = worker.run(Request("steps:bomb", {}, PLANS["paper"]), 60)
    assert outcome.status == "ok"


STRAY = ["outcome", "answer", "half", "newline"]


@pytest.mark.slow
@pytest.mark.parametrize("what", STRAY)
def test_a_stray_line_before_the_answer_is_the_crash_of_its_case(worker: Worker, what: str) -> None:
    assert worker.run(once("sleeping", seconds=0.001), 60).status == "ok"
    outcome = worker.run(once("stray", what=what, when="run"), 60)
    assert outcome.status == "crashed"
    assert "the worker's" in (outcome.reason or "")
    assert not worker.is_alive


@pytest.mark.slow
@pytest.mark.parametrize("what", STRAY)
def test_a_stray_line_of_an_earlier_case_is_never_a_result(worker: Worker, what: str) -> None:
    """It ends the worker: as the crash of the case that runs then, or while that closes, which keeps its figures."""
    outcomes = [worker.run(once("stray", what=what, when="afterwards"), 60)]
    assert outcomes[0].status == "ok"
    while worker.is_alive:
        outcomes.append(worker.run(once("sleeping", seconds=0.05), 60))
    if outcomes[-1].status == "crashed":
        assert "the worker's" in (outcomes.pop().reason or "")
    for outcome in outcomes[1:]:
        assert outcome.metadata["seconds"] == 0.05
        assert seconds_of(outcome) >= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("what", STRAY)
def test_a_stray_line_while_closing_ends_the_worker_and_keeps_the_figures(worker: Worker, what: str) -> None:
    """The worker's own answer with the figures came before it."""
    outcome = worker.run(once("stray", what=what, when="close"), 60)
    assert outcome.status == "ok"
    assert "forged" not in outcome.metadata
    assert not worker.is_alive


def test_what_came_since_the_last_answer_is_reported(worker: Worker) -> None:
    assert worker.run(once("later", text="noise", seconds=0.2), 60).status == "ok"
    process = psutil.Process().children()[0]
    while process.num_threads() > 1:  # The timer is one.
        pass
    outcome = worker.run(once("sleeping", seconds=0.01), 60)
    assert outcome.status == "crashed"
    assert "before this case began" in (outcome.reason or "")
    assert "b'noise'" in (outcome.reason or "")
    assert not worker.is_alive


def test_no_child_inherits_the_pipes(worker: Worker, tmp_path: Path) -> None:
    file = tmp_path / "seen"
    assert worker.run(once("inheriting", file=str(file)), 60).status == "ok"
    assert file.read_text() == "[]"
    assert "pipe" not in file.with_name("seen.executed").read_text()


@pytest.mark.parametrize("how", ["closed", "another file", "copied over"])
def test_a_step_that_replaces_descriptors_has_no_answer_in_its_files(worker: Worker, tmp_path: Path, how: str) -> None:
    """What it opens afterwards gets the numbers of the pipes. The worker used to write its answer there."""
    files = [tmp_path / f"{number}.txt" for number in range(8)]
    outcome = worker.run(once("replacing", how=how, files=[str(file) for file in files]), 60)
    assert outcome.status == "crashed"
    assert "closed or replaced the descriptors" in (outcome.reason or "")
    assert [file.read_text() for file in files if file.exists()] in ([], [""] * 8)


def test_descriptors_that_no_longer_block_lose_no_answer(worker: Worker) -> None:
    for _ in range(2):
        assert worker.run(once("unblocking"), 60).status == "ok"


def test_a_pool_of_forked_processes_disturbs_nothing(worker: Worker) -> None:
    for _ in range(2):
        assert worker.run(once("pool"), 60).status == "ok"
    assert worker.run(once("sleeping", seconds=0.01), 60).metadata["seconds"] == 0.01


def test_the_number_of_the_process_is_the_workers_own(tmp_path: Path) -> None:
    """Behind a wrapper the process that was started is another, as behind ``docker run``."""
    (tmp_path / "steps.py").write_text(STEPS)
    environment = {**os.environ, "PYTHONPATH": f"{PLUGINS}{os.pathsep}{tmp_path}"}
    wrapper = ["sh", "-c", '"$0" "$@"; exit $?', sys.executable]
    worker = Worker(wrapper, environment)
    assert worker.run(once("sleeping", seconds=0.01), 60).status == "ok"
    worker.close()


def test_two_workers_behind_one_command_are_a_crash(tmp_path: Path) -> None:
    """As ``srun`` with two tasks: both would answer."""
    (tmp_path / "steps.py").write_text(STEPS)
    environment = {**os.environ, "PYTHONPATH": f"{PLUGINS}{os.pathsep}{tmp_path}"}
    both = ["sh", "-c", '"$0" "$@" < /dev/null & exec "$0" "$@"', sys.executable]
    worker = Worker(both, environment)
    outcome = worker.run(once("sleeping", seconds=0.3), 60)
    while outcome.status == "ok":
        outcome = worker.run(once("sleeping", seconds=0.3), 60)
    worker.close()
    assert outcome.status == "crashed"
