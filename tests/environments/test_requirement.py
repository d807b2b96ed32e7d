"""What a requirement means: which are exact as they stand, and what pip's report says of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_packages import wheel

from pytest_throughput.environments.pip import Pip
from pytest_throughput.environments.requirement import Pinned, pin

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Reporting(Pip):
    """A pip that answers by a report that the test gives, and counts the questions."""

    def __init__(self, **entry: Any) -> None:
        super().__init__("python")
        object.__setattr__(self, "entries", [entry] if entry else [])
        object.__setattr__(self, "asked", [])

    entries: list[dict[str, Any]]
    asked: list[str]

    def report(self, requirement: str) -> list[dict[str, Any]]:
        self.asked.append(requirement)
        return self.entries

    def wheel(self, requirement: str, folder: Path) -> Path:
        return wheel(folder, "pictures", "1.0", source=Path(requirement, "pictures.py").read_text())


def entry(source: dict[str, Any], *extras: str, version: str = "1.0", is_direct: bool = True) -> dict[str, Any]:
    metadata = {"name": "pictures", "version": version}
    return {"metadata": metadata, "requested_extras": extras, "download_info": source, "is_direct": is_direct}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("numpy==2.3.5", Pinned("numpy==2.3.5", "numpy==2.3.5", "numpy")),
        (" Numpy [b,a] == 2.3.5 ", Pinned(" Numpy [b,a] == 2.3.5 ", "Numpy[a,b]==2.3.5", "Numpy")),
        ("torch===2.13.0+cpu", Pinned("torch===2.13.0+cpu", "torch===2.13.0+cpu", "torch")),
        (
            f"git+https://me:secret@example.org/p.git@{COMMIT}",
            Pinned(f"git+https://me:secret@example.org/p.git@{COMMIT}", f"git+https://example.org/p.git@{COMMIT}"),
        ),
        (
            f"p @ git+file:///path@{COMMIT}#subdirectory=src",
            Pinned(
                f"p @ git+file:///path@{COMMIT}#subdirectory=src", f"p @ git+file:///path@{COMMIT}#subdirectory=src"
            ),
        ),
    ],
)
def test_what_is_exact_needs_no_look_up(text: str, expected: Pinned, tmp_path: Path) -> None:
    pip = Reporting()
    found = pin(text, pip, tmp_path)
    assert (found.text, found.identity, found.name) == (expected.text, expected.identity, expected.name)
    assert pip.asked == []


@pytest.mark.parametrize(
    ("text", "reported", "expected"),
    [
        ("pictures", entry({"url": "https://x/p.whl"}, is_direct=False), ("pictures==1.0", "pictures==1.0")),
        (
            "pictures[b, a] ~= 1.0 ; python_version > '3'",
            entry({"url": "https://x/p.whl"}, "b", "a", is_direct=False),
            ("pictures[a,b]==1.0", "pictures[a,b]==1.0"),
        ),
        (
            "pictures==1.*",
            entry({"url": "https://x/p.whl"}, version="1.9", is_direct=False),
            ("pictures==1.9", "pictures==1.9"),
        ),
        (
            "pictures @ git+https://me@example.org/a@b/p.git@feature/x#subdirectory=src ; python_version > '3'",
            entry({"url": "…", "vcs_info": {"vcs": "git", "commit_id": COMMIT}}),
            (
                f"pictures @ git+https://me@example.org/a@b/p.git@{COMMIT}#subdirectory=src",
                f"pictures @ git+https://example.org/a@b/p.git@{COMMIT}#subdirectory=src",
            ),
        ),
        (
            "git+file:///path",
            entry({"url": "…", "vcs_info": {"vcs": "git", "commit_id": COMMIT}}),
            (f"git+file:///path@{COMMIT}", f"git+file:///path@{COMMIT}"),
        ),
        (
            "pictures @ https://me:secret@x/p.whl#sha256=ab",
            entry({"url": "https://x/p.whl", "archive_info": {"hashes": {"sha256": "ab"}}}),
            (
                "pictures @ https://me:secret@x/p.whl#sha256=ab",
                "pictures from https://x/p.whl with [('sha256', 'ab')]",
            ),
        ),
    ],
)
def test_what_is_not_exact_is_what_pip_would_install_now(
    text: str, reported: dict[str, Any], expected: tuple[str, str], tmp_path: Path
) -> None:
    pip = Reporting(**reported)
    found = pin(text, pip, tmp_path)
    assert (found.text, found.identity) == expected
    assert (found.name, pip.asked) == ("pictures", [text])


def test_a_local_folder_is_known_by_the_content_of_its_wheel(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    pip = Reporting(**entry({"url": folder.as_uri(), "dir_info": {}}, "all"))

    def pinned(name: str, source: str) -> Pinned:
        (folder / "pictures.py").write_text(source)
        (tmp_path / name).mkdir()
        return pin(str(folder), pip, tmp_path / name)

    first, second, third = pinned("a", "x = 1"), pinned("b", "x = 2"), pinned("c", "x = 1")
    assert first.identity == third.identity != second.identity
    assert first.text == f"pictures[all] @ {(tmp_path / 'a' / 'pictures-1.0-py3-none-any.whl').as_uri()}"


@pytest.mark.parametrize("text", ["", " ", "-e .", "--index-url=https://x"])
def test_what_is_no_requirement_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a requirement as pip takes it, such as numpy==2\.3\.5"):
        pin(text, Reporting(), tmp_path)


def test_a_marker_that_does_not_hold_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="its marker does not hold for python; leave it out"):
        pin("numpy==2; python_version < '3'", Reporting(), tmp_path)


@given(st.text(alphabet="numpy=2.3*[]@:/ ;'<>-", max_size=30))
def test_any_text_is_exact_or_a_question_to_pip(text: str) -> None:
    pip = Reporting(**entry({"url": "u"}, is_direct=False))
    try:
        found = pin(text, pip, Path("/nonexistent"))
    except ValueError:
        return
    assert found.identity
