"""``pytest-throughput gate``: verdicts against accepted runs, in every form, with every exit status."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import result_files
from result_files import CASES

Command = Callable[..., tuple[int, str, str]]
Files = Callable[..., list[str]]

SLOW = {CASES[0]: 0.10}


@pytest.fixture
def baseline(command: Command, files: Files) -> str:
    command("accept", *files("b", range(5)), "--baseline", "kept")
    return "kept"


def verdicts(out: str) -> dict[str, str]:
    return {case["id"]: case["verdict"] for case in json.loads(out)["cases"]}


def test_a_first_run_prints_what_to_do(command: Command, files: Files) -> None:
    (file,) = files("h", [9])
    status, out, _ = command("gate", file, "--baseline", "my kept")
    assert status == 12
    assert "pytest-throughput accept h9.json --baseline 'my kept'" in out
    assert "verdicts need 3 accepted runs" in out


def test_every_verdict_in_one_run(command: Command, files: Files) -> None:
    gone = CASES[5]
    command("accept", *files("b", range(5)), "--baseline", "kept")
    document = result_files.our_document(
        9,
        cases=[*(case for case in CASES if case != gone), "training-pt-cpu-vgg-b64"],
        slower={CASES[0]: 0.10, CASES[1]: -0.10, CASES[2]: 0.03},
        status={CASES[3]: "crashed"},
        version="2.13",
    )
    document["throughput"]["cases"][4]["network_hash"] = "another"
    result_files.write(Path(), "h.json", document)
    status, out, _ = command("gate", "h.json", "--baseline", "kept", "--format", "json")
    assert status == 10
    assert verdicts(out) == {
        CASES[0]: "regressed",
        CASES[1]: "improved",
        CASES[2]: "inconclusive",
        CASES[3]: "failed",
        CASES[4]: "incomparable",
        "training-pt-cpu-vgg-b64": "new",
        gone: "missing",
    }
    found = json.loads(out)
    assert found["software_changes"] == {"torch": {"base": "2.12", "head": "2.13"}}
    assert (found["schema"], found["exit_status"]) == (1, 10)
    keys = (
        "anchor code detectable_ratio id look metric noise_between noise_within ratio ratio_high ratio_low reason "
        "runs_base threshold trials_base trials_head unit value_base value_head verdict"
    )
    assert " ".join(sorted(found["cases"][0])) == keys
    _, table, _ = command("gate", "h.json", "--baseline", "kept")
    lines = table.splitlines()
    assert lines[0].startswith(
        "h.json against 5 accepted runs of kept: 1 regressed, 1 failed, 1 missing, 1 inconclusive"
    )
    assert [line.split()[0] for line in lines[2:6]] == ["verdict", "regressed", "failed", "missing"]
    assert "torch: 2.12 → 2.13" in lines
    assert [line.split(":")[0] for line in lines[8:]] == ["inconclusive", "incomparable", "improved", "new"]


def test_unchanged_cases_are_summarised(command: Command, files: Files, baseline: str) -> None:
    status, out, _ = command("gate", *files("h", [9]), "--baseline", baseline)
    assert status == 0
    assert "h9.json against 5 accepted runs of kept: 6 unchanged" in out
    assert "unchanged: 6 cases (" in out


@pytest.mark.parametrize(
    ("how", "fail_on", "expected"),
    [
        ({"slower": SLOW}, "regressed,missing,failed", 10),
        ({"slower": SLOW}, "missing,failed", 0),
        ({"slower": SLOW, "cases": CASES[:5]}, "missing", 11),
        ({"slower": SLOW, "cases": CASES[:5]}, "regressed,missing", 10),
        ({"status": {CASES[1]: "failed"}}, "failed", 11),
        ({"status": {CASES[1]: "out_of_memory"}}, "failed", 11),
        ({"status": {CASES[1]: "failed"}}, "regressed", 0),
        ({"slower": {CASES[0]: 0.03}}, "regressed,inconclusive", 13),
        ({"slower": {CASES[0]: 0.03}, "cases": CASES[:5]}, "missing,inconclusive", 11),
        ({"slower": {CASES[0]: 0.03}}, "regressed", 0),
        ({"slower": {CASES[0]: -0.2}}, "regressed,missing,failed,inconclusive", 0),
        ({}, "incomparable,underpowered", 0),
        ({"trials": 1}, "regressed", 0),
        ({"trials": 1}, "underpowered", 13),
    ],
)
def test_exit_statuses_and_their_order(
    command: Command, files: Files, baseline: str, how: dict[str, Any], fail_on: str, expected: int
) -> None:
    status, out, _ = command(
        "gate", *files("h", [9], **how), "--baseline", baseline, "--fail-on", fail_on, "--format", "json"
    )
    assert (status, json.loads(out)["exit_status"]) == (expected, expected)


def test_other_hardware_is_no_baseline(command: Command, files: Files, baseline: str) -> None:
    (file,) = files("h", [9], fingerprint={"cpu": {"model": "Another"}})
    status, out, _ = command("gate", file, "--baseline", baseline)
    assert (status, "but for 1 other hardware" in out) == (12, True)


def test_new_networks_alone_are_nothing_comparable(command: Command, files: Files, baseline: str) -> None:
    status, out, _ = command(
        "gate", *files("h", [9], cases=["training-pt-cpu-other-b1"]), "--baseline", baseline, "--format", "json"
    )
    assert (status, verdicts(out)) == (12, {"training-pt-cpu-other-b1": "new"})


def test_a_run_is_not_judged_by_itself(command: Command, files: Files, baseline: str) -> None:
    status, out, _ = command("gate", "b4.json", "--baseline", baseline)
    assert (status, "against 4 accepted runs" in out) == (0, True)
    command("accept", *files("alone", [3]), "--baseline", "alone")
    status, out, _ = command("gate", "alone3.json", "--baseline", "alone")
    assert (status, "only the run itself is accepted" in out) == (12, True)


def test_two_accepted_runs_decide_nothing(command: Command, files: Files) -> None:
    command("accept", *files("b", range(2)), "--baseline", "kept")
    (file,) = files("h", [9], slower=SLOW)
    assert command("gate", file, "--baseline", "kept")[0] == 0
    status, out, _ = command("gate", file, "--baseline", "kept", "--fail-on", "inconclusive")
    assert status == 13
    assert "inconclusive: 6 cases" in out and "accept 1 more run of this machine" in out


def test_several_runs_of_head_are_judged_together(command: Command, files: Files, baseline: str) -> None:
    status, out, _ = command("gate", *files("h", [9, 10], slower=SLOW), "--baseline", baseline)
    assert (status, "2 runs (h9.json, …) against 5 accepted runs" in out) == (10, True)


def test_runs_of_several_machines_are_refused(command: Command, files: Files, baseline: str) -> None:
    others = files("o", [10], fingerprint={})
    status, _, err = command("gate", *files("h", [9]), *others, "--baseline", baseline)
    assert (status, "different hardware" in err) == (2, True)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"cases": CASES[1:]}, True),
        ({"cases": CASES[1:], "deselected": [CASES[0]]}, False),
        ({"cases": CASES[1:], "deselected": [CASES[1]]}, True),
        ({"cases": CASES[1:], "deselected": None}, False),  # A node id was given.
        ({"cases": CASES[2:]}, False),  # --model goog,vgg
        ({"cases": CASES[1::2]}, False),  # --batch-size 8
        ({"status": {CASES[0]: None}, "complete": False}, True),  # Asked for, and never run.
    ],
)
def test_missing_is_what_was_asked_for(
    command: Command, files: Files, baseline: str, how: dict[str, Any], expected: bool
) -> None:
    status, out, _ = command("gate", *files("h", [9], **how), "--baseline", baseline, "--format", "json")
    assert (verdicts(out).get(CASES[0]) == "missing") is expected
    assert status == (11 if expected else 0)


def test_what_was_left_out_is_counted(command: Command, files: Files, baseline: str) -> None:
    _, out, _ = command("gate", *files("h", [9], cases=CASES[2:]), "--baseline", baseline)
    assert "not in this run, not asked for: 2 cases of the baseline" in out
    _, out, _ = command("gate", *files("i", [9], cases=CASES[2:], deselected=None), "--baseline", baseline)
    assert "whether they were asked for is unknown: 2 cases" in out


def test_what_was_given_up_is_not_missing(command: Command, files: Files) -> None:
    command("accept", *files("a", range(3)), *files("b", [3], cases=CASES[1:]), "--baseline", "kept")
    assert command("gate", *files("h", [9], cases=CASES[1:]), "--baseline", "kept")[0] == 0


def test_damaged_and_hostile_files_are_named_and_left_out(command: Command, files: Files, baseline: str) -> None:
    (folder,) = Path(baseline).iterdir()
    (folder / "20260101T090000Z-0123456789abcdef.json").write_text("[" * 10_000)
    status, out, _ = command("gate", *files("h", [9]), "--baseline", baseline)
    assert status == 0
    assert "left out of the baseline" in out and "0123456789abcdef" in out and "5 accepted runs" in out


def test_hostile_names_of_cases_do_no_harm(command: Command) -> None:
    name = "t.py::t[\x1b[31m|`<b>@everyone</b>` #1 GH-1 :+1: www.example.org https://example.org\n| x |]"
    for seed in range(5):
        document = result_files.plain_document(seed, slower=0.2 if seed == 4 else 0.0)
        for benchmark in document["benchmarks"]:
            benchmark["fullname"] = benchmark["fullname"].replace("bench.py::test_it[0-", name + "[")
        result_files.write(Path(), f"{seed}.json", document)
    command("accept", *(f"{seed}.json" for seed in range(4)), "--baseline", "kept")
    status, table, _ = command("gate", "4.json", "--baseline", "kept")
    assert (status, "\x1b" in table) == (10, False)
    status, markdown, _ = command("gate", "4.json", "--baseline", "kept", "--format", "markdown")
    assert status == 10
    (row,) = [line for line in markdown.splitlines() if line.startswith("| **regressed**")]
    assert row.count("|") == 6
    for harm in ("\x1b", "`", "<b>", "@", " #1", "www.", "https:", "[", "_"):
        assert harm not in row
    assert "&#64;&#8203;everyone" in row
    # What GitHub looks at for mentions, issues, emoji and links: escapes are characters again.
    assert not re.search(r"[@#]\w|GH-\d|:\+1:|://|www\.\w", html.unescape(row).replace("www.example.org", ""))


def test_markdown_is_a_comment(command: Command, files: Files, baseline: str) -> None:
    _, out, _ = command(
        "gate", *files("h", [9], slower=SLOW, version="2.13"), "--baseline", baseline, "--format", "markdown"
    )
    lines = out.splitlines()
    assert lines[0] == "### Throughput: 1 regressed, 5 unchanged"
    assert lines[4:6] == ["| verdict | case | speed, head ÷ base | trials | why |", "|---|---|---|---|---|"]
    assert lines[6].startswith(f"| **regressed** | {CASES[0]} | 0.9")
    assert "- torch 2.12 → 2.13" in lines
    assert lines[-1] == "</details>" and len(out) < 65_536


def test_markdown_stays_small_whatever_there_is(command: Command, files: Files) -> None:
    many = [f"training-pt-cpu-{'m' * 300}{number}-b1" for number in range(400)]
    command("accept", *files("b", range(3), cases=many, trials=3), "--baseline", "kept")
    slower = dict.fromkeys(many, 0.5)
    status, out, _ = command(
        "gate", *files("h", [9], cases=many, trials=3, slower=slower), "--baseline", "kept", "--format", "markdown"
    )
    assert (status, len(out) < 65_536) == (10, True)
    assert "more" in out


def test_plain_files_of_anybody(command: Command) -> None:
    for seed in range(6):
        result_files.write(Path(), f"{seed}.json", result_files.plain_document(seed, slower=0.2 if seed == 5 else 0.0))
    accept = ("accept", *(f"{seed}.json" for seed in range(5)), "--baseline", "kept")
    assert command(*accept)[0] == 0
    status, out, _ = command("gate", "5.json", "--baseline", "kept", "--format", "json")
    assert status == 10
    assert verdicts(out)["bench.py::test_it[0]"] == "regressed"
    # Rows per second are not calls per second.
    status, out, _ = command("gate", "5.json", "--baseline", "kept", "--items-param", "rows", "--format", "json")
    assert (status, set(verdicts(out).values())) == (12, {"incomparable"})
    command("accept", *(f"{seed}.json" for seed in range(5)), "--items-param", "rows", "--baseline", "rows")
    assert command("gate", "5.json", "--baseline", "rows", "--items-param", "rows")[0] == 10


@pytest.mark.parametrize(
    ("option", "given", "message"),
    [
        ("--threshold", "3", "expected a share such as 3% or 0.03, got '3'"),
        ("--threshold", "-1%", "expected a share"),
        ("--threshold", "nan%", "expected a share"),
        ("--threshold", "0", "expected a share"),
        ("--threshold", "2000%", "threshold: expected a share"),
        ("--false-alarm-rate", "60%", "at most 0.5"),
        ("--fail-on", "regressed,slow", "cannot fail on 'slow'"),
        ("--fail-on", "", "cannot fail on ''"),
        ("--format", "html", "invalid choice"),
    ],
)
def test_options_say_what_they_expect(command: Command, option: str, given: str, message: str) -> None:
    status, _, err = command("gate", "h.json", "--baseline", "kept", f"{option}={given}")
    assert (status, message in err) == (2, True)


def test_the_threshold_is_what_matters(command: Command, files: Files, baseline: str) -> None:
    (file,) = files("h", [9], slower=SLOW)
    assert command("gate", file, "--baseline", baseline, "--threshold", "0.05")[0] == 10
    assert command("gate", file, "--baseline", baseline, "--threshold", "20%")[0] == 0


def test_a_baseline_that_cannot_be_read(command: Command, files: Files, baseline: str) -> None:
    (folder,) = Path(baseline).iterdir()
    moved = folder.rename("elsewhere")
    Path(baseline, moved.name).mkdir()
    Path(baseline, folder.name).symlink_to(folder.name)  # A loop.
    status, _, err = command("gate", *files("h", [9]), "--baseline", baseline)
    assert (status, "kept" in err) in [(2, True), (12, False)]


def test_further_metrics_of_accepted_runs(command: Command, baseline: str, files: Files) -> None:
    """Runs that are accepted now hold what may be judged later; their times and memory stand in no older one."""
    with_memory = [result_files.our_document(seed) for seed in range(10, 14)]
    for document in with_memory:
        for benchmark in document["benchmarks"]:
            benchmark["extra_info"]["peak_memory_bytes"] = 1_000_000
    names = [Path(result_files.write(Path(), f"m{n}.json", each)).name for n, each in enumerate(with_memory)]
    head = result_files.our_document(20)
    for benchmark in head["benchmarks"]:
        is_larger = benchmark["extra_info"]["case_id"] == CASES[1]
        benchmark["extra_info"]["peak_memory_bytes"] = 1_200_000 if is_larger else 1_000_000
    result_files.write(Path(), "h.json", head)
    judge = ("gate", "h.json", "--baseline", baseline, "--judge", "peak_memory_bytes,compile_seconds")
    status, out, _ = command(*judge)
    assert status == 12
    assert "no case has compile_seconds; the cases have: images_per_second, peak_memory_bytes" in out
    assert "new: 6 cases" in out
    command("accept", *names, "--baseline", baseline)
    status, out, _ = command(*judge, "--format", "json")
    assert status == 10
    found = {(case["id"], case["metric"]): case["verdict"] for case in json.loads(out)["cases"]}
    expected = {(case, "peak_memory_bytes"): "unchanged" for case in CASES}
    assert found == expected | {(CASES[1], "peak_memory_bytes"): "regressed"}
    assert command("gate", "h.json", "--baseline", baseline)[0] == 0


def test_a_slow_drift_is_a_warning_that_leaves_the_status_alone(command: Command, files: Files) -> None:
    drifting = [name for seed in range(12) for name in files("d", [seed], slower={CASES[1]: 0.01 * seed}, trials=3)]
    *before, head = drifting
    command("accept", *before, "--baseline", "kept")
    plain = command("gate", head, "--baseline", "kept", "--format", "json")
    status, out, _ = command("gate", head, "--baseline", "kept", "--format", "json", "--trend")
    found = json.loads(out)
    assert "trends" not in json.loads(plain[1]) and status == plain[0] == found["exit_status"] == 0
    (trend,) = found["trends"]
    assert (trend["id"], trend["runs"], trend["metric"]) == (CASES[1], 12, "images_per_second")
    assert trend["ratio_per_run_low"] < 1.11 ** (-1 / 11) < trend["ratio_per_run_high"]
    _, table, _ = command("gate", head, "--baseline", "kept", "--trend")
    (line,) = [line for line in table.splitlines() if line.startswith("warning: a drift of ")]
    assert line.startswith(f"warning: a drift of {CASES[1]}: ") and line.endswith("no single jump explains it")
    _, markdown, _ = command("gate", head, "--baseline", "kept", "--trend", "--format", "markdown")
    assert "- warning: a drift of " in markdown


def test_without_a_drift_it_says_where_it_was_looked_for(command: Command, files: Files, baseline: str) -> None:
    (file,) = files("h", [9])
    assert "no drift in 6 cases" in command("gate", file, "--baseline", baseline, "--trend")[1]
    command("accept", *files("b", range(3)), "--baseline", "few")
    assert "no drift was looked for, which takes 5 runs" in command("gate", file, "--baseline", "few", "--trend")[1]
