"""pytest-throughput ab: two environments, one run that judges them, and the exit statuses."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from plugin_project import Project
from tiny_packages import commit, project, wheel

from pytest_throughput.environments import environment
from pytest_throughput.environments.environment import Environment
from pytest_throughput.environments.pip import Pip, PipFailed
from pytest_throughput.launch import pairs

Command = Callable[..., tuple[int, str, str]]


class Made:
    """Stands for the environments, which cost pip's time; some requirements fail."""

    def __init__(self, python: str, say: Callable[[str], object]) -> None:
        if python == "nothing":
            raise ValueError("nothing does not answer as Python does")
        say(f"extends {Path(python).name}")

    def get(self, requirements: Sequence[str]) -> Environment:
        (first, *_) = requirements
        if first == "refused":
            raise ValueError("expected a requirement as pip takes it")
        if first == "missing":
            raise PipFailed("pip could not install missing:\n    ERROR: No matching distribution\n    ERROR: the end")
        if first == "full":
            raise OSError(28, "No space left on device")
        conflicts = ("frames 2 needs pictures<2",) if first == "pictures==2" else ()
        return Environment(Path("/kept", *requirements), tuple(requirements), conflicts)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments with which pytest was called; it ends with 10."""
    arguments: list[str] = []

    def main(given: Sequence[str]) -> int:
        arguments.extend(given)
        return 10

    monkeypatch.setattr(environment, "Environments", Made)
    monkeypatch.setattr(pytest, "main", main)
    return arguments


def test_pytest_measures_both_environments_in_live_pairs(command: Command, given: list[str]) -> None:
    options = ("bench/", "--framework", "numpy", "--throughput-trials=7", "-k", "a -- b")
    status, out, err = command("ab", "--base", "pictures==1", "--head", "pictures==2", "--head", "x y", "--", *options)
    assert (status, out) == (10, "")
    interpreters = ["base/*=/kept/pictures==1/bin/python", "head/*='/kept/pictures==2/x y/bin/python'"]
    assert given == [
        *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
        *("--throughput-order=paired", "--throughput-trials=5", "--throughput-confirm=5", "--throughput-gate=fail"),
        *(f"--throughput-interpreter={each}" for each in interpreters),
        *options,
    ]
    assert err.splitlines() == [
        f"pytest-throughput: extends {Path(sys.executable).name}",
        "pytest-throughput: head: pip warns: frames 2 needs pictures<2",
    ]


def test_the_same_on_both_sides_is_allowed_and_said(command: Command, given: list[str]) -> None:
    status, _, err = command("ab", "--base=pictures==1", "--head=pictures==1")
    assert status == 10
    assert "base and head are the same environment: any difference that this run finds is noise" in err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--base=missing", "--head=x"], "pip could not install missing:\n    ERROR: No matching distribution\n    "),
        (["--base=x", "--head=refused"], "pytest-throughput: expected a requirement as pip takes it"),
        (["--base=x", "--head=full"], "cannot make an environment: [Errno 28] No space left on device"),
        (["--base=x", "--head=y", "--python=nothing"], "nothing does not answer as Python does"),
        (["--base=x"], "the following arguments are required: --head"),
        (
            ["--base=x", "--head=y", "--framework=numpy"],
            "unrecognized arguments: --framework=numpy; pytest's arguments come after --",
        ),
    ],
)
def test_what_cannot_be_made_ends_with_2(
    command: Command, given: list[str], arguments: list[str], problem: str
) -> None:
    status, _, err = command("ab", *arguments)
    assert (status, given) == (2, [])
    assert problem in err


PICTURES = "SECONDS = {seconds}\n"
STEPS = """
import os, random
import pictures
from pytest_throughput import Step
from pytest_throughput.measurement import loop

now = 0.0
loop.MeasuringLoop.__init__.__kwdefaults__["clock"] = lambda: now
seconds = pictures.SECONDS * random.Random(os.getpid()).lognormvariate(0, 0.001)

def step():
    global now
    now += seconds

def open_step(): return Step(step)
"""
TESTS = """
def test_it(measure_isolated): measure_isolated("steps:open_step", items=4)
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project that measures the package ``pictures``, by a clock that only its steps move."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(pytester.path / "wheels"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "cache"))
    monkeypatch.setattr(Pip, "conflicts", lambda self: [])  # It takes as long as everything else.
    monkeypatch.setattr(pairs, "SLICE_SECONDS", 0.0)
    found = Project(pytester)
    found.tests(TESTS)
    (found.path / "steps.py").write_text(STEPS)
    monkeypatch.setattr(pytest, "main", lambda arguments: found.run("--benchmark-json=run.json", *arguments).ret)
    return found


def ab(suite: Project, command: Command, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, Any]:
    """Run the command in the project; return the exit status and the verdicts."""
    monkeypatch.chdir(suite.path)
    status, _, _ = command("ab", *arguments)
    return status, suite.json()["throughput"]["verdicts"]


@pytest.mark.slow
def test_versions_that_differ_in_speed_are_regressed_and_equal_ones_are_not(
    suite: Project, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version, seconds in (("1.0", 0.01), ("1.1", 0.015), ("1.2", 0.01)):
        wheel(suite.path / "wheels", "pictures", version, PICTURES.format(seconds=seconds))
    status, verdicts = ab(suite, command, monkeypatch, "--base=pictures==1.0", "--head=pictures==1.1")
    assert (status, verdicts["cases"][0]["verdict"]) == (10, "regressed")
    assert verdicts["cases"][0]["ratio"] == pytest.approx(1 / 1.5, rel=0.01)
    assert verdicts["software_changes"] == {"pictures": {"base": "1.0", "head": "1.1"}}
    status, verdicts = ab(suite, command, monkeypatch, "--base=pictures==1.0", "--head=pictures==1.2")
    assert (status, verdicts["cases"][0]["verdict"]) == (0, "unchanged")
    assert verdicts["cases"][0]["trials_head"] == 5


@pytest.mark.slow
def test_a_change_in_a_users_package_is_found_by_its_revision(
    suite: Project, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project(suite.path / "repository", "pictures", "1.0", PICTURES.format(seconds=0.01))
    first = commit(folder)
    project(folder, "pictures", "1.0", PICTURES.format(seconds=0.015))
    sides = (f"--base=git+file://{folder}@{first}", f"--head={folder}")
    status, verdicts = ab(suite, command, monkeypatch, *sides)
    assert (status, verdicts["cases"][0]["verdict"]) == (10, "regressed")
    change = verdicts["software_changes"]["pictures"]
    assert change["base"] == f"1.0 (git {first[:12]})"
    assert change["head"].startswith("1.0 (sha256 ")
