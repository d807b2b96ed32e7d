"""The texts of charts: made harmless, measured without a font, and cut to the space that they have."""

from __future__ import annotations

import unicodedata

__all__ = ["BASE_LINE", "SIZE", "clean", "fitted", "width_of", "wrapped"]

SIZE = 13
"""The size of the texts of charts, in units of the SVG."""
BASE_LINE = 4.5
"""How far below its middle the base line of such a text lies."""

_MOST_CHARACTERS = 1_000
_WIDTHS = dict.fromkeys("iljI.,:;'|!", 0.36) | dict.fromkeys("tfr ()[]-/\\", 0.42) | dict.fromkeys("mwMW@%…×", 1.0)
"""Advances in ems of letters, rounded up from DejaVu Sans, the widest of the fonts that browsers use by default."""
_WIDTH, _CAPITAL_WIDTH, _WIDE_WIDTH = 0.64, 0.76, 1.1


def clean(text: str) -> str:
    """Return the text on one line, without control, format and unassigned characters, of at most 1,000 characters."""
    shown = " ".join(text[: 2 * _MOST_CHARACTERS].split())
    return "".join(letter for letter in shown if letter.isprintable())[:_MOST_CHARACTERS]


def width_of(text: str, size: float = SIZE) -> float:
    """Return about the greatest width that the text has in any usual font."""
    return size * sum(map(_advance, text))


def fitted(text: str, width: float, size: float = SIZE) -> str:
    """Return the cleaned text; if it is wider than ``width``, its beginning and its end around an ellipsis.

    Names of cases often differ in their ends only.
    """
    text = clean(text)
    if width_of(text, size) <= width:
        return text
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        fits, too_long = (middle, too_long) if width_of(_shortened(text, middle), size) <= width else (fits, middle)
    return _shortened(text, fits)


def wrapped(text: str, width: float, size: float, most_lines: int) -> list[str]:
    """Return the cleaned text in lines that fit the width; what is left after the last line is cut out of it."""
    lines: list[str] = []
    words = clean(text).split()
    while words and len(lines) < most_lines - 1:
        count = 1
        while count < len(words) and width_of(" ".join(words[: count + 1]), size) <= width:
            count += 1
        lines.append(fitted(" ".join(words[:count]), width, size))
        del words[:count]
    return [*lines, fitted(" ".join(words), width, size)] if words else lines


def _shortened(text: str, characters: int) -> str:
    end = characters // 2
    return f"{text[: characters - end]}…{text[len(text) - end :]}"


def _advance(letter: str) -> float:
    known = _WIDTHS.get(letter)
    if known is not None:
        return known
    if letter.isascii():
        return _CAPITAL_WIDTH if letter.isupper() else _WIDTH
    return _WIDE_WIDTH if unicodedata.east_asian_width(letter) in "WFA" or letter.isupper() else 0.75
