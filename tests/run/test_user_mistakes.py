"""What a user expects of an option or a mistake, and what is said where it cannot be."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from plugin_project import Project

from pytest_throughput.cli import main

ISOLATED = "def test_it(measure_isolated): measure_isolated('steps:sleep', {'milliseconds': 0.1})"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("pytorch=/no/such/python", "the command of pytorch is '/no/such/python', which does not exist;"),
        ("base/pytorch=no-such-command -S", "the command of base/pytorch is 'no-such-command', which does not exist;"),
        ("pytorch=steps.py", "the command of pytorch is 'steps.py', which *"),
        ("pytorch=./steps.py", "the command of pytorch is './steps.py', which cannot be executed;"),
        ("pytorch=/tmp", "the command of pytorch is '/tmp', which cannot be executed;"),
    ],
)
def test_a_missing_interpreter_is_refused_at_once(project: Project, given: str, message: str) -> None:
    project.tests("def test_it(measure_step): measure_step(lambda: open('ran', 'w'))")
    result = project.run(f"--throughput-interpreter={given}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --throughput-interpreter: {message}*expected the path of a program*"])
    assert not (project.path / "ran").exists()


@pytest.mark.parametrize("option", ["--setup-plan", "--setup-only"])
def test_showing_fixtures_measures_nothing_and_leaves_nothing(project: Project, option: str) -> None:
    project.tests(ISOLATED)
    (project.path / "run.json").write_text("an older run")
    before = {path.name for path in project.path.iterdir()}
    result = project.run(option, "--benchmark-json=run.json")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*SETUP*measure_isolated*"])
    of_others = {"__pycache__", ".pytest_cache", ".benchmarks"}
    assert {path.name for path in project.path.iterdir()} - of_others == before
    assert (project.path / "run.json").read_text() == "an older run"


@pytest.mark.parametrize("fixtures", ["benchmark, measure_step", "measure_step, benchmark"])
@pytest.mark.parametrize("first", ["benchmark(int)", "benchmark.pedantic(int)"])
@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="measured"),
        pytest.param(("--benchmark-disable",), id="disabled", marks=pytest.mark.slow),
    ],
)
def test_a_test_that_uses_benchmark_first_fails_with_the_reason(
    project: Project, fixtures: str, first: str, options: tuple[str, ...]
) -> None:
    project.tests(f"def test_it({fixtures}):\n    {first}\n    measure_step(lambda: open('ran', 'w'))\n")
    result = project.run(*options)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E * RuntimeError: a test measures once, either with measure_step*of its own"])
    result.stdout.no_fnmatch_line("*StopIteration*")
    assert not (project.path / "ran").exists()


def test_a_test_that_swallows_the_error_fails_again(project: Project) -> None:
    project.tests(
        """
        def test_it(measure_step, benchmark):
            try: benchmark(int)
            except RuntimeError: pass
            measure_step(lambda: None)
        """
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E * RuntimeError: a test measures once, either with measure_step*"])


@pytest.mark.parametrize("device", ["'gpu'", "'cuda:x'", "'CUDA'", "'cuda:'", "'cpu:0'", "None", "0"])
def test_a_device_that_is_none_is_refused(project: Project, device: str) -> None:
    project.tests(f"def test_it(measure_isolated): measure_isolated('steps:sleep', device={device})")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"E * ValueError: device: expected 'cpu', 'cuda' or 'cuda:N', got {device}"])
    # The report ends in the user's line.
    result.stdout.fnmatch_lines(["test_it.py:1: ValueError"])


@pytest.mark.parametrize("arguments", ["{'sizes': {1, 2}}", "[1]", "{(1, 2): 3}"])
def test_arguments_that_no_worker_can_be_sent_are_refused(project: Project, arguments: str) -> None:
    project.tests(f"def test_it(measure_isolated): measure_isolated('steps:sleep', {arguments})")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E * TypeError: arguments: expected names and JSON values*", "test_it.py:1: TypeError"]
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("measure_step(lambda: 1, items=0)", "ValueError: items: expected a whole number of at least 1, got 0"),
        ("measure_step(lambda: 1, items=2.5)", "ValueError: items: expected a whole number of at least 1, got 2.5"),
        ("measure_isolated('steps:sleep', items='8')", "ValueError: items: expected a whole number *, got '8'"),
        ("measure_step(42)", "TypeError: step: expected a function without arguments, got 42"),
        ("measure_step(int, item=8)", "TypeError: *got an unexpected keyword argument 'item'"),
        ("measure_isolated('steps:sleep', item=8)", "TypeError: *got an unexpected keyword argument 'item'"),
        ("measure_step(int, synchronize=1)", "TypeError: synchronize: expected a function such as *, got 1"),
        ("measure_isolated('steps')", "ValueError: target: expected 'module:function', * got 'steps'"),
        ("measure_isolated(int)", "ValueError: target: expected 'module:function', * got <class 'int'>"),
        ("measure_isolated('steps:sleep', [1])", "TypeError: arguments: expected names and JSON values, * got ?1?"),
    ],
)
def test_what_a_step_cannot_be_given_is_refused(project: Project, call: str, message: str) -> None:
    project.tests(f"def test_it(measure_step, measure_isolated): {call}")
    result = project.run()
    result.assert_outcomes(failed=1)
    # The report ends in the user's line.
    result.stdout.fnmatch_lines([f"E * {message}", "test_it.py:1: *Error"])


def test_items_may_be_a_number_of_numpy(project: Project) -> None:
    project.tests("import numpy\ndef test_it(measure_step): measure_step(lambda: None, items=numpy.int64(8))\n")
    project.run("--benchmark-json=run.json").assert_outcomes(passed=1)
    assert project.json()["benchmarks"][0]["extra_info"]["batch_size"] == 8


@pytest.mark.parametrize("option", ["--fixtures", "--fixtures-per-test", "--markers"])
def test_showing_what_there_is_measures_nothing_and_leaves_nothing(project: Project, option: str) -> None:
    project.tests(ISOLATED)
    result = project.run(option)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*to go on*")
    result.stdout.no_fnmatch_line("*nothing was measured*")
    assert not (project.path / ".throughput").exists()


def test_a_label_may_name_a_device_of_another_kind(project: Project) -> None:
    project.tests(
        """
        import pytest

        @pytest.mark.throughput_case("a", device="cuda:first")
        def test_it(measure_step): measure_step(lambda: None)
        """
    )
    project.run("--benchmark-json=run.json").assert_outcomes(passed=1)


def test_a_failure_is_called_failed_once(project: Project) -> None:
    project.tests(
        """
        def test_broken(measure_isolated): measure_isolated("steps:end", {"how": "failed"})
        def test_here(measure_step): measure_step(lambda: 1 / 0)
        def test_crashed(measure_isolated): measure_isolated("steps:end", {"how": "crashed"})
        """
    )
    output = project.run("-rf").stdout.str()
    assert not re.search("failed: failed", output, re.IGNORECASE)
    assert "FAILED test_it.py::test_broken - Failed: RuntimeError: broken" in output
    assert "FAILED test_it.py::test_here - Failed: ZeroDivisionError: division by zero" in output
    assert "FAILED test_it.py::test_crashed - Failed: crashed: " in output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "options", "line"),
    [
        ("def step(): raise RuntimeError('mine')\ndef test_it(measure_step): measure_step(step)\n", (), "def step()"),
        (
            "def test_it(measure_isolated): measure_isolated('steps:end', {'how': 'failed'})\n",
            ("--throughput-isolation=none",),
            'if how == "failed": raise',
        ),
        (
            "def test_it(measure_isolated): measure_isolated('steps:end', {'how': 'failed'})\n",
            (),
            "def test_it(measure_isolated)",
        ),
        (
            "def test_it(measure_isolated): measure_isolated('steps:sleep', device='gpu')\n",
            (),
            "def test_it(measure_isolated)",
        ),
        ("def test_it(measure_step): measure_step(int, items=0)\n", (), "def test_it(measure_step)"),
    ],
    ids=["in this process", "isolation none", "in a worker", "a wrong device", "no items"],
)
def test_a_debugger_stops_in_the_users_code(project: Project, test: str, options: tuple[str, ...], line: str) -> None:
    project.tests(test)
    command = [*project._command("--pdb", "--throughput-protocol=quick", *options)]
    result = subprocess.run(
        command, cwd=project.path, env=project._variables({}), input="q\n", capture_output=True, text=True, check=False
    )
    # pdb shows where it stands: "> file(line)function()", and then the line.
    _, stands, shown = re.split(r"^> (.+\(\d+\).*)\n", result.stdout, maxsplit=1, flags=re.MULTILINE)
    assert "pytest_throughput" not in stands, result.stdout
    assert line in shown.splitlines()[0], result.stdout


OFF = """
import pytest

