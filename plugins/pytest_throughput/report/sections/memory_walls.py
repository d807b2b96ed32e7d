"""Memory walls: the largest batch of each framework that fits into the memory, and a larger one that does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pytest_throughput.report.batch_sweep import fit_of
from pytest_throughput.report.charts.chart import Limit
from pytest_throughput.report.grouping import grouped
from pytest_throughput.report.sections.axis_panels import Line
from pytest_throughput.text import printable

__all__ = ["Wall", "limits_of", "walls_of"]


class Wall(NamedTuple):
    """The largest batch that fits into the memory, and the smallest larger one that does not."""

    name: str
    style: int
    largest: int
    refused: int | None
    """None if no larger batch was measured."""


def walls_of(lines: Sequence[Line]) -> list[Wall]:
    """Return which batches fit: for each framework, or for each of its lines if these differ."""
    walls = []
    for of_framework in grouped(lines, lambda line: line.framework):
        first = of_framework[0]
        fits = [(line.name, fit_of(line.cases)) for line in of_framework]
        if len({fit for _, fit in fits}) == 1:
            fits = [(printable(first.framework), fits[0][1])]
        walls += [Wall(name, first.style, fit.largest, fit.refused) for name, fit in fits if fit.largest is not None]
    return walls


def limits_of(walls: Sequence[Wall]) -> tuple[Limit, ...]:
    """Return the limits of a chart over the batch size, one for each wall that is known."""
    return tuple(
        Limit(wall.largest, f"{wall.name}: {wall.largest:,} fits, {wall.refused:,} does not", wall.style)
        for wall in walls
        if wall.refused is not None
    )
