"""A run that is judged never passes because of what becomes of its output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from plugin_project import Project


@pytest.mark.slow
def test_a_gate_that_fails_fails_its_run_whatever_becomes_of_the_output(project: Project) -> None:
    """pytest ends with statuses of its own where its output fails; none of them is a success."""
    project.tests("def test_it(measure_step): measure_step(lambda: None)\n")
    options = ["-p", "pytest_throughput.plugin", "-p", "known_machine", "--throughput-lock=off"]
    options += ["--throughput-protocol=quick", "--throughput-baseline=none"]
    support = Path(__file__).parents[1] / "support"
    path = os.pathsep.join([str(support), str(support.parents[1] / "plugins")])
    statuses = []
    for redirection in ("", "| head -1", ">/dev/full"):
        ran = subprocess.run(
            ["bash", "-c", f'set -o pipefail; "$@" {redirection}', "bash", sys.executable, "-m", "pytest", *options],
            cwd=project.path,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            timeout=120,
        )
        statuses.append(ran.returncode)
    assert statuses[0] == 12  # Nothing is accepted that it could be compared with.
    assert 0 not in statuses
