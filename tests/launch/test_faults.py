"""Every fault that a worker can have, really caused: its status, its reason, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pytest_throughput.launch.exit_reason import describe_exit, kernel_oom_kills, last_words, ran_out_of_memory
from pytest_throughput.launch.interpreters import Interpreter
from pytest_throughput.launch.launcher import LauncherConfig, Placement
from pytest_throughput.launch.reaper import FOLDER_PREFIX, OwnFolder, Reaper
from pytest_throughput.launch.staging import StagedPath
from pytest_throughput.launch.worker_process import Worker
from pytest_throughput.launch.workers import SharedWorkers
from pytest_throughput.measurement.kernel import Profile
from pytest_throughput.measurement.plan import ONCE, PLANS
from pytest_throughput.worker.protocol import Outcome, Request

PLUGINS = Path(__file__).parents[2] / "plugins"

STEPS = """
import os, resource, signal, subprocess, sys, threading, time
import ctypes
from pytest_throughput import Kernel, Step

def well(**facts):
    return Step(lambda: None, metadata=facts)

def killed(by):
    return Step(lambda: os.kill(os.getpid(), getattr(signal, by)))

def segfault():
    return Step(lambda: ctypes.string_at(0))

def thread():
    def broken():
        raise ValueError("lost its data")
    def run():
        started = threading.Thread(target=broken)
        started.start()
        started.join()
    return Step(run)

def chatty(megabytes, descriptor):
    def run():
        os.write(descriptor, b"x" * 1000 + b"\\n")
        for _ in range(megabytes):
            data = os.urandom(2**20)
            while data:
                data = data[os.write(descriptor, data):]
    return Step(run)

def pipes():
    # The answers go out by a descriptor after those of the standard streams; it is found by its pipe.
    return [fd for fd in range(3, 20) if os.path.exists(f"/proc/self/fd/{fd}")
            and os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:")]

def protocol_line(megabytes, end=""):
    def run():
        for fd in pipes():
            try:
                for _ in range(megabytes):
                    data = b"x" * 2**20
                    while data: data = data[os.write(fd, data):]
                os.write(fd, end.encode())
            except OSError:
                pass
    return Step(run)

def closes_its_output():
    def run():
        for fd in pipes(): os.close(fd)
        time.sleep(1000)
    return Step(run)

def hangs_in_native_code():
    # With the interpreter's lock held: no Python handler of a signal would ever run.
    signal.signal(signal.SIGTERM, lambda *_: None)
    return Step(lambda: ctypes.PyDLL(None).sleep(1000))

def grown(megabytes, file=None, child=False):
    held = []
    def run():
        if child:
            program = f"b = b'x' * ({megabytes} << 20); import time; time.sleep(1000)"
            held.append(subprocess.Popen([sys.executable, "-c", program]))
        else:
            held.append(b"x" * (megabytes << 20))
        time.sleep(1000)
    return Step(run)

def refused(when):
    import numpy
    resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))
    def allocate(*_): return numpy.empty(2**32)
    return Step(allocate) if when == "step" else Step(lambda: None, wait=allocate, asynchronous=True)

def aborted():
    def run():
        os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\\n  what():  std::bad_alloc\\n")
        os.abort()
    return Step(run)

def killed_by_closing():
    return Step(lambda: None, close=lambda: os._exit(3))

def killed_by_products():
    def profile(steps, file):
        open(file, "w").close()
        return [Kernel("product", steps, 0.1, "matrix product")]
    return Step(lambda: None, profile=profile, products={"this": lambda size: os._exit(3)})

def escaped(file):
    # A child that has left the session, as a daemon does, and keeps the pipes.
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True,
                             close_fds=False)
    with open(file, "w") as out: out.write(str(child.pid))
    return Step(lambda: None)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "steps.py").write_text(STEPS)
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**inherited, "PYTHONPATH": f"{PLUGINS}{os.pathsep}{tmp_path}", "PYTHONSAFEPATH": "1"}


def once(function: str, **arguments: object) -> Request:
    return Request(f"steps:{function}", arguments, ONCE)


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., Worker]]:
    """Makes workers; after all of them nothing is left."""
    before = set(os.listdir("/proc/self/fd"))
    workers = []

    def one(*command: str, limit: int | None = None) -> Worker:
        workers.append(Worker(command or [sys.executable], environment, memory_limit_bytes=limit))
        return workers[-1]

    yield one
    for worker in workers:
        worker.close()
    assert psutil.Process().children(recursive=True) == []
    assert set(os.listdir("/proc/self/fd")) == before


