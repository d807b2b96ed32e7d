"""A run that was to measure and has measured nothing is no success."""

from __future__ import annotations

import pytest
from plugin_project import Project

from pytest_throughput.exit_code import ExitCode

UNSUPPORTED = """
import pytest

@pytest.mark.parametrize("n", [1, 2])
def test_unsupported(measure_isolated, n): measure_isolated("steps:end", {"how": "unsupported"})

@pytest.mark.skip(reason="not on Mondays")
def test_skipped(measure_isolated): measure_isolated("steps:sleep")
"""


def test_nothing_measured_has_its_exit_status_and_says_why(project: Project) -> None:
    project.tests(UNSUPPORTED)
    result = project.run("--benchmark-json=run.json")
    assert result.ret == ExitCode.NOTHING_MEASURED
    result.assert_outcomes(skipped=3)
    result.stdout.fnmatch_lines(
        [
            "*= throughput =*",
            "nothing was measured: no case ended ok or out_of_memory; 2 cases unsupported: no such precision",
            "1 case unsupported: not on Mondays",
            "exit status 15: mend what the reasons name*--benchmark-disable*",
        ]
    )
    assert project.json()["throughput"]["complete"] is True


@pytest.mark.slow
@pytest.mark.parametrize("test", ["sleep')", "end', {'how': 'out_of_memory'})"])
def test_one_case_is_enough(project: Project, test: str) -> None:
    project.tests(UNSUPPORTED + f"\ndef test_one(measure_isolated): measure_isolated('steps:{test}\n")
    result = project.run()
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*nothing was measured*")


def test_beside_other_tests_it_is_a_line(project: Project) -> None:
    project.tests(UNSUPPORTED + "\ndef test_plain(): pass\n")
    result = project.run()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["nothing was measured:*2 cases unsupported: no such precision"])
    result.stdout.no_fnmatch_line("*exit status 15*")
    # Those that were deselected do not count.
    assert project.run("-k", "not plain").ret == ExitCode.NOTHING_MEASURED


@pytest.mark.parametrize(
    "options",
    [
        ("--benchmark-disable",),
        ("--benchmark-skip",),
        ("--collect-only",),
        ("--setup-plan",),
        ("--setup-only",),
    ],
    ids=lambda options: options[0],
)
def test_a_run_that_is_to_measure_nothing_succeeds(project: Project, options: tuple[str, ...]) -> None:
    project.tests(UNSUPPORTED)
    result = project.run(*options)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*nothing was measured*")


def test_pytests_own_statuses_come_first(project: Project) -> None:
    project.tests(
        UNSUPPORTED + "\ndef test_broken(measure_isolated): measure_isolated('steps:end', {'how': 'failed'})\n"
    )
    assert project.run().ret == pytest.ExitCode.TESTS_FAILED
    assert project.run("-k", "no_such_test").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_the_gates_statuses_come_first(project: Project) -> None:
    project.tests(UNSUPPORTED)
    result = project.run("--throughput-baseline=kept")
    assert result.ret == 12
    result.stdout.fnmatch_lines(["nothing was measured:*", "mend what the reasons name*"])
    assert project.run("--throughput-baseline=kept", "--throughput-gate=warn").ret == ExitCode.NOTHING_MEASURED


def test_it_comes_before_results_that_could_not_be_written(project: Project) -> None:
    project.tests(UNSUPPORTED)
    result = project.run("--benchmark-json=/dev/full")
    assert result.ret == ExitCode.NOTHING_MEASURED
    result.stdout.fnmatch_lines(["could not write /dev/full*"])


def test_a_budget_that_suffices_for_nothing_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0])
    monkeypatch.setattr("pytest_throughput.run.budget.monotonic", lambda: next(clock, 1000.0))
    project.tests("def test_it(measure_isolated): measure_isolated('steps:sleep')")
    result = project.run("--throughput-budget=1m")
    assert result.ret == ExitCode.NOTHING_MEASURED
    result.stdout.fnmatch_lines(
        ["nothing was measured:*1 case not run: *", "exit status 15:*", "to go on, repeat the command with*"]
    )
