"""Environments: what they hold, when they are made again, and what becomes of one that was interrupted."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_packages import commit, project, wheel

from pytest_throughput.environments.environment import Environment, Environments
from pytest_throughput.environments.pip import Pip, PipFailed

Get = Callable[..., Environment]


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, the only place where pip looks for packages."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(folder), "CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    return folder


@pytest.fixture
def get(tmp_path: Path, wheels: Path) -> Get:
    environments = Environments(folder=tmp_path / "kept")
    return lambda *requirements: environments.get(requirements)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, wheels: Path) -> list[str]:
    """Replaces pip by a function that unpacks wheels, which takes no time; the requirements that it was given."""
    calls: list[str] = []

    def install(self: Pip, requirements: Sequence[str], *options: str) -> None:
        calls.extend(requirements)
        (packages,) = Path(self.python).parents[1].glob("lib/*/site-packages")
        for requirement in requirements if options else ():
            zipfile.ZipFile(wheels / f"{requirement.replace('==', '-')}-py3-none-any.whl").extractall(packages)

    monkeypatch.setattr(Pip, "install", install)
    monkeypatch.setattr(Pip, "conflicts", lambda self: ["pictures is odd"] if "kept" in self.python else [])
    return calls


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has pip not look for conflicts, which takes as long as everything else."""
    monkeypatch.setattr(Pip, "conflicts", lambda self: [])


