"""Untrusted files: each is read, or refused with one sentence; none does harm."""

from __future__ import annotations

import copy
import json
import math
import os
import re
import tracemalloc
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import bounded, obeyed

from pytest_throughput.cli import main
from pytest_throughput.measurement.disturbance import Disturbance
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.report import table
from pytest_throughput.results import untrusted_json as untrusted
from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.results.journal import Heading, Journal
from pytest_throughput.results.journal_reader import read_journal
from pytest_throughput.results.ledger import Ledger
from pytest_throughput.results.reader import read_run
from pytest_throughput.results.untrusted_json import Unreadable, parse_object
from pytest_throughput.results.writer import extra_info, throughput_block
from pytest_throughput.worker.protocol import Outcome

INFO = {
    "case_id": "training-pt-m-b8",
    "environment": "default",
    "trial": 1,
    "first_step_seconds": 0.6,
    "build_seconds": 0.4,
    "peak_memory_bytes": 2**20,
    "settings": {"threads": 2, "isolation": "trial", "protocol": "quick"},
}
OF_A_GPU = {
    "enqueue_ratio": 0.97,
    "device_seconds": 0.19,
    "model_flops_utilisation": 1.3,
    "peak": {"tflops": 989.5, "method": "datasheet", "source": "a datasheet"},
    "images_per_joule": 0.12,
    "disturbed_by": "1 other process on the GPU",
    "largest_batch": {"fits": 8, "refused": 9, "tried": {"8": "ok"}},
    "telemetry": {"gpu": {"readings": 20}, "cpu": {}, "unknown": {}},
}
BENCHMARK = {
    "fullname": "t.py::t[8]",
    "extra_info": INFO,
    "params": None,
    "stats": {"median": 0.2, "rounds": 3, "data": [0.1, 0.2, 0.3]},
}
OURS: dict[str, Any] = {
    "datetime": "2026-11-21T00:00:00+00:00",
    "benchmarks": [BENCHMARK],
    "throughput": {
        "schema": 1,
        "complete": False,
        "deselected": ["x"],
        "fingerprint": {"cpu": {"model": "A processor", "cores": 2, "threads": 2}, "gpus": []},
        "cases": [
            {
                "id": "training-pt-m-b8",
                "environment": "default",
                "status": "ok",
                "reason": None,
                "labels": {"mode": "training", "model": "m", "batch_size": 8, "framework": "pt"},
                "trials": [
                    {
                        "trial": 1,
                        "images_per_second": 40.0,
                        "median_seconds": 0.2,
                        "rounds": 3,
                        "rounds_disturbed": 1,
                        "started_at": "2026-11-21T00:00:00+00:00",
                    }
                ],
            },
            {"id": "b", "environment": "default", "status": None, "reason": "not run", "trials": []},
        ],
    },
}
ON_A_GPU = {**OURS, "benchmarks": [{**BENCHMARK, "extra_info": {**INFO, **OF_A_GPU}}]}
PLAIN: dict[str, Any] = {
    "benchmarks": [
        {"fullname": "t.py::t[8]", "params": {"batch_size": 8}, "extra_info": {}, "stats": {"median": 0.5}},
        {
            "fullname": "t.py::u",
            "params": None,
            "extra_info": {"batch_size": "4"},
            "stats": {"median": 0.25, "data": [0.25]},
        },
    ]
}


