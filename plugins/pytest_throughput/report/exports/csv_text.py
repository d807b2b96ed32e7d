"""CSV by RFC 4180, in UTF-8, for spreadsheets and programs of statistics.

A spreadsheet computes a cell that begins with ``=``, ``+``, ``-`` or ``@``, and a formula can send the sheet to
another machine. Names may come from untrusted files, so such texts get an apostrophe in front of them, as OWASP
recommends.
Where the decimal sign is a comma, spreadsheets begin a cell after each semicolon. Numbers need no apostrophe.
"""

from __future__ import annotations

import csv
import io
import re

from pytest_throughput.report.exports.exported import Exported
from pytest_throughput.report.exports.rows import Value, columns_of
from pytest_throughput.results.model import RunResult

__all__ = ["export"]

_FORMULA = re.compile("(^|;)(?=[=+@＝＋－＠-])")
"""The beginning of a formula, also of one in full-width characters, which spreadsheets take in East Asian languages."""


def export(result: RunResult) -> Exported:
    """Return the table of all trials, with the names of the columns in the first line."""
    columns = columns_of(result)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([_cell(column.name) for column in columns])
    writer.writerows(zip(*([_cell(value) for value in column.values] for column in columns), strict=True))
    return Exported(text.getvalue().encode())


def _cell(value: Value) -> Value:
    if isinstance(value, bool):
        return str(value).lower()
    return _FORMULA.sub(r"\1'", value) if isinstance(value, str) else value
