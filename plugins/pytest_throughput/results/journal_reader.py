"""Read the journal of an interrupted run. Each line is validated; a damaged line loses only its own trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.results.journal import JOURNAL_VERSION, MAX_LINE_BYTES, Heading, StartedTrial
from pytest_throughput.results.untrusted_json import Unreadable, parse_object, read_lines
from pytest_throughput.results.validation import convert
from pytest_throughput.worker.parts import EndedPart
from pytest_throughput.worker.protocol import Outcome

__all__ = ["JournalContent", "read_journal"]

_MAX_NAMED_LINES = 5
_MAX_DAMAGED_LINES = 100_000
"""The most damaged lines: reading millions of blank lines would take minutes."""
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


class _PartLine(Struct):
    case_id: str
    environment: str
    trial: _Whole
    started_at: str
    part: dict[str, Any]


@dataclass(frozen=True)
class JournalContent:
    """The content of a journal."""

    heading: Heading
    trials: tuple[EndedTrial, ...]
    length: int
    """The number of bytes of the whole lines."""
    damaged_lines: tuple[int, ...] = ()
    """The numbers of the lines that hold no valid trial and were left out; the heading is line 1."""
    started: tuple[StartedTrial, ...] = ()
    """The trials that had parts, each as often as it had one; they may have ended meanwhile."""

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


def read_journal(path: Path) -> JournalContent:
    """Read the journal of an interrupted run, line by line. Raise Unreadable if it is something else.

    A damaged line loses only its own trial. A last line without a line break was cut off by the interruption.
    """
    heading: Heading | None = None
    trials: list[EndedTrial] = []
    started: list[StartedTrial] = []
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
            elif "part" in value:
                started.append(_started_trial(value))
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
    return JournalContent(heading, tuple(trials), length, tuple(damaged), tuple(started))


def _heading(value: Mapping[str, Any]) -> Heading:
    if value.get("journal") != JOURNAL_VERSION:
        raise ValueError(
            f'expected "journal": {JOURNAL_VERSION}; expected the FILE.journal.jsonl of an interrupted run'
        )
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


def _started_trial(value: Mapping[str, Any]) -> StartedTrial:
    line = convert(value, _PartLine)
    part = EndedPart.from_json(line.part)
    return StartedTrial(line.case_id, line.environment, line.trial, line.started_at, part)
