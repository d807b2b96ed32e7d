"""Figures that cannot be: marked in the table and in the JSON, and no failure."""

from __future__ import annotations

from plugin_project import Project

STEPS = """
import time
from pytest_throughput import Step

def step(milliseconds, said=None, broken=False):
    def check(output):
        if broken: raise RuntimeError("cannot be checked")
        assert output == "the output"
        return said
    def run():
        time.sleep(milliseconds / 1000)
        return "the output"
    return Step(run, check=check)
"""
TESTS = """
import pytest

def case(mode, batch_size, **arguments):
    mark = pytest.mark.throughput_case(f"{mode}-b{batch_size}", mode=mode, model="m", batch_size=batch_size)
    return pytest.param(batch_size, arguments, marks=mark, id=f"{mode}-{batch_size}")

@pytest.mark.parametrize(("batch_size", "arguments"), [
    case("inference", 8, milliseconds=20),
    case("training", 8, milliseconds=1),
    case("inference", 1, milliseconds=1, said="the outputs are not all finite numbers"),
    case("training", 1, milliseconds=1, broken=True),
])
def test_it(measure_isolated, batch_size, arguments):
    measure_isolated("steps:step", arguments, items=batch_size)
"""


def test_a_mark_stands_in_the_table_and_in_the_json(project: Project) -> None:
    (project.path / "steps.py").write_text(STEPS)
    project.tests(TESTS)
    result = project.run("--throughput-protocol=paper", "--benchmark-json=run.json")
    result.assert_outcomes(passed=4)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*training*m*batch 8*ok, implausible",
            "inference-b1: implausible: the outputs are not all finite numbers",
        ]
    )
    document = project.json()
    found = {case["id"]: case["implausible"] for case in document["throughput"]["cases"]}
    assert "but its inference takes" in found["training-b8"]
    assert found["inference-b8"] is None
    assert found["inference-b1"] == "the outputs are not all finite numbers"
    assert found["training-b1"] is None  # a check that fails takes nothing back
    assert {
        each["extra_info"]["case_id"]: each["extra_info"]["implausible"] for each in document["benchmarks"]
    } == found
