"""The baseline store: accepted runs in a directory, with a folder for each hardware and a file for each run.

A file is written once and never changed. Its name consists of the run's time and a digest of the
content. Therefore two jobs can accept at the same time without a lock, accepting a run twice has no
further effect, and a repository of baselines merges without conflicts. No text from a result file, such
as a case id, becomes part of a path.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_throughput.gate.judged import JudgedRun, hardware_key
from pytest_throughput.gate.store_format import MOST_BYTES, DamagedFile, decode, encode, utc

__all__ = ["Baseline", "Store", "StoreError", "dated_in_the_future"]

_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{16}\.json")
_KEY = re.compile(r"[0-9a-f]{16}")
_CLOCK_DIFFERENCE = timedelta(minutes=10)
_MOST_FILES = 1_000
"""Only the latest files of a folder are read; parsing more would take seconds."""


class StoreError(Exception):
    """Raised where the directory cannot be read or written."""

    def __init__(self, message: str, *, was_writing: bool) -> None:
        super().__init__(message)
        self.was_writing = was_writing


@dataclass(frozen=True)
class Baseline:
    """The accepted runs of one hardware."""

    runs: tuple[JudgedRun, ...]
    """Ordered by time."""
    damaged: tuple[tuple[Path, str], ...] = ()
    """Files that were left out, with the reason."""
    other_hardware: int = 0
    """Number of folders for other hardware; it distinguishes a new machine from an empty store."""


class Store:
    """Read and write the accepted runs under one directory, which need not exist before the first is accepted."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def accept(self, run: JudgedRun) -> Path:
        """Write the run, and return its file.

        Raises StoreError where it cannot be written, and ValueError for a run without any figure or
        without a valid time.
        """
        if not any(case.trials for case in run.cases.values()):
            raise ValueError("the run has no figures; expected at least one case with a trial")
        content = encode(run)
        decode(content)  # Refuse a run that could not be read back.
        moment = utc(run.started_at).astimezone(UTC)
        name = f"{moment.year:04}{moment:%m%dT%H%M%SZ}-{hashlib.sha256(content).hexdigest()[:16]}.json"
        path = self._folder(run.fingerprint) / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_at_once(path, content)
        except OSError as error:
            message = f"could not write {path}: {error.strerror}; give a writable directory"
            raise StoreError(message, was_writing=True) from error
        return path

    def prune(self, accepted: Collection[Path], keep: int) -> None:
        """Delete all but ``keep`` runs of each hardware of which a run was just accepted.

        The runs in ``accepted`` all stay, whenever they were measured, and after them the latest of the
        others. A file that cannot be read as a run is neither counted nor deleted.

        Raises ValueError for fewer than 1, and StoreError where a file cannot be deleted.
        """
        if keep < 1:
            raise ValueError(f"keep: expected 1 or more runs, got {keep}")
        for folder in {path.parent for path in accepted}:
            others = [path for path in _run_files(folder) if path not in accepted and _is_run(path)]
            left = max(0, keep - len({path for path in accepted if path.parent == folder}))
            for path in others[: len(others) - left]:
                try:
                    path.unlink(missing_ok=True)  # Another job may prune at the same time.
                except OSError as error:
                    raise StoreError(f"could not delete {path}: {error.strerror}", was_writing=True) from error

    def read(self, fingerprint: Mapping[str, Any]) -> Baseline:
        """Return all accepted runs of that hardware. Raises StoreError where the directory cannot be read."""
        folder = self._folder(fingerprint)
        runs: list[JudgedRun] = []
        damaged: list[tuple[Path, str]] = []
        others = [name for name in _names(self._directory) if _KEY.fullmatch(name) and name != folder.name]
        other_hardware = sum(1 for name in others if os.path.isdir(self._directory / name))
        for path in _run_files(folder)[-_MOST_FILES:]:
            try:
                runs.append(_decoded(path))
            except DamagedFile as error:
                damaged.append((path, str(error)))
        return Baseline(tuple(sorted(runs, key=lambda run: utc(run.started_at))), tuple(damaged), other_hardware)

    def _folder(self, fingerprint: Mapping[str, Any]) -> Path:
        return self._directory / hardware_key(fingerprint)


def dated_in_the_future(folder: Path) -> list[Path]:
    """Return the accepted runs in a folder whose names give a start later than now, allowing for clock differences."""
    now = f"{datetime.now(UTC) + _CLOCK_DIFFERENCE:%Y%m%dT%H%M%SZ}"
    return [path for path in _run_files(folder) if path.name > now and _is_run(path)]


def _run_files(folder: Path) -> list[Path]:
    """Return the files of runs, ordered by name and so by time; other files are ignored."""
    return sorted(folder / name for name in _names(folder) if _NAME.fullmatch(name))


def _names(folder: Path) -> list[str]:
    """Return the names in a folder, or none if it does not exist. Raise StoreError where it cannot be read."""
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StoreError(f"could not read {folder}: {error.strerror}", was_writing=False) from error


def _is_run(path: Path) -> bool:
    try:
        _decoded(path)
    except DamagedFile:
        return False
    return True


def _decoded(path: Path) -> JudgedRun:
    """Return the run in a file. Raise DamagedFile where it is not a valid run of the hardware of its folder."""
    try:
        run = decode(_content(path))
    except OSError as error:
        raise DamagedFile(error.strerror or type(error).__name__) from None
    if hardware_key(run.fingerprint) != path.parent.name:
        raise DamagedFile("it is of other hardware than its folder")
    return run


def _content(path: Path) -> bytes:
    """Return the content of a regular file, up to the size limit; links and pipes are refused."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise DamagedFile("no regular file")
        return file.read(MOST_BYTES + 1)


def _write_at_once(path: Path, content: bytes) -> None:
    """Write the file atomically: readers see the whole file or none."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".accepting-", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.fileno(), 0o644)
            os.replace(file.name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(file.name)
            raise
