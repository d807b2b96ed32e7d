"""One run at a time: the second waits until the first has ended, however it did."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_throughput.launch.lock import Locks, cpu_names

HOLDER = """
import sys
from pathlib import Path
from pytest_throughput.launch.lock import Locks
locks = Locks(print, Path(sys.argv[1]))
locks.hold(["cpu-00000", "GPU-1"])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, that has the locks."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": "plugins"},
        cwd=Path(__file__).parents[2],
        stdin=pipe,
        stdout=pipe,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_lock_dies_with_its_holder(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    seen: list[object] = []

    def waiting(*who: object) -> None:
        seen.append(who)
        holder.kill()

    locks = Locks(waiting, tmp_path)
    locks.hold(["GPU-1"])
    assert seen == [("GPU-1", holder.pid)]
    assert (tmp_path / "GPU-1.lock").read_text() == str(os.getpid())
    locks.release()


def test_others_are_not_waited_for(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    def waiting(*_: object) -> None:
        raise AssertionError

    locks = Locks(waiting, tmp_path)
    locks.hold(["cpu-00001", "GPU-2"])
    locks.hold(["GPU-2"])
    locks.hold(["GPU-3"])
    locks.release()
    Locks(waiting, tmp_path).hold(["GPU-3"])


def test_who_cannot_wait_any_longer_holds_nothing(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    """Ctrl-C while waiting: what is left is released, and no descriptor lost."""
    descriptors = set(os.listdir("/proc/self/fd"))

    def waiting(*_: object) -> None:
        raise KeyboardInterrupt

    locks = Locks(waiting, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        locks.hold(["GPU-0", "GPU-1"])
    locks.release()
    assert set(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.parametrize("note", [b"", b"\x1b[31m", b"9" * 10**5])
def test_a_note_of_another_program_is_not_believed(tmp_path: Path, holder: subprocess.Popen[str], note: bytes) -> None:
    (tmp_path / "GPU-1.lock").write_bytes(note)
    seen: list[object] = []

    def waiting(_: str, who: int | None) -> None:
        seen.append(who)
        holder.kill()

    Locks(waiting, tmp_path).hold(["GPU-1"])
    assert seen in ([None], [int("9" * 32)])


def test_what_is_no_lock_file_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "GPU-1.lock").symlink_to(tmp_path / "precious")
    (tmp_path / "precious").write_text("precious")
    os.mkfifo(tmp_path / "GPU-2.lock")
    for name in ("GPU-1", "GPU-2"):
        with pytest.raises(OSError, match=rf"{name}\.lock"):
            Locks(print, tmp_path).hold([name])
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_file_with_a_second_name_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "GPU-1.lock").hardlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match=r"GPU-1\.lock"):
        Locks(print, tmp_path).hold(["GPU-1"])
    assert (tmp_path / "precious").read_text() == "precious"


def test_others_can_open_what_a_strict_umask_made(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        Locks(print, tmp_path / "locks").hold(["GPU-1"])
    finally:
        os.umask(before)
    assert (tmp_path / "locks").stat().st_mode & 0o7777 == 0o1777
    assert (tmp_path / "locks" / "GPU-1.lock").stat().st_mode & 0o777 == 0o666


def test_a_closed_folder_of_another_user_is_reported_with_how_to_mend_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "locks"
    folder.mkdir(mode=0o700)

    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr("os.open", refuse)
    monkeypatch.setattr("os.geteuid", lambda: folder.stat().st_uid + 1)
    mended = rf"belongs to user \d+, with mode 700; its owner can mend it with chmod 1777 {folder}, or remove it"
    with pytest.raises(OSError, match=mended):
        Locks(print, folder).check(["GPU-1"])
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(OSError, match=mended):
        Locks(print, folder).check([])


def test_waiting_ends_where_there_is_no_time_left(
    tmp_path: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_throughput.launch.lock._LOOK_SECONDS", 0.0)
    looks = iter([False, False, True])
    locks = Locks(lambda *_: None, tmp_path)
    with pytest.raises(TimeoutError):
        locks.hold(["GPU-1"], lambda: next(looks))
    holder.kill()
    holder.wait()
    locks.hold(["GPU-1"], lambda: False)
    locks.release()


def test_a_child_of_the_holder_does_not_hold(tmp_path: Path) -> None:
    locks = Locks(print, tmp_path)
    locks.hold(["GPU-1"])
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        locks.release()

        def waiting(*_: object) -> None:
            raise AssertionError

        deadline = time.monotonic() + 30  # The child may not have run yet.
        while True:
            try:
                Locks(waiting, tmp_path).hold(["GPU-1"])
                break
            except AssertionError:
                assert time.monotonic() < deadline
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_every_processor_has_its_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3, 12})
    assert cpu_names() == ["cpu-00003", "cpu-00012"]
