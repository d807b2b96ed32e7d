"""Cases whose tests end before, or without, measuring: each has a status, and nothing is left to run."""

from __future__ import annotations

import pytest
from plugin_project import Project

TESTS = """
import pytest
import sys

@pytest.fixture
def broken(): raise RuntimeError("no such data set")

def test_measured(measure_isolated): measure_isolated("steps:sleep", {"milliseconds": 0.1})
@pytest.mark.skip(reason="not on Mondays")
def test_skipped(measure_isolated): measure_isolated("steps:sleep")
def test_gives_up(measure_isolated): pytest.skip("no such card")
@pytest.mark.xfail(run=False, reason="a known bug")
def test_known(measure_isolated): measure_isolated("steps:sleep")
def test_broken(broken, measure_isolated): measure_isolated("steps:sleep")
def test_wrong(measure_isolated): measure_isolated("steps:sleep", items=0)
def test_exits(measure_step): measure_step(lambda: sys.exit(3))
def test_nothing(measure_isolated): pass
"""


def test_every_case_has_a_status_and_a_reason(project: Project) -> None:
    project.tests(TESTS)
    result = project.run("--throughput-protocol=paper", "--benchmark-json=run.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=2, skipped=2, failed=2, errors=1, xfailed=1)
    block = project.json()["throughput"]
    found = {case["id"].removeprefix("test_it.py::test_"): (case["status"], case["reason"]) for case in block["cases"]}
    assert found == {
        "measured": ("ok", None),
        "skipped": ("unsupported", "not on Mondays"),
        "gives_up": ("unsupported", "no such card"),
        "known": ("unsupported", "[NOTRUN] a known bug"),
        "broken": ("failed", "before it was measured: RuntimeError: no such data set"),
        "wrong": ("failed", "before it was measured: ValueError: items: expected a whole number of at least 1, got 0"),
        "exits": ("failed", "sys.exit(3)"),
        "nothing": ("unsupported", "the test ended without measuring"),
    }
    assert block["complete"] is True
    assert not list(project.path.glob("*.jsonl"))


def test_an_axis_may_be_anything_that_json_can_say(project: Project) -> None:
    """Even a list: the figures beside which a case is looked at are found all the same."""
    project.tests(
        """
        import pytest

        @pytest.mark.throughput_case("a", mode="training", shape=[224, 224], batch_size=8)
        def test_it(measure_step): measure_step(lambda: None)
        """
    )
    assert project.run("--throughput-protocol=paper", "--benchmark-json=run.json").ret == 0
    assert project.json()["throughput"]["cases"][0]["labels"]["shape"] == [224, 224]
