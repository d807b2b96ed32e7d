"""Marks of single values, and legends that say what marks and colours mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pytest_throughput.report.charts.drawing import WIDTH, group, path, px, text
from pytest_throughput.report.charts.lettering import BASE_LINE, fitted, width_of
from pytest_throughput.report.charts.styles import colour_class, is_open, outline, variant_class

__all__ = ["ROW_HEIGHT", "Entry", "interval_ends", "legend", "line_sample", "mark", "marks_class", "styled", "whisker"]

ROW_HEIGHT = 20
_SAMPLE_WIDTH, _LONGEST_NAME, _SPACE_BELOW = 30, 270, 6


class Entry(NamedTuple):
    """What a legend explains."""

    name: str
    style: int
    variant: int = 0


def styled(style: int, elements: Iterable[str], variant: int = 0) -> str:
    """Return the elements in the colour of the style, their lines with the dashes of the variant."""
    dashes = f" {variant_class(variant)}" if variant else ""
    return group(colour_class(style) + dashes, elements)


def marks_class(style: int, variant: int = 0) -> str:
    """Return the CSS class of the marks of a style and variant."""
    return "c-open" if is_open(style, variant) else "c-mark"


def mark(style: int, x: float, y: float, classes: str = "", tooltip: str = "") -> str:
    """Return the shape of the style around the point."""
    return path(f"M{px(x)} {px(y)}{outline(style)}", classes, tooltip)


def interval_ends(value: float, low: float | None, high: float | None) -> tuple[float, float]:
    """Return the ends of the value's interval. An end that is not known, or not a number, is the value itself."""
    low, high = (value if end is None or math.isnan(end) else end for end in (low, high))
    return low, high


def whisker(x_low: float, x_high: float, y: float, caps: tuple[bool, bool]) -> str:
    """Return the commands of a horizontal interval, with a cap at each end that lies on the axis."""
    ends = "".join(f"M{px(x)} {px(y - 4)}v8" for x, has_cap in zip((x_low, x_high), caps, strict=True) if has_cap)
    return f"M{px(x_low)} {px(y)}H{px(x_high)}{ends}"


def line_sample(entry: Entry, x: float, y: float) -> str:
    """Return a piece of the line of a series with its mark."""
    elements = [
        path(f"M{px(x)} {px(y)}h24", "c-line"),
        mark(entry.style, x + 12, y, marks_class(entry.style, entry.variant)),
    ]
    return styled(entry.style, elements, entry.variant)


def legend(entries: Iterable[Entry], sample: Callable[[Entry, float, float], str]) -> tuple[str, float]:
    """Return the entries in rows from the top of the drawing, and the height of the rows."""
    samples, names = [], []
    x, y = 0.0, ROW_HEIGHT / 2
    for entry in entries:
        name = fitted(entry.name, _LONGEST_NAME)
        width = _SAMPLE_WIDTH + width_of(name)
        if x and x + width > WIDTH:
            x, y = 0.0, y + ROW_HEIGHT
        samples.append(sample(entry, x, y))
        names.append(text(x + _SAMPLE_WIDTH, y + BASE_LINE, entry.name, _LONGEST_NAME))
        x += width + 16
    return "".join([*samples, *names]), y + ROW_HEIGHT / 2 + _SPACE_BELOW if names else 0.0