@pytest.mark.parametrize("n", [1])
def test_measures(measure_step, n): measure_step(lambda: None)
def test_plain(): pass
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["throughput", "pytest_throughput", "pytest-throughput"])
def test_no_throughput_switches_the_plugin_off(installed: Callable[..., pytest.RunResult], name: str) -> None:
    """Also where a conftest.py lists the plugin, and a suite that builds upon it."""
    Path("test_it.py").write_text(OFF)
    Path("conftest.py").write_text("pytest_plugins = ['pytest_throughput.plugin', 'dlworkloads.matrix']\n")
    result = installed("-p", f"no:{name}", "--tb=short")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*this test measures, and -p no:throughput has switched off what measures"])
    result.stdout.no_fnmatch_line("*throughput ===*")
    assert not Path(".throughput").exists()
    result = installed("-p", f"no:{name}", "--throughput-trials=2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*unrecognized arguments: --throughput-trials=2"])


def test_versions_are_shown(installed: Callable[..., pytest.RunResult], capsys: pytest.CaptureFixture[str]) -> None:
    result = installed("-VV")
    result.stdout.fnmatch_lines(["  pytest-throughput-0.1.0 at *pytest_throughput/plugin.py"])
    capsys.readouterr()
    assert main(["--version"]) == 0
    assert re.fullmatch(r"pytest-throughput \S.*\n", capsys.readouterr().out)