@pytest.fixture
def show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(document: Any, *arguments: str, name: str = "run.json") -> tuple[int, str, str]:
        file = tmp_path / name
        file.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
        status = main(["show", str(file), *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_our_file_is_shown_as_its_run_was(show: Callable[..., tuple[int, str, str]]) -> None:
    status, out, err = show(OURS)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "A processor; threads 2; protocol quick; isolation trial"
    row = next(line for line in lines if "training m" in line).split()
    assert row == "training m batch 8 pt 40.00 200.0 0.60 s 0.40 s 1 MiB 1/3 ok".split()  # noqa: SIM905
    assert "not complete: the run was interrupted, or its budget spent" in lines


def test_a_plain_file_is_shown_by_what_a_call_works_through(show: Callable[..., tuple[int, str, str]]) -> None:
    status, out, _ = show(PLAIN)
    assert status == 0
    assert "calls/s" in out
    status, out, _ = show(PLAIN, "--items-param", "batch_size")
    assert [line.split()[1] for line in out.splitlines() if "t.py" in line] == ["16.00", "16.00"]
    assert "batch_size/s" in out
    status, _, err = show(PLAIN, "--items-param", "images")
    assert (status, "t.py::t[8] has no images among its params and its extra_info; expected by" in err) == (2, True)
    assert "is no result file" not in err  # it is one


def cases_of(folder: Path, *benchmarks: tuple[str, dict[str, Any]]) -> dict[str, list[int]]:
    """The trials of each case of a plain file with these names and parameters."""
    document = {
        "benchmarks": [{"fullname": f"t.py::{n}", "params": p, "stats": {"median": 0.5}} for n, p in benchmarks]
    }
    (folder / "plain.json").write_text(json.dumps(document))
    cases = read_run(folder / "plain.json").cases
    return {case.id.removeprefix("t.py::"): [trial.trial for trial in case.measured] for case in cases}


def test_trials_of_a_plain_file_are_one_case(tmp_path: Path) -> None:
    first, second = {"throughput_trial": 1}, {"throughput_trial": 2, "throughput_environment": "head"}
    for case, later in (("t[8]", "t[8-t2]"), ("t", "t[t2]"), ("t[8-head]", "t[8-t2-head]"), ("t[head]", "t[t2-head]")):
        assert cases_of(tmp_path, (case, first), (later, second)) == {case: [1, 2]}


def test_a_parameter_of_another_project_that_is_called_trial_makes_cases(tmp_path: Path) -> None:
    found = cases_of(tmp_path, *((f"t[t{trial}]", {"trial": trial, "environment": "head"}) for trial in (1, 2)))
    assert found == {"t[t1]": [1], "t[t2]": [1]}
    # A value of the user's that looks like a trial is not one.
    assert cases_of(tmp_path, ("t[t2]", {"throughput_trial": 1}), ("t[t3-t2]", {"throughput_trial": 2})) == {
        "t[t2]": [1],
        "t[t3]": [2],
    }


def with_cases(change: Callable[[list[Any]], list[Any]]) -> dict[str, Any]:
    return {**OURS, "throughput": {**OURS["throughput"], "cases": change(OURS["throughput"]["cases"])}}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (b"", "it is cut off"),
        (json.dumps(OURS).encode()[:-40], "it is cut off"),
        (b"\x00\xff\xfe", "it is not text in UTF-8"),
        (b"{]" + b" " * 9 + b"}", "it is not JSON"),
        (b"[]", "it is no JSON object"),
        (b"{}", "is no result file: it has no benchmarks"),
        (b"[" * 10**6, "it holds 1,000,000 lists and objects in 1,000,000 bytes, which no result does"),
        (b'{"a":' * 9_000 + b"1" + b"}" * 9_000, "it is nested too deeply"),
        (b'{"benchmarks": ' + b"[" * 150 + b"]" * 150 + b"}", "it is nested too deeply"),
        (b'{"benchmarks": [' + b"[]," * 2 * 10**6 + b"[]]}", "lists and objects in"),
        (b'{"benchmarks": [], "benchmarks": []}', "it gives 'benchmarks' twice"),
        (b'{"benchmarks": [], "x": ' + b"9" * 10**5 + b"}", "Exceeds the limit"),
        ({**OURS, "throughput": {**OURS["throughput"], "schema": 2}}, "its schema is 2, and this version reads 1"),
        ({**OURS, "throughput": []}, "throughput is a list of 0 entries; expected an object"),
        (with_cases(lambda cases: [*cases, cases[0]]), "it gives the case "),
        (with_cases(lambda cases: [{**cases[0], "trials": cases[0]["trials"] * 2}]), "it gives a trial of "),
    ],
)
def test_what_is_no_result_is_refused_in_one_line(
    show: Callable[..., tuple[int, str, str]], document: Any, problem: str
) -> None:
    status, out, err = show(document)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert problem in err
    assert "run.json: " in err


