"""The names of lines beside their ends, where they fit there."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

__all__ = ["label_heights"]

_GAP = 16.0
_FURTHEST = 26.0
"""How far from the end of its line a name may stand; further away, a reader would look for the line."""

Position = tuple[float, float]


def label_heights(lines: Sequence[Sequence[Position]], x: float, top: float, bottom: float) -> list[float] | None:
    """Return the height at which the name of each line stands at ``x``, or None if a legend explains more.

    Each name is as near the end of its line as the others allow. The names do not fit if one is far from its line,
    or if the leader from a line that ends early crosses another line.
    """
    ends = [line[-1][1] for line in lines]
    if (len(lines) - 1) * _GAP > bottom - top:
        return None
    heights = _spread(ends, top, bottom)
    if any(abs(height - end) > _FURTHEST for height, end in zip(heights, ends, strict=True)):
        return None
    leaders = [(line[-1], (x, height)) for line, height in zip(lines, heights, strict=True)]
    latest = max((line[-1][0] for line in lines), default=x)
    for number, leader in enumerate(leaders):
        others = [[*line, leaders[n][1]] for n, line in enumerate(lines) if n != number]
        if leader[0][0] < latest and any(_cross(leader, piece) for line in others for piece in pairwise(line)):
            return None
    return heights


def _spread(wanted: Sequence[float], top: float, bottom: float) -> list[float]:
    """Return heights at least ``_GAP`` apart, in the order of the wanted ones and in sum of squares nearest to them."""
    order = sorted(range(len(wanted)), key=lambda n: wanted[n])
    # What the members want on average, less the gaps before each, and how many they are.
    blocks: list[tuple[float, int]] = []
    for rank, number in enumerate(order):
        mean, count = wanted[number] - rank * _GAP, 1
        while blocks and blocks[-1][0] >= mean:
            earlier, members = blocks.pop()
            mean, count = (mean * count + earlier * members) / (count + members), count + members
        blocks.append((mean, count))
    means = [mean for mean, count in blocks for _ in range(count)]
    last = bottom - (len(wanted) - 1) * _GAP
    heights = [0.0] * len(wanted)
    for rank, (number, mean) in enumerate(zip(order, means, strict=True)):
        heights[number] = min(max(mean, top), last) + rank * _GAP
    return heights


def _cross(one: tuple[Position, Position], other: tuple[Position, Position]) -> bool:
    return _side(*one, other[0]) * _side(*one, other[1]) <= 0 and _side(*other, one[0]) * _side(*other, one[1]) <= 0


def _side(start: Position, end: Position, point: Position) -> float:
    """Return on which side of the line through start and end the point lies: by sign, 0 on the line."""
    return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])