@pytest.fixture
def run_trial(start: Callable[..., Worker]) -> Callable[..., Outcome]:
    """Run one trial in a worker of its own."""

    def one(function: str, *, seconds: float = 60, limit: int | None = None, **arguments: object) -> Outcome:
        return start(limit=limit).run(once(function, **arguments), seconds)

    return one


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGTERM", "SIGUSR1"])
def test_a_signal_is_reported_by_its_name(run_trial: Callable[..., Outcome], name: str) -> None:
    outcome = run_trial("killed", by=name)
    assert outcome.status == "crashed"
    assert (outcome.reason or "").startswith(f"the worker was killed by {name} (")


def test_a_fault_in_native_code_says_where_in_python_it_was(run_trial: Callable[..., Outcome]) -> None:
    outcome = run_trial("segfault")
    assert outcome.status == "crashed"
    assert "SIGSEGV" in (outcome.reason or "")
    assert "Segmentation fault in string_at, " in (outcome.reason or "")


def test_an_exception_in_a_thread_fails_the_case(run_trial: Callable[..., Outcome]) -> None:
    outcome = run_trial("thread")
    assert (outcome.status, outcome.reason) == ("failed", "in a thread: ValueError: lost its data")


def test_a_target_that_ends_the_worker_when_it_is_closed_loses_no_figure(run_trial: Callable[..., Outcome]) -> None:
    outcome = run_trial("killed_by_closing")
    assert (outcome.status, outcome.reason) == ("ok", None)
    assert outcome.measurement is not None


def test_a_worker_that_is_lost_in_its_products_loses_neither_figure_nor_profile(
    start: Callable[..., Worker], tmp_path: Path
) -> None:
    profile = Profile(2, str(tmp_path / "trace.json.gz"), "trace.json.gz")
    request = Request("steps:killed_by_products", {}, PLANS["paper"], profile=profile, measures_products=True)
    worker = start()
    outcome = worker.run(request, 60)
    assert (outcome.status, outcome.reason) == ("ok", None)
    assert outcome.metadata["kernels"][0]["calls"] == 2
    assert "product_flops" not in outcome.metadata
    assert not worker.is_alive


@pytest.mark.parametrize("descriptor", [1, 2])
def test_megabytes_of_garbage_disturb_nothing(start: Callable[..., Worker], descriptor: int) -> None:
    worker = start()
    outcome = worker.run(once("chatty", megabytes=5, descriptor=descriptor), 60)
    said = worker.new_stderr()
    assert outcome.status == "ok"
    assert 1000 < len(said) <= 2**16


def test_an_answer_that_is_garbage_is_a_crash(run_trial: Callable[..., Outcome]) -> None:
    outcome = run_trial("protocol_line", megabytes=1, end="\n")
    assert outcome.status == "crashed"
    assert (outcome.reason or "").startswith("the worker's answer cannot be read: ")


def test_a_worker_that_closes_its_output_and_goes_on_is_not_waited_for(run_trial: Callable[..., Outcome]) -> None:
    outcome = run_trial("closes_its_output", seconds=600)
    assert (outcome.status, outcome.reason) == ("crashed", "the worker closed its output and went on")


def test_a_hang_in_native_code_is_ended(start: Callable[..., Worker]) -> None:
    worker = start()
    assert worker.run(once("well"), 60).status == "ok"  # It has started, and only the step hangs.
    assert worker.run(once("hangs_in_native_code"), 1).status == "timed_out"
    assert not worker.is_alive


def test_a_line_of_a_hundred_megabytes_is_not_read_to_its_end(run_trial: Callable[..., Outcome]) -> None:
    outcome = run_trial("protocol_line", megabytes=100)
    assert (outcome.status, outcome.reason) == ("crashed", "the worker wrote a line of over 64 MiB")


@pytest.mark.parametrize("child", [False, True], ids=["worker", "its-child"])
def test_a_limit_counts_the_whole_tree(run_trial: Callable[..., Outcome], child: bool) -> None:
    limit = 200 << 20
    assert run_trial("well", limit=limit).status == "ok"
    outcome = run_trial("grown", megabytes=300, child=child, limit=limit)
    assert outcome.status == "out_of_memory"
    assert (outcome.reason or "").startswith("held ")
    assert (outcome.reason or "").endswith(" MiB, and --throughput-memory-limit is 200 MiB; killed")


@pytest.mark.parametrize("when", ["step", "wait"])
def test_an_allocator_that_refuses_says_how_much(run_trial: Callable[..., Outcome], when: str) -> None:
    """Also where it does so only when the device is waited for."""
    outcome = run_trial("refused", when=when)
    assert outcome.status == "out_of_memory"
    assert (outcome.reason or "").startswith("Unable to allocate 32.0 GiB for an array")


