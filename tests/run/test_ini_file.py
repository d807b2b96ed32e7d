"""Options in the ini file, and the folders that workers import from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from plugin_project import Project

ISOLATED = "def test_it(measure_isolated): measure_isolated('steps:sleep', {'milliseconds': 0.1})"
COLLECTED = ("--collect-only", "-q")


def write_ini(project: Project, *lines: str) -> None:
    (project.path / "pytest.ini").write_text("\n".join(["[pytest]", *lines, ""]))


def trials(project: Project, *arguments: str) -> int:
    """How many trials the options make of one test."""
    return sum("::" in line for line in project.run(*COLLECTED, *arguments).outlines)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.ini", "[pytest]\nthroughput_trials = 3\nthroughput_fail_on = missing,failed\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\nthroughput_trials = 3\nthroughput_fail_on = 'missing'\n"),
        (
            "pyproject.toml",
            "[tool.pytest]\nthroughput_trials = 3\nthroughput_timeout = 0.5\nthroughput_lock = 'on'\n",
        ),
        ("pytest.toml", "[pytest]\nthroughput_trials = 3\nthroughput_interpreter = ['mine=true']\n"),
        (
            "setup.cfg",
            "[tool:pytest]\nthroughput_trials = 3\nthroughput_interpreter =\n  mine=true\n  yours=true\n",
        ),
    ],
)
def test_an_option_may_stand_in_the_file(project: Project, name: str, text: str) -> None:
    project.tests(ISOLATED)
    (project.path / name).write_text(text)
    assert trials(project) == 3
    assert trials(project, "--throughput-trials=2") == 2
    assert trials(project, "-o", "throughput_trials=4") == 4


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("throughput_trials = many", "expected a whole number of at least 1, got 'many'"),
        ("throughput_trials =", "expected a whole number of at least 1, got ''"),
        (
            "throughput_trials = 1000000000000000000",
            "expected a whole number of at least 1, of at most 18 digits, got '1000000000000000000'",
        ),
        ("throughput_order = random", "invalid choice: 'random' (choose from *trials*paired*"),
        ("throughput_timeout = -1", "expected a number of seconds above 0, got '-1'"),
        ("throughput_threshold = 3", "expected a share such as 3% or 0.03, got '3'"),
        ("throughput_pythonpath = no/such", "expected an existing folder, got '*/no/such'; *rootdir, *"),
        ("throughput_interpreter =\n  python=true\n  pytorch", "expected [[]ENVIRONMENT/]NAME=COMMAND*got 'pytorch'"),
        ("throughput_interpreter =\n  a=true\n  a=false", "two interpreters for a in the environment 'default'"),
        ("throughput_gate = fail", "*nothing to judge by; give --throughput-baseline=DIR*"),
        ("throughput_baseline = ftp://host/x", "expected a folder, or a URL that begins with *, got ftp://"),
        ("throughput_baseline = test_it.py", "expected a folder, and '*/test_it.py' is a file*"),
    ],
)
def test_a_bad_value_is_refused_with_its_key(project: Project, line: str, message: str) -> None:
    project.tests(ISOLATED)
    write_ini(project, line)
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {line.split()[0]} in {project.path / 'pytest.ini'}*: {message}"])


@pytest.mark.parametrize("value", ["true", "['3']", "{ a = 1 }"])
def test_a_value_of_another_type_is_refused(project: Project, value: str) -> None:
    project.tests(ISOLATED)
    (project.path / "pytest.toml").write_text(f"[pytest]\nthroughput_trials = {value}\n")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *throughput_trials*"])


@pytest.mark.skipif(pytest.version_tuple < (9, 2), reason="older ones take texts alone")
@pytest.mark.parametrize(("key", "value"), [("trials", "0"), ("timeout", "-0.5")])
def test_a_number_of_toml_is_looked_at_as_a_text_is(project: Project, key: str, value: str) -> None:
    project.tests(ISOLATED)
    (project.path / "pytest.toml").write_text(f"[pytest]\nthroughput_{key} = {value}\n")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: throughput_{key} in *: expected a *, got '{value}'"])


def test_rules_of_the_gate_wait_for_a_run_that_is_judged(project: Project) -> None:
    project.tests(ISOLATED)
    write_ini(project, "throughput_threshold = 5%", "throughput_fail_on = regressed", "throughput_confirm = 2")
    assert trials(project) == 1
    result = project.run(*COLLECTED, "--throughput-threshold=5%")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_paths_of_the_file_are_those_of_the_rootdir(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.tests(ISOLATED)
    (project.path / "bin").mkdir()
    (project.path / "bin/python").symlink_to(sys.executable)
    write_ini(project, "throughput_baseline = kept", "throughput_interpreter = python=bin/python -X utf8")
    (project.path / "deep").mkdir()
    monkeypatch.chdir(project.path / "deep")
    result = project.run("..")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"*--baseline {project.path / 'kept'}*"])


def test_plain_tests_run_where_an_interpreter_of_the_file_is_missing(project: Project) -> None:
    project.tests("def test_plain(): pass")
    write_ini(project, "throughput_interpreter = pytorch=/no/such/python")
    assert project.run().ret == 0
    project.tests(ISOLATED)
    assert project.run("--benchmark-skip").ret == 0
    for arguments in ((), ("--benchmark-disable",)):
        result = project.run(*arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["ERROR: throughput_interpreter in *: the command of pytorch is '/no/such/*"])


SRC = """
from pytest_throughput import Step
def open_step(): return Step(lambda: None, metadata={"at": __file__})
"""
MINE = "def test_it(measure_isolated): measure_isolated('mine.bench:open_step')"


def lay_out(project: Project, *folders: str) -> None:
    """Put a package ``mine`` into each folder."""
    for folder in folders:
        package = project.path / folder / "mine"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "bench.py").write_text(SRC)
    project.tests(MINE)


def found(project: Project, *arguments: str) -> Path:
    """Where the worker found the module."""
    (benchmark,) = project.run_json(*arguments)["benchmarks"]
    return Path(benchmark["extra_info"]["at"]).relative_to(project.path)


@pytest.mark.parametrize("isolation", ["trial", "none"])
def test_workers_import_from_pytests_own_pythonpath(
    project: Project, monkeypatch: pytest.MonkeyPatch, isolation: str
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    lay_out(project, "src")
    write_ini(project, "pythonpath = src")
    assert found(project, f"--throughput-isolation={isolation}") == Path("src/mine/bench.py")


def test_folders_are_searched_from_the_special_to_the_general(project: Project) -> None:
    lay_out(project, "asked", "src", ".")
    write_ini(project, "pythonpath = src")
    assert found(project) == Path("src/mine/bench.py")
    assert found(project, "--throughput-pythonpath=asked") == Path("asked/mine/bench.py")


@pytest.mark.parametrize("line", ["addopts = --throughput-pythonpath=src", "throughput_pythonpath = src"])
def test_a_relative_folder_is_relative_to_the_rootdir(
    project: Project, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    lay_out(project, "src")
    write_ini(project, line)
    (project.path / "deep").mkdir()
    monkeypatch.chdir(project.path / "deep")
    project.run("..").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "target", ["'nowhere:open_step'", "'nowhere.deep:open_step'", "'steps:call', {'of': 'nowhere:f'}"]
)
def test_a_module_that_is_not_found_comes_with_the_folders_that_were_searched(project: Project, target: str) -> None:
    (project.path / "steps.py").write_text("def call(of): __import__(of.partition(':')[0])")
    project.tests(f"def test_it(measure_isolated): measure_isolated({target})")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "ModuleNotFoundError: No module named 'nowhere' (searched "
            f"{project.path} and what is installed; --throughput-pythonpath or pytest's pythonpath adds folders)"
        ]
    )


def test_a_module_that_the_target_misses_has_no_such_hint(project: Project) -> None:
    (project.path / "steps.py").write_text("import nowhere\n")
    project.tests(ISOLATED)
    result = project.run()
    result.stdout.fnmatch_lines(["ModuleNotFoundError: No module named 'nowhere'"])
    result.stdout.no_fnmatch_line("*searched*")


@pytest.mark.parametrize(
    ("ini", "arguments", "number"),
    [("", (), 3), ("throughput_trials = 2", (), 2), ("throughput_trials = 2", ("--throughput-trials=4",), 4)],
)
def test_a_suite_gives_defaults_that_yield_to_the_user(
    project: Project, ini: str, arguments: tuple[str, ...], number: int
) -> None:
    project.tests(ISOLATED)
    write_ini(project, ini)
    (project.path / "conftest.py").write_text("def pytest_throughput_defaults(): return {'trials': '3'}\n")
    assert trials(project, *arguments) == number


def test_a_suite_gives_one_value_of_an_option_that_can_be_repeated(project: Project) -> None:
    project.tests(
        "def test_it(measure_isolated, throughput_settings): print('folders:', throughput_settings.pythonpath)"
    )
    defaults = {"pythonpath": "steps", "interpreter": f"python={sys.executable}"}
    (project.path / "steps").mkdir()
    (project.path / "conftest.py").write_text(f"def pytest_throughput_defaults(): return {defaults!r}\n")
    project.run("-s").stdout.fnmatch_lines(["*folders: (*'*/steps'),)*"])


def test_a_suite_sees_the_options_that_the_user_gives(project: Project) -> None:
    project.tests(ISOLATED)
    write_ini(project, "throughput_timeout = 7")
    (project.path / "conftest.py").write_text(
        "def pytest_throughput_defaults(options): print('options:', dict(options)); return {}\n"
    )
    result = project.run(*COLLECTED, "--throughput-trials=2")
    result.stdout.fnmatch_lines(["options: {'trials': 2, 'protocol': 'quick', 'lock': 'off', 'timeout': 7.0}"])


@pytest.mark.parametrize(
    ("defaults", "message"),
    [
        ({"trials": "0"}, "trials: expected a whole number of at least 1, got '0'"),
        ({"isolation": "docker"}, "isolation: invalid choice: 'docker' (choose from *'trial'*"),
        ({"speed": "3"}, "speed: expected some of: trials, order, protocol,*"),
        ({"trials": 3}, "trials: expected a text as on the command line, got 3"),
    ],
)
def test_a_wrong_default_of_a_suite_is_refused(project: Project, defaults: dict[str, Any], message: str) -> None:
    project.tests(ISOLATED)
    (project.path / "conftest.py").write_text(f"def pytest_throughput_defaults(): return {defaults!r}\n")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: pytest_throughput_defaults: {message}"])


def test_pairs_of_environments_win_over_the_isolation_of_a_suite(project: Project) -> None:
    project.tests(ISOLATED)
    (project.path / "conftest.py").write_text("def pytest_throughput_defaults(): return {'isolation': 'framework'}\n")
    sides = [f"--throughput-interpreter={side}/python={sys.executable}" for side in ("base", "head")]
    assert project.run(*COLLECTED, "--throughput-order=paired", *sides).ret == 0
    refused = project.run(*COLLECTED, "--throughput-order=paired", "--throughput-isolation=framework", *sides)
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
