"""The mark of a step whose launching takes as long as its work, from the worker to the table."""

from __future__ import annotations

import pytest
from plugin_project import Project

STEPS = """
import time
from pytest_throughput import Step

def asynchronous(launching, working):
    return Step(lambda: time.sleep(launching), lambda output: time.sleep(working), asynchronous=True)
"""


@pytest.mark.parametrize(("launching", "working", "marked"), [(0.05, 0.0, True), (0.001, 0.05, False)])
def test_the_mark_stands_in_the_table(project: Project, launching: float, working: float, marked: bool) -> None:
    (project.path / "steps.py").write_text(STEPS)
    project.tests(
        "def test_it(measure_isolated):"
        f"measure_isolated('steps:asynchronous', {{'launching': {launching}, 'working': {working}}})"
    )
    result = project.run("--throughput-protocol=paper", "--benchmark-json=run.json")
    assert result.ret == 0
    info = project.json()["benchmarks"][0]["extra_info"]
    assert info["device_seconds"] is None
    assert (info["enqueue_ratio"] >= 0.9) == marked
    assert any("ok, host-bound 0.9" in line or "ok, host-bound 1.0" in line for line in result.outlines) == marked
    assert any(line.startswith("host-bound: ") for line in result.outlines) == marked
