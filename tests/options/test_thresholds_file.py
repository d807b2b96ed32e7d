"""Thresholds out of TOML: strictly checked, and every mistake named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.gate.thresholds import Pattern, Thresholds
from pytest_throughput.options.gate_options import read_judge
from pytest_throughput.options.thresholds_file import project_thresholds, read_thresholds

GOOD = """
"training-tensorflow-*" = "8%"
"test_it.py::test_it[[]a]" = 0.05
"*" = { first_step_seconds = "25%", "peak_*" = "1%" }
"""
PATTERNS = (
    Pattern("training-tensorflow-*", 0.08),
    Pattern("test_it.py::test_it[[]a]", 0.05),
    Pattern("*", 0.25, "first_step_seconds"),
    Pattern("*", 0.01, "peak_*"),
)


def test_a_file_has_one_table(tmp_path: Path) -> None:
    file = tmp_path / "thresholds.toml"
    file.write_text(f"[thresholds]\n{GOOD}")
    assert read_thresholds(str(file)) == Thresholds(PATTERNS)


def test_pyproject_has_a_table_of_ours_among_others(tmp_path: Path) -> None:
    assert project_thresholds(tmp_path) == Thresholds()
    file = tmp_path / "pyproject.toml"
    for text in ("", "tool = 1", "[tool.pytest]\nminversion = '9'"):
        file.write_text(text)
        assert project_thresholds(tmp_path) == Thresholds()
    file.write_text(f"[project]\nname = 'x'\n[tool.pytest-throughput.thresholds]\n{GOOD}")
    assert project_thresholds(tmp_path) == Thresholds(PATTERNS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected [thresholds] alone, got a table of 0 entries"),
        ("thresholds = 1", "thresholds: expected a table of patterns of case ids, each with a share, got 1"),
        ("[thresholds]", "thresholds: expected a table of patterns of case ids, each with a share, got a table of 0 "),
        ("[thresholds]\na = '5%'\n[more]", "expected [thresholds] alone, got the keys 'thresholds', 'more'"),
        ("[thresholds]\na = 5", "thresholds, 'a': expected a share such as 3% or 0.03, got '5'"),
        ("[thresholds]\na = true", "thresholds, 'a': expected a share such as 3% or 0.03, got True"),
        ("[thresholds]\na = nan", "thresholds, 'a': expected a share such as 3% or 0.03, got 'nan'"),
        ("[thresholds]\na = 2026-01-01", "thresholds, 'a': expected a share such as 3% or 0.03, got 2026-01-01"),
        ("[thresholds]\na = ['5%']", "thresholds, 'a': expected a share such as 3% or 0.03, got a list of 1 entries"),
        ("[thresholds]\na = '2000%'", "thresholds, 'a': threshold: expected a share above 0, such as 0.03 for 3 %"),
        ("[thresholds]\n'' = '5%'", "thresholds: expected a table of patterns of case ids"),
        ("[thresholds]\na = {}", "thresholds, 'a': expected a table of patterns of metrics, each with a share"),
        ("[thresholds]\na = {x = '5'}", "thresholds, 'a', 'x': expected a share such as 3% or 0.03, got '5'"),
        ("[thresholds", "expected TOML: "),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "thresholds.toml"
    file.write_text(text)
    with pytest.raises(ValueError) as raised:
        read_thresholds(str(file))
    assert str(raised.value).startswith(f"{file}: {problem}")


def test_a_mistake_in_pyproject_is_named_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text("[tool.pytest-throughput]\nthreshold = '5%'")
    with pytest.raises(ValueError) as raised:
        project_thresholds(tmp_path)
    expected = f"{file}: [tool.pytest-throughput]: expected the table thresholds alone, got the keys 'threshold'"
    assert str(raised.value) == expected


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ValueError, match=f"{path}: .*; expected a readable TOML file"):
            read_thresholds(str(path))
    (tmp_path / "latin.toml").write_bytes(b"[thresholds]\n\xe4 = 1")
    with pytest.raises(ValueError, match="expected TOML: 'utf-8' codec"):
        read_thresholds(str(tmp_path / "latin.toml"))


@given(content=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: f"[thresholds]\n{text}".encode()))
def test_anything_else_is_a_value_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "any.toml"
    file.write_bytes(content)
    try:
        found = read_thresholds(str(file))
    except ValueError as error:
        problem = str(error)
    else:
        problem = ""
        assert found.patterns
    assert not problem or problem.startswith(f"{file}: ")


@given(names=st.lists(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), min_size=1, max_size=5, unique=True))
def test_metrics_are_read_in_their_order(names: list[str]) -> None:
    assert read_judge(" , ".join(names)) == tuple(names)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected names of metrics with commas, such as images_per_second,peak_memory_bytes, got ''"),
        ("a,,b", "expected names of metrics with commas"),
        ("a b", "expected names of metrics with commas"),
        ("a,b,a", "a is named twice; expected each metric once"),
    ],
)
def test_a_list_of_metrics_is_checked(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_judge(text)
