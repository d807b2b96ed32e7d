"""Render sections as one HTML page, without anything that it would have to load.

No text becomes markup: the template escapes every value but the charts, which ``svg_of`` escapes. The page's content
security policy names its own style and script by their hashes, so that a browser runs no other one.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import takewhile, zip_longest
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from pytest_throughput.report.charts.chart import Cell, Chart, DataTable, Section
from pytest_throughput.report.charts.data_table import table_of
from pytest_throughput.report.charts.stylesheet import stylesheet
from pytest_throughput.report.charts.svg import svg_of
from pytest_throughput.text import count, printable

__all__ = ["Page", "render"]

_MOST_CHARACTERS = 900_000
"""About the most characters of charts and tables. Charts that would exceed it are left out."""
_LEAST_CHART_CHARACTERS = 400_000
"""What charts may take in any case, such as beside the table of 5,000 cases."""
_MOST_ALIGNED = 50
"""The last column whose numbers are aligned to the right."""
_MOST_ROWS, _MOST_FILTERABLE_ROWS = 200, 5_000
"""The most rows of a table, and of one that can be filtered."""
_LONGEST_TEXT = 20_000
"""The most characters of a text, such as a command."""
_ROUNDING = 1e-3
"""The relative error of a text of four significant digits, rounded up."""
_SHOWN_NOTES = 6
"""How many notes about the whole page are shown at once; the others unfold."""


@dataclass(frozen=True)
class Page:
    """The content of a page."""

    title: str
    subtitle: tuple[str, ...]
    """Lines below the title."""
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()
    """Sentences about the whole page, such as warnings about its figures."""


class _Figure(NamedTuple):
    """A chart as it is drawn, and its data."""

    chart: Chart
    svg: Markup
    table: Markup


class _Table(NamedTuple):
    """A table and its rows as HTML."""

    data: DataTable
    markup: Markup


def render(page: Page) -> str:
    """Return the page as HTML, of at most about a megabyte for 500 cases; notes say what is left out."""
    sections = [_shortened(section) for section in page.sections]
    tables = [[_Table(table, _markup_of(table, is_sortable=True)) for table in section.tables] for section in sections]
    figures = _figures(sections, sum(len(table.markup) for of_section in tables for table in of_section))
    style, script = f"{stylesheet()}\n{_source('page.css')}\n{_alignment()}", _source("page.js")
    return _template("page.html.jinja").render(
        page=page,
        sections=list(zip(sections, figures, tables, strict=True)),
        shown_notes=page.notes[:_SHOWN_NOTES],
        more_notes=page.notes[_SHOWN_NOTES:],
        policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        style=Markup(style),
        script=Markup(script),
    )


def _figures(sections: Sequence[Section], of_tables: int) -> list[list[_Figure]]:
    """Return the charts of each section that fit into the page: the first of each, then the second of each, and so on.

    Thus no section loses all of its charts to the many of another one. ``of_tables``: the size of the other tables.
    """
    left = max(_MOST_CHARACTERS - of_tables, _LEAST_CHART_CHARACTERS)
    figures: list[list[_Figure]] = [[] for _ in sections]
    for figure, position in _in_turn(sections):
        left -= len(figure.svg) + len(figure.table)
        if left < 0:
            break
        figures[position].append(figure)
    return figures


def _in_turn(sections: Sequence[Section]) -> Iterator[tuple[_Figure, int]]:
    """Yield the first chart of each section, then the second ones, and so on, each with the section's position."""
    for turn, charts in enumerate(zip_longest(*(section.charts for section in sections)), 1):
        for position, chart in enumerate(charts):
            if chart is not None:
                svg = Markup(svg_of(chart, f"{sections[position].identifier}-{turn}"))
                yield _Figure(chart, svg, _markup_of(_cut(table_of(chart)), is_sortable=False)), position


def _shortened(section: Section) -> Section:
    """Return the section with tables of bounded length, and with notes that say which rows are left out."""
    tables = tuple(map(_cut, section.tables))
    notes = [
        f"The table “{table.caption}” shows the first {count(len(cut.rows), 'row')} of {len(table.rows):,}."
        for table, cut in zip(section.tables, tables, strict=True)
        if len(cut.rows) < len(table.rows)
    ]
    return replace(section, tables=tables, notes=(*section.notes, *notes))


def _cut(table: DataTable) -> DataTable:
    most = _MOST_FILTERABLE_ROWS if table.is_filterable else _MOST_ROWS
    return table if len(table.rows) <= most else replace(table, rows=table.rows[:most])


def _markup_of(table: DataTable, *, is_sortable: bool) -> Markup:
    macros: Any = _template("table.html.jinja").module
    return Markup(macros.markup_of(table, is_sortable, _end_of_commands(table)))


def _end_of_commands(table: DataTable) -> str:
    """Return the options that all commands end with, which the page has once; none for one command."""
    options = [cell.command.split(" --")[:0:-1] for row in table.rows for cell in row if cell.command is not None]
    shared = takewhile(lambda last: len({*last}) == 1, zip(*options, strict=False)) if len(options) > 1 else ()
    return "".join(f" --{last[0]}" for last in reversed([*shared]))


def _alignment() -> str:
    """Return the CSS that aligns columns of numbers: a table of the class ``n3`` has one as its third column."""
    columns = range(1, _MOST_ALIGNED + 1)
    return "\n".join(f".n{column} tr > :nth-child({column}) {{ text-align: right; }}" for column in columns)


def _order(cell: Cell) -> str | None:
    """Return the number that sorts the cell; None if it has none, or if its text is that number."""
    if cell.number is None:
        return None
    with suppress(ValueError):
        if math.isclose(float(cell.text.replace(",", "")), cell.number, rel_tol=_ROUNDING):
            return None
    return f"{cell.number:.5g}"


@cache
def _template(name: str) -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    environment.filters["order"] = _order
    return environment.from_string(_source(name))


def _shown(value: Any) -> Any:
    """Return texts without control characters and marks that reverse the text after them; other values as they are."""
    return printable(value, _LONGEST_TEXT) if type(value) is str else value


@cache
def _source(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8").strip()


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
