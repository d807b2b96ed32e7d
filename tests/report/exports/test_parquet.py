"""Parquet: read by pyarrow, with the columns of the CSV, their types and exact texts."""

from __future__ import annotations

import csv
import io
import sys
from typing import Any

import pytest
from invented_runs import a_case, a_hostile_run, a_run

from pytest_throughput.report.exports import csv_text, parquet
from pytest_throughput.results.model import RunResult


def table_of(result: RunResult) -> Any:
    """The table; in slow tests alone, since pyarrow is large."""
    reader = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow, of the extra `export`")
    return reader.read_table(io.BytesIO(parquet.export(result).content))


@pytest.mark.slow
@pytest.mark.parametrize("result", [a_run(), a_hostile_run(), RunResult(())])
def test_the_columns_are_those_of_the_csv(result: RunResult) -> None:
    header, *rows = csv.reader(io.StringIO(csv_text.export(result).content.decode(), newline=""))
    table = table_of(result)
    assert (table.column_names, table.num_rows) == (header, len(rows))


@pytest.mark.slow
def test_columns_are_typed() -> None:
    schema = table_of(a_run(a_case(), a_case("b", (), status=None))).schema
    types = {name: str(schema.field(name).type) for name in schema.names}
    assert types["case"] == types["axis_model"] == "string"
    assert types["axis_batch_size"] == types["trial"] == types["rounds"] == "int64"
    assert types["value"] == types["items"] == types["build_seconds"] == "double"
    assert types["run_complete"] == types["resumed"] == "bool"


@pytest.mark.slow
def test_what_is_unknown_is_null_and_texts_are_as_they_are() -> None:
    rows = table_of(a_run(a_case("=1+1", (2.5,)), a_case("b", (), status=None))).to_pylist()
    assert (rows[0]["case"], rows[0]["value"], rows[0]["case_low"]) == ("=1+1", 2.5, None)
    assert (rows[1]["status"], rows[1]["trial"], rows[1]["axis_batch_size"]) == (None, None, 8)


def test_without_pyarrow_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"needs pyarrow, .*: pip install 'pytest-throughput\[export\]'"):
        parquet.export(a_run())
