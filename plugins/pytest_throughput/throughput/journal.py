"""The journal: every trial, written down as soon as it has ended, so that no end of a run loses any.

JSON lines: first what the run is, then a line a trial. A line is on the disk before the next trial
begins. What was cut off in the middle of a line is no trial.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytest_throughput.isolation.protocol import Outcome, encode
from pytest_throughput.throughput.ledger import TrialRecord
from pytest_throughput.throughput.untrusted import Unreadable, parse_object, read_lines

__all__ = ["Entry", "Heading", "Journal", "read_journal", "to_disk"]

_VERSION = 1
_MAX_BYTES = 2**30
_MAX_LINE_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Heading:
    """What a run is: two journals with equal ones are of the same measurement."""

    fingerprint: Mapping[str, Any]
    """The hardware."""
    settings: Mapping[str, Any]
    """How it is measured."""
    command: tuple[str, ...] = ()
    """The arguments of pytest, for a person to read."""
    journal: int = _VERSION


@dataclass(frozen=True)
class Entry:
    """One trial that has ended."""

    case_id: str
    environment: str
    labels: Mapping[str, Any]
    """The axes of the case by name."""
    record: TrialRecord

    @property
    def key(self) -> tuple[str, str, int]:
        """Which trial it is."""
        return self.case_id, self.environment, self.record.trial


class Journal:
    """The journal of this run, being written.

    Never raises for a file that cannot be written: what is left to write is kept, and tried again
    with the next trial, since a full disk may be emptied.
    """

    def __init__(self, path: Path, heading: Heading | None, *, length: int = 0) -> None:
        """Begins a journal; without a heading goes on with one, after so many bytes."""
        self.path = path
        self.problem: str | None = None
        """Why the journal is not all there; None while it is."""
        self._length = length
        self._pending = b"" if heading is None else encode(asdict(heading))
        self._descriptor: int | None = None
        self._write()

    def add(self, entry: Entry) -> None:
        """Writes down a trial; on the disk when this returns, or ``problem`` says why not."""
        record = entry.record
        try:
            line = encode(
                {
                    "case_id": entry.case_id,
                    "environment": entry.environment,
                    "labels": dict(entry.labels),
                    "trial": record.trial,
                    "started_at": record.started_at,
                    "items": record.items,
                    "outcome": record.outcome.to_json(),
                }
            )
        except (TypeError, ValueError) as error:
            # A step of this process may name facts that JSON cannot say.
            self.problem = f"the facts of {entry.case_id} are not JSON: {error}"
            return
        self._pending += line
        self._write()

    def remove(self) -> None:
        """Removes the file: all that it held is elsewhere."""
        self.close()
        with suppress(OSError):
            self.path.unlink()

    def close(self) -> None:
        """Leaves the file as it is."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self) -> None:
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
                with suppress(OSError):  # Of folders, not every file system can say.
                    to_disk(self.path.parent)  # A file without its name would be lost.
            # Whatever an earlier attempt, or an earlier run, left behind the last whole line.
            os.ftruncate(self._descriptor, self._length)
            written = 0
            while written < len(self._pending):
                written += os.pwrite(self._descriptor, self._pending[written:], self._length + written)
            os.fsync(self._descriptor)
        except OSError as error:
            self.problem = f"the journal {self.path} could not be written: {error.strerror}"
            return
        self._length += len(self._pending)
        self._pending = b""
        self.problem = None


@dataclass(frozen=True)
class _Read:
    heading: Heading
    entries: tuple[Entry, ...]
    length: int
    """Bytes of the whole lines."""


def to_disk(path: Path) -> None:
    """Returns when what was written to a file, or the names in a folder, would survive a power failure.

    Raises OSError where that turns out to have failed, as on a network's full disk.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_journal(path: Path) -> _Read:
    """Reads the journal of an interrupted run. Raises Unreadable if it is something else.

    A last line without an end is what the interruption cut off, and is left out.
    """
    heading: Heading | None = None
    entries = []
    length = 0
    for number, line in enumerate(read_lines(path, _MAX_BYTES, _MAX_LINE_BYTES), 1):
        if not line.endswith(b"\n"):
            break
        try:
            value = parse_object(line)
            if heading is None:
                heading = _heading(value)
            else:
                entries.append(_entry(value))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = "a journal of this version" if number == 1 else "a trial"
            raise Unreadable(path, f"line {number} is not {what}: {_reason(error)}") from None
        length += len(line)
    if heading is None:
        raise Unreadable(path, "it is empty, or cut off in its first line: there is nothing to go on with")
    return _Read(heading, tuple(entries), length)


def _reason(error: Exception) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) and error.args else str(error)


def _heading(value: Mapping[str, Any]) -> Heading:
    if value.get("journal") != _VERSION:
        raise ValueError(f'expected "journal": {_VERSION}; expected the FILE.journal.jsonl of an interrupted run')
    fingerprint, settings, command = value["fingerprint"], value["settings"], value["command"]
    if not (isinstance(fingerprint, dict) and isinstance(settings, dict) and isinstance(command, list)):
        raise TypeError("expected two objects and a list as fingerprint, settings and command")
    return Heading(fingerprint, settings, tuple(str(argument) for argument in command))


def _entry(value: Mapping[str, Any]) -> Entry:
    texts = [value[name] for name in ("case_id", "environment", "started_at")]
    numbers = [value[name] for name in ("trial", "items")]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("expected texts as case_id, environment and started_at")
    if not all(type(number) is int and 1 <= number <= 2**53 for number in numbers):
        raise TypeError("expected whole numbers of at least 1 as trial and items")
    if not isinstance(value["labels"], dict):
        raise TypeError("expected an object as labels")
    record = TrialRecord(value["trial"], value["started_at"], value["items"], Outcome.from_json(value["outcome"]), True)
    return Entry(value["case_id"], value["environment"], value["labels"], record)
