"""Lay out a table: which columns fit into a terminal, and how they are arranged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from pytest_throughput.report.console import lines_of

__all__ = ["Column", "Row", "lay_out"]

_GAP = 2
"""The number of blanks between two columns of a table."""
_INDENT = 2
_NARROWEST = 8
"""The least width to which a text column is folded."""
_LEAST_FOLDED = 100
"""The least width to which the legend is folded where the width is not limited."""


@dataclass(frozen=True)
class Column:
    """One column of figures."""

    heading: str
    cells: Sequence[Text]
    rank: int = 0
    """Columns of the highest rank are left out first; those of rank 0 never are."""
    is_number: bool = True
    legend: str = ""
    """What the line below the table says of the column; empty where its heading says enough."""

    @property
    def is_filled(self) -> bool:
        """Whether a cell has a figure."""
        return any(cell.plain != "-" for cell in self.cells)

    @property
    def width(self) -> int:
        """The widest line, in terminal cells."""
        texts = [*self.heading.splitlines(), *(cell.plain for cell in self.cells)]
        return max(map(cell_len, texts), default=0)

    @property
    def name(self) -> str:
        """The heading on one line."""
        return " ".join(self.heading.split())


@dataclass(frozen=True)
class Row:
    """The texts at the beginning of a row."""

    group: str
    """The text that several rows share, which is shown once."""
    member: str


def lay_out(
    rows: Sequence[Row],
    columns: Sequence[Column],
    *,
    headings: tuple[str, str],
    width: int | None,
    colour: bool,
    optional_rank: int,
    legend: Sequence[str] = (),
) -> list[str]:
    """Return the lines of a table that fits into ``width`` terminal columns (None: as wide as it needs to be).

    Group and member stand beside the figures as long as only columns of rank ``optional_rank`` and above
    have to be left out; in a narrower terminal the group stands on a line of its own above its rows.
    ``headings`` are those of group and member. Below the table stand the ``legend``, what there is to say of the
    columns that are shown, and the names of those that are left out, folded to the width of the terminal or the table.
    """
    groups = Column(headings[0], [Text(row.group) for row in rows], is_number=False)
    members = Column(headings[1], [Text(row.member) for row in rows], is_number=False)
    beside = groups.width + members.width + 2 * _GAP
    kept = list(columns) if width is None else _fitting(columns, width - beside, optional_rank)
    if kept is not None:
        lines = _beside(rows, groups, members, kept, colour)
    else:
        assert width is not None
        member_width, kept = _fitting_below(members, columns, width - _INDENT - _GAP, optional_rank)
        lines = _stacked(rows, members, kept, width, member_width, colour)
    widest = beside + _width_of(columns)
    said = dict.fromkeys([*legend, *(column.legend for column in kept if column.legend)])
    room = width or max(widest, _LEAST_FOLDED)
    below = _filled(list(said), room)
    left_out = [column.name for column in columns if column not in kept]
    if left_out:
        below.append(f"left out for lack of width: {', '.join(left_out)} (COLUMNS={widest} shows all)")
    return lines + [folded for line in below for folded in _folded(line, room, colour)]


def _filled(parts: Sequence[str], width: int) -> list[str]:
    """Return as few lines as have room for the parts in their order, those of a line with semicolons between them."""
    lines: list[str] = []
    for part in parts:
        if lines and cell_len(longer := f"{lines[-1]}; {part}") <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def _folded(text: str, width: int, colour: bool) -> list[str]:
    grid = Table.grid()
    grid.add_column(overflow="fold")
    grid.add_row(Text(text))
    return lines_of(grid, width, colour)


def _fitting(columns: Sequence[Column], width: int, optional_rank: int) -> list[Column] | None:
    """Return the columns that fit, without those of the highest ranks; None if too many would be left out."""
    kept = list(columns)
    while _width_of(kept) > width:
        optional = [column for column in kept if column.rank >= optional_rank]
        if not optional:
            return None
        kept.remove(max(optional, key=lambda column: column.rank))
    return kept


def _fitting_below(
    members: Column, columns: Sequence[Column], width: int, optional_rank: int
) -> tuple[int, list[Column]]:
    """Return the width of the member column, and the columns that fit beside it without the group."""
    kept = _fitting(columns, width - members.width, optional_rank)
    if kept is not None:
        return members.width, kept
    narrowest = min(members.width, _NARROWEST)
    kept = _fitting(columns, width - narrowest, 1) or [column for column in columns if column.rank == 0]
    return max(narrowest, min(members.width, width - _width_of(kept))), kept


def _width_of(columns: Sequence[Column]) -> int:
    return sum(column.width + _GAP for column in columns) - _GAP


def _beside(rows: Sequence[Row], groups: Column, members: Column, columns: Sequence[Column], colour: bool) -> list[str]:
    table = _new_table()
    for column in (groups, members, *columns):
        _add(table, column)
    previous = None
    for index, row in enumerate(rows):
        group = "" if row.group == previous else row.group
        table.add_row(Text(group), Text(row.member), *(column.cells[index] for column in columns))
        previous = row.group
    return lines_of(table, None, colour)


def _stacked(
    rows: Sequence[Row], members: Column, columns: Sequence[Column], width: int, member_width: int, colour: bool
) -> list[str]:
    header = _new_table()
    _add(header, replace(members, heading=""), width=member_width)
    for column in columns:
        _add(header, column, width=column.width)
    lines = _indented(header, colour)
    for group, indices in groupby(range(len(rows)), key=lambda index: rows[index].group):
        lines += _folded(group, width, colour)
        table = _new_table(show_header=False)
        table.add_column(width=member_width, overflow="fold")
        for column in columns:
            _add(table, column, width=column.width)
        for index in indices:
            table.add_row(Text(rows[index].member), *(column.cells[index] for column in columns))
        lines += _indented(table, colour)
    return lines


def _indented(table: Table, colour: bool) -> list[str]:
    return [f"{'':{_INDENT}}{line}".rstrip() for line in lines_of(table, None, colour)]


def _new_table(show_header: bool = True) -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold", show_header=show_header)


def _add(table: Table, column: Column, *, width: int | None = None) -> None:
    table.add_column(Text(column.heading), justify="right" if column.is_number else "left", width=width, no_wrap=True)
