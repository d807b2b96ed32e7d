"""Read the coordinates back out of a chart's SVG."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_throughput.report.charts.lettering import SIZE, width_of

__all__ = ["Shape", "Text", "parsed", "shapes", "texts"]

Position = tuple[float, float]
_TOKEN = re.compile(r"[a-zA-Z]|-?\d*\.?\d+(?:e-?\d+)?")


@dataclass(frozen=True)
class Shape:
    """A path or rectangle: all its classes, also those of its groups, and its corners."""

    classes: frozenset[str]
    points: tuple[Position, ...]


@dataclass(frozen=True)
class Text:
    """A text and the extent that it has at most."""

    content: str
    y: float
    left: float
    right: float


def parsed(svg: str) -> ElementTree.Element:
    """Return the root. Raise an error if it is not XML."""
    return ElementTree.fromstring(svg)


def shapes(root: ElementTree.Element) -> list[Shape]:
    """Return the paths and rectangles outside of definitions."""
    return [Shape(classes, _corners(element)) for element, classes in _walk(root) if element.tag in ("path", "rect")]


def texts(root: ElementTree.Element) -> list[Text]:
    """Return the texts that are drawn."""
    found = []
    for element, classes in _walk(root):
        if element.tag == "text":
            content = element.text or ""
            x, width = float(element.attrib["x"]), width_of(content, SIZE)
            left = x - width * (1 if "c-end" in classes else 0.5 if "c-middle" in classes else 0)
            found.append(Text(content, float(element.attrib["y"]), left, left + width))
    return found


def _path_points(commands: str) -> list[Position]:
    """Return the points that the commands reach, whether they draw or only move."""
    tokens = iter(_TOKEN.findall(commands))
    points: list[Position] = []
    x = y = start_x = start_y = 0.0
    command = ""
    for token in tokens:
        if token.isalpha():
            command, first = token, None
        else:
            first = float(token)
        if command in "zZ":
            x, y = start_x, start_y
            continue
        if first is None:
            first = float(next(tokens))
        base_x, base_y = (x, y) if command.islower() else (0.0, 0.0)
        if command in "aA":
            *_, end_x, end_y = [float(next(tokens)) for _ in range(6)]
            x, y = base_x + end_x, base_y + end_y
        elif command in "hH":
            x = base_x + first
        elif command in "vV":
            y = base_y + first
        else:
            x, y = base_x + first, base_y + float(next(tokens))
            if command in "mM":
                start_x, start_y = x, y
                command = "l" if command == "m" else "L"
        points.append((x, y))
    return points


def _walk(
    element: ElementTree.Element, classes: frozenset[str] = frozenset()
) -> Iterator[tuple[ElementTree.Element, frozenset[str]]]:
    classes |= {*element.get("class", "").split()}
    yield element, classes
    for child in element:
        if child.tag != "defs":
            yield from _walk(child, classes)


def _corners(element: ElementTree.Element) -> tuple[Position, ...]:
    if element.tag == "path":
        return (*_path_points(element.attrib["d"]),)
    x, y, width, height = (float(element.attrib[name]) for name in ("x", "y", "width", "height"))
    return (x, y), (x + width, y + height)
