"""Render sections as one HTML page, without anything that it would have to load.

No text becomes markup: the template escapes every value but the charts, which ``svg_of`` escapes. The page's content
security policy names its own style and script by their hashes, so that a browser runs no other one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import zip_longest
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from pytest_throughput.report.charts.chart import Chart, DataTable, Section
from pytest_throughput.report.charts.data_table import table_of
from pytest_throughput.report.charts.stylesheet import stylesheet
from pytest_throughput.report.charts.svg import svg_of
from pytest_throughput.text import count, printable

__all__ = ["Page", "render"]

_MOST_BYTES = 900_000
"""About the largest size of a page. Charts that would exceed it are left out."""
_LEAST_CHART_BYTES = 400_000
"""What charts may take in any case, such as beside the table of 5,000 cases."""
_BYTES_OF_A_CELL, _BYTES_OF_A_ROW = 25, 20
"""The markup around the text of a cell, and around the cells of a row."""
_MOST_ROWS, _MOST_FILTERABLE_ROWS = 200, 5_000
"""The most rows of a table, and of one that can be filtered."""
_LONGEST_TEXT = 20_000
"""The most characters of a text, such as a command."""
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


@dataclass(frozen=True)
class _Figure:
    """A chart as it is drawn, and its data."""

    chart: Chart
    svg: Markup
    data: DataTable

    @property
    def bytes(self) -> int:
        return len(self.svg) + _bytes_of(self.data)


def render(page: Page) -> str:
    """Return the page as HTML, of at most about a megabyte for 500 cases; notes say what is left out."""
    style, script = f"{stylesheet()}\n{_source('page.css')}", _source("page.js")
    sections = [_shortened(section) for section in page.sections]
    return _template().render(
        page=page,
        sections=list(zip(sections, _figures(sections), strict=True)),
        shown_notes=page.notes[:_SHOWN_NOTES],
        more_notes=page.notes[_SHOWN_NOTES:],
        policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        style=Markup(style),
        script=Markup(script),
    )


def _figures(sections: Sequence[Section]) -> list[list[_Figure]]:
    """Return the charts of each section that fit into the page: the first of each, then the second of each, and so on.

    Thus no section loses all of its charts to the many of another one.
    """
    of_tables = sum(_bytes_of(table) for section in sections for table in section.tables)
    left = max(_MOST_BYTES - of_tables, _LEAST_CHART_BYTES)
    figures: list[list[_Figure]] = [[] for _ in sections]
    for figure, position in _in_turn(sections):
        left -= figure.bytes
        if left < 0:
            break
        figures[position].append(figure)
    return figures


def _in_turn(sections: Sequence[Section]) -> Iterator[tuple[_Figure, int]]:
    """Yield the first chart of each section, then the second ones, and so on, each with the section's position."""
    for turn, charts in enumerate(zip_longest(*(section.charts for section in sections)), 1):
        for position, chart in enumerate(charts):
            if chart is not None:
                svg = svg_of(chart, f"{sections[position].identifier}-{turn}")
                yield _Figure(chart, Markup(svg), _cut(table_of(chart))), position


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


def _bytes_of(table: DataTable) -> int:
    """Return about how many bytes of the page the table takes."""
    return sum(
        _BYTES_OF_A_ROW + sum(_BYTES_OF_A_CELL + len(cell.text) + len(cell.command or "") for cell in row)
        for row in table.rows
    )


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    return environment.from_string(_source("page.html.jinja"))


def _shown(value: Any) -> Any:
    """Return texts without control characters and marks that reverse the text after them; other values as they are."""
    return printable(value, _LONGEST_TEXT) if type(value) is str else value


@cache
def _source(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8").strip()


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
