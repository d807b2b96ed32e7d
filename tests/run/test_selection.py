"""What node ids and the options that select tests select: cases, each with all of its trials."""

from __future__ import annotations

import sys

import pytest
from plugin_project import Project

SUITE = """
import os
import pytest

@pytest.mark.parametrize("n", [1, 2, 12])
def test_it(measure_step, request, n):
    if request.node.name == os.environ.get("FAILS"): pytest.fail("as asked for")
    measure_step(lambda: None)

class TestClass:
    @pytest.mark.slow
    def test_plain(self, measure_step): measure_step(lambda: None)

def test_other(): pass
"""
BOTH = [f"--throughput-interpreter={name}/pt={sys.executable} -X utf8" for name in ("base", "head")]
TWO = ("--throughput-trials=2", "--throughput-protocol=paper")


@pytest.fixture
def suite(project: Project, pytester: pytest.Pytester) -> Project:
    project.tests(SUITE)
    pytester.makeini("[pytest]\nmarkers =\n    slow: takes long\n")
    return project


def collected(project: Project, *arguments: str) -> list[str]:
    """The tests that would be run, in the order of the run, without ``test_it.py::test_``."""
    result = project.run("--collect-only", "-q", *arguments)
    return [line.removeprefix("test_it.py::").removeprefix("test_") for line in result.outlines if "::" in line]


def names_of(result: pytest.RunResult) -> list[str]:
    """The tests that ``-v`` says were run, in order."""
    lines = [line.split() for line in result.outlines if line.startswith("test_it.py::") and line.endswith("%]")]
    return [words[0].removeprefix("test_it.py::").removeprefix("test_") for words in lines]


def ran(project: Project, *arguments: str) -> list[str]:
    """The tests that were run."""
    return names_of(project.run("-v", *TWO, *arguments))


ALL = ["it[1]", "it[2]", "it[12]", "TestClass::test_plain"]
SECOND = ["it[1-t2]", "it[2-t2]", "it[12-t2]", "TestClass::test_plain[t2]"]


def test_the_first_trial_has_the_node_id_of_a_run_of_one(suite: Project) -> None:
    assert collected(suite) == [*ALL, "other"]
    assert collected(suite, *TWO) == [*ALL, *SECOND, "other"]


@pytest.mark.parametrize(
    ("node_ids", "expected"),
    [
        (["test_it[2]"], ["it[2]", "it[2-t2]"]),
        (["test_it[2-t2]"], ["it[2-t2]"]),
        (["test_it[2-t2]", "test_it[2]"], ["it[2]", "it[2-t2]"]),
        (["test_it[12]", "test_it[2-t2]"], ["it[12]", "it[12-t2]", "it[2-t2]"]),
        (["TestClass::test_plain"], ["TestClass::test_plain", "TestClass::test_plain[t2]"]),
        (["TestClass::test_plain[t2]"], ["TestClass::test_plain[t2]"]),
        (["test_it"], [*ALL[:3], *SECOND[:3]]),
        (["test_other", "test_it[1]"], ["other", "it[1]", "it[1-t2]"]),
    ],
)
def test_a_node_id_without_a_trial_selects_all(suite: Project, node_ids: list[str], expected: list[str]) -> None:
    arguments = [f"test_it.py::{node_id}" for node_id in node_ids]
    assert collected(suite, *TWO, *arguments) == expected


def test_the_id_that_the_table_prints_is_found(suite: Project) -> None:
    result = suite.run(*TWO, "test_it.py::test_it[2]", "--benchmark-json=run.json")
    result.stdout.fnmatch_lines(["test_it.py::test_it?2? *"])
    (case,) = suite.json()["throughput"]["cases"]
    assert (case["id"], len(case["trials"])) == ("test_it.py::test_it[2]", 2)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-k", "2"], ["it[2]", "it[12]", "it[2-t2]", "it[12-t2]"]),
        (["-k", "12"], ["it[12]", "it[12-t2]"]),
        (["-k", "not t2"], [*ALL, *SECOND, "other"]),
        (["-k", "plain or other"], ["TestClass::test_plain", "TestClass::test_plain[t2]", "other"]),
        (["-m", "slow"], ["TestClass::test_plain", "TestClass::test_plain[t2]"]),
        (["-m", "not slow"], [*ALL[:3], *SECOND[:3], "other"]),
        (["--deselect", "test_it.py::test_it[2]"], [ALL[0], *ALL[2:], SECOND[0], *SECOND[2:], "other"]),
        (["--deselect", "test_it.py::test_it[2-t2]"], [*ALL, SECOND[0], *SECOND[2:], "other"]),
        (["--deselect", "test_it.py::test_it"], [ALL[3], SECOND[3], "other"]),
        (["--deselect", "test_it.py::TestClass"], [*ALL[:3], *SECOND[:3], "other"]),
        (["-k", "2 and not 12", "--deselect", "test_it.py::test_it[2-t2]"], ["it[2]"]),
    ],
)
def test_options_select_cases(suite: Project, arguments: list[str], expected: list[str]) -> None:
    assert collected(suite, *TWO, *arguments) == expected


