"""``pytest-throughput bisect``: what it compares, what it keeps, and what it ends with; figures are made up."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tiny_packages
from plugin_project import Project as Measured

from pytest_throughput.commands.bisecting import comparing
from pytest_throughput.environments import environment
from pytest_throughput.environments.pip import Pip, PipFailed
from pytest_throughput.gate.thresholds import Pattern, Thresholds
from pytest_throughput.options.thresholds_file import read_threshold, read_thresholds

Command = Callable[..., tuple[int, str, str]]


class Project:
    """Versions 1.0 to 1.7, whose environments and figures are made up: from 1.5 on the case ``work`` is 10 % slower."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._how: dict[str, Any] = {}
        self.compared: list[str] = []
        """What was compared in the last call, as ``HEAD:BASE:THRESHOLD``."""
        self.options: dict[str, str] = {}
        """Those of the last comparison."""

    def bisect(self, *arguments: str, **how: Any) -> tuple[int, str, str]:
        """``how``: ``first`` slower version and its ``ratio``, ``verdicts`` of single ones, ``broken`` ones, the
        ``interrupted``, and ``further`` verdicts on the case.
        """
        self._how = how
        self.compared = []
        listed = ",".join(f"1.{minor}" for minor in range(8))
        ends = ("--good=1.0", "--bad=1.7", f"--versions=package=={listed}")
        return self._command("bisect", *ends, *arguments, "--", "pytest", "-k", "work")

    def get(self, requirements: list[str]) -> SimpleNamespace:
        """Return the environment of a version."""
        version = requirements[0].partition("==")[2]
        if version in self._how.get("broken", []):
            raise PipFailed("pip could not install it")
        return SimpleNamespace(python=Path("/environments", version))

    def measure(self, command: list[str]) -> int:
        """Stand for pytest."""
        assert command[:3] == ["pytest", "-k", "work"]
        base, head = (each.rpartition("/")[2] for each in command if "interpreter" in each)
        self.options = options = dict(each.split("=", 1) for each in command[3:])
        self.compared.append(f"{head}:{base}:{options['--throughput-threshold']}")
        if head == self._how.get("interrupted"):
            return 2
        slow = {each: float(each) >= self._how.get("first", 1.5) for each in (base, head)}
        verdict = "regressed" if slow[head] and not slow[base] else "unchanged"
        verdict = self._how.get("verdicts", {}).get(head, verdict)
        ratio = self._how.get("ratio", 1 / 1.1) if verdict == "regressed" else 1.0
        figures = {"ratio": ratio, "ratio_low": 0.989 * ratio, "ratio_high": 1.011 * ratio, "trials_head": 5}
        work = {"id": "work", "verdict": verdict, "reason": f"it is {verdict}", **figures}
        further = [{**work, **each} for each in self._how.get("further", [])]
        cases = [{**work, "id": "other", "verdict": "unchanged", "ratio": 0.99}, work, *further]
        Path(options["--benchmark-json"]).write_text(json.dumps({"throughput": {"verdicts": {"cases": cases}}}))
        return 0


@pytest.fixture
def project(command: Command, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(command)
    monkeypatch.setattr(environment, "Environments", lambda python, say: project)
    monkeypatch.setattr(comparing, "_run", project.measure)
    return project


def test_the_first_slower_version_is_found_and_compared_with_the_one_before_it(project: Project) -> None:
    status, out, err = project.bisect()
    assert status == 0
    # The ends and the confirmation by the threshold, those between by half of the slowdown.
    assert project.compared == [
        *("1.7:1.0:3.0000%", "1.3:1.0:4.8809%", "1.5:1.0:4.8809%", "1.4:1.0:4.8809%"),
        "1.5:1.4:3.0000%",
    ]
    lines = out.splitlines()
    assert lines[0] == "work: 8 candidates, 1.0 to 1.7"
    assert lines[3].split() == ["1.7", "1.0", "0.909", "(0.899", "to", "0.919)", "5", "slower"]
    assert lines[-2:] == ["the first slower one is 1.5", "compared with 1.4, the one before it: it is regressed"]
    assert "comparing 1.3 with 1.0 (search)" in err


def test_an_undecided_version_stays_in_the_answer(project: Project) -> None:
    status, out, _ = project.bisect(verdicts={"1.4": "inconclusive"}, broken=["1.5"], first=1.4)
    assert status == 13
    assert out.splitlines()[-4:] == [
        "the first slower one is 1.6",
        "or one of 2 candidates between 1.3 and it that stay undecided: 1.4, 1.5",
        "1.4: it is inconclusive",
        "1.5: 1.5 cannot be installed: pip could not install it",
    ]


def test_an_interrupted_search_goes_on(project: Project) -> None:
    status, _, err = project.bisect(interrupted="1.5")
    assert (status, "pytest -k work ended with status 2; expected pytest, which measures a case" in err) == (2, True)
    assert len(project.compared) == 3
    status, out, _ = project.bisect()
    assert [each[:7] for each in project.compared] == ["1.5:1.0", "1.4:1.0", "1.5:1.4"]
    # A complete search is printed again, and measures nothing.
    assert project.bisect() == (status, out, "")
    assert project.compared == []


def test_what_could_not_be_measured_is_tried_again(project: Project) -> None:
    assert project.bisect(broken=["1.5"])[0] == 13
    assert project.bisect()[0] == 0
    assert [each[:7] for each in project.compared] == ["1.5:1.0", "1.5:1.4"]


@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        ({"first": 2.0}, 12, "1.7 is not slower than 1.0: nothing to find"),
        ({"verdicts": {"1.7": "inconclusive"}}, 13, "whether 1.7 is slower than 1.0 is undecided: it is inconclusive"),
        (
            {"broken": ["1.7"]},
            15,
            "whether 1.7 is slower than 1.0 is undecided: 1.7 cannot be installed: pip could not",
        ),
    ],
)
def test_without_a_slowdown_nothing_is_searched(project: Project, how: Any, status: int, said: str) -> None:
    found, out, _ = project.bisect(**how)
    assert (found, out.splitlines()[-1].startswith(said)) == (status, True)


