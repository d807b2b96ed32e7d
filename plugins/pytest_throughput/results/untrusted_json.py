"""Read JSON from untrusted files with bounded time and memory; refuse other content with one sentence."""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from pytest_throughput.text import printable

__all__ = ["Line", "Unreadable", "parse_object", "read_lines", "read_whole"]

_PART_BYTES = 2**20
_MAX_SKIPPED_BYTES = 2**30

_DEEPEST = 100
"""The most levels of lists and objects. Results have 10; Python's functions for nested values fail beyond 1,000."""
_BYTES_A_CONTAINER = 32
"""The least bytes of JSON per list or object, on average: each takes up to 240 bytes of memory."""
_FREE_CONTAINERS = 10_000


class Unreadable(ValueError):
    """A file cannot be used. The message names it, and says what was expected."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{printable(str(path))}: {printable(problem)}")


def read_whole(path: Path, max_bytes: int) -> bytes:
    """Return the content of a file. Raise Unreadable if it is not regular, cannot be read, or is larger."""
    with _open(path, max_bytes) as file:
        try:
            # The result is None where reading would block, as for some files in /proc.
            content = file.read(max_bytes + 1) or b""
        except OSError as error:
            raise Unreadable(path, f"cannot be read: {error.strerror}") from None
    if len(content) > max_bytes:  # Files in /proc have a size of 0.
        raise Unreadable(path, _too_large(max_bytes))
    return content


@dataclass(frozen=True)
class Line:
    """One line of a file."""

    content: bytes | None
    """The line with its line break; None if it is longer than ``max_line_bytes``."""
    length: int
    """The number of bytes, with the line break."""
    is_whole: bool
    """Whether the line has a line break, which the last one of a file may lack."""


def read_lines(path: Path, max_line_bytes: int) -> Iterator[Line]:
    """Yield the lines of a regular file of any size, with one in memory at a time.

    Raise Unreadable as ``read_whole`` does, and for a line of more than 1 GiB.
    """
    with _open(path, None) as file:
        try:
            while line := file.readline(max_line_bytes + 1):
                length, end = len(line), line
                while length > max_line_bytes and not end.endswith(b"\n") and (end := file.readline(_PART_BYTES)):
                    length += len(end)
                    if length > _MAX_SKIPPED_BYTES:
                        raise Unreadable(path, f"has a line of more than {_MAX_SKIPPED_BYTES >> 20} MiB")
                yield Line(line if length <= max_line_bytes else None, length, end.endswith(b"\n"))
        except OSError as error:
            raise Unreadable(path, f"cannot be read: {error.strerror}") from None


def _too_large(max_bytes: int) -> str:
    return f"is larger than {max_bytes >> 20} MiB, which no result of a run is"


def _open(path: Path, max_bytes: int | None) -> BinaryIO:
    try:
        # Opened without blocking: opening a pipe would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Unreadable(path, f"cannot be read: {error.strerror}") from None
    except ValueError as error:  # The name contains a NUL byte.
        raise Unreadable(path, f"cannot be read: {error}") from None
    status = os.fstat(descriptor)
    problem = None
    if not stat.S_ISREG(status.st_mode):
        problem = "is no regular file; expected one that this suite or pytest-benchmark has written"
    elif max_bytes is not None and status.st_size > max_bytes:
        problem = _too_large(max_bytes)
    if problem is not None:
        os.close(descriptor)
        raise Unreadable(path, problem)
    return os.fdopen(descriptor, "rb")


def parse_object(text: bytes, *, constants: bool = True) -> dict[str, Any]:
    """Return the JSON object of a text. Raise ValueError that says in a few words why there is none.

    A duplicate name is refused, since readers differ in which of the two values they take. So are values that are
    nested too deeply, or that take far more memory than their text. ``constants``: whether to accept ``NaN`` and
    ``Infinity``.
    """
    containers = text.count(b"[") + text.count(b"{")
    if containers > _FREE_CONTAINERS + len(text) // _BYTES_A_CONTAINER:
        raise ValueError(f"it holds {containers:,} lists and objects in {len(text):,} bytes, which no result does")
    try:
        value = json.loads(
            text, object_pairs_hook=_without_duplicates, parse_constant=None if constants else _refuse_constant
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not text in UTF-8") from None
    except json.JSONDecodeError as error:
        # The error is in a text without an end, or within the last word.
        ended = error.msg.startswith("Unterminated string") or error.pos + len("Infinity") >= len(error.doc.rstrip())
        where = f"line {error.lineno}, column {error.colno}"
        raise ValueError("it is cut off" if ended else f"it is not JSON ({error.msg} at {where})") from None
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    _refuse_deep(value)
    return value


def _refuse_deep(value: dict[str, Any]) -> None:
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in (dict, list)
        ]
        if not level:
            return
    raise ValueError("it is nested too deeply")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}, which is no number")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"it gives {printable(twice, 80)!r} twice")
    return found
