"""One worker process: what it answers, and how its end is reported."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_throughput.launch.worker_process import Worker
from pytest_throughput.measurement.plan import ONCE
from pytest_throughput.worker.protocol import Request

PLUGINS = Path(__file__).parents[2] / "plugins"

STEPS = """
import os, signal, subprocess, sys, threading, time
from pytest_throughput import OutOfMemory, Step, Unsupported

def sleeping(seconds=0.0):
    return Step(lambda: time.sleep(seconds), metadata={"pid": os.getpid()})

def failing(how):
    def run():
        if how == "raise": raise RuntimeError("the step is broken")
        if how == "SIGKILL": os.kill(os.getpid(), signal.SIGKILL)
        if how == "SIGSEGV": os.kill(os.getpid(), signal.SIGSEGV)
        if how == "exit": print("gone for good", file=sys.stderr, flush=True); os._exit(7)
        if how == "hang": time.sleep(1000)
        if how == "deaf": signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)
        if how == "unsupported": raise Unsupported("not on this device")
        if how == "host": raise MemoryError
        if how == "device": raise OutOfMemory("tried to allocate 12 GiB")
        if how == "framework": raise ValueError("RESOURCE_EXHAUSTED")
    return Step(run, is_out_of_memory=lambda error: "RESOURCE_EXHAUSTED" in str(error))

def printing():
    print("to standard output")
    os.write(1, b"to descriptor 1\\n")
    print("to standard error", file=sys.stderr)
    assert sys.stdin.read() == ""
    return Step(lambda: None)

def child(file):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    open(file, "w").write(str(child.pid))
    os._exit(1)

def not_a_step():
    return 42

def unsayable():
    return Step(lambda: None, metadata={"set": {1}})

def forking():
    def run():
        if os.fork() == 0:
            time.sleep(1000)  # holding the pipes open
        os.kill(os.getpid(), signal.SIGKILL)
    return Step(run)

def badly_closed(fails):
    def run():
        if fails: raise RuntimeError("the first reason")
    def close():
        raise RuntimeError("closing failed, too")
    return Step(run, close=close)

def leaving(file):
    # An object that is freed, at the earliest, when Python ends.
    import atexit, steps
    class Kept:
        def __del__(self): open(file, "a").write("freed")
    steps.kept = Kept()
    atexit.register(lambda: open(file, "a").write("left"))
    threading.Thread(target=time.sleep, args=(1000,)).start()
    return Step(lambda: None)

def variable(name, ballast=""):
    return Step(lambda: None, metadata={"value": os.environ.get(name)})
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "steps.py").write_text(STEPS)
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**inherited, "PYTHONPATH": f"{PLUGINS}{os.pathsep}{tmp_path}", "PYTHONSAFEPATH": "1"}


@pytest.fixture
def worker(environment: dict[str, str]) -> Iterator[Worker]:
    worker = Worker([sys.executable], environment)
    yield worker
    worker.close()


def once(function: str, **arguments: object) -> Request:
    return Request(f"steps:{function}", arguments, ONCE)


def test_one_worker_runs_one_trial_after_the_other(worker: Worker) -> None:
    first = worker.run(once("sleeping", seconds=0.01), 30)
    second = worker.run(once("sleeping"), 30)
    assert (first.status, second.status) == ("ok", "ok")
    assert first.measurement is not None
    assert first.measurement.round_seconds[0] >= 0.01
    assert first.metadata["pid"] == second.metadata["pid"] != os.getpid()


@pytest.mark.parametrize(
    ("how", "status", "reason"),
    [
        ("raise", "failed", "RuntimeError: the step is broken"),
        ("unsupported", "unsupported", "not on this device"),
        ("host", "out_of_memory", "out of memory"),
        ("device", "out_of_memory", "tried to allocate 12 GiB"),
        ("framework", "out_of_memory", "RESOURCE_EXHAUSTED"),
    ],
)
def test_an_error_is_reported_and_the_worker_lives_on(worker: Worker, how: str, status: str, reason: str) -> None:
    outcome = worker.run(once("failing", how=how), 30)
    assert (outcome.status, outcome.reason) == (status, reason)
    assert worker.is_alive
    assert worker.run(once("sleeping"), 30).status == "ok"


