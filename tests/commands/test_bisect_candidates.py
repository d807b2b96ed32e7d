"""The candidates of ``pytest-throughput bisect``: commits in their order, and versions."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pytest_throughput.commands.bisecting.candidates import commits, read_versions, versions
from pytest_throughput.environments.pip import Pip, PipFailed


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "--initial-branch=main")
    for title in ("one", "two"):
        git("commit", "--allow-empty", "--message", title)
    git("switch", "--create", "side")
    git("commit", "--allow-empty", "--message", "aside")
    git("switch", "main")
    git("commit", "--allow-empty", "--cleanup=verbatim", "--message", "three \x1b[31m\r!")
    git("merge", "--no-ff", "--message", "merged", "side")
    git("commit", "--allow-empty", "--allow-empty-message", "--message", "")
    return tmp_path


def test_commits_follow_the_first_parents(repository: Path) -> None:
    found = commits(repository, "main~4", "main")
    assert [each.title for each in found] == ["one", "two", "three \\x1b[31m !", "merged", ""]
    assert found[0].requirement == f"git+file://{repository}@{found[0].name}"
    assert len(found[0].name) == 40 and found[0].shown == found[0].name[:10]
    assert found[0].described == f"{found[0].shown}: one"
    for good, bad, said in (
        ("main", "main~1", "--good main is no ancestor of --bad main~1; expected an earlier commit"),
        ("main", "main", "--good main is no ancestor of --bad main"),
        ("side", "main", f"parents of merges; expected one of these, such as {found[1].shown}, which both have"),
        ("elsewhere", "main", "--good: expected a commit of this repository, got 'elsewhere' (git rev-parse"),
        ("main", "--upload-pack=x", "--bad: expected a commit of this repository, got '--upload-pack=x'"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            commits(repository, good, bad)


def test_versions_are_ordered_and_between_the_ends() -> None:
    name, patterns = read_versions("torch==2.9.1,2.10.0,2.9.0,2.11.0")
    found = versions(name, patterns, "2.9", "2.10.1", Pip("python"))
    assert [each.requirement for each in found] == [f"torch=={v}" for v in ("2.9", "2.9.1", "2.10.0", "2.10.1")]
    with pytest.raises(ValueError, match=r"--good 2\.10 is not older than --bad 2\.10\.0"):
        versions(name, patterns, "2.10", "2.10.0", Pip("python"))


def test_pip_is_asked_where_a_pattern_has_a_star(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = ["2.13.0", "2.13.0rc1", "2.12.1", "2.12.0", "2.11.0"]
    monkeypatch.setattr(Pip, "versions", lambda self, name: listed)
    found = versions(*read_versions("torch==2.12.*, 2.13.*"), "2.12.0", "2.13.0", Pip("python"))
    assert [each.name for each in found] == ["2.12.0", "2.12.1", "2.13.0rc1", "2.13.0"]

    def fail(self: Pip, name: str) -> list[str]:
        raise PipFailed("ERROR: No matching distribution found for torch")

    monkeypatch.setattr(Pip, "versions", fail)
    with pytest.raises(ValueError, match=r"No matching distribution found for torch; name each version, as in torch=="):
        versions("torch", ("2.*",), "2.12.0", "2.13.0", Pip("python"))


@pytest.mark.parametrize("text", ["torch", "torch==", "torch==2.12.*,", "==1.0", "torch>=2", "-r==1.0", "a==b"])
def test_what_names_no_versions_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected NAME==VERSIONS, such as torch"):
        read_versions(text)
