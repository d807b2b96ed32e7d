"""Functions that convert the text of an option. Each raises ValueError that says what was expected."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

__all__ = ["MOST_TRIALS", "read_byte_count", "read_duration", "read_positive", "read_share", "read_whole_number"]

MOST_TRIALS = 1_000
"""The most trials of a case that can be asked for: all of them are collected before the first is measured."""
_MOST_DIGITS = 18


def read_whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return a function that reads a whole number of at least ``least``, and at most ``most`` if that is given."""
    expected = f"expected a whole number of at least {least}"

    def read(text: str) -> int:
        if re.fullmatch(r"\d+", text, re.ASCII) is None:
            raise ValueError(f"{expected}, got {text!r}")
        if len(text) > _MOST_DIGITS:
            raise ValueError(f"{expected}, of at most {_MOST_DIGITS} digits, got {text!r}")
        if int(text) < least:
            raise ValueError(f"{expected}, got {text!r}")
        if most is not None and int(text) > most:
            raise ValueError(f"expected a whole number of at most {most}, got {text!r}")
        return int(text)

    return read


def read_positive(what: str) -> Callable[[str], float]:
    """Return a function that reads a finite number above 0. ``what`` names it, as in "a number of seconds"."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 < value < math.inf:
            raise ValueError(f"expected {what} above 0, got {text!r}")
        return value

    return read


def read_byte_count(text: str) -> int:
    """Return the number of bytes: ``500M`` and ``500MiB`` are 500 × 2**20."""
    parts = re.fullmatch(r"(\d{1,18})([KMGT]?)(?:i?B)?", text, re.ASCII | re.IGNORECASE)
    value = 0 if parts is None else int(parts[1]) << 10 * " KMGT".index(parts[2].upper() or " ")
    if value < 1:
        raise ValueError(f"expected a number of bytes such as 8G, 500M or 1000000, got {text!r}")
    return value


def read_duration(text: str) -> float:
    """Return the seconds of a time such as ``1h30m``, ``20m``, ``90s`` or ``90``."""
    parts = re.fullmatch(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s?)?", text, re.ASCII)
    hours, minutes, seconds = (0, 0, 0) if parts is None else (int(part or 0) for part in parts.groups())
    value = float(3600 * hours + 60 * minutes + seconds)
    if value <= 0:
        raise ValueError(f"expected a time above 0 such as 90s, 20m or 1h30m, got {text!r}")
    return value


def read_share(text: str) -> float:
    """Return the share that ``3%`` or ``0.03`` names; a bare 3 is refused, as it might mean 3 % or 300 %."""
    parts = re.fullmatch(r"(\d{1,9}(?:\.\d{1,12})?|\.\d{1,12}) ?(%?)", text.strip(), re.ASCII)
    value = 0.0 if parts is None else float(parts[1]) / (100 if parts[2] else 1)
    if parts is None or value <= 0 or (not parts[2] and value >= 1):
        raise ValueError(f"expected a share such as 3% or 0.03, got {text!r}")
    return value
