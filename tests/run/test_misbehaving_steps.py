"""Steps that fork, close what they should not, or name what JSON cannot say: no wrong figure, no result lost."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from plugin_project import Project

MISBEHAVING = """
import os, shutil, sys, time
from pathlib import Path
from pytest_throughput import Step
import pytest_throughput

def sleep(milliseconds, fork=False, reset=False):
    forked = []
    def run():
        time.sleep(milliseconds / 1000)
        if fork and not forked:
            forked.append(os.fork())
    return Step(run, reset_peak_memory=os.fork if reset else None)

def pretend():
    # As unittest.mock.patch does it.
    def run():
        os.getpid = lambda: 1
    return Step(run)

def metadata(name):
    return Step(lambda: time.sleep(0.001), metadata={name: {"loss": float("nan"), "set": {1}}[name]})

def unstaged():
    # The folder that workers import from, not the project's own.
    staged = Path(pytest_throughput.__file__).parents[1]
    assert staged.name.startswith("pytest-throughput-")
    shutil.rmtree(staged)
    return sleep(1)
"""


@pytest.fixture(autouse=True)
def misbehaving(project: Project) -> None:
    (project.path / "misbehaving.py").write_text(MISBEHAVING)


def strictly(path: Path) -> dict[str, Any]:
    """Reads JSON as RFC 8259 has it."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    document: dict[str, Any] = json.loads(path.read_text(), parse_constant=refuse)
    return document


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["framework", "trial"])
def test_a_step_that_forks_shifts_no_figure(project: Project, isolation: str) -> None:
    """With a worker for three cases, each used to be given the figures of the one before."""
    project.tests(
        """
        import pytest

        @pytest.mark.parametrize("milliseconds", [20, 40, 60])
        def test_sleep(measure_isolated, milliseconds):
            measure_isolated("misbehaving:sleep", {"milliseconds": milliseconds, "fork": milliseconds == 20})
        """
    )
    document = project.run_json(f"--throughput-isolation={isolation}")
    cases = document["throughput"]["cases"]
    assert [case["status"] for case in cases] == ["ok"] * 3
    for case, milliseconds in zip(cases, (20, 40, 60), strict=True):
        assert min(case["trials"][0]["median_seconds"], 1) >= milliseconds / 1000


@pytest.mark.slow
@pytest.mark.parametrize("fixture", ["measure_step", "measure_isolated"])
def test_a_step_that_forks_pytest_leaves_one_pytest(project: Project, fixture: str) -> None:
    """A second one would go on with the tests, the journal and the JSON."""
    call = {
        "measure_step": "measure_step(misbehaving.sleep(20, fork=True).run)",
        "measure_isolated": "measure_isolated('misbehaving:sleep', {'milliseconds': 20, 'fork': True})",
    }[fixture]
    project.tests(
        f"""
import os
import misbehaving

def test_forking({fixture}):
    {call}

def test_next():
    with open("ran", "a") as file: file.write("once ")
"""
    )
    assert _statuses_of_one_pytest(project) == ["ok"]


def test_a_process_that_forks_elsewhere_or_calls_itself_another_is_one_pytest(project: Project) -> None:
    """A mocked os.getpid used to end pytest with status 0, and a fork in reset_peak_memory to double it."""
    project.tests(
        """
def test_reset(measure_isolated):
    measure_isolated("misbehaving:sleep", {"milliseconds": 2, "reset": True})

def test_pretending(measure_isolated):
    measure_isolated("misbehaving:pretend")

def test_next():
    with open("ran", "a") as file: file.write("once ")
"""
    )
    assert _statuses_of_one_pytest(project) == ["ok", "ok"]


def _statuses_of_one_pytest(project: Project) -> list[str]:
    """Run pytest, assert that one pytest came to its end, and return the statuses of its cases."""
    process = project.start(
        *("--benchmark-json=run.json", "--throughput-isolation=none", "--throughput-protocol=paper", "-q"),
        environment={"PYTHONPATH": os.pathsep.join([str(project.path), *_path()])},
    )
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 0, output
    assert output.count(" passed") == 1
    assert (project.path / "ran").read_text() == "once "
    return [case["status"] for case in project.json()["throughput"]["cases"]]


def _path() -> list[str]:
    root = Path(__file__).parents[2]
    return [str(root / "tests/support"), str(root / "plugins")]


@pytest.mark.parametrize("isolation", ["framework", "none"])
def test_the_json_holds_no_nan(project: Project, monkeypatch: pytest.MonkeyPatch, isolation: str) -> None:
    monkeypatch.syspath_prepend(project.path)
    monkeypatch.delitem(sys.modules, "misbehaving", raising=False)
    project.tests(
        """
        import pytest

        @pytest.mark.parametrize("name", ["loss", "set"])
        def test_facts(measure_isolated, name):
            measure_isolated("misbehaving:metadata", {"name": name})
        """
    )
    project.run("--benchmark-json=run.json", f"--throughput-isolation={isolation}", "--throughput-protocol=paper")
    document = strictly(project.path / "run.json")
    finite, broken = document["throughput"]["cases"]
    assert (finite["status"], broken["status"]) == ("ok", "failed")
    assert broken["reason"] == (
        "the step's metadata are not JSON: set is set, expected dict, list, str, int, float, bool or None"
    )
    (benchmark,) = document["benchmarks"]
    assert benchmark["extra_info"]["loss"] is None
    assert benchmark["extra_info"]["not_finite"] == ["loss"]


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["framework", "trial"])
def test_a_case_that_removes_the_staged_folder_costs_no_other(project: Project, isolation: str) -> None:
    project.tests(
        """
        import pytest

        @pytest.mark.parametrize("function", ["unstaged", "sleep"])
        def test_it(measure_isolated, function):
            measure_isolated(f"misbehaving:{function}", {"milliseconds": 1} if function == "sleep" else {})
        """
    )
    document = project.run_json(f"--throughput-isolation={isolation}", "--throughput-protocol=paper")
    assert [case["status"] for case in document["throughput"]["cases"]] == ["ok", "ok"]


def test_axes_that_are_no_json_are_text(project: Project) -> None:
    project.tests(
        """
        import pytest

        @pytest.mark.throughput_case("one", rate=float("nan"), kind=int, shape=[1, 2])
        def test_it(measure_step):
            measure_step(lambda: sum(range(1000)))
        """
    )
    project.run("--benchmark-json=run.json")
    document = strictly(project.path / "run.json")
    (case,) = document["throughput"]["cases"]
    assert case["labels"] == {"rate": "nan", "kind": "<class 'int'>", "shape": [1, 2]}
    assert document["throughput"]["complete"]