@pytest.mark.parametrize(
    ("how", "words"),
    [("SIGKILL", "killed by SIGKILL"), ("SIGSEGV", "killed by SIGSEGV"), ("exit", "exited with status 7")],
)
def test_a_death_is_named(worker: Worker, how: str, words: str) -> None:
    outcome = worker.run(once("failing", how=how), 30)
    assert outcome.status == "crashed"
    assert words in (outcome.reason or "")
    assert not worker.is_alive


def test_the_last_line_on_standard_error_is_part_of_the_reason(worker: Worker) -> None:
    assert "gone for good" in (worker.run(once("failing", how="exit"), 30).reason or "")


@pytest.mark.parametrize("how", ["hang", "deaf"])
def test_a_worker_that_does_not_answer_is_killed(worker: Worker, how: str) -> None:
    assert worker.run(once("sleeping"), 30).status == "ok"
    outcome = worker.run(once("failing", how=how), 0.5)
    assert outcome.status == "timed_out"
    assert outcome.reason == "no result within 0.5 s (--throughput-timeout); killed"
    assert not worker.is_alive


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-c", "exec yes"],
        ["sh", "-c", "exec sleep 60"],
        ["sh", "-c", "echo '{\"hello\": 5}'; exec sleep 60"],
    ],
)
def test_the_time_runs_out_whatever_the_command_does(environment: dict[str, str], command: list[str]) -> None:
    """It talks, or says nothing, or does not listen to a request larger than a pipe."""
    worker = Worker(command, environment)
    outcome = worker.run(once("variable", name="x", ballast="x" * 10**6), 0.5)
    worker.close()
    assert outcome.status == "timed_out"


def test_a_command_that_says_more_than_hello_is_a_crash(environment: dict[str, str]) -> None:
    worker = Worker(["sh", "-c", "printf '{\"hello\": 5}\\nand more'; exec sleep 60"], environment)
    outcome = worker.run(once("variable", name="x", ballast="x" * 10**6), 60)
    worker.close()
    assert outcome.status == "crashed"
    assert "b'and more'" in (outcome.reason or "")


def test_a_large_request_arrives(worker: Worker) -> None:
    assert worker.run(once("variable", name="x", ballast="x" * 10**6), 30).status == "ok"


def test_a_timeout_may_be_longer_than_a_poll(worker: Worker) -> None:
    assert worker.run(once("sleeping"), 1e9).status == "ok"


def test_a_death_is_noticed_though_a_child_holds_the_pipes_open(worker: Worker) -> None:
    start = time.monotonic()
    outcome = worker.run(once("forking"), 120)
    assert outcome.status == "crashed"
    assert "killed by SIGKILL" in (outcome.reason or "")
    assert time.monotonic() - start < 60


@pytest.mark.parametrize(("fails", "status", "reason"), [(False, "ok", None), (True, "failed", "the first reason")])
def test_closing_badly_takes_nothing_back(worker: Worker, fails: bool, status: str, reason: str | None) -> None:
    outcome = worker.run(once("badly_closed", fails=fails), 30)
    assert outcome.status == status
    assert (outcome.reason or "").endswith(reason or "")
    assert "closing failed, too" in worker.new_stderr()


def test_the_end_runs_what_was_registered_for_it_and_frees_nothing(worker: Worker, tmp_path: Path) -> None:
    file = tmp_path / "left"
    assert worker.run(once("leaving", file=str(file)), 30).status == "ok"
    worker.close()
    assert file.read_text() == "left"


