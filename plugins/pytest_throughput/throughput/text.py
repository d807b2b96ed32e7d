"""Figures and strangers' words, made fit to be shown."""

from __future__ import annotations

import math

__all__ = ["byte_count", "duration", "percent", "printable", "printable_lines", "share", "significant"]


def printable(text: str) -> str:
    """The text on one line, with whatever a terminal would obey replaced by its escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in " ".join(text.split())
    )


def printable_lines(text: str) -> str:
    """The same, line by line, with the indentation kept."""
    return "\n".join(" " * (len(line) - len(line.lstrip())) + printable(line) for line in text.splitlines())


def significant(value: float | None, digits: int = 4) -> str:
    """At least so many significant digits, never an exponent: ``0.01234``, ``12.34``, ``12,345``."""
    if value is None or not math.isfinite(value):
        return "-"
    magnitude = math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{min(9, max(0, digits - 1 - magnitude))}f}"


def duration(seconds: float | None) -> str:
    """``0.3 ms``, ``51 ms``, ``0.61 s``, ``12.3 s``, ``3:05 min``."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    if seconds < 0.1:
        return f"{1000 * seconds:.{1 if seconds < 0.01 else 0}f} ms"
    if seconds < 100:
        return f"{seconds:.{2 if seconds < 10 else 1}f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} min"


def byte_count(value: float | None) -> str:
    """Whole mebibytes, or gibibytes with two decimals."""
    if value is None:
        return "-"
    return f"{value / 2**30:.2f} GiB" if value >= 2**30 else f"{value / 2**20:.0f} MiB"


def percent(share: float | None) -> str:
    """A half-width: ``±0.8 %``, ``±12 %``."""
    if share is None or not math.isfinite(share):
        return "-"
    return f"±{100 * share:.{1 if share < 0.0995 else 0}f} %"


def share(value: float | None) -> str:
    """A part of a whole: ``43 %``, ``4.3 %``, ``0.43 %``."""
    return "-" if value is None else f"{significant(100 * value, 2)} %"
