"""Accepted runs on disk: written once and whole, read with suspicion."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.gate.baseline_store import Store, StoreError
from pytest_throughput.gate.judged import JudgedCase, JudgedMetric, JudgedRun, JudgedTrial
from pytest_throughput.gate.store_format import MOST_BYTES, DamagedFile, decode, encode

MakeRun = Callable[..., JudgedRun]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left on device; give a writable directory"):
        Store(tmp_path).accept(make_run(1))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_ids_never_become_paths(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run(1, cases=["../../etc/passwd", "/abs", "a\x00b", "con:"], machine_id="../x")
    run = replace(run, fingerprint={"../..": "../../y"})
    stored = Store(tmp_path / "in").accept(run)
    assert Path(stored.location).parents[1] == tmp_path / "in"
    assert {one.name for one in tmp_path.iterdir()} == {"in"}
    assert Store(tmp_path / "in").read(run.fingerprint).runs == (run,)


def test_a_run_without_figures_is_not_accepted(tmp_path: Path, make_run: MakeRun) -> None:
    failed = replace(make_run(1), cases={"x": JudgedCase("x", "crashed")})
    with pytest.raises(ValueError, match="no figures"):
        Store(tmp_path).accept(failed)
    with pytest.raises(ValueError, match="keep: expected 1 or more runs, got 0"):
        Store(tmp_path).prune([], keep=0)
    with pytest.raises(DamagedFile, match="offset from UTC, got '2026-01-01'"):
        Store(tmp_path).accept(replace(make_run(1), started_at="2026-01-01"))


def test_damaged_files_are_left_out_and_named(tmp_path: Path, make_run: MakeRun) -> None:
    store, run = Store(tmp_path), make_run(1)
    good = Path(store.accept(run).location)
    folder = good.parent

    def beside(number: int) -> Path:
        return folder / f"20250101T00000{number}Z-{number:016x}.json"

    beside(1).write_bytes(good.read_bytes()[:-10])
    beside(2).symlink_to(good)
    os.mkfifo(beside(3))
    beside(4).mkdir()
    beside(5).write_bytes(encode(replace(run, fingerprint={"cpu": "other"})))
    with beside(6).open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    (folder / "README.md").write_text("kept by hand")
    baseline = store.read(run.fingerprint)
    assert baseline.runs == (run,)
    reasons = {Path(stored.location): why for stored, why in baseline.damaged}
    assert set(reasons) == {beside(number) for number in range(1, 7)}
    assert "no JSON" in reasons[beside(1)]
    assert reasons[beside(3)] == "no regular file"
    assert reasons[beside(4)] == "Is a directory"
    assert "other hardware" in reasons[beside(5)]
    assert "bytes; expected at most" in reasons[beside(6)]


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(content=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_a_damaged_file(content: bytes) -> None:
    with pytest.raises(DamagedFile):
        decode(content)


@given(data=st.data(), value=json_values)
def test_no_value_in_any_place_breaks_the_reader(data: st.DataObject, value: Any) -> None:
    document = json.loads(encode(_with_further_metrics()))
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        for key in keys:
            places.append((node, key))
            walk(node[key])

    walk(document)
    node, key = data.draw(st.sampled_from(places))
    node[key] = value
    try:
        run = decode(json.dumps(document).encode())
    except DamagedFile:
        return
    assert encode(run)
    assert all(trial.value > 0 for case in run.cases.values() for trial in case.trials)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"schema": 1' + b"0" * 5_000 + b"}",
        b'{"schema": NaN}',
        b'{"schema": 2}',
        "{}".encode("utf-16"),
    ],
    ids=["deep", "huge number", "NaN", "later schema", "another encoding"],
)
def test_hostile_files(content: bytes) -> None:
    with pytest.raises(DamagedFile):
        decode(content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"started_at": "yesterday"}, "ISO 8601"),
        ({"individual": "x" * 5_000}, "expected a text of at most 1000 characters"),
        ({"individual": "\ud800"}, "half a character"),
        (
            {"software": {str(index): "1" for index in range(300)}},
            "software is an object of 300 entries; expected an object of at most 200 entries",
        ),
        ({"fingerprint": {"x": "y" * 20_000}}, "at most 10000 characters"),
        ({"cases": {}}, "cases is an object of 0 entries; expected a list"),
    ],
)
def test_sizes_and_types_are_bounded(change: dict[str, Any], message: str) -> None:
    document = {**json.loads(encode(_small_run())), **change}
    with pytest.raises(DamagedFile, match=message):
        decode(json.dumps(document).encode())


def test_a_file_says_what_it_holds() -> None:
    (case,) = json.loads(encode(_small_run()))["cases"]
    assert case["metric"] == {"name": "seconds", "unit": "s", "better": "lower"}
    assert case["trials"] == [
        {"number": 1, "value": 10.0, "disturbed_share": 0.1},
        {"number": 2, "value": 11.0, "disturbed_share": None},
    ]


def test_files_from_before_metrics_were_named_are_read() -> None:
    """They hold ``images_per_second``: the value, or its reciprocal where lower values are better."""
    new = _small_run().cases["training-x"]
    document = json.loads(encode(_small_run()))
    (case,) = document["cases"]
    del case["metric"]
    for trial in case["trials"]:
        trial["images_per_second"] = 1 / trial.pop("value")
    old = decode(json.dumps(document).encode()).cases["training-x"]
    assert old.metric is None
    assert [old.logarithm(one) for one in old.trials] == pytest.approx([new.logarithm(one) for one in new.trials])


@pytest.mark.parametrize(
    ("metric", "trial", "message"),
    [
        ({"better": "up"}, {}, "case training-x: metric seconds: better is 'up'; expected one of higher, lower"),
        ({"name": ""}, {}, 'metric.name .training-x. is ""; expected a text that is not empty'),
        ({}, {"value": 0}, "value .training-x. is 0; expected a number of at least 1e-18"),
        ({}, {"value": None}, "value .training-x. is null; expected a number"),
    ],
)
def test_a_metric_and_its_values_are_checked(metric: dict[str, Any], trial: dict[str, Any], message: str) -> None:
    document = json.loads(encode(_small_run()))
    (case,) = document["cases"]
    case["metric"].update(metric)
    case["trials"][1].update(trial)
    with pytest.raises(DamagedFile, match=message):
        decode(json.dumps(document).encode())


@pytest.mark.parametrize("key", ["images_per_second", "calls_per_second"])
def test_a_named_metric_needs_its_value(key: str) -> None:
    document = json.loads(encode(_small_run()))
    trial = document["cases"][0]["trials"][1]
    trial[key] = trial.pop("value")
    with pytest.raises(DamagedFile, match="case training-x: trial 2 has no value"):
        decode(json.dumps(document).encode())


def test_further_metrics_are_stored() -> None:
    run = _with_further_metrics()
    (case,) = json.loads(encode(run))["cases"]
    assert case["further_metrics"] == [
        {"name": "first_step_seconds", "unit": "s", "better": "lower"},
        {"name": "accuracy", "unit": "", "better": "higher"},
    ]
    assert [trial.get("further_values") for trial in case["trials"]] == [{"first_step_seconds": 2.5}, None]
    again = decode(encode(run)).cases["training-x"]
    # They are not part of the equality of runs.
    assert again.further_metrics == run.cases["training-x"].further_metrics
    assert [trial.further_values for trial in again.trials] == [{"first_step_seconds": 2.5}, {}]
    assert encode(decode(encode(run))) == encode(run)


def test_a_run_that_was_accepted_without_further_metrics_is_still_the_same() -> None:
    assert decode(encode(_small_run())) == _with_further_metrics()


@pytest.mark.parametrize(
    ("metrics", "values", "message"),
    [
        ([], {"x": 1.0}, "case training-x: trial 1 has a value of x, which further_metrics does not name"),
        (["x", "x"], {}, "case training-x: a metric occurs twice"),
        (["seconds"], {}, "case training-x: a metric occurs twice"),
        (["x"], {"x": 0}, "expected a number of at least 1e-18"),
        (["x"], {"x": None}, "expected a number"),
        ([f"x{number}" for number in range(51)], {}, "expected a list of at most 50 entries"),
        (["x" * 1_001], {}, "expected a text of at most 1000 characters"),
        (["x"], [], "expected an object"),
    ],
)
def test_further_metrics_are_checked(metrics: list[str], values: Any, message: str) -> None:
    document = json.loads(encode(_small_run()))
    (case,) = document["cases"]
    case["further_metrics"] = [{"name": name, "unit": "s", "better": "lower"} for name in metrics]
    case["trials"][0]["further_values"] = values
    with pytest.raises(DamagedFile, match=message):
        decode(json.dumps(document).encode())


def test_an_id_occurs_once() -> None:
    document = json.loads(encode(_small_run()))
    document["cases"] *= 2
    with pytest.raises(DamagedFile, match="an id occurs twice"):
        decode(json.dumps(document).encode())


def _small_run() -> JudgedRun:
    metric = JudgedMetric("seconds", "s", "lower")
    trials = (JudgedTrial(1, 10.0, 0.1), JudgedTrial(2, 11.0, None))
    case = JudgedCase("training-x", "ok", trials, "n", "s", metric=metric)
    return JudgedRun("2026-01-01T00:00:00+00:00", {"cpu": {"cores": 2}}, "a", {"torch": "2"}, {case.id: case})


def _with_further_metrics() -> JudgedRun:
    run = _small_run()
    case = run.cases["training-x"]
    metrics = (JudgedMetric("first_step_seconds", "s", "lower"), JudgedMetric("accuracy", "", "higher"))
    trials = (replace(case.trials[0], further_values={"first_step_seconds": 2.5}), case.trials[1])
    return replace(run, cases={case.id: replace(case, trials=trials, further_metrics=metrics)})


def test_a_note_is_kept_and_replaced_in_place(tmp_path: Path, make_run: MakeRun) -> None:
    store, run = Store(tmp_path), make_run(1)
    path = store.accept(run)
    for note, kept in [("moved to bf16", "moved to bf16"), (None, "moved to bf16"), ("“fp32”", "“fp32”"), ("", "")]:
        assert store.accept(run, note) == path
        (found,) = store.read(run.fingerprint).runs
        assert (found, found.note) == (run, kept)


def test_a_run_without_a_note_has_the_content_that_it_always_had(make_run: MakeRun) -> None:
    assert "note" not in json.loads(encode(make_run(1)))


@pytest.mark.parametrize("note", ["", "x" * 201, None, 7])
def test_a_note_of_a_stranger_is_bounded(make_run: MakeRun, note: object) -> None:
    document = {**json.loads(encode(make_run(1))), "note": note}
    with pytest.raises(DamagedFile, match="note"):
        decode(json.dumps(document).encode())
