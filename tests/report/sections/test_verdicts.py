"""The section of verdicts: its order, its figures, and the files that have none."""

from __future__ import annotations

from pathlib import Path

import pytest
import result_files
from reported_runs import judgement, suite_document

from pytest_throughput.report.charts.chart import DotChart
from pytest_throughput.report.charts.styles import styles_of
from pytest_throughput.report.sections import verdicts
from pytest_throughput.results.model import CaseResult
from pytest_throughput.results.reader import read_run
from pytest_throughput.results.untrusted_json import Unreadable

FOUND = judgement(
    [
        ("a", "unchanged", 1.0),
        ("b", "regressed", 0.9),
        ("c", "missing", None),
        ("d", "regressed", 0.5),
        ("e", "improved", 1.2),
        ("f", "a verdict of later versions", 1.0),
    ]
)


def test_without_a_judgement_there_is_no_section() -> None:
    assert verdicts.section([], ()) is None


def test_what_is_worse_comes_first() -> None:
    section = verdicts.section([FOUND], ())
    assert section is not None
    worse, others = section.tables
    assert [row[1].text for row in worse.rows] == ["d", "b", "c"]
    assert [row[1].text for row in others.rows] == ["e", "a", "f"]
    assert worse.caption == "2 regressed, 1 missing"
    first = dict(zip(worse.columns, (cell.text for cell in worse.rows[0]), strict=True))
    assert first == {
        "verdict": "regressed",
        "case": "d",
        "head ÷ base": "0.500",
        "95 % interval": "0.490 to 0.510",
        "why": "d is regressed",
        "base": "100.0 images/s",
        "head": "50.00 images/s",
        "trials": "3 against 15",
    }
    assert section.notes[0].startswith("this run against 5 accepted runs of baselines: 2 regressed, 1 missing")
    assert section.notes[1:] == ("Versions that differ: torch: 2.12 → 2.13", "a note")


def test_the_chart_shows_intervals_of_what_was_compared() -> None:
    section = verdicts.section([FOUND], ())
    assert section is not None
    (chart,) = section.charts
    assert isinstance(chart, DotChart)
    assert chart.title == "2 of 6 cases regressed"
    assert [(row.label, row.mean, row.low, row.high) for row in chart.rows[:2]] == [
        ("d", 0.5, 0.49, 0.51),
        ("b", 0.9, 0.89, 0.91),
    ]


def test_verdicts_of_several_metrics_name_them() -> None:
    found = judgement([("a", "regressed", 0.5), ("a", "unchanged", 1.0)])
    found["cases"][0]["metric"] = "peak_memory_bytes"
    found["cases"][1]["verdict"] = "regressed"
    section = verdicts.section([found], ())
    assert section is not None
    (table,) = section.tables
    assert [row[table.columns.index("metric")].text for row in table.rows] == ["peak_memory_bytes", "images_per_second"]


def test_nothing_to_compare_is_said() -> None:
    found = {"title": "nothing to compare", "cases": [], "notes": ["no run is accepted"], "software_changes": {}}
    section = verdicts.section([found], ())
    assert section is not None
    assert (section.notes, section.tables, section.charts) == (("nothing to compare", "no run is accepted"), (), ())


def test_the_verdicts_of_a_file_are_read(tmp_path: Path) -> None:
    file = Path(result_files.write(tmp_path, "run.json", suite_document(verdicts=FOUND)))
    (read,) = read_run(file).verdicts
    assert [each["id"] for each in read["cases"]] == list("abcdef")
    assert verdicts.section([read], ()) == verdicts.section([FOUND], ())


@pytest.mark.parametrize("ratio", [float("nan"), float("inf"), -1.0, "0.9"])
def test_verdicts_with_impossible_ratios_are_refused(tmp_path: Path, ratio: object) -> None:
    document = suite_document(verdicts=judgement([("a", "regressed", 0.9)]))
    document["throughput"]["verdicts"]["cases"][0]["ratio"] = ratio
    file = Path(result_files.write(tmp_path, "run.json", document))
    with pytest.raises(Unreadable, match="ratio"):
        read_run(file)


def test_frameworks_have_their_colours_on_any_hardware() -> None:
    cases = [
        CaseResult("a", "default", {"framework": "jax", "device": "cpu"}, "ok"),
        CaseResult("b (AMD EPYC)", "default", {"framework": "tensorflow", "device": "cpu (AMD EPYC)"}, "ok"),
    ]
    section = verdicts.section([judgement([("a", "unchanged", 1.0), ("b", "unchanged", 1.1)])], cases)
    assert section is not None
    (chart,) = section.charts
    assert isinstance(chart, DotChart)
    assert [row.style for row in chart.rows] == [styles_of([])["jax"], styles_of([])["tensorflow"]]
