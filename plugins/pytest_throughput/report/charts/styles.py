"""The styles of series: a framework has the same colour and shape in every chart of every report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count

__all__ = [
    "COLOURS",
    "DARK_PAPER",
    "DASHES",
    "INKS",
    "LIGHT_PAPER",
    "colour_class",
    "is_open",
    "outline",
    "styles_of",
    "variant_class",
]

_KNOWN = {
    "pytorch": 0,
    "tensorflow": 1,
    "jax": 2,
    "keras-torch": 3,
    "keras-jax": 4,
    "onnxruntime": 5,
    "openvino": 6,
    # Colours of those above that are seldom compared with them, so that six frameworks have six colours and shapes.
    "theano": 10,
    "caffe": 11,
    "caffe2": 19,
    "numpy": 20,
}
"""The styles that never depend on what else was measured."""

LIGHT_PAPER, DARK_PAPER = "#ffffff", "#15181c"
"""The backgrounds for which the colours are chosen."""
INKS = {
    "paper": (LIGHT_PAPER, DARK_PAPER),
    "ink": ("#1b1f24", "#e9ecf0"),
    "muted": ("#56606b", "#a9b3be"),
    "axis": ("#7d8792", "#79848f"),
    "grid": ("#e3e6ea", "#2b3038"),
}
"""The colours of texts and lines, in the light and in the dark theme."""
COLOURS = (
    ("#c6871e", "#ea9b00"),
    ("#2e169d", "#646ae4"),
    ("#207472", "#8ce3e0"),
    ("#860022", "#d5384e"),
    ("#826a00", "#f9da71"),
    ("#5b93bc", "#0ca9f9"),
    ("#590a5c", "#a987a9"),
)
"""The colours of series, light and dark, each of one hue: at least 3:1 against their paper, and as far apart as a
search could bring them for normal sight, protanopia, deuteranopia and tritanopia (11 and more in Oklab × 100)."""
DASHES = ("", "7 4", "2 3", "10 3 2 3", "14 5", "2 2 6 2")
"""The dashes of lines, by variant."""
_CIRCLE = "m-4 0a4 4 0 1 0 8 0 4 4 0 1 0-8 0z"
_SQUARE = "m-4-4h8v8h-8z"
_TRIANGLE = "m0-5.4l5.2 9h-10.4z"
_DIAMOND = "m0-5.6l5.6 5.6-5.6 5.6-5.6-5.6z"
_TURNED_TRIANGLE = "m0 5.4l5.2-9h-10.4z"
_PLUS = "m-1.8-5.4h3.6v3.6h3.6v3.6h-3.6v3.6h-3.6v-3.6h-3.6v-3.6h3.6z"
_CROSS = "m0-2.5l2.9-2.9 2.5 2.5-2.9 2.9 2.9 2.9-2.5 2.5-2.9-2.9-2.9 2.9-2.5-2.5 2.9-2.9-2.9-2.9 2.5-2.5z"
_SHAPES = (
    *((shape, False) for shape in (_CIRCLE, _SQUARE, _TRIANGLE, _DIAMOND, _TURNED_TRIANGLE, _PLUS, _CROSS)),
    *((shape, True) for shape in (_DIAMOND, _TURNED_TRIANGLE, _CIRCLE, _SQUARE, _TRIANGLE)),
)
"""Outlines around a point, as path commands, and whether they are open, that is filled with the paper's colour.

There are 12 shapes and 7 colours, so that 84 styles differ: the 8th has the colour of the 1st with another shape.
"""


def styles_of(names: Iterable[str]) -> Mapping[str, int]:
    """Return the number of the style of each name: known frameworks have fixed ones, the others the next free ones."""
    free = (number for number in count() if number not in _KNOWN.values())
    others = dict.fromkeys(name for name in names if name not in _KNOWN)
    return {**_KNOWN, **dict(zip(others, free, strict=False))}


def colour_class(style: int) -> str:
    """Return the CSS class of the style's colour."""
    return f"c{style % len(COLOURS)}"


def variant_class(variant: int) -> str:
    """Return the CSS class of the variant's dashes."""
    return f"v{variant % len(DASHES)}"


def outline(style: int) -> str:
    """Return the shape of the style as commands of a path that begin where the last ones ended."""
    return _SHAPES[style % len(_SHAPES)][0]


def is_open(style: int, variant: int) -> bool:
    """Return whether the shape is filled with the paper's colour. The variants of a style alternate."""
    return _SHAPES[style % len(_SHAPES)][1] ^ (variant % 2 == 1)
