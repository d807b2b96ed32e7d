"""Write the journal: each trial is recorded as soon as it has ended, so that no trial is lost however the run ends.

The format is JSON lines: first a heading that describes the run, then a line for each trial, and for each part of a
phase that a later run can go on with. A line is on the disk before the next trial or part begins. A line that was cut
off is none. The first line also names the process that owns the file, padded with blanks to a constant length, so that
a run that resumes the journal can overwrite the process id.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.results.owned_file import InUse, OwnedFile, owner_note
from pytest_throughput.worker.parts import EndedPart
from pytest_throughput.worker.protocol import encode

__all__ = ["JOURNAL_VERSION", "MAX_LINE_BYTES", "Heading", "Journal", "StartedTrial", "to_disk"]

JOURNAL_VERSION = 1
MAX_LINE_BYTES = 65 * 2**20
"""The longest line: a worker's answer has at most 64 MiB, and the rest is for the names of its case."""


@dataclass(frozen=True)
class Heading:
    """The description of a run: journals with equal headings belong to the same measurement."""

    fingerprint: Mapping[str, Any]
    """The hardware."""
    settings: Mapping[str, Any]
    """The settings on which the figures depend."""
    command: tuple[str, ...] = ()
    """The arguments of pytest, for information."""
    journal: int = JOURNAL_VERSION


@dataclass(frozen=True)
class StartedTrial:
    """A trial that has not ended, and its last part that a later run can go on with."""

    case_id: str
    environment: str
    trial: int
    started_at: str
    """The time of its start in UTC, by ISO 8601."""
    part: EndedPart

    @property
    def key(self) -> tuple[str, str, int]:
        """The case, environment and number, which identify the trial."""
        return self.case_id, self.environment, self.trial


class Journal:
    """The journal that this run writes; no other run writes to the same file meanwhile.

    A file that cannot be written raises no error: the unwritten lines are kept, and tried again with the next trial,
    since space may become free on a full disk.
    """

    def __init__(
        self, path: Path, heading: Heading | None = None, *, file: OwnedFile | None = None, length: int = 0
    ) -> None:
        """Begin a journal with a heading, or go on with ``file``, which has ``length`` bytes of whole lines.

        Raise InUse if another run is writing a journal of that name.
        """
        self.path = path
        self._write_problem: str | None = None
        self._left_out: str | None = None
        self._length = length
        self._pending = b"" if heading is None else owner_note() + encode(asdict(heading))[1:]
        self._file = file
        if file is not None:
            with suppress(OSError):  # A file that cannot be written is reported with the first trial.
                if os.pread(file.descriptor, 8, 0) == owner_note()[:8]:
                    os.pwrite(file.descriptor, owner_note(), 0)
        self._write()

    @property
    def problem(self) -> str | None:
        """Why the journal does not hold every trial; None while it does."""
        return self._write_problem or self._left_out

    @property
    def is_written(self) -> bool:
        """Whether the disk has all lines so far."""
        return not self._pending

    @property
    def put_aside(self) -> Path | None:
        """The name that an older journal of the same name has now; None if there was none."""
        return None if self._file is None else self._file.put_aside

    def add(self, ended: EndedTrial) -> None:
        """Write a trial; it is on the disk when this returns, or ``problem`` says why not."""
        self._add(
            ended.case_id,
            {
                "case_id": ended.case_id,
                "environment": ended.environment,
                "labels": dict(ended.axes),
                "trial": ended.trial,
                "started_at": ended.started_at,
                "items": ended.items,
                "outcome": ended.outcome.to_json(),
            },
        )

    def add_part(self, started: StartedTrial) -> None:
        """Write the last part of a trial that has not ended, in the same way."""
        self._add(started.case_id, asdict(started))

    def _add(self, case_id: str, fields: Mapping[str, Any]) -> None:
        try:
            line = encode(fields)
        except (TypeError, ValueError, RecursionError) as error:
            # The metadata of a step in this process may have values that JSON lacks.
            self._left_out = f"the journal lacks {case_id}, whose metadata are not JSON: {error}"
            return
        if len(line) > MAX_LINE_BYTES:
            self._left_out = (
                f"the journal lacks {case_id}, whose trial takes {len(line) >> 20} MiB; "
                f"at most {MAX_LINE_BYTES >> 20} MiB can be read again: let the step report less metadata"
            )
            return
        self._pending += line
        self._write()

    def remove(self) -> None:
        """Remove the file, whose trials are in the result file."""
        if self._file is not None:
            self._file.remove()

    def close(self) -> None:
        """Leave the file as it is."""
        if self._file is not None:
            self._file.close()

    def _write(self) -> None:
        try:
            if self._file is None:
                self._file = self._create()
            descriptor = self._file.descriptor
            # This removes what an earlier attempt or run left after the last whole line.
            os.ftruncate(descriptor, self._length)
            written = 0
            while written < len(self._pending):
                written += os.pwrite(descriptor, self._pending[written:], self._length + written)
            os.fsync(descriptor)
        except OSError as error:
            self._write_problem = f"the journal {self.path} could not be written: {error.strerror}"
            return
        self._length += len(self._pending)
        self._pending = b""
        self._write_problem = None

    def _create(self) -> OwnedFile:
        try:
            file = OwnedFile.create(self.path)
        except InUse as error:
            if self._write_problem is None:  # The run is beginning, and can still be refused.
                raise
            raise OSError(errno.EBUSY, str(error)) from None
        with suppress(OSError):  # Some file systems cannot synchronise folders.
            to_disk(self.path.parent)  # The folder holds the file's name, without which the file would be lost.
        return file


def to_disk(path: Path) -> None:
    """Write a file's content, or the names in a folder, to the disk, so that they survive a power failure.

    Raise OSError if an earlier write turns out to have failed, as on a full network disk.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
