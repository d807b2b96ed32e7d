"""The options that say what the table of a run shows, for pytest and for ``pytest-throughput show``."""

from __future__ import annotations

from pytest_throughput.naming import ALL_COLUMNS, COLUMNS, SORT_KEYS
from pytest_throughput.options.option import Option

__all__ = ["COLUMNS_OPTION", "SORT_OPTION", "read_columns", "read_sort"]


def read_sort(text: str) -> str:
    """Return the word for the order of the rows. Raise ValueError."""
    if text not in SORT_KEYS:
        raise ValueError(f"expected one of: {', '.join(SORT_KEYS)}, got {text!r}")
    return text


def read_columns(text: str) -> tuple[str, ...]:
    """Return the words of a list with commas, each once. Raise ValueError."""
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    for word in words:
        if word not in (ALL_COLUMNS, *COLUMNS):
            raise ValueError(f"expected {ALL_COLUMNS}, or some of, with commas: {', '.join(COLUMNS)}; got {word!r}")
    return words


SORT_OPTION = Option(
    name="sort",
    metavar="KEY",
    read=read_sort,
    default="run",
    help="The order of the table's rows: 'run', as they were collected; 'name'; or a figure, the best first, by the "
    "word of its column. The rows of a work stay together, and works are sorted by their first rows.",
)
COLUMNS_OPTION = Option(
    name="columns",
    metavar="LIST",
    read=read_columns,
    default_help="the usual ones that have a figure",
    help=f"The columns of the table, in this order, with commas: {', '.join(COLUMNS)}; or '{ALL_COLUMNS}' for every "
    "column that has a figure.",
)