def answer(environment: Environment, program: str) -> str:
    command = [str(environment.python), "-P", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_an_environment_is_made_once_and_extends_the_running_one(get: Get, wheels: Path, installed: list[str]) -> None:
    wheel(wheels, "pictures", "1.0")
    first = get("pictures==1.0")
    assert (first.was_made, first.conflicts) == (True, ("pictures is odd",))
    assert installed == ["pictures==1.0"] * 2
    found = answer(first, "import importlib.util as i, pictures; print(pictures.VERSION, i.find_spec('numpy').origin)")
    assert re.fullmatch(r"1\.0 .*site-packages/numpy/__init__.py", found)
    again = get("pictures==1.0")
    assert (again.folder, again.was_made, again.conflicts) == (first.folder, False, first.conflicts)
    assert len(installed) == 2
    wheel(wheels, "pictures", "1.1")
    assert get("pictures==1.1").folder != first.folder


@pytest.mark.parametrize(
    ("what", "content"),
    [
        ("complete.json", None),
        ("complete.json", b"{}"),
        ("complete.json", b'{"conflicts": 3}'),
        ("complete.json", b'{"conflicts": ["\xff"]}'),
        ("bin/python", None),
    ],
)
def test_an_environment_that_is_not_whole_is_made_anew(
    get: Get, wheels: Path, installed: list[str], what: str, content: bytes | None
) -> None:
    wheel(wheels, "pictures", "1.0")
    first = get("pictures==1.0")
    (first.folder / "leftover").touch()
    (first.folder / what).unlink()
    if content is not None:
        (first.folder / what).write_bytes(content)
    again = get("pictures==1.0")
    assert (again.folder, again.was_made) == (first.folder, True)
    assert not (again.folder / "leftover").exists()


def test_an_interrupted_making_leaves_nothing_that_is_taken_for_whole(
    get: Get, wheels: Path, installed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(wheels, "pictures", "1.0")

    def interrupted(self: Pip) -> list[str]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Pip, "conflicts", interrupted)
        with pytest.raises(KeyboardInterrupt):
            get("pictures==1.0")
    assert get("pictures==1.0").was_made
    assert not get("pictures==1.0").was_made


def test_a_change_of_what_is_extended_makes_another(tmp_path: Path, wheels: Path, installed: list[str]) -> None:
    wheel(wheels, "pictures", "1.0")
    environments = Environments(folder=tmp_path / "kept")
    first = environments.get(["pictures==1.0"])
    extended = environments._extended
    environments._extended = replace(extended, packages={**extended.packages, "frames": "2.0"})
    assert environments.get(["pictures==1.0"]).folder != first.folder


def test_another_index_makes_another(
    get: Get, wheels: Path, installed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(wheels, "pictures", "1.0")
    first = get("pictures==1.0")
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:token@example.org/simple")
    second = get("pictures==1.0")
    assert second.folder != first.folder
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:other@example.org/simple")
    assert get("pictures==1.0").folder == second.folder


def test_what_lies_in_the_current_folder_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zipfile.ZipFile(wheel(tmp_path / "wheels", "pictures", "1.0")).extractall(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert "pictures" not in Environments()._extended.packages


def test_a_python_that_does_not_answer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"/no/such/python does not answer as Python does \(No such file"):
        Environments("/no/such/python", tmp_path)
    with pytest.raises(ValueError, match="false does not answer as Python does"):
        Environments("false", tmp_path)


def test_the_cache_is_that_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: list[str]) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    wheel(tmp_path / "wheels", "pictures", "1.0")
    made = Environments().get(["pictures==1.0"])
    assert made.folder.parent == tmp_path / "cache" / "pytest-throughput" / "environments"


def test_environments_that_nobody_asks_for_are_removed_when_another_is_made(
    tmp_path: Path, wheels: Path, installed: list[str]
) -> None:
    for name in ("frames", "pictures", "sounds"):
        wheel(wheels, name, "1.0")
    said: list[str] = []
    environments = Environments(folder=tmp_path / "kept", say=said.append)
    used, unused = (environments.get([f"{name}==1.0"]).folder for name in ("frames", "pictures"))
    interrupted, locked = (tmp_path / "kept" / name for name in ("interrupted", "locked"))
    for folder in (interrupted, locked):
        folder.mkdir()
        folder.with_suffix(".lock").touch()
    (tmp_path / "kept" / "unreadable.lock").mkdir()  # As one of another user, which cannot be opened either.
    long_ago = time.time() - 31 * 24 * 3600
    for path in (used / "complete.json", unused / "complete.json", interrupted, locked):
        os.utime(path, (long_ago, long_ago))
    assert not environments.get(["frames==1.0"]).was_made
    with open(locked.with_suffix(".lock")) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        environments.get(["sounds==1.0"])
    assert [folder.exists() for folder in (used, unused, interrupted, locked)] == [True, False, False, True]
    removing = [text for text in said if text.startswith("removing")]
    assert sorted(removing) == sorted(
        f"removing an environment that was not used for 30 days: {folder}" for folder in (unused, interrupted)
    )


def test_without_pip_it_says_how_to_get_it(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_throughput.environments.pip._MODULE", "no_such_pip")
    with pytest.raises(PipFailed, match=r"pip is not installed for .*; .* -m ensurepip installs it"):
        get("pictures==1.0")


@pytest.mark.slow  # pip takes a second of processor time, or two, for each question.
class TestWithPip:
    """What pip itself does."""

    def test_what_a_requirement_needs_comes_along(self, get: Get, wheels: Path) -> None:
        wheel(wheels, "pictures", "1.0", requires=["frames>=1; extra == 'all'", "numpy<1"])
        wheel(wheels, "frames", "1.5")
        wheel(wheels, "numpy", "0.9")
        made = get("pictures[all] == 1.0")
        found = answer(made, "import frames, numpy, pictures; print(pictures.VERSION, frames.VERSION, numpy.VERSION)")
        assert found == "1.0 1.5 0.9"
        assert any("scipy" in each and "numpy" in each for each in made.conflicts)

    def test_a_branch_is_its_commit_and_a_folder_its_content(self, get: Get, tmp_path: Path, unchecked: None) -> None:
        folder = project(tmp_path / "repository", "pictures", "1.0", source="STATE = 1")
        first = commit(folder)
        by_hash, by_branch = get(f"git+file://{folder}@{first}"), get(f"git+file://{folder}")
        assert answer(by_hash, "import pictures; print(pictures.STATE)") == "1"
        assert answer(by_branch, "import pictures; print(pictures.STATE)") == "1"
        project(folder, "pictures", "1.0", source="STATE = 2")
        uncommitted = get(str(folder))
        assert answer(uncommitted, "import pictures; print(pictures.STATE)") == "2"
        assert not get(f"git+file://{folder}").was_made
        commit(folder)
        moved = get(f"git+file://{folder}")
        assert (moved.was_made, answer(moved, "import pictures; print(pictures.STATE)")) == (True, "2")
        assert not get(str(folder)).was_made

    def test_what_pip_cannot_install_is_said_with_its_last_lines(self, get: Get, tmp_path: Path) -> None:
        with pytest.raises(PipFailed) as failed:
            get("no-such-package==1.0")
        assert f"pip could not install no-such-package==1.0 for {tmp_path}/kept/" in str(failed.value)
        assert "No matching distribution found for no-such-package==1.0" in str(failed.value)
        with pytest.raises(PipFailed, match="Invalid requirement"):
            get("what is this")
        with pytest.raises(ValueError, match="its marker does not hold"):
            get("pictures; python_version < '3'")

    def test_a_local_wheel_is_known_by_its_hash(self, get: Get, tmp_path: Path, unchecked: None) -> None:
        file = wheel(tmp_path / "other", "pictures", "1.0")
        made = get(str(file))
        assert answer(made, "import pictures; print(pictures.VERSION)") == "1.0"
        assert not get(f"pictures @ {file.as_uri()}").was_made
        shutil.rmtree(tmp_path / "other")
        wheel(tmp_path / "other", "pictures", "1.0", source="VERSION = 'other'")
        assert answer(get(str(file)), "import pictures; print(pictures.VERSION)") == "other"


def test_the_running_python_is_extended_by_default() -> None:
    assert Environments()._python == sys.executable
