"""The axes of charts: lines of the grid, ticks, and labels that do not overlap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from pytest_throughput.report.charts.domain import Domain
from pytest_throughput.report.charts.drawing import WIDTH, group, path, px, text
from pytest_throughput.report.charts.lettering import BASE_LINE, SIZE, width_of
from pytest_throughput.report.charts.ticks import Tick

__all__ = ["X_AXIS_HEIGHT", "x_axis", "x_grid", "y_axis", "y_axis_width"]

X_AXIS_HEIGHT = 44
_TICK_GAP = 10
"""The least space between the texts of two ticks side by side."""

Coordinate = Callable[[float], float]


def y_axis_width(y: Domain) -> float:
    """Return the space that the texts of the ticks need."""
    return 12 + max((width_of(tick.text) for tick in y.ticks), default=0.0)


def y_axis(y: Domain, label: str, label_y: float, left: float, right: float, at: Coordinate) -> str:
    """Return a vertical axis: its label above it, and a line of the grid at each tick."""
    positions = [at(tick.value) for tick in y.ticks]
    grid = path("".join(f"M{px(left)} {px(position)}H{px(right)}" for position in positions), "c-grid")
    kept = _apart(positions, [SIZE] * len(positions), gap=2)
    texts = [text(left - 8, positions[n] + BASE_LINE, y.ticks[n].text, left) for n in kept]
    return grid + group("c-muted", [text(0, label_y, label, WIDTH), group("c-end", texts)])


def x_axis(x: Domain, label: str, left: float, right: float, y: float, at: Coordinate) -> str:
    """Return a horizontal axis at height ``y``, with its ticks and its label below it."""
    positions = [at(tick.value) for tick in x.ticks]
    line = f"M{px(left)} {px(y)}H{px(right)}" + "".join(f"M{px(position)} {px(y)}v4" for position in positions)
    middle = (left + right) / 2
    name = text(middle, y + 38, label, 2 * min(middle, WIDTH - middle))
    return path(line, "c-axis") + group("c-muted c-middle", [*_texts(x.ticks, positions, y + 18), name])


def x_grid(x: Domain, top: float, bottom: float, at: Coordinate, *, has_texts: bool) -> str:
    """Return a vertical line at each tick, with its text above it if the axis below is far away."""
    positions = [at(tick.value) for tick in x.ticks]
    grid = path("".join(f"M{px(position)} {px(top)}V{px(bottom)}" for position in positions), "c-grid")
    return grid + group("c-muted c-middle", _texts(x.ticks, positions, top - 6) if has_texts else [])


def _texts(ticks: Sequence[Tick], positions: Sequence[float], y: float) -> list[str]:
    widths = [width_of(tick.text) for tick in ticks]
    texts = []
    for n in _apart(positions, widths, gap=_TICK_GAP):
        middle = min(max(positions[n], widths[n] / 2), WIDTH - widths[n] / 2)
        texts.append(text(middle, y, ticks[n].text, widths[n] + 1))
    return texts


def _apart(positions: Sequence[float], extents: Sequence[float], gap: float) -> Sequence[int]:
    """Return the numbers of ticks whose texts do not overlap: every n-th, unless many more fit at uneven distances."""

    def is_apart(one: int, other: int) -> bool:
        return abs(positions[one] - positions[other]) >= (extents[one] + extents[other]) / 2 + gap

    uneven: list[int] = []
    for n in reversed(range(len(positions))):
        if not uneven or is_apart(n, uneven[-1]):
            uneven.append(n)
    for stride in range(1, len(positions)):
        even = range(0, len(positions), stride)
        if len(even) < len(uneven) - 1:
            break
        if all(is_apart(*pair) for pair in pairwise(even)):
            return even
    return uneven
