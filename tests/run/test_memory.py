"""A limit on a worker's memory: a sweep finds where memory ends, and goes on."""

from __future__ import annotations

import pytest
from plugin_project import Project

STEPS = """
from pytest_throughput import Step

def held(batch_size):
    held = []
    def run():
        if not held:
            held.append(b"x" * (batch_size << 20))
    def wait(output):
        # Long enough for the memory to be read; a batch that fits is not held up.
        if batch_size > 200:
            import time; time.sleep(1000)
    return Step(run, wait)
"""


@pytest.mark.slow
def test_a_sweep_shows_where_memory_ends_and_goes_on(project: Project) -> None:
    (project.path / "steps.py").write_text(STEPS)
    project.tests(
        """
        import pytest

        @pytest.mark.parametrize("batch_size", [1, 2, 256, 512])
        @pytest.mark.parametrize("model", ["a", "b"])
        def test_it(measure_isolated, model, batch_size):
            measure_isolated("steps:held", {"batch_size": batch_size}, items=batch_size)
        """
    )
    arguments = ("--throughput-protocol=paper", "--throughput-isolation=framework", "--benchmark-json=run.json")
    result = project.run(*arguments, "--throughput-memory-limit=150M")
    result.assert_outcomes(passed=4, skipped=4)
    assert result.ret == 0
    document = project.json()
    assert [case["status"] for case in document["throughput"]["cases"]] == ["ok", "ok", *["out_of_memory"] * 2] * 2
    assert all(
        case["reason"].endswith("--throughput-memory-limit is 150 MiB; killed")
        for case in document["throughput"]["cases"]
        if case["status"] != "ok"
    )
    assert [benchmark["extra_info"]["batch_size"] for benchmark in document["benchmarks"]] == [1, 2, 1, 2]
    assert document["throughput"]["complete"] is True


@pytest.mark.parametrize("text", ["0", "8X", "-1", "1.5G", ""])
def test_a_limit_is_a_number_of_bytes(project: Project, text: str) -> None:
    result = project.run(f"--throughput-memory-limit={text}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*expected a number of bytes such as 8G, 500M or 1000000, got '{text}'"])
