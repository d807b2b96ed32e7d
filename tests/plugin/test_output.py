"""A run that is judged never passes because of what becomes of its output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from plugin_project import Project

from pytest_throughput.cli import main

TESTS = """
import time
def test_it(measure_step): measure_step(lambda: time.sleep(0.002))
"""


@pytest.fixture
def slower(project: Project) -> Project:
    """A project with a baseline that was ten times as fast."""
    project.tests(TESTS)
    document = project.run_json("--throughput-trials=3")
    for hour in range(4):
        for case in document["throughput"]["cases"]:
            for trial in case["trials"]:
                trial["images_per_second"] *= 10 if hour == 0 else 1.001
                trial["median_seconds"] /= 10 if hour == 0 else 1.001
                trial["started_at"] = f"2026-01-01T{hour:02}:00:00+00:00"
        file = project.path / f"fast{hour}.json"
        file.write_text(json.dumps(document))
        assert main(["accept", str(file), "--baseline", str(project.path / "kept")]) == 0
    return project


def test_a_regression_fails_a_run_whatever_becomes_of_its_output(slower: Project) -> None:
    """pytest ends with statuses of its own where its output fails; none of them is a success."""
    options = [
        "-p",
        "pytest_throughput.plugin",
        "-p",
        "known_machine",
        "-p",
        "no:cacheprovider",
        "--throughput-lock=off",
    ]
    options += ["--throughput-protocol=quick", "--throughput-trials=3", "--throughput-baseline=kept"]
    support = Path(__file__).parents[1] / "support"
    path = os.pathsep.join([str(support), str(support.parents[1] / "plugins")])
    statuses = []
    for redirection in ("", "| head -1", ">/dev/full"):
        ran = subprocess.run(
            ["bash", "-c", f'set -o pipefail; "$@" {redirection}', "bash", sys.executable, "-m", "pytest", *options],
            cwd=slower.path,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            timeout=120,
        )
        statuses.append(ran.returncode)
    assert statuses[0] == 10
    assert 0 not in statuses
