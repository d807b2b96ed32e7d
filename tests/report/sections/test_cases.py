"""The sections of all cases, of warnings and of environments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import result_files
from reported_runs import suite_document

from pytest_throughput.report.charts.chart import Cell, DataTable
from pytest_throughput.report.sections import cases, environment, warnings
from pytest_throughput.results.model import CaseResult, RunResult
from pytest_throughput.results.reader import read_run


def read(folder: Path, document: dict[str, Any], items_param: str | None = None) -> RunResult:
    return read_run(Path(result_files.write(folder, "run.json", document)), items_param)


def column(table: DataTable, name: str) -> list[Cell]:
    return [row[table.columns.index(name)] for row in table.rows]


def table_of(result: RunResult) -> DataTable:
    section = cases.section(result)
    assert section is not None
    (table,) = section.tables
    return table


def test_a_row_has_axes_figures_and_status(tmp_path: Path) -> None:
    result = read(tmp_path, suite_document())
    section = cases.section(result)
    assert section is not None
    (table,) = section.tables
    assert table.columns == (
        *("mode", "model", "framework", "execution", "images/s", "÷ fastest", "± trials", "trials", "status", "repeat"),
        *("ms/step", "direct FLOPs ÷ peak", "first step", "build", "peak memory", "disturbed rounds"),
    )
    assert section.notes[0] == "all rows: batch size 1, precision fp32, device cpu"
    assert table.is_filterable
    assert len(table.rows) == len(result.cases) == 12
    mean, _, high = result.cases[0].estimate()
    assert mean is not None and high is not None
    assert column(table, "images/s")[0].number == mean
    assert column(table, "± trials")[0].number == high / mean
    assert column(table, "disturbed rounds")[0] == Cell("3/60", 0.05)
    assert [cell.text for cell in column(table, "÷ fastest")].count("1") == 4
    assert column(table, "repeat")[0].command is not None


def test_a_case_without_figures_has_its_status(tmp_path: Path) -> None:
    document = suite_document()
    document["throughput"]["cases"][1] |= {"status": "out_of_memory", "reason": "it needs more", "trials": []}
    document["throughput"]["cases"][2] |= {"implausible": "faster than light"}
    document["throughput"]["cases"][3] |= {"status": None, "trials": []}
    table = table_of(read(tmp_path, document))
    assert [cell.text for cell in column(table, "status")[:4]] == ["ok", "out_of_memory", "ok, implausible", "not run"]
    assert column(table, "images/s")[1] == Cell("-")


def test_different_units_stand_beside_the_figures(tmp_path: Path) -> None:
    document = suite_document()
    for benchmark in document["benchmarks"]:
        if benchmark["extra_info"]["mode"] == "training":
            metric = {"name": "seconds", "unit": "s", "value": 2.5, "better": "lower"}
            benchmark["extra_info"]["metrics"] = [metric]
    for case in document["throughput"]["cases"]:
        for trial in case["trials"] if case["labels"]["mode"] == "training" else ():
            trial["images_per_second"] = None
    texts = [cell.text for cell in column(table_of(read(tmp_path, document)), "result")]
    assert texts[0].endswith(" images/s")
    assert texts[-1] == "2.500 s"


def test_plain_benchmarks_are_rows_by_their_ids(tmp_path: Path) -> None:
    table = table_of(read(tmp_path, result_files.plain_document(0)))
    assert table.columns == ("case", "calls/s", "± trials", "trials", "status", "repeat", "ms/step")
    assert column(table, "case")[0].text == "bench.py::test_it[0]"
    assert "rows/s" in table_of(read(tmp_path, result_files.plain_document(0), "rows")).columns


def test_environments_have_a_column(tmp_path: Path) -> None:
    table = table_of(read(tmp_path, result_files.our_document(0, environments=("base", "head"))))
    assert {cell.text for cell in column(table, "environment")} == {"base", "head"}
    assert "repeat" not in table.columns


def test_many_cases_have_no_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "_MOST_COMMANDS", 11)
    section = cases.section(read(tmp_path, suite_document()))
    assert section is not None
    assert "repeat" not in section.tables[0].columns
    assert "left out, since there are more than 11 cases" in section.notes[-1]


def test_without_cases_there_is_no_section() -> None:
    assert cases.section(RunResult(())) is None


def test_warnings_have_their_kinds(tmp_path: Path) -> None:
    document = suite_document()
    assert warnings.section(read(tmp_path, document)) is None
    document["throughput"]["cases"][2] |= {"implausible": "faster than light"}
    section = warnings.section(read(tmp_path, document))
    assert section is not None
    text = "inference-jax-cpu-alexnet-b1-fp32-compiled: implausible: faster than light"
    assert section.tables[0].rows == ((Cell("implausible"), Cell("1", 1), Cell(text)),)


def test_environments_settings_and_versions(tmp_path: Path) -> None:
    run = read(tmp_path, suite_document())
    section = environment.section({"run.json": run})
    assert section is not None
    found = {table.caption: {row[0].text: row[1].text for row in table.rows} for table in section.tables}
    assert found["Machine"]["cpu model"] == "A processor"
    assert found["Machine"]["system"] == "Linux"
    assert "the host's name" not in str(found)
    assert found["Settings"] == {"isolation": "trial", "protocol": "quick", "threads": "2", "allocator": "tuned"}
    assert found["Versions"] == {"pytorch": "2.1", "python": "3.11.7", "tensorflow": "2.1", "jax": "2.1"}
    assert found["Run"]["complete"] == "yes"


def test_runs_stand_side_by_side(tmp_path: Path) -> None:
    runs = {f"{seed}.json": read(tmp_path, suite_document(seed=seed, settings={"threads": seed})) for seed in (1, 2)}
    section = environment.section(runs)
    assert section is not None
    settings = next(table for table in section.tables if table.caption == "Settings")
    assert settings.columns == ("name", "1.json", "2.json")
    assert [cell.text for cell in settings.rows[2]] == ["threads", "1", "2"]
    many = environment.section({f"{seed}.json": runs["1.json"] for seed in range(7)})
    assert many is not None
    assert many.tables[0].columns == ("name", "value")


def test_axes_beyond_the_first_have_no_column() -> None:
    result = RunResult(tuple(CaseResult(str(n), "default", {f"axis {n}": n}, "ok") for n in range(60)))
    table = table_of(result)
    assert table.columns[:3] == ("case", "axis 0", "axis 1")
    assert "axis 49" in table.columns and "axis 50" not in table.columns
    section = cases.section(result)
    assert section is not None and "10 of 60 axes have no column." in section.notes
