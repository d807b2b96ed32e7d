"""Two runs on the same processors: the second says whom it waits for."""

from __future__ import annotations

import fcntl
import os
import re

import pytest
from plugin_project import Project

from pytest_throughput.launch.lock import cpu_names
from pytest_throughput.telemetry.gpus import Gpu

TESTS = """
import os, time

def test_it(measure_step):
    def step():
        if not os.path.exists("first"):
            open("first", "w").close()
            open("events", "w").write("measuring")
            time.sleep(1000)
    measure_step(step)
"""


def test_a_run_waits_for_another_unless_the_lock_is_off(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_throughput.launch.lock.FOLDER", project.path / "locks")
    project.tests(TESTS)
    (project.path / "conftest.py").write_text(
        "import pathlib, pytest_throughput.launch.lock as lock\nlock.FOLDER = pathlib.Path('locks').absolute()\n"
    )
    os.mkfifo(project.path / "events")
    first = project.start("--throughput-protocol=paper", "--throughput-lock=on")
    assert project.event("events", first) == "measuring"

    assert project.run("--throughput-protocol=paper").ret == 0  # it is off, as in every other test

    second = project.start("--throughput-protocol=paper", "--throughput-lock=on")
    assert second.stdout is not None
    waiting = rf"waiting for the run of process {first.pid}, which measures on processor \d+ "
    assert any(re.match(waiting, line) for line in second.stdout)
    first.kill()
    first.communicate()
    output, _ = second.communicate()
    assert (second.returncode, "1 passed" in output) == (0, True)


def test_the_budget_may_be_spent_while_the_run_waits(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trial is not begun, and the run does not wait for ever."""
    folder = project.path / "locks"
    monkeypatch.setattr("pytest_throughput.launch.lock.FOLDER", folder)
    monkeypatch.setattr("pytest_throughput.launch.lock._LOOK_SECONDS", 0.0)
    project.tests("def test_it(measure_step): measure_step(lambda: open('ran', 'w'))")
    folder.mkdir()
    # Of another open file, as another run's would be.
    descriptors = [os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT) for name in cpu_names()]
    for descriptor in descriptors:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        arguments = ("--throughput-protocol=paper", "--throughput-lock=on", "--throughput-budget=1s", "-rs")
        result = project.run(*arguments, "--benchmark-json=run.json")
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*: not run: --throughput-budget of 1.00 s is spent"])
    result.stdout.no_fnmatch_line("*not used at all*")
    assert not (project.path / "ran").exists()
    (case,) = project.json()["throughput"]["cases"]
    assert (case["status"], case["reason"]) == (None, "not run")


def test_locks_that_cannot_be_had_are_refused_before_the_first_case(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project.path / "locks"
    folder.write_text("no folder")
    monkeypatch.setattr("pytest_throughput.launch.lock.FOLDER", folder)
    project.tests(
        """
        import pytest

        @pytest.mark.throughput_case("case", device="cpu")
        def test_it(measure_step): measure_step(lambda: open("ran", "w"))
        """
    )
    result = project.run("--throughput-lock=on", "--benchmark-json=run.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --throughput-lock: *Not a directory*; --throughput-lock=off waits for no*"])
    assert not (project.path / "ran").exists()
    assert not list(project.path.glob("run.json*"))
    assert project.run("--benchmark-json=run.json").ret == 0


@pytest.mark.parametrize(
    ("visible", "lock"),
    [(None, "GPU-aaaa"), ("GPU-bbbb", "GPU-bbbb"), ("MIG-1/2:3", "cuda-MIG-1-2-3"), ("1", "cuda-1")],
)
def test_a_gpu_is_locked_by_what_it_is_and_not_by_its_number(
    project: Project, monkeypatch: pytest.MonkeyPatch, visible: str | None, lock: str
) -> None:
    gpus = [Gpu("GPU-aaaa", "NVIDIA H200", None, False, None), Gpu("GPU-bbbb", "NVIDIA L4", None, False, None)]
    monkeypatch.setattr("pytest_throughput.run.devices.list_gpus", lambda: gpus)
    monkeypatch.setattr("pytest_throughput.launch.lock.FOLDER", project.path / "locks")
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    project.tests(
        "def test_it(measure_isolated): measure_isolated('steps:sleep', {'milliseconds': 0.1}, device='cuda')"
    )
    assert project.run("--throughput-protocol=paper", "--throughput-lock=on").ret == 0
    assert [path.name for path in (project.path / "locks").iterdir()] == [f"{lock}.lock"]