def test_an_allocator_that_aborts_is_distinguished_from_other_aborts(run_trial: Callable[..., Outcome]) -> None:
    outcome = run_trial("aborted")
    assert outcome.status == "out_of_memory"
    assert (outcome.reason or "").startswith("the allocator refused: ")
    assert run_trial("killed", by="SIGABRT").status == "crashed"


def test_the_kernels_out_of_memory_killer_is_recognised(
    run_trial: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the kernel's count of such kills, which a test cannot raise without root."""
    counts = iter([3, 4])
    monkeypatch.setattr("pytest_throughput.launch.child_process.kernel_oom_kills", lambda: next(counts))
    outcome = run_trial("killed", by="SIGKILL")
    assert outcome.status == "out_of_memory"
    assert "out-of-memory killer ended the worker" in (outcome.reason or "")


def test_the_kernels_count_is_read(tmp_path: Path) -> None:
    (tmp_path / "vmstat").write_text("nr_free_pages 12\noom_kill 7\nother 1\n")
    assert kernel_oom_kills(tmp_path / "vmstat") == 7
    assert kernel_oom_kills(tmp_path / "missing") == 0


CGROUP = Path("/sys/fs/cgroup/memory" if Path("/sys/fs/cgroup/memory").is_dir() else "/sys/fs/cgroup")


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A memory cgroup of 100 MB; skipped where this process may not make one."""
    old = (CGROUP / "memory.limit_in_bytes").exists()
    folder = CGROUP / f"pytest-throughput-test-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / ("memory.limit_in_bytes" if old else "memory.max")).write_text(str(100 << 20))
    except OSError as error:
        pytest.skip(f"cannot make a memory cgroup: {error}")
    yield folder
    folder.rmdir()


def test_the_killer_of_a_cgroup_is_recognised(start: Callable[..., Worker], cgroup: Path) -> None:
    into = f'echo $$ > "{cgroup}/cgroup.procs" && exec "$0" "$@"'
    worker = start("sh", "-c", into, sys.executable)
    outcome = worker.run(once("grown", megabytes=400), 60)
    assert outcome.status == "out_of_memory"
    assert "out-of-memory killer" in (outcome.reason or "")


TENSORFLOW_REFUSED = """\
W0000 bfc_allocator.cc:502] Allocator (mklcpu) ran out of memory trying to allocate 338.00MiB (rounded to 354418688)
W0000 op_kernel.cc:1858] OP_REQUIRES failed at mkl_util.h:848 : RESOURCE_EXHAUSTED: OOM when allocating tensor with \
shape[4096,26,26,32] and type float on /job:localhost/replica:0/task:0/device:CPU:0 by allocator mklcpu
Fatal Python error: Segmentation fault
"""
TENSORFLOW_DID_WITHOUT = """\
W0000 bfc_allocator.cc:310] Allocator (GPU_0_bfc) ran out of memory trying to allocate 1.16GiB with freed_by_count=0. \
The caller indicates that this is not a failure, but this may mean that there could be performance gains.
"""
CAFFE_REFUSED = """\
F1129 11:02:33.481516  2342 syncedmem.hpp:29] Check failed: *ptr host allocation of size 411041792 failed
*** Check failure stack trace: ***
    @     0x7f1c0a1e6a2c  google::LogMessage::Fail()
Fatal Python error: Aborted
"""
CAFFE_ABORTED = """\
F1129 11:02:33.481516  2342 layer_factory.hpp:81] Check failed: registry.count(type) == 1 (0 vs. 1) Unknown layer: X
*** Check failure stack trace: ***
    @     0x7f1c0a1e6a2c  google::LogMessage::Fail()
"""
FRAMES = """\
Fatal Python error: Aborted

Current thread 0x00007f1c0b2d0740 (most recent call first):
  File "/steps.py", line 7 in open_step
