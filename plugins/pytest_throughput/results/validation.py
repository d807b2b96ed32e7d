"""Validate parsed JSON by msgspec. A refusal says where the error is, what was found and what was expected."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

import msgspec

from pytest_throughput.text import printable

__all__ = ["convert", "shown"]

T = TypeVar("T")

_SHOWN_CHARACTERS = 80
_IDENTIFIERS = ("id", "fullname", "case_id")
"""Members that name an object to a person better than its position in a list does."""
_WORDS = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "null": "null",
    "object": "an object",
    "str": "a text",
}
"""The names of types in msgspec's messages, and their translation."""


def convert(value: Any, kind: type[T], place: str = "") -> T:
    """Return the value as ``kind``, such as a msgspec struct. Raise ValueError with one sentence if it does not fit.

    ``place``: where the value stands in its file, such as ``benchmarks[3]``; empty for the whole.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(_explain(str(error), value, place)) from None


def _explain(message: str, value: Any, place: str) -> str:
    """Return a sentence for such a message as "Expected `float` >= 1e-18 - at `$.cases[0].trials[0].median`".

    A path after "`key` in" is that of an object in which a name is wrong.
    """
    problem, is_key, path = re.fullmatch(r"(.*?)(?: - at (`key` in )?`\$(.*)`)?", message, re.DOTALL).groups("")  # type: ignore[union-attr]
    found, name = _look_up(value, path)
    where = (place + path).removeprefix(".") or "it"
    if is_key:
        found, where = None, f"a name in {where}"
    if name is not None:
        where += f" ({printable(name[:_SHOWN_CHARACTERS])})"
    missing = re.search(r"required field `(.+)`", problem)
    if missing is not None:
        return f"{where} has no {missing[1]}"
    return f"{where}{f' is {found};' if found is not None else ':'} expected {_expected(problem)}"


def _expected(problem: str) -> str:
    kinds = re.search(r"`([^`]*)`", problem)
    if kinds is None:  # The message is "Number out of range", the only one without a type.
        return "a number that is not as large"
    words = " or ".join(_WORDS.get(kind, kind) for kind in kinds[1].split(" | "))
    limit = re.search(r"(of length )?([<>]=) (\S+)$", problem)
    if limit is None:
        return words
    if limit[1] is not None and limit[3] == "1":
        return f"{words} that is not empty"
    unit = "" if limit[1] is None else " characters" if kinds[1] == "str" else " entries"
    return f"{words} of at {'least' if limit[2] == '>=' else 'most'} {limit[3]}{unit}"


def _look_up(value: Any, path: str) -> tuple[str | None, str | None]:
    """Return the value at the path as text, and the name of the object around it, if it has one.

    The value is None for a member of an object without fixed names, since msgspec does not say which member.
    """
    name = _name(value)
    for member, index in re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", path):
        if index == "...":
            return None, name
        value = value[member] if member else value[int(index)]
        name = _name(value) or name
    return shown(value), name


def _name(value: Any) -> str | None:
    names = (value.get(key) for key in _IDENTIFIERS) if isinstance(value, dict) else ()
    return next((name for name in names if isinstance(name, str)), None)


def shown(value: Any) -> str:
    """Return a value of JSON as text of bounded length that is safe to print."""
    if isinstance(value, dict):
        return f"an object of {len(value):,} entries"
    if isinstance(value, list):
        return f"a list of {len(value):,} entries"
    if isinstance(value, str) and len(value) > _SHOWN_CHARACTERS:
        return f"{printable(json.dumps(value[:_SHOWN_CHARACTERS]))}… of {len(value):,} characters"
    return printable(json.dumps(value), _SHOWN_CHARACTERS)
