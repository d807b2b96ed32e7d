"""The elements of a drawing, as SVG text: coordinates have one decimal, and what is alike stands once, in a group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from pytest_throughput.report.charts.lettering import clean, fitted

__all__ = ["WIDTH", "Drawing", "group", "path", "px", "rectangle", "text"]

WIDTH = 540
"""The width of every drawing, in units of the SVG."""


@dataclass(frozen=True)
class Drawing:
    """The elements of a chart in an area from 0 to ``WIDTH`` and to ``height``."""

    height: float
    elements: str


def px(coordinate: float) -> str:
    """Return the coordinate, rounded to a tenth: ``12``, ``0.5``."""
    return f"{round(coordinate, 1) + 0.0:.1f}".removesuffix(".0")


def text(x: float, y: float, content: str, width: float) -> str:
    """Return a text whose base line begins at the point, cut to the width; the whole text is then its tooltip."""
    shown, whole = fitted(content, width), clean(content)
    return f'<text x="{px(x)}" y="{px(y)}">{escape(shown)}{_tooltip("" if shown == whole else whole)}</text>'


def path(commands: str, classes: str = "", tooltip: str = "") -> str:
    """Return a path, or nothing where there are no commands."""
    attributes = f' class="{classes}"' if classes else ""
    return _element("path", f'{attributes} d="{commands}"', tooltip) if commands else ""


def rectangle(x: float, y: float, width: float, height: float, attributes: str, tooltip: str = "") -> str:
    """Return a rectangle whose left upper corner is the point."""
    size = f'x="{px(x)}" y="{px(y)}" width="{px(width)}" height="{px(height)}"'
    return _element("rect", f" {attributes} {size}", tooltip)


def group(classes: str, elements: Iterable[str]) -> str:
    """Return the elements with common classes, or nothing where there are none."""
    content = "".join(elements)
    return f'<g class="{classes}">{content}</g>' if content else ""


def _element(name: str, attributes: str, tooltip: str) -> str:
    return f"<{name}{attributes}>{_tooltip(tooltip)}</{name}>" if tooltip else f"<{name}{attributes}/>"


def _tooltip(content: str) -> str:
    return f"<title>{escape(content)}</title>" if content else ""
