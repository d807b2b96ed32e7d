"""The journal: every trial is written down as soon as it has ended, so that no trial is lost however the run ends.

JSON lines: first what the run is, then a line for each trial. A line is on the disk before the next trial
begins. What was cut off in the middle of a line is no trial. The first line also names the process that owns the
file, with blanks to a constant length, so that a run that goes on with the journal can put its own number there.
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
from pytest_throughput.worker.protocol import encode

__all__ = ["JOURNAL_VERSION", "MAX_LINE_BYTES", "Heading", "Journal", "to_disk"]

JOURNAL_VERSION = 1
MAX_LINE_BYTES = 65 * 2**20
"""A worker's answer has at most 64 MiB; the rest is for the names of its case."""


@dataclass(frozen=True)
class Heading:
    """What a run is: journals with equal headings belong to the same measurement."""

    fingerprint: Mapping[str, Any]
    """The hardware."""
    settings: Mapping[str, Any]
    """How it is measured."""
    command: tuple[str, ...] = ()
    """The arguments of pytest, for a person to read."""
    journal: int = JOURNAL_VERSION


class Journal:
    """The journal of this run, being written; no other run writes to the same file meanwhile.

    Never raises for a file that cannot be written: what is left to write is kept, and tried again
    with the next trial, since a full disk may be emptied.
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

    def add(self, ended: EndedTrial) -> None:
        """Write a trial; it is on the disk when this returns, or ``problem`` says why not."""
        try:
            line = encode(
                {
                    "case_id": ended.case_id,
                    "environment": ended.environment,
                    "labels": dict(ended.axes),
                    "trial": ended.trial,
                    "started_at": ended.started_at,
                    "items": ended.items,
                    "outcome": ended.outcome.to_json(),
                }
            )
        except (TypeError, ValueError, RecursionError) as error:
            # A step of this process may name metadata that JSON cannot say.
            self._left_out = f"the journal lacks {ended.case_id}, whose metadata are not JSON: {error}"
            return
        if len(line) > MAX_LINE_BYTES:
            self._left_out = (
                f"the journal lacks {ended.case_id}, whose trial takes {len(line) >> 20} MiB; "
                f"at most {MAX_LINE_BYTES >> 20} MiB can be read again: let the step report less metadata"
            )
            return
        self._pending += line
        self._write()

    def remove(self) -> None:
        """Remove the file: all that it held is elsewhere."""
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
            # Whatever an earlier attempt, or an earlier run, left behind the last whole line.
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
        with suppress(OSError):  # Not every file system can write folders to the disk.
            to_disk(self.path.parent)  # A file without its name would be lost.
        return file


def to_disk(path: Path) -> None:
    """Return when what was written to a file, or the names in a folder, would survive a power failure.

    Raise OSError where that turns out to have failed, as on a network's full disk.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
