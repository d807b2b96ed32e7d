"""pip: what is made of its answers, which the tests give."""

from __future__ import annotations

import subprocess

import pytest

from pytest_throughput.environments.pip import Pip, PipFailed, without_secrets


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> subprocess.CompletedProcess[str]:
    """What pip ends with; a test may change it."""
    ended = subprocess.CompletedProcess([], 0, "", "")
    monkeypatch.setattr(Pip, "_start", lambda self, *arguments: ended)
    return ended


def test_only_a_failed_check_has_conflicts(answer: subprocess.CompletedProcess[str]) -> None:
    answer.stdout = "No broken requirements found.\n"
    assert Pip("python").conflicts() == []
    answer.stdout, answer.returncode = "frames 2 needs pictures<2\n", 1
    assert Pip("python").conflicts() == ["frames 2 needs pictures<2"]


def test_the_versions_of_the_index_are_listed(answer: subprocess.CompletedProcess[str]) -> None:
    answer.stdout = "torch (2.13.0)\nAvailable versions: 2.13.0, 2.12.1\n  INSTALLED: 2.12.1\n"
    assert Pip("python").versions("torch") == ["2.13.0", "2.12.1"]


def test_a_message_has_no_secrets(answer: subprocess.CompletedProcess[str]) -> None:
    answer.returncode, answer.stderr = 1, "fatal: Authentication failed for 'https://me:token@host/p'\n"
    with pytest.raises(PipFailed) as failed:
        Pip("python").install(["git+https://me:token@host/p@main"])
    assert str(failed.value).splitlines() == [
        "pip could not install git+https://host/p@main for python (status 1):",
        "    fatal: Authentication failed for 'https://host/p'",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a @ git+https://me:token@host/p@v1", "a @ git+https://host/p@v1"),
        ("git+ssh://git@host/p@v1", "git+ssh://host/p@v1"),
        ("https://me:to@ken@host/p", "https://host/p"),
        ("git+file:///p@v1", "git+file:///p@v1"),
        ("numpy==2.3.5", "numpy==2.3.5"),
    ],
)
def test_secrets_of_urls_are_not_shown(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
