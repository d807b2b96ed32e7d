"""The hatchings by which the parts of stacked bars differ besides their colours."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_throughput.report.charts.drawing import path
from pytest_throughput.report.charts.styles import COLOURS, colour_class

__all__ = ["fill_of", "hatch_number", "patterns"]

_SIZE = 7
_LINES = (
    ("", 0),
    ("M0 3.5h7", 45),
    ("M0 3.5h7", -45),
    ("M0 3.5h7", 90),
    ("M0 3.5h7M3.5 0v7", 45),
    ("M2 2.5h3", 0),
    ("M0 3.5h7", 0),
)
"""Lines in a square of ``_SIZE``, and the angle by which it is turned, by ``hatch_number``."""


def hatch_number(style: int) -> int:
    """Return the number of the hatching of the style's areas; styles of one colour have different ones."""
    return (style + style // len(COLOURS)) % len(_LINES)


def fill_of(style: int, identifier: str) -> str:
    """Return the ``fill`` of an area of the style."""
    return f"url(#{_name(style, identifier)})"


def patterns(styles: Iterable[int], identifier: str) -> str:
    """Return the definitions of the fills of the styles. ``identifier`` is unique in the page."""
    return "<defs>" + "".join(_pattern(style, identifier) for style in dict.fromkeys(styles)) + "</defs>"


def _pattern(style: int, identifier: str) -> str:
    lines, angle = _LINES[hatch_number(style)]
    turned = f' patternTransform="rotate({angle})"' if angle else ""
    content = path(f"M0 0h{_SIZE}v{_SIZE}h-{_SIZE}z", "c-bar") + path(lines, "c-hatch")
    size = f'width="{_SIZE}" height="{_SIZE}" patternUnits="userSpaceOnUse"'
    return f'<pattern id="{_name(style, identifier)}" class="{colour_class(style)}" {size}{turned}>{content}</pattern>'


def _name(style: int, identifier: str) -> str:
    return f"{identifier}-fill-{style}"
