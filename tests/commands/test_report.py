"""``pytest-throughput report``: the page of runs, the verdicts in it, and what happens where it cannot be written."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import result_files
from reported_runs import judgement, suite_document
from result_files import CASES

Command = Callable[..., tuple[int, str, str]]
Files = Callable[..., list[str]]


@pytest.fixture
def run(tmp_path: Path) -> str:
    return Path(result_files.write(tmp_path, "run.json", suite_document())).name


def page(name: str = "report.html") -> str:
    return Path(name).read_text()


def test_a_report_of_a_run(command: Command, run: str) -> None:
    status, out, err = command("report", run, "-o", "report.html")
    assert (status, err) == (0, "")
    assert out.startswith("wrote report.html: ")
    assert "Throughput of pytorch, tensorflow and jax" in page()
    assert "12 cases, 36 measured trials; from run.json; written 2026-01-01 12:00 UTC" in page()
    assert "bench/test_training.py::test_training[pytorch-cpu-alexnet-b1-fp32-eager]" in page()
    assert "Verdicts" not in page()


def test_verdicts_of_the_file_stand_first(command: Command, tmp_path: Path) -> None:
    document = suite_document(verdicts=judgement([("a case", "regressed", 0.5)]))
    result_files.write(tmp_path, "run.json", document)
    command("report", "run.json", "-o", "report.html")
    assert page().index('<h2 id="verdicts">') < page().index('<h2 id="cases">')
    assert "a case is regressed" in page()


def test_a_baseline_judges_as_the_gate_does(command: Command, files: Files) -> None:
    command("accept", *files("b", range(5)), "--baseline", "kept")
    (head,) = files("h", [9], slower={CASES[0]: 0.1})
    _, judged, _ = command("gate", head, "--baseline", "kept", "--format", "json")
    (regressed,) = (case for case in json.loads(judged)["cases"] if case["verdict"] == "regressed")
    status, _, _ = command("report", head, "--baseline", "kept", "-o", "report.html")
    assert status == 0
    assert "h9.json against 5 accepted runs of kept: 1 regressed, 5 unchanged" in page()
    assert regressed["reason"] in page()
    command("report", head, "--baseline", "kept", "--threshold", "50%", "-o", "report.html")
    assert "1 regressed" not in page()


def test_a_baseline_without_runs_is_said(command: Command, run: str) -> None:
    status, _, _ = command("report", run, "--baseline", "kept", "-o", "report.html")
    assert status == 0
    assert "no run is accepted for this hardware" in page()


def test_several_runs_are_one_report(command: Command, tmp_path: Path, run: str) -> None:
    result_files.write(tmp_path, "other.json", suite_document(seed=1, cpu="AMD EPYC 7763"))
    status, _, _ = command("report", run, "other.json", "-o", "report.html")
    assert status == 0
    assert "cpu (AMD EPYC 7763)" in page()
    assert "24 cases" in page()


def test_an_environment_of_a_run(command: Command, files: Files) -> None:
    (file,) = files("h", [9], environments=("base", "head"))
    assert command("report", f"{file}#head", "-o", "report.html")[0] == 0
    assert "6 cases" in page()
    status, _, err = command("report", f"{file}#other", "-o", "report.html")
    assert (status, err) == (2, "pytest-throughput: h9.json: has no environment other\n")


def test_a_plain_file(command: Command, tmp_path: Path) -> None:
    result_files.write(tmp_path, "plain.json", result_files.plain_document(0))
    assert command("report", "plain.json", "--items-param", "rows", "-o", "report.html")[0] == 0
    assert "rows/s" in page()
    assert "bench.py::test_it[0]" in page()


def test_what_cannot_be_read_is_refused_and_the_old_page_stays(command: Command, tmp_path: Path, run: str) -> None:
    Path("report.html").write_text("old")
    Path("broken.json").write_text("{")
    for arguments, problem in (
        (("broken.json",), "is no result file"),
        (("absent.json",), "cannot be read: No such file"),
        ((run, f"./{run}"), "is given twice"),
    ):
        status, out, err = command("report", *arguments, "-o", "report.html")
        assert (status, out) == (2, "")
        assert problem in err
    assert page() == "old"


def test_an_input_is_never_overwritten(command: Command, run: str) -> None:
    before = Path(run).read_bytes()
    status, _, err = command("report", run, "-o", run)
    assert (status, err) == (2, "pytest-throughput: -o run.json: the command reads this file; give another name\n")
    assert Path(run).read_bytes() == before


def test_something_has_to_be_written(command: Command, run: str) -> None:
    status, _, err = command("report", run)
    assert status == 2
    assert "expected -o FILE.html, --svg DIR or --png DIR" in err


@contextmanager
def no_file_larger_than(size_bytes: int) -> Iterator[None]:
    """Let writing fail as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_old_page(command: Command, run: str) -> None:
    Path("report.html").write_text("old")
    with no_file_larger_than(1000):
        status, out, err = command("report", run, "-o", "report.html")
    assert (status, out) == (14, "")
    assert err.startswith("pytest-throughput: could not write report.html: File too large")
    assert page() == "old"
    assert sorted(os.listdir()) == ["report.html", "run.json"]


def test_a_folder_that_is_not_there(command: Command, run: str) -> None:
    status, _, err = command("report", run, "-o", "absent/report.html")
    assert status == 14
    assert "could not write absent/report.html: No such file or directory" in err
    assert command("report", run, "-o", ".")[0] == 14


def test_the_page_keeps_permissions_and_links(command: Command, run: str) -> None:
    Path("real.html").write_text("old")
    Path("real.html").chmod(0o640)
    Path("report.html").symlink_to("real.html")
    assert command("report", run, "-o", "report.html")[0] == 0
    assert Path("report.html").is_symlink()
    assert Path("real.html").stat().st_mode & 0o777 == 0o640
    assert page().startswith("<!doctype html>")


def test_charts_are_files_of_their_own(command: Command, run: str) -> None:
    result_files.write(Path(), "run.json", suite_document(verdicts=judgement([("a case", "regressed", 0.5)])))
    status, out, _ = command("report", run, "--svg", "charts")
    assert status == 0
    assert out.startswith("wrote ")
    assert "verdicts-1.svg" in os.listdir("charts")
