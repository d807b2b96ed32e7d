"""The data of charts and tables: the values, their intervals and their texts, without how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

__all__ = [
    "Axis",
    "Bar",
    "BarChart",
    "BarPart",
    "Cell",
    "Chart",
    "DataTable",
    "DotChart",
    "DotRow",
    "Limit",
    "LineChart",
    "Point",
    "Section",
    "Series",
]


@dataclass(frozen=True)
class Axis:
    """One axis of a chart."""

    label: str
    """The quantity with its unit, such as ``seconds per image``."""
    scale: Literal["linear", "log"] = "linear"
    values: tuple[float, ...] = ()
    """The values to mark, such as the batch sizes that were measured; empty lets the drawing choose round ones."""


class Point(NamedTuple):
    """One value, with the ends of its 95 % interval; None where it has none."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """Points that belong together, such as those of one framework."""

    name: str
    style: int
    """The number of its colour and shape; a framework has the same one in every chart: see ``styles_of``."""
    points: tuple[Point, ...]
    variant: int = 0
    """Tells apart series of one style, such as the executions of one framework: 0 is solid, the others are dashed."""


@dataclass(frozen=True)
class Limit:
    """A value of x beyond which a series has no points, such as the largest batch that fits into the memory."""

    x: float
    text: str
    style: int


@dataclass(frozen=True)
class LineChart:
    """Series of points over a numeric axis, joined by lines."""

    panel: str
    """What is shown, such as ``training, resnet50, cpu``."""
    title: str
    """What the data say, where their intervals allow a finding; else the quantity that is shown."""
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    limits: tuple[Limit, ...] = ()


class BarPart(NamedTuple):
    """One value of a bar, with the ends of its 95 % interval; None where it has none."""

    name: str
    style: int
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Bar:
    """A row of a bar chart: its parts lie end to end if the chart is stacked, else below each other."""

    label: str
    parts: tuple[BarPart, ...]


@dataclass(frozen=True)
class BarChart:
    """Horizontal bars from zero."""

    panel: str
    title: str
    value: Axis
    bars: tuple[Bar, ...]
    is_stacked: bool = False


@dataclass(frozen=True)
class DotRow:
    """A row of a dot chart: each value is a dot, such as a trial; beside them the estimate with its interval."""

    label: str
    style: int
    values: tuple[float, ...]
    mean: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class DotChart:
    """Rows of dots over one axis of values, which need not begin at zero."""

    panel: str
    title: str
    value: Axis
    rows: tuple[DotRow, ...]


Chart = LineChart | BarChart | DotChart


class Cell(NamedTuple):
    """A cell of a table: its text, and the number by which rows are sorted; None for a text, or an unknown number.

    ``command``: a command for a shell, which the cell unfolds.
    """

    text: str
    number: float | None = None
    command: str | None = None


@dataclass(frozen=True)
class DataTable:
    """A table of a report."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: frozenset[int] = frozenset()
    """The positions of columns with numbers, which are aligned to the right."""
    is_filterable: bool = False
    """Whether the page has a field beside the table that keeps only the rows with given words."""


@dataclass(frozen=True)
class Section:
    """One section of a report. A section without data does not exist."""

    identifier: str
    """Unique in the report, of lower-case letters, digits and hyphens: the anchor of links, and the name of files."""
    heading: str
    charts: tuple[Chart, ...] = ()
    tables: tuple[DataTable, ...] = ()
    """Tables of its own; every chart has a table of its data besides."""
    notes: tuple[str, ...] = ()
    """Sentences below the heading: what is shown, how it was measured, and the limits of the figures."""