def changed(path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(OURS)
    *way, last = path.split(".")
    place: Any = document
    for name in way:
        place = place[int(name)] if isinstance(place, list) else place[name]
    place[int(last) if isinstance(place, list) else last] = value
    return document


@pytest.mark.parametrize("value", [math.nan, math.inf, -1, 0, "fast", None, [], {}, True, 10**400, 5e-324, 1e-300])
@pytest.mark.parametrize(
    "path",
    [
        "throughput.cases.0.trials.0.median_seconds",
        "throughput.cases.0.trials.0.images_per_second",
        "benchmarks.0.stats.data.1",
    ],
)
def test_a_figure_that_is_none_is_refused(show: Callable[..., tuple[int, str, str]], path: str, value: Any) -> None:
    status, out, err = show(changed(path, value))
    if path.endswith("data.1") and type(value) in (int, float) and 0 <= value < 1:
        assert status == 0  # A round below the clock's reach is possible.
    else:
        assert (status, out) == (2, "")
        where = re.sub(r"\.(\d+)", r"[\1]", path)
        if value is None and path.endswith("images_per_second"):
            where = "the primary metric of trial 1 of training-pt-m-b8"
        assert f" {where} " in err and "; expected a number" in err


def test_rates_as_far_apart_as_can_be_are_shown(show: Callable[..., tuple[int, str, str]]) -> None:
    document = copy.deepcopy(OURS)
    (trial,) = document["throughput"]["cases"][0]["trials"]
    document["throughput"]["cases"][0]["trials"] = [
        {**trial, "trial": number, "images_per_second": rate, "median_seconds": seconds}
        for number, (rate, seconds) in enumerate([(1e18, 1e9), (1e-18, 1e-18)], 1)
    ]
    assert show(document)[0] == 0


HOSTILE = "\x1b]0;owned\x07\x1b[2J[bold red]x[/] ../../etc/passwd \u202e\ud800\r\n"


@pytest.mark.parametrize(
    "path",
    [
        "throughput.cases.0.id",
        "throughput.cases.0.environment",
        "throughput.cases.0.labels.model",
        "throughput.cases.0.labels.framework",
        "throughput.cases.1.reason",
        "throughput.cases.0.implausible",
        "throughput.fingerprint.cpu.model",
        "benchmarks.0.extra_info.settings.protocol",
        "throughput.cases.0.status",
    ],
)
def test_hostile_text_is_shown_harmless(show: Callable[..., tuple[int, str, str]], path: str) -> None:
    status, out, err = show(changed(path, HOSTILE))
    assert status == (2 if path.endswith("status") else 0)
    shown = out + err
    assert not any(character in shown for character in "\x1b\x07\r\u202e\ud800")
    if status == 0 and not path.endswith((".id", "reason")):
        assert "[bold red]x[/]" in shown  # as text


KERNEL = {"name": "sgemm", "calls": 4, "seconds": 0.1, "share": 1.0, "class": "matrix product"}
PROFILE = {"steps": 2, "seconds_per_step": 0.05, "trace": "run.profiles/a.json.gz", "reason": None}


def profiled(kernels: Any, profile: Any) -> dict[str, Any]:
    document = changed("benchmarks.0.extra_info.kernels", kernels)
    document["benchmarks"][0]["extra_info"]["profile"] = profile
    return document


@pytest.mark.parametrize(
    ("kernels", "profile", "expected"),
    [
        ([{**KERNEL, "seconds": -1}], PROFILE, "a number of at least 0"),
        ([{**KERNEL, "seconds": 1e300}], PROFILE, "a number of at most 1"),
        ([{**KERNEL, "share": math.nan}], PROFILE, "a number"),
        ([{**KERNEL, "calls": 1.5}], PROFILE, "a whole number"),
        ([{**KERNEL, "name": "x" * 10_000}], PROFILE, "a text of at most 600 characters"),
        ([{**KERNEL, "class": None}], PROFILE, "a text"),
        ([KERNEL] * 202, PROFILE, "a list of at most 201 entries"),
        ({}, PROFILE, "a list"),
        ([KERNEL], {**PROFILE, "steps": 0}, "a whole number of at least 1"),
        ([KERNEL], {**PROFILE, "trace": 1}, "a text"),
        ([KERNEL], [], "an object"),
    ],
)
def test_a_profile_that_is_none_is_refused(
    show: Callable[..., tuple[int, str, str]], kernels: Any, profile: Any, expected: str
) -> None:
    status, out, err = show(profiled(kernels, profile), "--kernels")
    assert (status, out) == (2, "")
    assert f"expected {expected}" in err


def test_hostile_names_of_operators_are_shown_harmless(show: Callable[..., tuple[int, str, str]]) -> None:
    status, out, _ = show(profiled([{**KERNEL, "name": HOSTILE, "class": HOSTILE[:40]}], PROFILE), "--kernels")
    assert status == 0
    assert not any(character in out for character in "\x1b\x07\r\u202e\ud800")
    assert "[bold red]x[/]" in out  # as text


def test_sizes_are_bounded(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_throughput.results.untrusted_json._MAX_SKIPPED_BYTES", 4 * 2**20)
    monkeypatch.setattr("pytest_throughput.results.journal_reader.MAX_LINE_BYTES", 2 * 2**20)
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate(2 * 2**30)  # a line of 2 GB, without one on the disk
    for name, problem in {"huge.json": "is larger than ", "huge.jsonl": "has a line of more than 4 MiB"}.items():
        huge = huge.rename(tmp_path / name)
        assert main(["show", str(huge)]) == 2
        assert problem in capsys.readouterr().err
    huge.unlink()
    line = tmp_path / "line.jsonl"
    line.write_bytes(b'{"journal": 1, "x": "' + b"x" * 3 * 2**20)
    assert main(["show", str(line)]) == 2
    assert "line 1 is longer than 2 MiB" in capsys.readouterr().err


def test_memory_is_bounded_by_the_length_of_a_file() -> None:
    """Whatever a byte of JSON may become: 24 in a list of empty lists."""
    for part in (b"[],", b'{"a":0},', b'{"a":[0]},', b'[""],'):
        text = b'{"x": [' + part * (10**6 // len(part)) + b"0]}"
        tracemalloc.start()
        with suppress(ValueError):
            parse_object(text)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak_bytes < 16 * len(text) + 4 * 2**20


def _labelled(case_id: str, axes: dict[str, Any]) -> dict[str, Any]:
    return {"id": case_id, "environment": "default", "status": "failed", "reason": "x", "labels": axes, "trials": []}


@pytest.mark.slow
def test_time_is_bounded_by_the_length_of_a_file(show: Callable[..., tuple[int, str, str]]) -> None:
    """Each of these took the square of it, or more: an hour and longer."""
    twice = b",".join(b'"%d": 0' % number for number in range(300_000))
    rounds = {"benchmarks": [{"fullname": "a", "stats": {"median": 1.0, "data": [0.5, 1.0, 1.5] * 100_000}}]}
    named = [_labelled("a", {f"label {number}": None for number in range(100_000)})]
    named += [_labelled(f"b{number}", {}) for number in range(50_000)]
    ledger = Ledger()
    with bounded(60.0):
        assert "it gives '0' twice" in show(b'{"x": {' + twice + b"," + twice + b"}}")[2]
        assert show(rounds)[0] == 0
        status, _, err = show({**OURS, "throughput": {**OURS["throughput"], "cases": named}})
        assert (
            status,
            "labels (a) is an object of 100,000 entries; expected an object of at most 50 entries" in err,
        ) == (2, True)
        for trial in range(200_000):
            ledger.ask("a", "default", trial, {})
            ledger.settle(EndedTrial("a", "default", {}, trial, "2026", 8, Outcome("failed")))
        assert ledger.is_complete


@pytest.mark.slow
def test_what_is_shown_is_bounded(show: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    """Rows take hundreds of bytes each, and all are as wide as the widest."""
    many = [_labelled(f"c{number}", {}) for number in range(20_001)]
    status, _, err = show({**OURS, "throughput": {**OURS["throughput"], "cases": many}})
    assert (status, "it has 20,001 cases; expected at most 20,000" in err) == (2, True)
    wide = [_labelled("a", {f"label {number}": "x" * 10_000 for number in range(50)})]
    wide += [_labelled(f"b{number}", {"model": "m"}) for number in range(1_000)]
    status, out, _ = show({**OURS, "throughput": {**OURS["throughput"], "cases": wide}})
    assert (status, len(out) < 1_000_000) == (0, True)
    path = journal(tmp_path / "j.jsonl", failed("a"))
    heading, line = path.read_bytes().splitlines()
    lines = (line.replace(b'"case_id": "a"', b'"case_id": "%d"' % number) for number in range(20_001))
    path.write_bytes(b"\n".join([heading, *lines, b""]))
    assert main(["show", str(path)]) == 2


def test_whole_numbers_that_collide_are_texts(tmp_path: Path) -> None:
    """Python hashes them by their remainder: a set of thousands with the same takes the square of their number."""
    write = tmp_path / "run.json"
    write.write_text(json.dumps(changed("throughput.cases.0.labels.batch_size", 2**61 - 1)))
    assert read_run(write).cases[0].axes["batch_size"] == str(2**61 - 1)


def test_a_text_of_megabytes_is_cut(show: Callable[..., tuple[int, str, str]]) -> None:
    long = "x" * 4 * 2**20
    for path in ("throughput.cases.0.implausible", "throughput.cases.0.environment", "throughput.cases.0.labels.model"):
        status, out, _ = show(changed(path, long))
        assert (status, len(out) < 100_000, "characters left out" in out) == (0, True, True)
    status, _, err = show(changed("throughput.cases.0.status", long))
    assert (status, len(err) < 2_000) == (2, True)


@pytest.mark.parametrize("name", ["pipe", "folder", "missing", "no\0name", "/proc/self/mem", "/proc/self/maps"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for suffix in ("", ".jsonl"):
        (tmp_path / "link.jsonl").unlink(missing_ok=True)
        if suffix and "\0" not in name:
            (tmp_path / "link.jsonl").symlink_to(tmp_path / name)
        assert main(["show", str(tmp_path / ("link.jsonl" if suffix else name))]) == 2
        error = capsys.readouterr().err
        assert error.startswith("pytest-throughput: ") and error.count("\n") == 1


@pytest.mark.parametrize("gpus", [True, 1, "a", {"name": "b"}, [None, {"name": "\x1b[31mc"}]])
def test_a_fingerprint_may_name_anything(tmp_path: Path, capsys: pytest.CaptureFixture[str], gpus: object) -> None:
    document = copy.deepcopy(OURS)
    document["throughput"]["fingerprint"]["gpus"] = gpus
    (tmp_path / "run.json").write_text(json.dumps(document))
    assert main(["show", str(tmp_path / "run.json")]) == 0
    heading = capsys.readouterr().out.splitlines()[0]
    assert "A processor" in heading and "\x1b" not in heading


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def _places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(place for key, each in inner for place in _places(each, (*way, key)))]


def test_what_a_gpu_did_is_shown_from_the_file(show: Callable[..., tuple[int, str, str]]) -> None:
    status, out, _ = show(ON_A_GPU)
    assert status == 0
    for text in ("host-bound 0.97", "130 %", "0.1200", "disturbed: 1 other process on the GPU", "largest"):
        assert text in out


@given(data=st.data())
def test_any_part_may_be_anything(data: st.DataObject, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One value of a good file replaced, or left out: shown, or refused with one line; no traceback."""
    document = copy.deepcopy(data.draw(st.sampled_from([OURS, ON_A_GPU, PLAIN])))
    *way, last = data.draw(st.sampled_from(_places(document)[1:]))
    place = document
    for key in way:
        place = place[key]
    if data.draw(st.booleans()):
        place[last] = data.draw(json_values)
    else:
        del place[last]
    file = tmp_path / "run.json"
    file.write_text(json.dumps(document))
    status = main(["show", str(file), *data.draw(st.sampled_from([[], ["--items-param", "batch_size"]]))])
    captured = capsys.readouterr()
    assert (status == 0 and captured.out) or (status == 2 and captured.err.count("\n") == 1)
    assert "\x1b" not in captured.out + captured.err


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_object_or_a_value_error(text: bytes) -> None:
    refusal = None
    try:
        assert isinstance(parse_object(text), dict)
    except ValueError as error:
        refusal = str(error)
    assert refusal is None or refusal.startswith(("it ", "Exceeds"))


HEADING = Heading({"cpu": {"model": "A"}}, {"protocol": "quick"}, ("-k", "x"))


def journal(path: Path, *trials: EndedTrial) -> Path:
    path.unlink(missing_ok=True)
    written = Journal(path, HEADING)
    for ended in trials:
        written.add(ended)
    written.close()
    return path


def failed(case_id: str, reason: str = "because") -> EndedTrial:
    return EndedTrial(case_id, "default", {"model": "m"}, 1, "2026", 8, Outcome("failed", reason=reason))


def measured(case_id: str) -> EndedTrial:
    quiet = Disturbance(0.0, 0.0, 0, 0.0, 0.0)
    measurement = Measurement((0.1, 0.2), 1, 0.3, 2, "target", 0.1, (quiet, quiet))
    outcome = Outcome("ok", measurement=measurement, metadata={**INFO, "implausible": None})
    return EndedTrial(case_id, "default", {"model": "m"}, 1, "2026", 8, outcome)


def test_a_journal_is_no_result_file() -> None:
    with pytest.raises(Unreadable, match="is a journal, expected a result file"):
        read_run(Path("run.json.journal.jsonl"))


def test_a_journal_is_read_as_it_was_written_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = journal(tmp_path / "run.json.journal.jsonl", failed("a"), failed("b", HOSTILE))
    read = read_journal(path)
    assert read.heading == HEADING
    assert [ended.outcome.reason for ended in read.trials] == ["because", HOSTILE]
    assert all(ended.resumed for ended in read.trials)
    assert main(["show", str(path)]) == 0
    out = capsys.readouterr().out
    assert "not complete: the journal of a run that was interrupted" in out
    assert "\x1b" not in out


@given(cut=st.integers(0, 10**4))
def test_a_journal_cut_anywhere_keeps_its_whole_lines(cut: int, tmp_path: Path) -> None:
    path = journal(tmp_path / "j.jsonl", failed("a"), failed("b"))
    whole = path.read_bytes()
    cut %= len(whole) + 1
    path.write_bytes(whole[:cut])
    lines = whole[:cut].count(b"\n")
    if lines == 0:
        with pytest.raises(Unreadable, match="empty, or cut off in its first line"):
            read_journal(path)
    else:
        read = read_journal(path)
        assert len(read.trials) == lines - 1
        assert whole[: read.length].count(b"\n") == lines


def _nested(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("way", "value"),
    [
        (("measurement", "steps_per_round"), 10**400),
        (("measurement", "warm_up_steps"), 10**4000),
        (("measurement", "disturbances", 0, "involuntary_switches"), 10**400),
        (("measurement", "disturbances", 0, "waiting_seconds"), _nested(800)),
        (("measurement", "disturbances", 0, "waiting_seconds"), _nested(90)),
        (("measurement", "round_seconds", 0), 5e-324),
        (("measurement", "round_seconds", 0), 10**400),
        (("an \x1b[31munknown key\n::error::x",), 0),
    ],
    ids=range(8),
)
def test_a_trial_that_no_worker_measured_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], way: tuple[Any, ...], value: Any
) -> None:
    path = journal(tmp_path / "j.jsonl", measured("a"))
    heading, line = map(json.loads, path.read_text().splitlines())
    place = line["outcome"]
    for key in way[:-1]:
        place = place[key]
    place[way[-1]] = value
    path.write_text("".join(json.dumps(each) + "\n" for each in (heading, line)))
    assert main(["show", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "line 2 of the journal is damaged and was left out" in shown
    assert obeyed(shown) is None and "53.33" not in shown


@given(data=st.data())
def test_any_part_of_a_journal_may_be_anything(
    data: st.DataObject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shown, or gone on with: what was read becomes part of the next run's table and JSON."""
    path = journal(tmp_path / "j.jsonl", measured("a"), failed("b"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[1]["outcome"]["metadata"].update(copy.deepcopy(OF_A_GPU))
    *way, last = data.draw(st.sampled_from(_places(lines)[1:]))
    place: Any = lines
    for key in way:
        place = place[key]
    place[last] = data.draw(json_values)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    status = main(["show", str(path)])
    captured = capsys.readouterr()
    assert (status == 0 and captured.out) or (status == 2 and captured.err.count("\n") == 1)
    if status == 0:
        _go_on_with(read_journal(path).trials)


def _go_on_with(trials: Iterable[EndedTrial]) -> None:
    ledger = Ledger()
    axes = {"model": "m", "batch_size": 8}
    for ended in trials:
        ledger.ask(*ended.key, axes)
        ledger.settle(replace(ended, axes=axes))
    result = ledger.result()
    for case in result.cases:
        for trial in case.trials:
            json.dumps(extra_info(case, trial))
    assert "\x1b" not in table.render(result, width=None, colour=False)
    json.dumps(throughput_block(result))


def test_nothing_is_unpickled_or_evaluated() -> None:
    source = Path(untrusted.__file__).parents[1]
    for path in source.rglob("*.py"):
        text = path.read_text()
        assert "pickle" not in text
        assert "eval(" not in text
        assert "exec(" not in text
