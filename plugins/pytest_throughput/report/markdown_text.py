"""Markdown on GitHub and its like: text from files and workers as a part of it, and tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pytest_throughput.text import printable

__all__ = ["escaped", "table_lines"]

_REFERENCE = re.compile(r"[@#]|:(?=//|[\w+-]+:)|\bgh-(?=\d)", re.IGNORECASE)
"""The beginnings of mentions, issues, URLs and emoji. GitHub and others find them even in escaped characters
(``&#64;name`` is a mention, too), but not with a zero-width space after the beginning."""


def escaped(text: str) -> str:
    """Return the text for Markdown so that it is no markup, HTML, mention, reference, emoji or link."""
    plain = " .,;%()/-+="
    # A printable text has no zero-width space, so each of them is one that was added here.
    separated = _REFERENCE.sub(lambda found: f"{found[0]}\u200b", printable(text))
    characters = (
        f"&#{ord(one)};" if one == "\u200b" or (one.isascii() and not one.isalnum() and one not in plain) else one
        for one in separated
    )
    return re.sub(r"(?i)(?<=www)\.", "&#46;", "".join(characters))


def table_lines(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table. Its cells are Markdown: they are not escaped."""
    return [_row(headings), "|" + "---|" * len(headings), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
