"""The file that keeps the comparisons of a bisection, so that an interrupted one goes on where it was."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct, to_builtins

from pytest_throughput.results.untrusted_json import Unreadable, parse_object, read_whole
from pytest_throughput.results.validation import convert
from pytest_throughput.text import printable
from pytest_throughput.whole_file import replace_file

__all__ = ["NOT_MEASURED", "Compared", "Question", "State"]

_FORMAT = 1
_MOST_BYTES = 64 * 2**20
_Ratio = Annotated[float, Meta(gt=0)]
_Whole = Annotated[int, Meta(ge=0, le=2**53)]
NOT_MEASURED = "not measured"
"""Stands for the verdict of a comparison that gave none; it is tried again by the next search."""


class Question(Struct, frozen=True):
    """The arguments of a search. It does not use comparisons that were made with other arguments."""

    candidates: tuple[str, ...]
    """The requirements of all candidates, the good one first."""
    command: tuple[str, ...]
    python: str
    case: str | None
    threshold: float
    most_pairs: int


class Compared(Struct, frozen=True):
    """The comparison of two candidates in live pairs."""

    purpose: str
    """``ends``, ``search`` or ``confirmation``."""
    base: _Whole
    """The number of the candidate that is compared with; the good one is 0."""
    head: _Whole
    threshold: float
    """The smallest slowdown that mattered, as a share of the seconds."""
    verdict: str
    """That of the gate, or ``NOT_MEASURED``."""
    reason: str
    case: str = ""
    """The id of the case; empty if nothing was measured."""
    ratio: _Ratio | None = None
    ratio_low: _Ratio | None = None
    ratio_high: _Ratio | None = None
    pairs: _Whole = 0


class _File(Struct):
    bisect: int
    question: Question
    compared: list[Compared]


class State:
    """The comparisons so far. Each is on the disk before the next one begins."""

    def __init__(self, path: Path, question: Question) -> None:
        """Read the file, if there is one. Raise Unreadable if it is no such file, or of another question."""
        self._path = path
        self._question = question
        self._compared = _read(path, question) if os.path.lexists(path) else []

    def find(self, purpose: str, base: int, head: int) -> Compared | None:
        """Return the comparison if it was made."""
        wanted = (purpose, base, head)
        return next((one for one in self._compared if (one.purpose, one.base, one.head) == wanted), None)

    def keep(self, one: Compared) -> None:
        """Write the file with a further comparison: a reader sees all of it or what was before. Raise OSError."""
        self._compared.append(one)
        text = json.dumps(to_builtins(_File(_FORMAT, self._question, self._compared)), indent=2, allow_nan=False)
        replace_file(self._path, text.encode())


def _read(path: Path, question: Question) -> list[Compared]:
    try:
        content = parse_object(read_whole(path, _MOST_BYTES), constants=False)
        if content.get("bisect") != _FORMAT:
            raise ValueError(f'expected the state of a bisection, with "bisect": {_FORMAT}')
        found = convert(content, _File)
    except Unreadable:
        raise
    except ValueError as error:
        raise Unreadable(path, str(error)) from None
    changed = [name for name in Question.__struct_fields__ if getattr(found.question, name) != getattr(question, name)]
    if changed:
        raise Unreadable(
            path,
            f"keeps a search with other {' and '.join(changed)}; repeat the command of that search to go on with it, "
            f"or give --directory another folder, or remove {printable(str(path))}",
        )
    return found.compared