"""


@pytest.mark.parametrize(
    ("status", "stderr", "kills", "expected"),
    [
        (-signal.SIGKILL, "", 0, None),
        (-signal.SIGKILL, "", 1, "the kernel's"),
        (137, "", 1, "the kernel's"),  # through a shell, or docker
        (-signal.SIGSEGV, "", 1, None),
        (1, "std::bad_alloc", 0, None),
        (134, "std::bad_alloc", 0, "the allocator refused: std::bad_alloc"),
        (
            -signal.SIGSEGV,
            TENSORFLOW_REFUSED,
            0,
            "the allocator refused 338.00MiB: W0000 op_kernel.cc:1858] OP_REQUIRES",
        ),
        (-signal.SIGSEGV, TENSORFLOW_DID_WITHOUT, 0, None),
        (127, "cannot allocate memory for thread-local data: ABORT\n", 0, "the allocator refused: cannot"),
        (127, "sh: python: not found\n", 0, None),
        (-signal.SIGABRT, CAFFE_REFUSED, 0, "the allocator refused: F1129 11:02:33.481516  2342 syncedmem.hpp:29]"),
        (-signal.SIGABRT, CAFFE_ABORTED, 0, None),
    ],
)
def test_what_means_that_memory_ran_out(status: int, stderr: str, kills: int, expected: str | None) -> None:
    reason = ran_out_of_memory(status, stderr, kills)
    assert (reason or "").startswith(expected) if expected else reason is None


def test_the_last_lines_are_part_of_the_reason() -> None:
    assert last_words("one\n\n two\nthree\nfour\n") == "its last lines: two | three | four"
    assert last_words("") == ""
    assert describe_exit(-signal.SIGRTMIN - 1, "") == f"the worker was killed by signal {signal.SIGRTMIN + 1}"
    assert describe_exit(3, "no such option") == "the worker exited with status 3; its last lines: no such option"


def test_a_library_that_aborts_is_quoted_with_its_fatal_line() -> None:
    """The lines after it are a trace of addresses, and the place in Python."""
    line = "its last line: Check failed: registry.count(type) == 1 (0 vs. 1) Unknown layer: X (layer_factory.hpp:81)"
    assert last_words(CAFFE_ABORTED) == line
    assert last_words(CAFFE_ABORTED + FRAMES) == f"{line} in open_step, /steps.py:7"
    assert last_words(FRAMES) == "Aborted in open_step, /steps.py:7"


def test_a_child_that_left_the_session_is_ended_too(start: Callable[..., Worker], tmp_path: Path) -> None:
    file = tmp_path / "pid"
    worker = start()
    assert worker.run(once("escaped", file=str(file)), 60).status == "ok"
    child = psutil.Process(int(file.read_text()))
    worker.close()
    psutil.wait_procs([child], timeout=60)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[SharedWorkers]:
    (tmp_path / "steps.py").write_text(STEPS)
    staged = StagedPath([PLUGINS / "pytest_throughput"])
    launcher = SharedWorkers(LauncherConfig(staged, [tmp_path], timeout_seconds=60))
    yield launcher
    launcher.close()
    staged.remove()


@pytest.mark.parametrize("cases", [30, pytest.param(300, marks=pytest.mark.slow)])
def test_many_cases_with_every_tenth_crashing_finish(launcher: SharedWorkers, cases: int) -> None:
    placement = Placement(Interpreter("default", "python", (sys.executable,)), trial=1)
    descriptors, me = set(os.listdir("/proc/self/fd")), psutil.Process()
    statuses = []
    for number in range(cases):
        request = (
            once("killed", by=("SIGKILL", "SIGSEGV")[number % 20 // 10]) if number % 10 == 9 else once("well", n=number)
        )
        outcome, _ = launcher.run(request, placement)
        statuses.append(outcome.status)
        assert outcome.status == "crashed" or outcome.metadata["n"] == number
    assert statuses == (["ok"] * 9 + ["crashed"]) * (cases // 10)
    launcher.close()
    assert me.children(recursive=True) == []
    assert set(os.listdir("/proc/self/fd")) == descriptors


def test_the_reaper_ends_what_is_left_and_nothing_else(tmp_path: Path) -> None:
    sleeping = [sys.executable, "-c", "import time; time.sleep(1000)"]
    left, released = (subprocess.Popen(sleeping, start_new_session=True) for _ in range(2))
    folder = tmp_path / f"{FOLDER_PREFIX}a folder"
    (folder / "inside").mkdir(parents=True)
    reaper = Reaper()
    for process in (left, released):
        reaper.guard_group(process.pid)
    reaper.release_group(released.pid)
    reaper.guard_folder(OwnFolder.just_made(str(folder)))
    reaper.close()
    assert left.wait() == -signal.SIGKILL
    assert released.poll() is None
    released.kill()
    released.wait()
    assert not folder.exists()


def test_a_reaper_that_was_killed_harms_nothing() -> None:
    reaper = Reaper()
    (process,) = psutil.Process().children()
    process.kill()
    psutil.wait_procs([process])
    reaper.guard_group(2**30)
    reaper.close()