def test_trials_that_are_not_selected_are_no_part_of_the_results(suite: Project) -> None:
    arguments = ("test_it.py::test_it", "--deselect", "test_it.py::test_it[2-t2]", "--benchmark-json=run.json")
    result = suite.run("-v", *TWO, *arguments)
    assert names_of(result) == [*ALL[:3], "it[1-t2]", "it[12-t2]"]
    result.assert_outcomes(passed=5, deselected=1)
    assert [len(case["trials"]) for case in suite.json()["throughput"]["cases"]] == [2, 1, 2]


def test_a_selection_of_later_trials_alone_is_empty(suite: Project) -> None:
    assert suite.run(*TWO, "-k", "t2").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_what_another_plugin_selects_are_cases(suite: Project) -> None:
    """Such as pytest-split, which takes every n-th test, as late as it can."""
    (suite.path / "conftest.py").write_text(
        "import pytest\n"
        "@pytest.hookimpl(trylast=True)\n"
        "def pytest_collection_modifyitems(items): items[:] = items[::2]\n"
    )
    assert collected(suite, *TWO) == ["it[1]", "it[12]", "it[1-t2]", "it[12-t2]", "other"]


@pytest.mark.slow
def test_going_on_from_a_failure_is_by_single_trials(suite: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("it[12-t2]", "it[12]"):
        monkeypatch.setenv("FAILS", f"test_{name}")
        assert len(ran(suite)) == 9
        assert collected(suite, *TWO, "--lf") == [name]
        assert collected(suite, *TWO, "--ff")[:2] == [name, "it[1]"]


def test_stepwise_goes_on_from_the_trial_that_failed(suite: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILS", "test_it[2-t2]")
    assert ran(suite, "--stepwise") == [*ALL, "it[1-t2]", "it[2-t2]"]
    monkeypatch.delenv("FAILS")
    assert ran(suite, "--stepwise") == ["it[2-t2]", "it[12-t2]", "TestClass::test_plain[t2]", "other"]


def test_trials_in_reserve_have_suffixes_from_the_second_on(suite: Project) -> None:
    arguments = ("--throughput-baseline=kept", "--throughput-confirm=2", "--throughput-gate=warn")
    assert collected(suite, *arguments) == [*ALL, "other"]
    assert collected(suite, *arguments, "test_it.py::test_it[2]") == ["it[2]"]
    assert collected(suite, *arguments, *TWO, "test_it.py::test_it[2]") == ["it[2]", "it[2-t2]"]


def test_an_environment_stands_last(project: Project) -> None:
    project.tests("def test_it(measure_isolated): measure_isolated('steps:sleep', interpreter='pt')")
    assert collected(project, *BOTH) == ["it[base]", "it[head]"]
    assert collected(project, *BOTH, *TWO) == ["it[base]", "it[head]", "it[t2-head]", "it[t2-base]"]
    assert collected(project, *BOTH, *TWO, "test_it.py::test_it[head]") == ["it[head]", "it[t2-head]"]
    assert collected(project, *BOTH, *TWO, "-k", "head") == ["it[head]", "it[t2-head]"]
    assert collected(project, *BOTH, *TWO, "--deselect", "test_it.py::test_it[t2-base]") == [
        "it[base]",
        "it[head]",
        "it[t2-head]",
    ]


@pytest.mark.parametrize(
    ("environments", "trials"), [([], "1"), ([], "2"), (BOTH, "2"), pytest.param(BOTH, "1", marks=pytest.mark.slow)]
)
def test_values_that_look_like_trials_and_environments_stay_in_the_case(
    project: Project, environments: list[str], trials: str
) -> None:
    values = ["t1", "t2", "base", "x-head", "t3-base", "default", "", "a[", "-"]
    project.tests(
        "import pytest\n"
        f"@pytest.mark.parametrize('n', {values})\n"
        "def test_it(measure_isolated, n): measure_isolated('steps:end', {'how': 'unsupported'}, interpreter='pt')\n"
    )
    isolation = "--throughput-isolation=none" if not environments else "--throughput-isolation=framework"
    document = project.run_json(f"--throughput-trials={trials}", isolation, *environments)
    names = ["base", "head"] if environments else ["default"]
    assert [(case["id"], case["environment"]) for case in document["throughput"]["cases"]] == [
        (f"test_it.py::test_it[{value}]", name) for value in values for name in names
    ]


def test_a_value_that_looks_like_an_environment_stays_where_there_is_but_one(project: Project) -> None:
    """A step of this process is measured in the first environment, which then is not part of the node id."""
    project.tests(
        "import pytest\n"
        "@pytest.mark.parametrize('n', ['base', 'x-base'])\n"
        "def test_it(measure_step, n): measure_step(lambda: None)\n"
    )
    document = project.run_json(*TWO, *BOTH)
    assert [(case["id"], case["environment"], len(case["trials"])) for case in document["throughput"]["cases"]] == [
        ("test_it.py::test_it[base]", "base", 2),
        ("test_it.py::test_it[x-base]", "base", 2),
    ]


def test_two_tests_of_one_node_id_are_refused(project: Project) -> None:
    """pytest allows this, but its cache and result files could not distinguish the two."""
    project.tests(
        "import pytest\n"
        "@pytest.mark.parametrize('n', ['a', 'a-t2'])\n"
        "def test_it(measure_step, n): measure_step(lambda: None)\n"
    )
    project.run("--throughput-protocol=paper").assert_outcomes(passed=2)
    result = project.run(*TWO)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*test_it?a-t2? is the node id of trial 1 of *test_it?a-t2? and of trial 2 of *test_it?a?: *another id"]
    )
