"""The journal: every trial, written down as soon as it has ended, so that no end of a run loses any.

JSON lines: first what the run is, then a line a trial. A line is on the disk before the next trial
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
from typing import Annotated, Any

from msgspec import Meta, Struct

from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.results.owned_file import InUse, OwnedFile, owner_note
from pytest_throughput.results.untrusted_json import Unreadable, parse_object, read_lines
from pytest_throughput.results.validation import convert
from pytest_throughput.worker.protocol import Outcome, encode

__all__ = ["MAX_LINE_BYTES", "Heading", "Journal", "JournalContent", "read_journal", "to_disk"]

_VERSION = 1
MAX_LINE_BYTES = 65 * 2**20
"""A worker's answer has at most 64 MiB; the rest is for the names of its case."""
_MAX_NAMED_LINES = 5
_MAX_DAMAGED_LINES = 100_000
"""Millions of blank lines would take minutes to look at."""


@dataclass(frozen=True)
class Heading:
    """What a run is: journals with equal headings belong to the same measurement."""

    fingerprint: Mapping[str, Any]
    """The hardware."""
    settings: Mapping[str, Any]
    """How it is measured."""
    command: tuple[str, ...] = ()
    """The arguments of pytest, for a person to read."""
    journal: int = _VERSION


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


_Whole = Annotated[int, Meta(ge=1, le=2**53)]


class _HeadingLine(Struct):
    fingerprint: dict[str, Any]
    settings: dict[str, Any]
    command: list[str]


class _TrialLine(Struct):
    case_id: str
    environment: str
    labels: dict[str, Any]
    """The axes of the case by name."""
    trial: _Whole
    started_at: str
    items: _Whole
    outcome: dict[str, Any]


@dataclass(frozen=True)
class JournalContent:
    """What a journal holds."""

    heading: Heading
    trials: tuple[EndedTrial, ...]
    length: int
    """Bytes of the whole lines."""
    damaged_lines: tuple[int, ...] = ()
    """The numbers of the lines that are no trial and were left out; the heading is line 1."""

    def damage(self) -> str | None:
        """Return a sentence about the lines that were left out; None if there are none."""
        count = len(self.damaged_lines)
        if not count:
            return None
        if count == 1:
            return f"line {self.damaged_lines[0]} of the journal is damaged and was left out"
        shown = ", ".join(map(str, self.damaged_lines[:_MAX_NAMED_LINES]))
        rest = f" and {count - _MAX_NAMED_LINES} more" if count > _MAX_NAMED_LINES else ""
        return f"{count} lines of the journal are damaged and were left out: {shown}{rest}"


def to_disk(path: Path) -> None:
    """Return when what was written to a file, or the names in a folder, would survive a power failure.

    Raise OSError where that turns out to have failed, as on a network's full disk.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_journal(path: Path) -> JournalContent:
    """Read the journal of an interrupted run, line by line. Raise Unreadable if it is something else.

    A damaged line costs its own trial and no other. A last line without an end is what the interruption cut off.
    """
    heading: Heading | None = None
    trials = []
    damaged = []
    length = 0
    for number, line in enumerate(read_lines(path, MAX_LINE_BYTES), 1):
        if heading is None and line.content is None:
            raise Unreadable(path, f"line 1 is longer than {MAX_LINE_BYTES >> 20} MiB, which no heading is")
        if not line.is_whole:
            break
        try:
            if line.content is None:
                raise ValueError(f"it is longer than {MAX_LINE_BYTES >> 20} MiB")
            value = parse_object(line.content)
            if heading is None:
                heading = _heading(value)
            else:
                trials.append(_ended_trial(value))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            if heading is None:
                raise Unreadable(path, f"line 1 is not a journal of this version: {error}") from None
            damaged.append(number)
            if len(damaged) > _MAX_DAMAGED_LINES:
                raise Unreadable(path, f"has more than {_MAX_DAMAGED_LINES:,} damaged lines") from None
        length += line.length
    if heading is None:
        raise Unreadable(path, "it is empty, or cut off in its first line: there is nothing to go on with")
    return JournalContent(heading, tuple(trials), length, tuple(damaged))


def _heading(value: Mapping[str, Any]) -> Heading:
    if value.get("journal") != _VERSION:
        raise ValueError(f'expected "journal": {_VERSION}; expected the FILE.journal.jsonl of an interrupted run')
    heading = convert(value, _HeadingLine)
    return Heading(heading.fingerprint, heading.settings, tuple(heading.command))


def _ended_trial(value: Mapping[str, Any]) -> EndedTrial:
    line = convert(value, _TrialLine)
    return EndedTrial(
        case_id=line.case_id,
        environment=line.environment,
        axes=line.labels,
        trial=line.trial,
        started_at=line.started_at,
        items=line.items,
        outcome=Outcome.from_json(line.outcome),
        resumed=True,
    )
