"""``pytest-throughput show`` prints what the run itself has printed."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest
from plugin_project import Project

from pytest_throughput.cli import main

TESTS = """
import pytest

@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("how", ["ok", "unsupported", "failed"])
def test_end(measure_isolated, mode, batch_size, how):
    measure_isolated("steps:end", {"how": how}, items=batch_size)

"""
CONFTEST = """
import os
import pytest

def pytest_collection_modifyitems(items):
    for item in items:
        axes = {name: item.callspec.params[name] for name in ("mode", "batch_size", "how")}
        name = "-".join(map(str, axes.values()))
        item.add_marker(pytest.mark.throughput_case(name, model="m", framework=axes.pop("how"), **axes))

@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    if os.path.exists("stop") and "training" in item.name: item.session.shouldstop = "enough"
"""
CONFIGURATIONS = """
import pytest

@pytest.mark.parametrize("how", [
    pytest.param(how, marks=pytest.mark.throughput_case(how, model="m", framework=how[0], execution=how[1]))
    for how in ("ax", "ay", "bz")
])
def test_end(measure_isolated, how):
    measure_isolated("steps:end", {"how": how})
"""
ARGUMENTS = ("--throughput-protocol=paper", "--throughput-isolation=none", "--benchmark-json=run.json")


def is_part(shown: list[str], lines: list[str]) -> bool:
    """Whether the lines contain all that was shown, as it stands there."""
    first = lines.index(shown[0])
    return lines[first : first + len(shown)] == shown


@pytest.fixture
def cases(project: Project) -> Project:
    project.tests(TESTS)
    (project.path / "conftest.py").write_text(CONFTEST)
    return project


@pytest.mark.parametrize("trials", [1, 2])
def test_a_finished_run_is_shown_as_it_printed_itself(
    cases: Project, capsys: pytest.CaptureFixture[str], trials: int
) -> None:
    result = cases.run(*ARGUMENTS, f"--throughput-trials={trials}")
    assert cases.json()["throughput"]["complete"] is True
    capsys.readouterr()
    assert main(["show", "run.json"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) > 12
    assert is_part(shown, result.outlines)


def test_columns_and_order_are_chosen_alike_in_a_run_and_in_show(
    cases: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    result = cases.run(*ARGUMENTS, "--throughput-sort=name", "--throughput-columns=status,p50,rounds", "-k", "ok")
    capsys.readouterr()
    assert main(["show", "run.json", "--sort", "name", "--columns", "status, p50,rounds"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert is_part(shown, result.outlines)
    assert shown[3].split() == ["work", "measured", "in", "status", "p50", "rounds"]
    sizes = [("inference", "1"), ("inference", "8"), ("training", "1"), ("training", "8")]
    assert [(line.split()[1], line.split()[3]) for line in shown[4:8]] == sizes
    assert "percentiles: over the 20 rounds of a trial" in shown[8]
    capsys.readouterr()
    assert main(["show", "run.json"]) == 0
    assert capsys.readouterr().out.splitlines() != shown


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("sort=speed", "expected one of: run, name, largest_batch, images_per_second, *, disturbed, got 'speed'"),
        ("columns=p50,p95", "expected all, or some of, with commas: largest_batch, *, status; got 'p95'"),
    ],
)
def test_an_unknown_word_is_refused_with_those_that_exist(
    project: Project, capsys: pytest.CaptureFixture[str], option: str, message: str
) -> None:
    project.tests("def test_it(measure_step): measure_step(lambda: open('ran', 'w'))")
    result = project.run(f"--throughput-{option}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*: error: argument --throughput-{option.partition('=')[0]}: {message}"])
    assert not (project.path / "ran").exists()
    capsys.readouterr()
    assert main(["show", "run.json", f"--{option}"]) == 2
    assert fnmatch(capsys.readouterr().err, f"*: error: argument --{option.partition('=')[0]}: {message}\n")


def test_an_interrupted_run_is_shown_with_how_to_go_on(cases: Project, capsys: pytest.CaptureFixture[str]) -> None:
    (cases.path / "stop").touch()
    result = cases.run(*ARGUMENTS)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    rows = [line.split() for line in result.outlines if line.endswith(" ok")]
    assert rows
    for file in ("run.json", "run.json.journal.jsonl"):
        capsys.readouterr()
        assert main(["show", file]) == 0
        shown = capsys.readouterr().out
        assert [line.split() for line in shown.splitlines() if line.endswith(" ok")] == rows
        assert "not complete: " in shown
    assert "--throughput-resume=run.json.journal.jsonl; its arguments were:\n    -p pytest_throughput" in shown


def test_the_short_table_is_shown_by_the_run_and_by_show(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.tests(CONFIGURATIONS)
    result = project.run(*ARGUMENTS)
    capsys.readouterr()
    assert main(["show", "run.json"]) == 0
    shown = capsys.readouterr().out
    assert shown.strip() in result.stdout.str()
    main_table, title, short_table = shown.partition("\neach at its best: ")
    assert title
    assert ["a x •" in main_table, "a y •" in main_table].count(True) == 1
    assert "b z" in short_table
    assert ["a x" in short_table, "a y" in short_table].count(True) == 1


def test_a_pipe_is_as_wide_as_columns_says(
    cases: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    result = cases.run(*ARGUMENTS)
    first = next(index for index, line in enumerate(result.outlines) if "ms/image" in line)
    last = next(index for index, line in enumerate(result.outlines) if line.startswith("left out for lack of width: "))
    table = result.outlines[first:last]
    assert max(map(len, table)) <= 60
    assert any(" ok " in line and line.endswith(" ok") for line in table)
    capsys.readouterr()
    assert main(["show", "run.json"]) == 0
    assert capsys.readouterr().out.splitlines()[2 : 2 + len(table)] == table
