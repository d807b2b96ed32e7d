"""``pytest-throughput history``: accepted runs over time in every form, change points, and changes that were wanted."""

from __future__ import annotations

import html
import json
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import result_files
from mutations import HOSTILE, obeyed

from pytest_throughput.cli import main
from pytest_throughput.gate.judged import hardware_key

Command = Callable[..., tuple[int, str, str]]
Files = Callable[..., list[str]]

STEADY, SLOWER = "training-pt-cpu-alex-b1", "training-pt-cpu-vgg-b8"
SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schema/history-1.schema.json").read_text())


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A baseline of 14 runs: in the last five, one of two cases takes 10 % longer, with another torch."""
    folder = tmp_path_factory.mktemp("history")
    names = []
    for seed in range(14):
        changed = seed >= 9
        document = result_files.our_document(
            seed,
            cases=(STEADY, SLOWER),
            trials=2,
            slower={SLOWER: 0.10 * changed},
            version="2.13" if changed else "2.12",
        )
        names.append(result_files.write(folder, f"r{seed}.json", document))
    assert main(["accept", *names, "--baseline", str(folder / "kept")]) == 0
    return str(folder / "kept")


def test_the_table_names_the_change_with_its_interval_and_what_changed(command: Command, kept: str) -> None:
    status, out, _ = command("history", "--baseline", kept)
    lines = out.splitlines()
    assert (status, lines[0]) == (0, "2 cases in 14 accepted runs: 1 change point (1 worse)")
    assert lines[2] == "A processor, machine one machine: 14 runs from 2026-01-01 to 2026-01-01"
    (change,) = [line for line in lines if "% slower" in line]
    assert SLOWER in change and " 10  2026-01-01 09:00" in change and "torch 2.12 → 2.13" in change
    assert [line.split()[:2] for line in lines if line.startswith("training-")] == [[STEADY, "14"], [SLOWER, "14"]]


def test_the_json_fits_its_schema(command: Command, kept: str) -> None:
    _, out, _ = command("history", "--baseline", kept, "--format", "json")
    found = json.loads(out)
    jsonschema.validate(found, SCHEMA, cls=jsonschema.Draft202012Validator)
    (machine,) = found["machines"]
    (steady, slower) = machine["cases"]
    assert (steady["id"], steady["change_points"], len(steady["runs"])) == (STEADY, [], 14)
    (change,) = slower["change_points"]
    assert change["ratio_low"] < 1 / 1.1 < change["ratio_high"]
    assert (change["first_run"], change["wanted"], change["note"]) == (10, False, None)
    assert change["software_changes"] == {"torch": {"before": "2.12", "after": "2.13"}}
    assert slower["runs"][0]["value"] == pytest.approx(80, rel=0.05)
    assert slower["metric"] == {"name": "images_per_second", "unit": "images/s", "better": "higher"}


def test_cases_are_chosen_by_a_pattern(command: Command, kept: str) -> None:
    status, out, _ = command("history", "--baseline", kept, "--case", "*-vgg-*")
    assert status == 0 and SLOWER in out and STEADY not in out
    status, out, err = command("history", "--baseline", kept, "--case", "*-bert-*")
    assert (status, out) == (2, "")
    assert "--case *-bert-*: no accepted run has figures of such a case" in err


def test_markdown_is_a_table(command: Command, kept: str) -> None:
    _, out, _ = command("history", "--baseline", kept, "--format", "markdown")
    assert out.splitlines()[0] == "### Throughput history: 2 cases in 14 accepted runs: 1 change point (1 worse)"
    (row,) = [line for line in out.splitlines() if "% slower" in line]
    assert html.unescape(row).count("|") == 7 and "torch 2.12 → 2.13" in html.unescape(row)


def test_the_page_has_a_chart_for_each_case(command: Command, kept: str) -> None:
    status, out, err = command("history", "--baseline", kept, "-o", "h.html")
    assert (status, err) == (0, "pytest-throughput: wrote h.html\n")
    assert out.startswith("2 cases in 14 accepted runs")
    page = Path("h.html").read_text()
    assert page.count("<svg") == 2 and "torch 2.12 → 2.13" in page
    assert "No change in 14 runs" in page and " % slower since run 10 (2026-01-01)" in page
    assert command("history", "--baseline", kept, "-o", "none/h.html")[0] == 14


def test_a_change_is_marked_as_wanted_and_unmarked_by_accepting_its_run_again(command: Command, kept: str) -> None:
    first = str(Path(kept).parent / "r9.json")
    assert command("accept", first, "--baseline", kept, "--note", "moved to <b>bf16</b>\n @all")[0] == 0
    files = sorted(Path(kept).rglob("*.json"))
    assert len(files) == 14
    _, out, _ = command("history", "--baseline", kept)
    assert out.splitlines()[0].endswith("1 change point (1 wanted)")
    assert "slower, wanted" in out and "moved to <b>bf16</b> @all" in out
    _, out, _ = command("history", "--baseline", kept, "--format", "markdown")
    assert "<b>" not in out and "@all" not in out and "moved to <b>bf16</b> @\u200ball" in html.unescape(out)
    change = json.loads(command("history", "--baseline", kept, "--format", "json")[1])["machines"][0]["cases"][1][
        "change_points"
    ][0]
    assert (change["wanted"], change["note"]) == (True, "moved to <b>bf16</b> @all")
    assert command("accept", first, "--baseline", kept)[0] == 0
    assert command("history", "--baseline", kept)[1].splitlines()[0].endswith("1 change point (1 wanted)")
    assert command("accept", first, "--baseline", kept, "--note", "")[0] == 0
    assert sorted(Path(kept).rglob("*.json")) == files
    assert command("history", "--baseline", kept)[1].splitlines()[0].endswith("1 change point (1 worse)")


def test_without_runs_there_is_no_history(command: Command) -> None:
    status, out, err = command("history", "--baseline", "none")
    assert (status, out) == (12, "")
    assert "none: no run is accepted; `pytest-throughput accept` accepts runs" in err
    folder = Path("none/0123456789abcdef")
    folder.mkdir(parents=True)
    (folder / "20250101T000000Z-0123456789abcdef.json").write_text('{"schema": 2}')
    status, out, err = command("history", "--baseline", "none")
    assert (status, out) == (12, "") and "left out: none/0123" in err and "this version reads schema 1" in err


def test_few_runs_and_damaged_files_are_named(command: Command, files: Files) -> None:
    command("accept", *files("b", range(2)), "--baseline", "kept")
    (folder,) = Path("kept").iterdir()
    (folder / "20250101T000000Z-0123456789abcdef.json").write_text('{"schema": 2}')
    status, out, _ = command("history", "--baseline", "kept")
    assert status == 0
    assert "too few runs to show a change, which takes 8: 6 cases" in out
    assert "0123456789abcdef.json: schema 2; this version reads schema 1" in out


def test_without_ruptures_one_message_names_the_extra(
    command: Command, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ruptures", None)
    status, out, err = command("history", "--baseline", kept)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "history needs ruptures" in err and "pip install 'pytest-throughput[history]'" in err


@pytest.mark.parametrize("note", ["x" * 201, "a\x1b[31mred", "‮reversed"])
def test_a_note_is_a_short_printable_text(command: Command, files: Files, note: str) -> None:
    status, _, err = command("accept", *files("b", [0]), "--baseline", "kept", "--note", note)
    assert (status, Path("kept").exists()) == (2, False)
    assert "--note: expected at most 200 printable characters, got " in err


def test_a_note_is_that_of_one_run(command: Command, files: Files) -> None:
    status, _, err = command("accept", *files("b", range(2)), "--baseline", "kept", "--note", "bf16")
    assert (status, Path("kept").exists()) == (2, False)
    assert "--note: expected one run, got 2; accept the first run with the change by itself" in err


HARMFUL = f"{HOSTILE.replace(chr(0xD800), '')} <script>alert(1)</script> `@all` #1 https://example.org |"


def test_nothing_in_a_baseline_is_obeyed(command: Command, kept: str) -> None:
    """Whatever text of an accepted run is shown: ids, units, versions, notes, hardware, machines, anchors."""
    for path in Path(kept).rglob("*.json"):
        document = json.loads(path.read_text())
        changed = document["software"]["torch"] == "2.13"
        document["software"] = {HARMFUL: HARMFUL if changed else "1"}
        document["note"] = HARMFUL[:200] if changed else "a note"
        document["individual"] = HARMFUL
        document["fingerprint"] = {"cpu": {"model": HARMFUL}, "gpus": [{"name": HARMFUL}]}
        for case in document["cases"]:
            case["id"] += HARMFUL
            case["metric"] = {"name": HARMFUL, "unit": HARMFUL, "better": "higher"}
        folder = Path("hostile") / hardware_key(document["fingerprint"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name).write_text(json.dumps(document))
    assert command("history", "--baseline", "hostile", "-o", "h.html")[0] == 0
    page = Path("h.html").read_text()
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page and obeyed(page) is None
    for form in ("table", "json", "markdown"):
        status, out, err = command("history", "--baseline", "hostile", "--format", form)
        assert (status, err) == (0, "")
        assert obeyed(out) is None
        assert json.loads(out)["machines"][0]["cases"][1]["change_points"] if form == "json" else "wanted" in out
        if form == "markdown":
            assert not any(harm in out for harm in ("<", "@", "`", " #1", "https:"))
