"""Bar charts: horizontal bars from zero with their intervals, below each other or end to end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pytest_throughput.report.charts.axes import X_AXIS_HEIGHT, x_axis, x_grid
from pytest_throughput.report.charts.chart import Axis, Bar, BarChart, BarPart
from pytest_throughput.report.charts.domain import Domain, domain_of, is_drawable
from pytest_throughput.report.charts.drawing import WIDTH, Drawing, group, path, px, rectangle, text
from pytest_throughput.report.charts.hatching import fill_of, patterns
from pytest_throughput.report.charts.lettering import BASE_LINE, clean, fitted, width_of
from pytest_throughput.report.charts.marks import Entry, interval_ends, legend, styled, whisker
from pytest_throughput.report.charts.number_text import number_text, with_interval
from pytest_throughput.report.charts.rows import Rows

__all__ = ["bar_drawing"]

_THICK, _THIN = 16, 13
"""The heights of a bar that is alone in its row, and of one of several."""
_AXIS = Axis("", "linear")
"""The scale of all bars, whatever that of the chart."""
_GAP = 3
_LONGEST_NAME = 170


class _Piece(NamedTuple):
    """A part of a bar, and the values between which it lies."""

    part: BarPart
    start: float
    end: float

    @property
    def interval(self) -> tuple[float, float] | None:
        """The values between which the end of the part lies; None where it is not known."""
        part = self.part
        if part.low is None and part.high is None:
            return None
        low, high = interval_ends(part.value, part.low, part.high)
        return self.start + low, self.start + high


class _Lane(NamedTuple):
    """Parts end to end, and the text beside them."""

    pieces: tuple[_Piece, ...]
    text: str


def bar_drawing(chart: BarChart, identifier: str) -> Drawing:
    """Draw the chart. Its axis is linear, since a logarithmic one has no zero; values that are not finite are left out.

    ``identifier`` is unique in the page, for the hatchings of stacked bars.
    """
    bars = [_stacked(bar) if chart.is_stacked else _grouped(bar, _has_names(chart)) for bar in chart.bars]
    domain = _domain([piece for lanes in bars for lane in lanes for piece in lane.pieces])
    names, height = _legend(chart, identifier) if chart.is_stacked else ("", 0.0)
    thickness = _THIN if any(len(lanes) > 1 for lanes in bars) else _THICK
    heights = [len(lanes) * (thickness + _GAP) - _GAP for lanes in bars]
    beside = 16 + max((width_of(lane.text) for lanes in bars for lane in lanes), default=0.0)
    rows = Rows.of([bar.label for bar in chart.bars], heights, top=height, beside=beside)

    def at(value: float) -> float:
        return domain.at(value, rows.left, rows.right)

    fills = identifier if chart.is_stacked else ""
    drawn, whiskers, texts = [], [], []
    for lanes, top in zip(bars, rows.tops, strict=True):
        for number, lane in enumerate(lanes):
            y = top + number * (thickness + _GAP)
            drawn += [_rectangle(piece, at, y, thickness, fills) for piece in lane.pieces]
            whiskers += [_whisker(piece, at, y + thickness / 2, domain) for piece in lane.pieces]
            x = 6 + max([at(0), *(at(end) for piece in lane.pieces for end in (piece.end, *(piece.interval or ())))])
            texts.append(text(x, y + thickness / 2 + BASE_LINE, lane.text, WIDTH - x))
    intervals = path("".join(whiskers), "c-halo") + path("".join(whiskers), "c-whisker")
    zero = path(f"M{px(at(0))} {px(rows.top)}V{px(rows.bottom)}", "c-axis")
    grid = x_grid(domain, rows.top, rows.bottom, at, has_texts=rows.is_tall)
    axis = x_axis(domain, chart.value.label, rows.left, rows.right, rows.bottom, at)
    elements = [names, grid, rows.labels(), *drawn, intervals, zero, axis, group("c-above", texts)]
    return Drawing(rows.bottom + X_AXIS_HEIGHT, "".join(elements))


def _has_names(chart: BarChart) -> bool:
    """Return whether the names of the parts say more than the labels of the bars."""
    if all(part.name == bar.label for bar in chart.bars for part in bar.parts):
        return False
    return len({part.name for bar in chart.bars for part in bar.parts}) > 1


def _grouped(bar: Bar, has_names: bool) -> list[_Lane]:
    """Return a lane for each part, with its value."""
    lanes = []
    for part in bar.parts:
        name = f"{fitted(part.name, _LONGEST_NAME)} " if has_names else ""
        pieces = (_Piece(part, 0.0, part.value),) if is_drawable(part.value, _AXIS) else ()
        lanes.append(_Lane(pieces, name + number_text(part.value, 3)))
    return lanes or [_Lane((), "-")]


def _stacked(bar: Bar) -> list[_Lane]:
    """Return one lane with the parts end to end, negative ones to the left of zero, and the sum of all."""
    pieces = []
    left = right = 0.0
    for part in bar.parts:
        if not is_drawable(part.value, _AXIS):
            continue
        start = left if part.value < 0 else right
        pieces.append(_Piece(part, start, start + part.value))
        left, right = min(left, start + part.value), max(right, start + part.value)
    return [_Lane((*pieces,), number_text(left + right, 3) if pieces else "-")]


def _domain(pieces: Sequence[_Piece]) -> Domain:
    ends = [end for piece in pieces for end in piece.interval or ()]
    return domain_of([piece.end for piece in pieces], _AXIS, 5, ends=ends, zero="always", ends_on_ticks=True)


def _legend(chart: BarChart, identifier: str) -> tuple[str, float]:
    parts = [part for bar in chart.bars for part in bar.parts]
    entries = dict.fromkeys(Entry(part.name, part.style) for part in parts)

    def sample(entry: Entry, x: float, y: float) -> str:
        return rectangle(x, y - 7, 24, 14, f'fill="{fill_of(entry.style, identifier)}"')

    names, height = legend(entries, sample)
    return patterns((part.style for part in parts), identifier) + names, height


def _rectangle(piece: _Piece, at: Callable[[float], float], y: float, thickness: float, identifier: str) -> str:
    x, end = sorted((at(piece.start), at(piece.end)))
    if not identifier:
        return styled(piece.part.style, [rectangle(x, y, end - x, thickness, 'class="c-bar"')])
    tooltip = f"{clean(piece.part.name)}: {with_interval(*piece.part[2:], digits=3)}"
    fill = f'class="c-part" fill="{fill_of(piece.part.style, identifier)}"'
    return rectangle(x, y, end - x, thickness, fill, tooltip)


def _whisker(piece: _Piece, at: Callable[[float], float], y: float, domain: Domain) -> str:
    if piece.interval is None:
        return ""
    low, high = piece.interval
    return whisker(at(low), at(high), y, (domain.holds(low), domain.holds(high)))
