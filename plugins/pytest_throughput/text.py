"""Format figures, and make text from files and workers safe to print."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

__all__ = [
    "byte_count",
    "count",
    "duration",
    "factor",
    "listed",
    "percent",
    "printable",
    "printable_lines",
    "share",
    "shortened",
    "significant",
]

_MOST_CHARACTERS = 5_000
"""The largest number of characters that ``printable`` returns by default."""
_MOST_NAMES, _LONGEST_NAME = 20, 80
"""How many names ``listed`` returns, and the most characters of each."""
_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")
_COMMAND = re.compile(r"^(\s*):(?=:)|#(?=#\w*\[)")
"""Texts that CI systems obey as commands: ``::error`` at the beginning of a line (GitHub Actions, Gitea, Forgejo),
``##[error]`` (GitHub Actions, Azure Pipelines), ``##vso[`` (Azure Pipelines) and ``##teamcity[`` anywhere in a line."""


def printable(text: str, most: int = _MOST_CHARACTERS) -> str:
    """Return the text on one line of at most ``most`` characters that no terminal and no CI system interprets.

    Control and format characters, surrogates, and the first character of a CI command are replaced by their escapes;
    runs of white space by one space.
    """
    return _harmless(" ".join(shortened(text, most).split()))


def printable_lines(text: str, *, colour: bool = False) -> str:
    """Return the lines made safe as by ``printable``, but uncut and with all spaces; ``colour`` keeps colour codes."""
    return "\n".join(_harmless_but_for_colour(line) if colour else _harmless(line) for line in text.splitlines())


def shortened(text: str, most: int) -> str:
    """Return the text; if it is longer than ``most`` characters, its beginning and its end."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]} … {len(text) - 2 * half:,} characters left out … {text[-half:]}"


def _harmless(line: str) -> str:
    line = line.replace("\t", "    ")
    if not line.isprintable():
        line = "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in line)
    # These escapes are valid in JSON, so that a line of JSON keeps its meaning.
    return _COMMAND.sub(lambda found: f"{found[1]}\\u003a" if found[1] is not None else "\\u0023", line)


def _harmless_but_for_colour(line: str) -> str:
    plain = _COLOUR.sub("", line)
    if _harmless(plain) == plain:
        return line
    return "".join(part if _COLOUR.fullmatch(part) else _harmless(part) for part in _COLOUR.split(line))


def significant(value: float | None, digits: int = 4) -> str:
    """Format a number with ``digits`` significant digits and no exponent: ``0.01234``, ``12.34``, ``12,345``."""
    if value is None or not math.isfinite(value):
        return "-"
    magnitude = math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{min(9, max(0, digits - 1 - magnitude))}f}"


def duration(seconds: float | None) -> str:
    """Format seconds as ``0.3 ms``, ``51 ms``, ``0.61 s``, ``12.3 s`` or ``3:05 min``."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    if seconds < 0.1:
        return f"{1000 * seconds:.{1 if seconds < 0.01 else 0}f} ms"
    if seconds < 100:
        return f"{seconds:.{2 if seconds < 10 else 1}f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} min"


def byte_count(value: float | None) -> str:
    """Format bytes as whole mebibytes, or as gibibytes with two decimals."""
    if value is None:
        return "-"
    return f"{value / 2**30:.2f} GiB" if value >= 2**30 else f"{value / 2**20:.0f} MiB"


def percent(share: float | None) -> str:
    """Format the half-width of an interval as ``±0.8 %`` or ``±12 %``."""
    if share is None or not math.isfinite(share):
        return "-"
    return f"±{100 * share:.{1 if share < 0.0995 else 0}f} %"


def factor(value: float) -> str:
    """Format the factor by which an interval reaches above and below its mean as ``×/÷ 4.5``, at most ``> ×/÷ 100``."""
    return f"×/÷ {value:.{1 if value < 9.95 else 0}f}" if value <= 100 else "> ×/÷ 100"


def share(value: float | None) -> str:
    """Format a share as ``43 %``, ``4.3 %`` or ``0.43 %``."""
    return "-" if value is None else f"{significant(100 * value, 2)} %"


def count(number: int, noun: str) -> str:
    """Return the number with its noun, which has a plural in "s": ``1 run``, ``3 runs``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Sequence[str]) -> str:
    """Return the names that fit into a sentence, and how many there are besides."""
    more = [f"{len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else []
    return ", ".join([*(printable(name, _LONGEST_NAME) for name in names[:_MOST_NAMES]), *more])