def test_variables_travel_with_the_request(worker: Worker) -> None:
    """Not with the process alone: ``docker run`` and ``ssh`` lose its environment."""
    outcome = worker.run(replace(once("variable", name="SHOWN"), variables={"SHOWN": "GPU-1"}), 30)
    assert outcome.metadata["value"] == "GPU-1"


def test_what_the_step_prints_does_not_reach_the_protocol(worker: Worker) -> None:
    assert worker.run(once("printing"), 30).status == "ok"
    printed = worker.new_stderr()
    for where in ("to standard output", "to descriptor 1", "to standard error"):
        assert where in printed
    assert worker.new_stderr() == ""


def test_the_worker_takes_its_children_along(worker: Worker, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    assert worker.run(once("child", file=str(file)), 30).status == "crashed"
    child = Path(f"/proc/{file.read_text()}/cmdline")
    deadline = time.monotonic() + 10
    # A zombie has no command line until the process that adopts it reaps it.
    while child.exists() and child.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not (child.exists() and child.read_bytes())


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("not_a_step", "TypeError: steps:not_a_step returned int; expected"),
        ("no_such_function", "AttributeError"),
        ("unsayable", "the step's metadata are not JSON"),
    ],
)
def test_a_wrong_target_fails_with_a_reason(worker: Worker, function: str, reason: str) -> None:
    outcome = worker.run(once(function), 30)
    assert outcome.status == "failed"
    assert (outcome.reason or "").startswith(reason)


def test_an_error_comes_with_its_traceback_from_the_users_code_on(worker: Worker) -> None:
    details = worker.run(once("failing", how="raise"), 30).details or ""
    assert "steps.py" in details
    assert "pytest_throughput" not in details


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["/no/such/python"], "cannot start '/no/such/python': No such file or directory"),
        (["false"], "exited with status 1"),
        ([sys.executable, "-S", "-E", "-c", "print('no worker here')"], "exited with status 0"),
        (["sh", "-c", "echo '{\"hello\": 99}'; sleep 9"], "speaks protocol 99"),
    ],
)
def test_a_command_that_is_no_worker_is_reported(environment: dict[str, str], command: list[str], words: str) -> None:
    worker = Worker(command, environment)
    outcome = worker.run(once("sleeping"), 30)
    worker.close()
    assert outcome.status == "crashed"
    assert words in (outcome.reason or "")


def test_what_a_wrapper_says_before_the_hello_is_ignored(environment: dict[str, str]) -> None:
    wrapper = ["sh", "-c", 'echo welcome; echo "[1, 2]"; echo {}; exec "$0" "$@"', sys.executable]
    worker = Worker(wrapper, environment)
    assert worker.run(once("sleeping"), 30).status == "ok"
    worker.close()


def test_what_a_wrapper_says_may_have_no_end_of_line(environment: dict[str, str]) -> None:
    """The hello used to be a part of that line, and its case timed out."""
    worker = Worker(["sh", "-c", 'printf "welcome: "; exec "$0" "$@"', sys.executable], environment)
    assert worker.run(once("sleeping"), 30).status == "ok"
    worker.close()


def test_no_descriptor_and_no_process_is_left(environment: dict[str, str]) -> None:
    before = set(os.listdir("/proc/self/fd"))
    for how in ("ok", "exit", "hang"):
        worker = Worker([sys.executable], environment)
        worker.run(once("failing", how=how), 2)
        worker.close()
    assert set(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize("safe_path", ["1", ""])
def test_a_module_lying_in_the_current_folder_is_not_imported(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, safe_path: str
) -> None:
    """With Python's own safe path, and without it: before 3.11, and behind a wrapper that loses the variable."""
    environment["PYTHONSAFEPATH"] = safe_path
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "steps.py").write_text("raise RuntimeError('the wrong one')")
    monkeypatch.chdir(elsewhere)
    worker = Worker([sys.executable], environment)
    assert worker.run(once("sleeping"), 30).status == "ok"
    worker.close()
