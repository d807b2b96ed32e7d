"""Two runs on the same processors: the second says whom it waits for."""

from __future__ import annotations

import os

import pytest
from plugin_project import Project

TESTS = """
import os

def test_it(measure_step):
    def step():
        if not os.path.exists("first"):
            open("first", "w").close()
            open("events", "w").write("measuring")
            while True: os.read(os.open("never", os.O_RDONLY), 1)
    measure_step(step)
"""


def test_a_run_waits_for_another_unless_told_not_to(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_throughput.isolation.lock.FOLDER", project.path / "locks")
    project.tests(TESTS)
    (project.path / "conftest.py").write_text(
        "import pathlib, pytest_throughput.isolation.lock as lock\nlock.FOLDER = pathlib.Path('locks').absolute()\n"
    )
    for name in ("events", "never"):
        os.mkfifo(project.path / name)
    first = project.start("--throughput-protocol=paper", "--throughput-lock=on")
    assert (project.path / "events").read_text() == "measuring"

    assert project.run("--throughput-protocol=paper").ret == 0  # it is off, as in every other test

    second = project.start("--throughput-protocol=paper", "--throughput-lock=on")
    assert second.stdout is not None
    waiting = f"waiting for the run of process {first.pid}, which has cpu-"
    assert any(line.startswith(waiting) for line in second.stdout)
    first.kill()
    first.communicate()
    output, _ = second.communicate()
    assert (second.returncode, "1 passed" in output) == (0, True)
