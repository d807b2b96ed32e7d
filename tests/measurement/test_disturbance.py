"""What keeps a round from running, read from the system that the test runs on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_throughput import Step
from pytest_throughput.measurement.disturbance import Disturbance, DisturbanceWatch
from pytest_throughput.measurement.memory import peak_resident_bytes
from pytest_throughput.measurement.plan import PLANS
from pytest_throughput.worker.trial import run_opened_step

needs_schedstat = pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="this system does not count waiting threads"
)


@pytest.mark.parametrize(
    ("disturbance", "disturbed"),
    [
        (Disturbance(0.0, 0.0, 0, 0.0, 0.0), False),
        (Disturbance(0.006, 0.006, 0, 0.006, 0.0), True),
        (Disturbance(0.004, 0.004, 9, 0.1, 0.0), False),
        # Its own threads waited for each other.
        (Disturbance(0.1, 0.1, 9, 0.004, 0.0), False),
        # A little load on each of 64 cores keeps no thread waiting.
        (Disturbance(64 * 1e-4, 1e-4, 64, 64 * 1e-4, 0.0), False),
        (Disturbance(0.0, 0.0, 0, 0.006, 0.006), True),
        # What others did is unknown, and matters only where something waited.
        (Disturbance(0.1, 0.1, 0, None, None), None),
        (Disturbance(0.004, 0.004, 0, None, None), False),
        (Disturbance(None, None, 500, 0.1, None), None),
    ],
)
def test_a_round_is_disturbed_when_more_than_a_twentieth_was_lost(
    disturbance: Disturbance, disturbed: bool | None
) -> None:
    assert disturbance.is_large_for(0.1) is disturbed


ORPHAN = """
import os, sys
if os.fork() == 0:
    os.sched_setaffinity(0, {int(sys.argv[1])})
    print(os.getpid(), flush=True)
    while True:
        pass
"""


@needs_schedstat
def test_competing_for_one_core_is_seen() -> None:
    """Two processes that both want the one core that this one is bound to; the other is no child of this one."""
    affinity = os.sched_getaffinity(0)
    core = min(affinity)
    with subprocess.Popen([sys.executable, "-c", ORPHAN, str(core)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        rival = int(parent.stdout.readline())
    try:
        os.sched_setaffinity(0, {core})
        with DisturbanceWatch() as watch:
            watch.start()
            for _ in range(2):
                watch.before_round()
                start = time.perf_counter()
                while time.perf_counter() - start < 0.4:
                    pass
                watch.after_round(time.perf_counter() - start)
            disturbances = watch.disturbances()
    finally:
        os.sched_setaffinity(0, affinity)
        os.kill(rival, 9)
    assert len(disturbances) == 2
    for disturbance in disturbances:
        assert disturbance.longest_wait_seconds is not None
        assert disturbance.foreign_seconds is not None
        assert disturbance.longest_wait_seconds > 0.05 * 0.4
        assert disturbance.is_large_for(0.4) is True


def test_the_watch_leaves_no_file_open() -> None:
    before = os.listdir("/proc/self/fd")
    with DisturbanceWatch() as watch:
        watch.start()
        watch.before_round()
        watch.after_round(0.01)
        assert len(watch.disturbances()) == 1
    assert os.listdir("/proc/self/fd") == before


def test_the_peak_of_resident_memory_stays_when_it_is_freed() -> None:
    before = peak_resident_bytes()
    if before is None:
        pytest.skip("this system does not report the peak")
    block = b"\1" * (before + 64 * 2**20)
    del block
    after = peak_resident_bytes()
    assert after is not None and after - before > 32 * 2**20


@needs_schedstat
@pytest.mark.parametrize("another", [False, True])
def test_a_step_may_close_descriptors_that_are_not_its_own(tmp_path: Path, another: bool) -> None:
    """The figures stay; and what the step opens under the same number is not closed."""
    opened: list[int] = []

    def run() -> None:
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                if not opened and os.readlink(f"/proc/self/fd/{name}").endswith("/schedstat"):
                    os.close(int(name))
                    if another:
                        opened.append(os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT))

    outcome = run_opened_step(Step(run), PLANS["paper"])
    assert (outcome.status, outcome.reason) == ("ok", None)
    for descriptor in opened:
        os.close(descriptor)
