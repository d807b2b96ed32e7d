"""CSV: read by Python's own reader, with no figure changed and no formula in a name."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented_runs import AXES, a_case, a_hostile_run, a_run

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report.exports.csv_text import export
from pytest_throughput.results.model import RunResult


def rows_of(result: RunResult) -> list[dict[str, str]]:
    text = export(result).content.decode()
    assert text.endswith("\r\n") and "\n" not in text.replace("\r\n", "")
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert len({*header}) == len(header) and all(len(row) == len(header) for row in rows)
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_a_row_is_a_trial_and_a_case_without_one_has_a_row() -> None:
    *measured, failed = rows_of(a_run(complete=False))
    assert [(row["case"], row["trial"], float(row["value"])) for row in measured] == [
        ("training-vgg16", "1", 80.0),
        ("training-vgg16", "2", 82.0),
        ("training-vgg16", "3", 81.0),
    ]
    assert {(row["metric"], row["unit"], row["better"]) for row in measured} == {
        ("images_per_second", "images/s", "higher")
    }
    assert (failed["status"], failed["reason"]) == ("crashed", "the worker was killed by signal 9")
    assert (failed["trial"], failed["value"], failed["case_trials"]) == ("", "", "0")
    assert {row["run_complete"] for row in (*measured, failed)} == {"false"}


def test_figures_are_exact_and_the_estimate_is_that_of_the_case() -> None:
    case = a_case(values=(1 / 3, 0.1 + 0.2), further=[Metric("loss", "", -1.5, "lower")], metadata={"build_seconds": 2})
    first, second = rows_of(a_run(case))
    assert (float(first["value"]), float(second["value"])) == (1 / 3, 0.1 + 0.2)
    assert first["metric_loss"] == "-1.5" and first["build_seconds"] == "2.0"
    found = tuple(float(first[name]) for name in ("case_mean", "case_low", "case_high"))
    assert found == case.estimate() and first["case_trials"] == "2"


def test_axes_have_columns_of_their_own() -> None:
    both = rows_of(a_run(a_case(), a_case("plain", axes={"rows": 3, "status": "x"})))
    assert (both[0]["axis_model"], both[0]["axis_batch_size"], both[0]["axis_rows"]) == ("vgg16", "8", "")
    assert (both[-1]["axis_status"], both[-1]["status"]) == ("x", "ok")


def test_no_text_is_a_formula_and_no_number_is_changed() -> None:
    rows = rows_of(a_hostile_run())
    assert rows[0]["case"] == "'=cmd|' /C calc'!A0" and any(row["case"].startswith("'@everyone") for row in rows)
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in (*row, *row.values()))
    assert len({row["case"] for row in rows}) == 16


def test_no_text_is_a_formula_where_a_semicolon_separates_cells() -> None:
    names = ("a;=cmd()", "a;;@b", "＝1", "a-b; c=d", "a;b")
    assert [row["case"] for row in rows_of(a_run(*(a_case(name, (1.0,)) for name in names)))] == [
        "a;'=cmd()",
        "a;;'@b",
        "'＝1",
        "a-b; c=d",
        "a;b",
    ]


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True))
def test_any_texts_are_cells(texts: list[str]) -> None:
    rows = rows_of(a_run(*(a_case(text, (1.0,), axes={**AXES, text: text}, environment=text) for text in texts)))
    assert len({row["case"] for row in rows}) == len(texts)


def test_a_run_without_cases_has_the_columns_alone() -> None:
    assert rows_of(RunResult(())) == []


def test_a_table_that_would_take_gigabytes_is_refused() -> None:
    case = a_case(axes={f"axis{number}": number for number in range(501)})
    with pytest.raises(ValueError, match=r"501 different axes and 1 different metrics; expected at most 500 together"):
        export(a_run(case))
