"""Workers find what they import, and only folders that this run has made are ever removed."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from pytest_throughput.launch.interpreters import Interpreter
from pytest_throughput.launch.isolation import ISOLATIONS
from pytest_throughput.launch.launcher import Launcher, LauncherConfig, Placement
from pytest_throughput.launch.reaper import FOLDER_PREFIX, OwnFolder, Reaper
from pytest_throughput.launch.staging import StagedPath
from pytest_throughput.measurement.plan import ONCE
from pytest_throughput.worker.protocol import Request

PACKAGE = Path(__file__).parents[2] / "plugins/pytest_throughput"
PLACE = Placement(Interpreter("default", "python", (sys.executable,)), trial=1)
STEPS = """
import os, shutil
from pathlib import Path
from pytest_throughput import Step
import pytest_throughput

STAGED = Path(pytest_throughput.__file__).parents[1]

def well():
    return Step(lambda: None, metadata={"staged": str(STAGED)})

def damaging(how):
    done = []
    def run():
        if done: return
        done.append(True)
        loop = STAGED / "pytest_throughput/measurement/loop.py"
        if how == "removed": shutil.rmtree(STAGED)
        if how == "file removed": loop.unlink()
        if how == "emptied": loop.write_text("")
        if how == "unwritable": os.chmod(STAGED / "pytest_throughput", 0o500); loop.unlink()
        if how == "replaced": shutil.rmtree(STAGED); STAGED.mkdir(); (STAGED / "mine").touch()
        if how == "linked": shutil.rmtree(STAGED); STAGED.symlink_to(Path(__file__).parent)
    return Step(run, metadata={"staged": str(STAGED)})
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def launcher(tmp_path: Path, isolation: str, *pythonpath: Path) -> tuple[Launcher, StagedPath]:
    (tmp_path / "steps.py").write_text(STEPS)
    staged = StagedPath([PACKAGE])
    config = LauncherConfig(staged, [tmp_path, *pythonpath], timeout_seconds=120)
    return ISOLATIONS[isolation](config), staged


def once(function: str, **arguments: object) -> Request:
    return Request(f"steps:{function}", arguments, ONCE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "isolation"),
    [
        *((how, "trial") for how in ("removed", "file removed", "emptied", "unwritable", "replaced", "linked")),
        ("removed", "framework"),
    ],
)
def test_a_damaged_staged_folder_is_made_anew(tmp_path: Path, temporary: Path, how: str, isolation: str) -> None:
    workers, staged = launcher(tmp_path, isolation)
    damaged, _ = workers.run(once("damaging", how=how), PLACE)
    later, _ = workers.run(once("well"), PLACE)
    workers.close()
    staged.remove()
    assert (damaged.status, later.status) == ("ok", "ok")
    assert later.metadata["staged"] != damaged.metadata["staged"]
    assert (tmp_path / "steps.py").exists()
    # A link that the step has put in its place is the step's.
    left = [str(path) for path in temporary.iterdir()]
    assert how == "replaced" or left == ([damaged.metadata["staged"]] if how == "linked" else [])


def test_a_whole_staged_folder_is_kept(tmp_path: Path, temporary: Path) -> None:
    workers, staged = launcher(tmp_path, "trial")
    folders = {workers.run(once("well"), PLACE)[0].metadata["staged"] for _ in range(2)}
    workers.close()
    staged.remove()
    assert len(folders) == 1
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("at", ["first", "later"])
def test_an_interruption_while_packages_are_copied_leaves_no_folder(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Copying takes long enough for Ctrl-C, or a kill of pytest, to come in the middle of it."""
    workers, _ = launcher(tmp_path, "trial")
    guarded = []
    monkeypatch.setattr(Reaper, "guard_folder", lambda _, folder: guarded.append(folder.path))
    if at == "later":
        workers.run(once("damaging", how="file removed"), PLACE)

    def interrupted(*_: object, **__: object) -> None:
        assert [str(folder) for folder in temporary.iterdir()] == guarded[-1:]
        raise KeyboardInterrupt

    monkeypatch.setattr("pytest_throughput.launch.staging.shutil.copytree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        workers.run(once("well"), PLACE)
    assert list(temporary.iterdir()) == []
    workers.close()
    assert len(guarded) == (1 if at == "first" else 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["new\nline", "a b", "\udcff", "$(exit 1)'\""])
def test_the_temporary_folder_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The reaper once removed the folder ``new`` if the name of the temporary folder was ``new``, newline, ``line``."""
    for each in (name, "new"):
        (tmp_path / each).mkdir()
    (tmp_path / "new/precious").write_text("of the user")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))
    workers, staged = launcher(tmp_path, "framework")
    outcome, _ = workers.run(once("well"), PLACE)
    workers.close()
    staged.remove()
    assert (outcome.status, outcome.reason) == ("ok", None)
    assert (tmp_path / "new/precious").read_text() == "of the user"
    assert list((tmp_path / name).iterdir()) == []


@pytest.mark.parametrize("option", ["TMPDIR", "--throughput-pythonpath"])
def test_a_folder_that_cannot_be_on_a_python_path_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    folder = tmp_path / "a:b"
    folder.mkdir()
    if option == "TMPDIR":
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
    workers, staged = launcher(tmp_path, "trial", *([folder] if option != "TMPDIR" else []))
    with pytest.raises(OSError, match=f"cannot import from .*a:b.*name another folder by {option}"):
        workers.run(once("well"), PLACE)
    workers.close()
    staged.remove()
    assert list(folder.iterdir()) == []


def named(path: Path) -> Path:
    path.mkdir()
    (path / "inside").mkdir()
    (path / "inside/file").touch()
    return path


@pytest.mark.parametrize("remover", ["itself", "reaper"])
def test_only_a_folder_of_ours_is_removed(tmp_path: Path, remover: str) -> None:
    ours = named(tmp_path / f"{FOLDER_PREFIX}ours")
    (ours / "inside").chmod(0o500)
    other_name = named(tmp_path / "other")
    replaced = named(tmp_path / f"{FOLDER_PREFIX}replaced")
    linked = named(tmp_path / f"{FOLDER_PREFIX}linked")
    folders = [OwnFolder.just_made(str(path)) for path in (ours, other_name, replaced, linked)]
    replaced.rename(tmp_path / "moved")
    named(replaced)
    linked.rename(tmp_path / "target")
    linked.symlink_to(tmp_path / "target")
    if remover == "reaper":
        reaper = Reaper()
        for folder in folders:
            reaper.guard_folder(folder)
        reaper.close()
    else:
        for folder in folders:
            folder.remove()
    assert not ours.exists()
    assert all((kept / "inside/file").exists() for kept in (other_name, replaced, linked, tmp_path / "moved"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_not_removed(tmp_path: Path) -> None:
    folder = named(tmp_path / f"{FOLDER_PREFIX}given-away")
    own = OwnFolder.just_made(str(folder))
    os.chown(folder, 65534, 65534)
    own.remove()
    assert (folder / "inside/file").exists()


def test_the_reaper_does_not_wait_for_what_pytest_has_forked() -> None:
    """Such as the workers of a DataLoader in a step of this process."""
    reaper = Reaper()
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(1000,))
    child.start()
    rescue = threading.Timer(60, child.kill)
    rescue.start()
    reaper.close()
    assert child.is_alive()
    rescue.cancel()
    child.kill()
    child.join()
