"""pytest-throughput export: what goes where, what is refused, and that no name is obeyed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import result_files
from mutations import HOSTILE, obeyed, places, renamed, replaced

from pytest_throughput.report.exports.formats import BINARY, FORMATS

Command = Callable[..., tuple[int, str, str]]
Files = Callable[..., list[str]]

TEXTS = [name for name in FORMATS if name not in BINARY]


@pytest.mark.parametrize("name", TEXTS)
def test_the_output_and_the_file_have_the_same_lines(command: Command, files: Files, name: str) -> None:
    (file,) = files("h", [9])
    status, out, err = command("export", file, "--format", name)
    assert command("export", file, "--format", name, "-o", "written") == (0, "", err)
    written = Path("written").read_text().splitlines()
    assert (status, out.splitlines()) == (0, written) and written
    assert err == "" or name == "github-action-benchmark-smaller"


def test_a_format_that_is_no_text_needs_a_file(command: Command, files: Files) -> None:
    (file,) = files("h", [9])
    status, out, err = command("export", file, "--format", "parquet")
    assert (status, out) == (2, "") and "--format parquet is no text; give a file for it by -o FILE" in err


@pytest.mark.slow
def test_parquet_is_written_to_a_file(command: Command, files: Files) -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow, of the extra `export`")
    (file,) = files("h", [9])
    assert command("export", file, "--format", "parquet", "-o", "run.parquet") == (0, "", "")
    assert Path("run.parquet").read_bytes()[:4] == b"PAR1"


def test_trials_of_several_files_are_those_of_one_case(command: Command, files: Files) -> None:
    both = files("h", [1, 2], trials=3)
    found = json.loads(command("export", *both, "--format", "github-action-benchmark")[1])
    assert [entry["name"] for entry in found] == [*result_files.CASES]
    assert all(entry["extra"].startswith("trials: 6\n") for entry in found)


def test_several_environments_have_names_of_their_own(command: Command, files: Files) -> None:
    (file,) = files("h", [1], environments=("base", "head"))
    names = [*json.loads(command("export", file, "--format", "bencher")[1])]
    assert len(names) == 12 and names[:2] == [f"{result_files.CASES[0]} ({each})" for each in ("base", "head")]


def test_plain_files_have_the_items_of_a_parameter(command: Command) -> None:
    result_files.write(Path(), "plain.json", result_files.plain_document(1))
    _, out, _ = command("export", "plain.json", "--format", "openmetrics", "--items-param", "rows")
    assert "# TYPE pytest_throughput_mean_items_per_second gauge" in out and out.endswith("# EOF\n")
    _, out, _ = command("export", "plain.json", "--format", "bencher")
    assert json.loads(out)["bench.py::test_it[0]"]["throughput"]["value"] == pytest.approx(10, rel=0.05)


def test_verdicts_come_from_the_baseline_or_from_the_run(command: Command, files: Files) -> None:
    command("accept", *files("b", range(5)), "--baseline", "kept")
    slow = dict.fromkeys(result_files.CASES, 0.3)
    (file,) = files("h", [9], slower=slow)
    status, out, _ = command("export", file, "--format", "markdown", "--baseline", "kept")
    assert (status, out.splitlines()[0]) == (0, "### Throughput: 6 regressed")
    assert "<failure" in command("export", file, "--format", "junit", "--baseline", "kept")[1]
    assert "<failure" not in command("export", file, "--format", "junit")[1]
    document = result_files.our_document(9, slower=slow)
    document["throughput"]["verdicts"] = json.loads(command("gate", file, "--baseline", "kept", "--format", "json")[1])
    result_files.write(Path(), "judged.json", document)
    assert command("export", "judged.json", "--format", "markdown")[1].splitlines()[0] == "### Throughput: 6 regressed"
    assert command("export", "judged.json", "--format", "junit")[1].count("<failure") == 6


def test_what_a_format_cannot_say_goes_to_standard_error(command: Command, files: Files) -> None:
    (file,) = files("h", [9], complete=False, status={result_files.CASES[0]: "crashed"})
    status, out, err = command("export", file, "--format", "bencher")
    assert (status, len(json.loads(out))) == (0, 5)
    assert err.splitlines() == [
        "pytest-throughput: not complete: the run was interrupted, or its budget spent",
        f"pytest-throughput: left out, since there are no figures: 1 case: {result_files.CASES[0]} (crashed)",
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        (
            ("--format", "csv", "--baseline", "kept"),
            2,
            "--baseline goes with the formats that show verdicts, markdown ",
        ),
        (("--format", "csv", "-o", "h9.json"), 2, "h9.json"),
        (("--format", "xlsx"), 2, "invalid choice: 'xlsx'"),
        ((), 2, "the following arguments are required: --format"),
        (("--format", "csv", "-o", "/dev/full"), 14, "/dev/full: No space left on device"),
        (("--format", "csv", "-o", "no/such/folder"), 14, "no/such/folder: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_one_message(
    command: Command, files: Files, arguments: tuple[str, ...], status: int, problem: str
) -> None:
    (file,) = files("h", [9])
    before = Path(file).read_bytes()
    found, out, err = command("export", file, *arguments)
    assert (found, out) == (status, "") and problem in err
    assert Path(file).read_bytes() == before and [*Path().iterdir()] == [Path(file)]


def test_nothing_in_a_result_file_is_obeyed(command: Command) -> None:
    case = result_files.CASES[0]
    document: Any = result_files.our_document(9, cases=[case], trials=1)
    for number, way in enumerate(places(document)[::2]):
        mutant = replaced(document, way, HOSTILE)
        if number % 2 and isinstance(way[-1], str):
            mutant = renamed(document, way, HOSTILE)
        result_files.write(Path(), "mutant.json", mutant)
        status, out, err = command("export", "mutant.json", "--format", TEXTS[number % len(TEXTS)])
        assert status in (0, 2) and (status == 0 or err.count("\n") == 1)
        assert obeyed(out + err) is None
