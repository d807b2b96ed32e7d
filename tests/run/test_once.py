"""A run that keeps no figure runs each step once."""

from __future__ import annotations

from plugin_project import Project


def test_a_disabled_benchmark_runs_each_step_once(project: Project) -> None:
    """In the pytest process and in a worker, however many steps and rounds were asked for."""
    (project.path / "steps.py").write_text(
        """
from pytest_throughput import Step

def noted(file):
    def run():
        with open(file, "a") as runs:
            runs.write("x")
    return Step(run, asynchronous=True, least_warm_up_steps=3, check=lambda output: None)
"""
    )
    project.tests(
        f"""
        from steps import noted

        def test_here(measure_step):
            measure_step(noted("here").run, synchronize=lambda: None)

        def test_there(measure_isolated):
            measure_isolated("steps:noted", {{"file": {str(project.path / "there")!r}}})
        """
    )
    assert project.run("--benchmark-disable", "--throughput-steps-per-round=5").ret == 0
    assert [(project.path / name).read_text() for name in ("here", "there")] == ["x", "x"]