@pytest.mark.parametrize("command", ["", "show", "accept", "gate", "compare", "doctor"])
def test_help_is_plain_text(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*filter(None, [command]), "--help"]) == 0
    shown = capsys.readouterr().out
    assert "usage: pytest-throughput" in shown and "``" not in shown


def test_help_of_pytest_is_plain_text(installed: Callable[..., pytest.RunResult]) -> None:
    output = installed("--help").stdout.str()
    ours = output[output.index("measuring steps (pytest-throughput)") :]
    ours = ours[: ours.index("\n\n")]
    assert "--throughput-fail-on" in ours
    assert "``" not in ours
    assert "throughput_fail_on (" in output  # as a key of the ini file
    assert sys.executable not in ours


@pytest.mark.parametrize("returned", ["['/tmp']", "'/tmp'", "[pathlib.Path('/no/such/folder')]"])
def test_a_hook_that_returns_no_folders_is_named(project: Project, returned: str) -> None:
    project.tests(ISOLATED)
    hook = f"import pathlib\ndef pytest_throughput_packages(config): return {returned}\n"
    (project.path / "conftest.py").write_text(hook)
    result = project.run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*the hook pytest_throughput_packages returned *; expected a list of pathlib.Path*"])


def test_trials_and_confirmation_together_are_limited(project: Project) -> None:
    project.tests(ISOLATED)
    result = project.run("--throughput-trials=900", "--throughput-confirm=101", "--throughput-baseline=kept")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --throughput-trials 900 and --throughput-confirm 101: expected at most 1000 *"]
    )
