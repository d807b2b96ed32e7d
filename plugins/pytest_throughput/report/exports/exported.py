"""The result of an export: its content, and notes for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_throughput.results.model import CaseResult, RunResult
from pytest_throughput.text import count, listed

__all__ = ["NOT_COMPLETE", "Exported", "said_beside"]

NOT_COMPLETE = "not complete: the run was interrupted, or its budget spent"


@dataclass(frozen=True)
class Exported:
    """The content of the file, and what the format cannot say."""

    content: bytes
    notes: tuple[str, ...] = ()
    """Printable sentences for a person."""


def said_beside(result: RunResult, exported: Sequence[CaseResult]) -> tuple[str, ...]:
    """Return the notes of a format that has values and nothing else.

    They say that the run is not complete, which cases have no figures, and which of the exported ones are implausible.
    """
    notes = [] if result.complete else [NOT_COMPLETE]
    empty = [f"{case.id} ({case.status or 'not run'})" for case in result.cases if not case.measured]
    if empty:
        notes.append(f"left out, since there are no figures: {count(len(empty), 'case')}: {listed(empty)}")
    implausible = [case.id for case in exported if case.implausible is not None]
    if implausible:
        notes.append(
            f"exported, though their figures cannot be right: {listed(implausible)}; see pytest-throughput show"
        )
    return tuple(notes)
