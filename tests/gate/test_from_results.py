"""Runs out of files, of any project and of any stranger."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import result_files
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.gate.baseline_store import Store
from pytest_throughput.gate.from_results import GivenRun, given_run
from pytest_throughput.gate.judged import JudgedMetric, JudgedRun
from pytest_throughput.gate.store_format import decode, encode
from pytest_throughput.results.model import Pair
from pytest_throughput.results.untrusted_json import Unreadable
from pytest_throughput.telemetry.machine_id import machine_id

Read = Callable[..., GivenRun]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_document(document: Any, items_param: str | None = None) -> GivenRun:
        return given_run(result_files.write(tmp_path, "run.json", document), items_param)

    return read_document


def changed(*path: Any, to: Any, document: dict[str, Any] | None = None) -> dict[str, Any]:
    """Our document, with one value of it replaced."""
    document = copy.deepcopy(document or result_files.our_document(1))
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return document


def test_a_run_of_ours(read: Read) -> None:
    found = read(result_files.our_document(1, version="2.12"))
    assert (found.run.fingerprint, found.run.machine_id) == (result_files.FINGERPRINT, "one machine")
    assert (found.run.started_at, found.run.software) == ("2026-01-01T01:00:00+00:00", {"torch": "2.12"})
    case = found.run.cases[result_files.CASES[0]]
    assert (case.status, case.network_hash, len(case.trials)) == ("ok", "hash of alex", 5)
    assert case.axes == {"mode": "training", "framework": "pt", "model": "alex", "batch_size": 1}
    assert case.trials[0].disturbed_share == 1 / 20
    assert found.scope.values["batch_size"] == {1, 8} and found.scope.deselected == frozenset()


def test_what_is_read_can_be_stored_and_read_again(read: Read) -> None:
    seconds = with_primary("seconds_per_epoch", 4.0, "lower")
    for document in (result_files.our_document(1), result_files.plain_document(1), seconds):
        run = read(document).run
        assert decode(encode(run)) == run


def test_several_versions_are_all_told(read: Read) -> None:
    document = changed(
        "benchmarks", 0, "extra_info", "versions", to={"torch": "2.11", "python": "3.11", "": "x", "y": ""}
    )
    assert read(document).run.software == {"python": "3.11", "torch": "2.11, 2.12"}


def digest(read: Read, **settings_of_case: Any) -> str | None:
    found = read(changed("throughput", "cases", 0, "settings", to=settings_of_case))
    return found.run.cases[result_files.CASES[0]].settings_digest


def test_settings_that_the_measuring_decides_do_not_count(read: Read) -> None:
    calm = digest(read, threads=2, warm_up_steps=3, steps_per_round=40)
    assert calm == digest(read, threads=2, warm_up_steps=30, steps_per_round=41)
    assert calm != digest(read, threads=1, warm_up_steps=3, steps_per_round=40)
    assert calm != digest(read, threads=2, warm_up_steps=3, steps_per_round=1)
    assert calm != digest(read, threads=2, warm_up_steps=3, steps_per_round=40, autotune=True)


def test_how_many_steps_shared_a_round_makes_no_case_incomparable(read: Read) -> None:
    """Steps of some 2 ms (0.2 s, if they are pipelined) are alone in a round in one trial and two in the next."""
    for pipelining in (False, True):
        alone, shared, many = (
            digest(read, threads=2, steps_per_round=steps, pipelining=pipelining) for steps in (1, 2, 900)
        )
        assert alone == shared == many
    assert digest(read, threads=2, steps_per_round=2, pipelining=True) != alone_and_waited_for(read)
    # Files of before the setting was recorded: a synchronous step had one step in a round, a pipelined one several.
    assert digest(read, threads=2, steps_per_round=1) == alone_and_waited_for(read)
    assert digest(read, threads=2, steps_per_round=9) == digest(read, threads=2, steps_per_round=9, pipelining=True)


def test_live_pairs_are_like_with_like_and_whole_trials_are_as_ever(read: Read) -> None:
    def digest_of(pairing: str, ratio: float | None, group: str | None = None) -> str | None:
        document = changed("throughput", "cases", 0, "settings", to={"threads": 2, "pairing": pairing})
        info = document["benchmarks"][0]["extra_info"]
        info["settings"] = {"pairing": pairing}
        if ratio is not None or group is not None:
            info["pair"] = {"id": group or "a", "ratio": ratio}
        return read(document).run.cases[result_files.CASES[0]].settings_digest

    assert digest_of("trials", None) == digest(read, threads=2)
    assert digest_of("slices", 1.0) != digest_of("trials", None)
    # A group of more than two sides has no ratio.
    assert digest_of("slices", None, "a") == digest_of("slices", 1.0)


def test_the_ratio_of_a_pair_is_read(read: Read) -> None:
    document = changed("benchmarks", 0, "extra_info", "pair", to={"id": "a", "ratio": 0.95})
    trial = read(document).run.cases[result_files.CASES[0]].trials[0]
    assert trial.pair is None  # Metadata of the step, in a run that was not in pairs.
    document["benchmarks"][0]["extra_info"]["settings"] = {"pairing": "slices"}
    assert read(document).run.cases[result_files.CASES[0]].trials[0].pair == Pair("a", 0.95)
    for wrong in (0, -1, "1", 1e300):
        document["benchmarks"][0]["extra_info"]["pair"]["ratio"] = wrong
        with pytest.raises(Unreadable, match="ratio"):
            read(document)


def alone_and_waited_for(read: Read) -> str | None:
    return digest(read, threads=2, steps_per_round=1, pipelining=False)


def test_trials_that_were_never_run_are_no_part(read: Read) -> None:
    found = read(result_files.our_document(1, status={result_files.CASES[0]: None, result_files.CASES[1]: "crashed"}))
    assert result_files.CASES[0] not in found.run.cases and result_files.CASES[0] in found.scope.asked
    assert found.run.cases[result_files.CASES[1]].trials == ()


def test_plain_files_have_a_machine(read: Read) -> None:
    one, same = (read(result_files.plain_document(seed, node="a")).run for seed in (1, 2))
    other = read(result_files.plain_document(3, node="b")).run
    assert one.fingerprint == other.fingerprint
    assert one.machine_id == same.machine_id != other.machine_id
    assert one.machine_id is not None and one.machine_id != "a" and len(one.machine_id) == 16
    assert one.started_at == "2026-01-01T01:00:00+00:00"
    assert set(one.cases) == {f"bench.py::test_it[{number}]" for number in range(6)}
    assert one.software == {"python": "3.11.7"}


def test_plain_files_count_items(read: Read) -> None:
    calls, rows = (
        read(result_files.plain_document(1), name).run.cases["bench.py::test_it[0]"] for name in (None, "rows")
    )
    assert rows.trials[0].value == pytest.approx(8 * calls.trials[0].value)
    assert rows.settings_digest != calls.settings_digest


@pytest.mark.parametrize("written", ["", "yesterday", None, 5, "9999-12-31T23:59:59-23:00"])
def test_a_run_without_a_time_is_refused(read: Read, written: Any) -> None:
    document = result_files.plain_document(1) | {"datetime": written}
    with pytest.raises(Unreadable, match="nowhere when it was measured"):
        read(document)


def with_primary(name: str, value: float, better: str) -> dict[str, Any]:
    """Return a run of one trial whose case has another primary metric than images per second."""
    document = result_files.our_document(1, cases=result_files.CASES[:1], trials=1)
    del document["throughput"]["cases"][0]["trials"][0]["images_per_second"]
    metric = {"name": name, "unit": "s", "value": value, "better": better}
    document["benchmarks"][0]["extra_info"]["metrics"] = [metric]
    return document


def test_cases_are_judged_by_their_primary_metric(read: Read) -> None:
    """A metric that had better be low is negated on logarithms, and no other metric is comparable with it."""
    seconds, epochs, rate = (
        read(document).run.cases[result_files.CASES[0]]
        for document in (
            with_primary("seconds_per_epoch", 4.0, "lower"),
            with_primary("epochs_per_hour", 4.0, "higher"),
            result_files.our_document(1, cases=result_files.CASES[:1], trials=1),
        )
    )
    assert [case.trials[0].value for case in (seconds, epochs)] == [4.0, 4.0]
    assert [case.logarithm(case.trials[0]) for case in (seconds, epochs)] == [-math.log(4), math.log(4)]
    assert seconds.metric == JudgedMetric("seconds_per_epoch", "s", "lower")
    assert len({case.settings_digest for case in (seconds, epochs, rate)}) == 3


def further(read: Read, **of_info: Any) -> tuple[dict[str, tuple[str, str]], dict[str, float]]:
    """Return the further metrics of a case by name (unit and better), and the values of its trial."""
    document = result_files.our_document(1, cases=result_files.CASES[:1], trials=1)
    document["benchmarks"][0]["extra_info"] |= of_info
    case = read(document).run.cases[result_files.CASES[0]]
    metrics = {metric.name: (metric.unit, metric.better) for metric in case.further_metrics}
    return metrics, dict(case.trials[0].further_values)


def test_further_metrics_are_those_of_the_trial_and_some_of_its_metadata(read: Read) -> None:
    own = [
        {"name": name, "unit": unit, "value": value, "better": "lower"}
        for name, unit, value in (("images_per_second", "images/s", 8.0), ("loss", "", 0.5), ("balance", "", -1.0))
    ]
    own[0]["better"] = "higher"
    metrics, values = further(
        read, metrics=own, first_step_seconds=2.0, build_seconds=0.5, peak_memory_bytes=1_000, compile_seconds=0.25
    )
    assert metrics == {
        "loss": ("", "lower"),
        "first_step_seconds": ("s", "lower"),
        "compile_seconds": ("s", "lower"),
        "build_seconds": ("s", "lower"),
        "peak_memory_bytes": ("bytes", "lower"),
    }
    assert values == {
        "loss": 0.5,
        "first_step_seconds": 2.0,
        "compile_seconds": 0.25,
        "build_seconds": 0.5,
        "peak_memory_bytes": 1_000.0,
    }


def test_what_is_unknown_or_no_number_is_no_metric(read: Read) -> None:
    assert further(read, first_step_seconds=None, build_seconds="long", peak_memory_bytes=None) == ({}, {})
    assert further(read, compile_seconds={"torch": 1}, build_seconds=0, peak_memory_bytes=1e300) == ({}, {})


def test_further_metrics_are_bounded(read: Read) -> None:
    many = [{"name": f"m{number}", "unit": "s", "value": 1.0, "better": "lower"} for number in range(80)]
    assert len(further(read, metrics=many)[1]) == 50


@pytest.mark.parametrize("metrics", [[], [{"name": "a b"}], [{"value": 0}], [{"better": "up"}], [{}, {}], {}, [1]])
def test_a_damaged_metric_is_refused(read: Read, metrics: Any) -> None:
    document = with_primary("seconds_per_epoch", 4.0, "lower")
    info = document["benchmarks"][0]["extra_info"]
    (metric,) = info["metrics"]
    info["metrics"] = [{**metric, **each} if isinstance(each, dict) else each for each in metrics]
    info["metrics"] = info["metrics"] if isinstance(metrics, list) else metrics
    with pytest.raises(Unreadable, match=r"metric.* (is|of) .*expected|metrics of trial 1 of .* give a name twice"):
        read(document)


WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.just("x" * 2_000),
    st.just("\ud800"),
    st.just([]),
    st.just({}),
    st.just({"\x00": {"a": [1e308]}}),
    st.sampled_from([0, -1, 1e400, math.nan, 10**30, "2026-01-01", "NaN"]),
)


def paths(value: Any, *before: Any) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, each in inner for path in [(*before, key), *paths(each, *before, key)]]


DOCUMENTS = (
    result_files.our_document(1, cases=result_files.CASES[:1], trials=1),
    result_files.plain_document(1, names=1, trials=1),
)


@given(data=st.data(), wrong=WRONG)
def test_a_changed_file_is_refused_or_can_be_accepted(tmp_path: Path, data: Any, wrong: Any) -> None:
    document = data.draw(st.sampled_from(DOCUMENTS))
    mutated = changed(*data.draw(st.sampled_from(paths(document))), to=wrong, document=document)
    file = tmp_path / "run.json"
    file.write_text(json.dumps(mutated))
    try:
        run = given_run(str(file)).run
        path = Path(Store(tmp_path / "kept").accept(run).location)
    except ValueError:
        return
    assert isinstance(run, JudgedRun) and decode(path.read_bytes()) == run
    assert path.parent.parent == tmp_path / "kept"


def test_the_machine_has_a_name(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert machine_id((first, second)) is None
    second.write_text("0123\n")
    assert machine_id((first, second)) == "0123"
    first.write_bytes(b"\xff")
    assert machine_id((first, second)) == "0123"
    first.write_text("uninitialized\n")
    assert machine_id((first, second)) == "0123"