def test_a_step_that_is_not_confirmed_is_no_answer(project: Project) -> None:
    """As where a comparison went wrong: 1.3 is called slower, and is as fast as the one before it."""
    project.bisect(verdicts={"1.3": "regressed", "1.7": "regressed"}, interrupted="1.1")
    status, out, _ = project.bisect(first=2.0)
    assert status == 13
    assert out.splitlines()[-2] == "that it is slower than 1.2, the one before it, is not confirmed: it is unchanged"


def test_thresholds_of_single_cases_do_not_apply(project: Project) -> None:
    project.bisect()
    path = Path(".throughput/bisect/thresholds.toml")
    assert project.options["--throughput-thresholds"] == str(path.resolve())
    assert read_thresholds(str(path)) == Thresholds((Pattern("*", 0.03),))


def test_a_slowdown_of_any_size_is_followed(project: Project) -> None:
    status, _, _ = project.bisect(ratio=0.001)
    assert (status, project.compared[1]) == (0, "1.3:1.0:100.0000%")
    assert project.options["--throughput-threshold"] == "3.0000%"
    assert read_threshold("100.0000%") == 1.0


def test_the_first_metric_of_a_case_counts(project: Project) -> None:
    status, out, _ = project.bisect("--case=work", further=[{"verdict": "regressed", "ratio": 0.5}], first=2.0)
    assert (status, out.splitlines()[-1]) == (12, "1.7 is not slower than 1.0: nothing to find")
    assert project.bisect("--directory=elsewhere", further=[{"verdict": "regressed", "ratio": 0.5}], first=2.0)[0] == 12


def test_a_case_can_be_named(project: Project) -> None:
    status, out, _ = project.bisect("--case=other")
    assert (status, out.splitlines()[0]) == (12, "other: 8 candidates, 1.0 to 1.7")
    status, out, _ = project.bisect("--case=third", "--directory=elsewhere")
    assert (status, "--case third was not measured; COMMAND measured other, work" in out) == (15, True)


def test_the_usage_names_the_command_once(command: Command) -> None:
    status, out, _ = command("bisect", "--help")
    usage = out.partition("\n\n")[0]
    assert (status, usage.count("COMMAND"), usage.count("--good"), usage.count("--bad")) == (0, 1, 1, 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", 'expected the state of a bisection, with "bisect": 1'),
        ('{"bisect": 1, "question": {}, "compared": []}', "question has no candidates"),
        ("[" * 200, "it is cut off"),
    ],
)
def test_a_damaged_state_is_refused(project: Project, content: str, said: str) -> None:
    path = Path(".throughput/bisect/state.json")
    path.parent.mkdir(parents=True)
    path.write_text(content)
    status, out, err = project.bisect()
    assert (status, out) == (2, "")
    assert said in err


def test_the_state_of_another_search_is_refused(project: Project) -> None:
    project.bisect()
    status, _, err = project.bisect("--threshold=5%", "--most-pairs=20")
    assert status == 2
    assert "keeps a search with other threshold and most_pairs" in err and "give --directory another folder" in err


def test_the_output_of_the_command_goes_to_standard_error(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert comparing._run(["sh", "-c", "echo measured; exit 3"]) == 3
    assert capfd.readouterr() == ("", "measured\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    comparing._run(["sh", "-c", "echo ${GITHUB_ACTIONS-none}"])
    assert capfd.readouterr().err == "none\n"
    with pytest.raises(ValueError, match="no-such-program cannot be started: No such file or directory"):
        comparing._run(["no-such-program"])


STEPS = """
import os, random
import naps
from pytest_throughput import Step
from pytest_throughput.measurement import loop

now = 0.0
loop.MeasuringLoop.__init__.__kwdefaults__["clock"] = lambda: now
seconds = naps.SECONDS * random.Random(os.getpid()).lognormvariate(0, 0.001)

def nap():
    global now
    now += seconds

def open_nap(): return Step(nap)
"""


@pytest.mark.slow
def test_the_commit_that_slowed_a_package_is_found_by_pytest_itself(
    pytester: pytest.Pytester, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the clock of the steps is made up; git, pip, environments, pytest, live pairs and the gate are real."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path))
    monkeypatch.setattr(Pip, "conflicts", lambda self: [])  # It takes as long as everything else.
    measured = Measured(pytester)
    measured.tests("def test_it(measure_isolated): measure_isolated('steps:open_nap')\n")
    (measured.path / "steps.py").write_text(STEPS)
    repository = pytester.mkdir("repository")
    hashes = [
        tiny_packages.commit(tiny_packages.project(repository, "naps", "1.0", f"SECONDS = {each}\n"))
        for each in (0.01, 0.012, 0.0121)
    ]
    monkeypatch.setenv("PYTHONPATH", measured._variables({})["PYTHONPATH"])
    monkeypatch.chdir(repository)
    run = measured._command(str(measured.path), f"--rootdir={measured.path}", "--throughput-protocol=quick")
    status, out, err = command("bisect", f"--good={hashes[0]}", "--bad=HEAD", "--", *run)
    assert status == 0, out + err
    assert out.splitlines()[-2] == f"the first slower one is {hashes[1][:10]}: a state"
    assert [line.split()[0] for line in out.splitlines()[3:-3]] == [hashes[each][:10] for each in (2, 1, 1)]
