"""``pytest-throughput compare``: pairs of trials, pairs of runs, and groups of runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import result_files
from result_files import CASES

Command = Callable[..., tuple[int, str, str]]
Files = Callable[..., list[str]]

SLOW = {CASES[0]: 0.10}


def regressed(out: str) -> list[str]:
    return [case["id"] for case in json.loads(out)["cases"] if case["verdict"] == "regressed"]


def test_two_environments_of_one_file_are_pairs_of_trials(command: Command, files: Files) -> None:
    (file,) = files("p", [1], environments=("base", "head"), slower=SLOW)
    sides = ("--base", f"{file}#base", "--head", f"{file}#head")
    status, out, _ = command("compare", *sides, "--format", "json")
    assert (status, regressed(out)) == (10, [CASES[0]])
    assert json.loads(out)["title"] == "p1.json#head against p1.json#base, in pairs of trials"
    assert command("compare", *sides, "--paired", "--format", "json")[1] == out


def test_of_pairs_only_what_both_were_asked_for_can_be_missing(command: Command, files: Files) -> None:
    (file,) = files("p", [1], environments=("base", "head"))
    document = json.loads(Path(file).read_text())
    cases = document["throughput"]["cases"]
    heads = [case for case in cases if case["environment"] == "head"]
    never_run, never_asked = heads[:2]
    never_run |= {"status": None, "trials": []}
    cases.remove(never_asked)
    result_files.write(Path(), file, document)
    status, out, _ = command("compare", "--base", f"{file}#base", "--head", f"{file}#head", "--format", "json")
    assert status == 11
    assert [case["id"] for case in json.loads(out)["cases"] if case["verdict"] == "missing"] == [CASES[0]]


def test_files_in_turn_are_pairs_of_runs(command: Command, files: Files) -> None:
    base, head = files("b", [0, 3, 4, 7, 8]), files("h", [1, 2, 5, 6, 9], slower=SLOW)
    status, out, _ = command("compare", "--base", *base, "--head", *head, "--paired", "--format", "json")
    assert (status, regressed(out)) == (10, [CASES[0]])
    assert "in pairs of runs" in out
    status, _, err = command("compare", "--base", *base, "--head", *head[:4], "--paired")
    assert (status, "as many of base as of head, got 5 and 4" in err) == (2, True)


def test_runs_one_after_the_other_are_no_pairs(command: Command, files: Files) -> None:
    base, head = files("b", range(5)), files("h", range(10, 15))
    status, _, err = command("compare", "--base", *base, "--head", *head, "--paired")
    assert status == 2
    assert "the pair b1.json and h11.json began before the pair b0.json and h10.json was complete" in err
    assert "leave out --paired" in err


def test_runs_of_two_machines_are_no_pairs(command: Command, files: Files) -> None:
    base, head = files("b", [0, 3, 4]), files("h", [1, 2, 5])
    document = json.loads(Path(head[1]).read_text())
    document["throughput"]["individual"] = "another"
    result_files.write(Path(), head[1], document)
    status, _, err = command("compare", "--base", *base, "--head", *head, "--paired")
    assert (status, "b3.json and h2.json were measured on different machines" in err) == (2, True)


@pytest.mark.parametrize("paired", [(), ("--paired",)])
def test_one_run_is_not_several(command: Command, files: Files, paired: tuple[str, ...]) -> None:
    """The same content, under other names."""
    base, head = files("b", range(5)), files("h", [9], slower=SLOW)
    copies = [Path(f"copy{number}.json") for number in range(4)]
    for copy in copies:
        copy.write_bytes(Path(head[0]).read_bytes())
    sides = ("--base", *base, "--head", *head, *map(str, copies))
    status, _, err = command("compare", *sides, *paired)
    assert (status, "h9.json and copy0.json hold the same run" in err) == (2, True)
    status, _, err = command("compare", "--base", base[0], "--head", base[0], *paired)
    assert (status, "give each run once" in err) == (2, True)


def test_files_as_they_come_are_two_groups(command: Command, files: Files) -> None:
    base, head = files("b", range(4)), files("h", range(10, 13), slower=SLOW)
    status, out, _ = command("compare", "--base", *base, "--head", *head, "--format", "json")
    assert (status, regressed(out)) == (10, [CASES[0]])
    assert json.loads(out)["title"] == "3 runs (h10.json, …) against 4 runs (b0.json, …), as two groups of runs"


def test_one_run_against_one_decides_nothing(command: Command, files: Files) -> None:
    sides = ("--base", *files("b", [0]), "--head", *files("h", [9], slower=SLOW))
    assert command("compare", *sides)[0] == 12
    status, out, _ = command("compare", *sides, "--fail-on", "inconclusive")
    assert (status, "inconclusive: 6 cases" in out) == (13, True)
    assert "2 runs in all, too few to know how much runs differ; measure 2 more runs of this machine" in out


def test_different_hardware_cannot_be_compared(command: Command, files: Files) -> None:
    sides = ("--base", *files("b", [0]), "--head", *files("h", [9], fingerprint={"cpu": {"threads": 1}}))
    status, out, _ = command("compare", *sides)
    assert (status, "different hardware" in out) == (12, True)


def test_an_empty_side_is_nothing_comparable(command: Command, files: Files) -> None:
    (empty,) = files("e", [0], cases=[])
    status, out, _ = command("compare", "--base", *files("b", [0]), "--head", empty, "--format", "markdown")
    assert (status, "head has no cases" in out) == (12, True)


def test_plain_files_without_trials(command: Command) -> None:
    """Each case once in each file, as pytest-benchmark alone measures."""
    for seed in range(12):
        document = result_files.plain_document(seed, trials=1, slower=0.2 if seed >= 6 else 0.0)
        for benchmark in document["benchmarks"]:
            benchmark["params"] = None
        result_files.write(Path(), f"{seed}.json", document)
    base, head = ([f"{seed}.json" for seed in seeds] for seeds in (range(6), range(6, 12)))
    status, out, _ = command("compare", "--base", *base, "--head", *head, "--format", "json")
    assert (status, regressed(out)) == (10, ["bench.py::test_it[0]"])


def test_an_unreadable_file_is_bad_usage(command: Command, files: Files) -> None:
    status, _, err = command("compare", "--base", *files("b", [0]), "--head", "nowhere.json")
    assert (status, "nowhere.json: cannot be read" in err) == (2, True)


@pytest.mark.parametrize("arguments", [(), ("--base", "a.json"), ("--base", "--head", "a.json")])
def test_both_sides_have_to_be_given(command: Command, arguments: tuple[str, ...]) -> None:
    assert command("compare", *arguments)[0] == 2


def test_several_metrics_of_two_environments(command: Command, files: Files) -> None:
    document = result_files.our_document(1, environments=("base", "head"))
    for benchmark in document["benchmarks"]:
        info = benchmark["extra_info"]
        is_slower = (info["case_id"], info["environment"]) == (CASES[2], "head")
        info["first_step_seconds"] = (3.0 if is_slower else 2.0) * benchmark["stats"]["median"]
    file = Path(result_files.write(Path(), "p.json", document)).name
    sides = ("--base", f"{file}#base", "--head", f"{file}#head")
    status, out, _ = command("compare", *sides, "--judge", "images_per_second,first_step_seconds")
    assert status == 10
    assert "1 regressed, 11 unchanged" in out
    assert f"regressed  {CASES[2]} (first_step_seconds)" in out
    status, out, _ = command("compare", *sides, "--judge", "images_per_second")
    assert (status, "first_step_seconds" in out, "(images_per_second)" in out) == (0, False, False)


def test_thresholds_by_case(command: Command, files: Files) -> None:
    (file,) = files("p", [1], environments=("base", "head"), slower=SLOW)
    sides = ("--base", f"{file}#base", "--head", f"{file}#head")
    table = f'"{CASES[0]}" = "20%"\n"nothing-*" = "1%"\n'
    Path("own.toml").write_text(f"[thresholds]\n{table}")
    Path("pyproject.toml").write_text("[tool.other]\nx = 1\n")
    assert command("compare", *sides)[0] == 10
    status, out, _ = command("compare", *sides, "--thresholds", "own.toml")
    assert (status, "thresholds that no case of this run has: nothing-*" in out) == (0, True)
    Path("pyproject.toml").write_text(f"[tool.pytest-throughput.thresholds]\n{table}")
    status, out, _ = command("compare", *sides, "--format", "json")
    assert status == 0
    assert {case["id"]: case["threshold"] for case in json.loads(out)["cases"]} == {
        **dict.fromkeys(CASES, 0.03),
        CASES[0]: 0.2,
    }
    Path("own.toml").write_text("[thresholds]\n'*' = '5%'\n")
    assert command("compare", *sides, "--thresholds", "own.toml")[0] == 10  # The file wins entirely.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--judge", ""), "argument --judge: expected names of metrics with commas"),
        (("--judge", "a,a"), "argument --judge: a is named twice; expected each metric once"),
        (("--thresholds", "none.toml"), "argument --thresholds: none.toml: No such file or directory; expected a read"),
        ((), "pyproject.toml: [tool.pytest-throughput]: thresholds, '*': expected a share such as 3% or 0.03, got '5'"),
    ],
)
def test_wrong_rules_are_refused(command: Command, files: Files, options: tuple[str, ...], message: str) -> None:
    (file,) = files("p", [1], environments=("base", "head"))
    Path("pyproject.toml").write_text("[tool.pytest-throughput.thresholds]\n'*' = 5\n")
    status, _, err = command("compare", "--base", f"{file}#base", "--head", f"{file}#head", *options)
    assert (status, message in err) == (2, True), err
