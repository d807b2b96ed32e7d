"""What a session has is what the reader gives back from the file that the session writes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.measurement.disturbance import Disturbance
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.measurement.metric import Metric
from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.results.ledger import Ledger
from pytest_throughput.results.model import CaseResult, RunResult, TrialResult, rate_unit
from pytest_throughput.results.reader import read_run
from pytest_throughput.results.writer import extra_info, throughput_block
from pytest_throughput.worker.protocol import STATUSES, Outcome

texts = st.text(st.characters(codec="utf-8"), max_size=8)
names = texts.filter(bool)
values = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    values | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
seconds = st.floats(1e-9, 1e6)
optional_seconds = st.none() | seconds
axes = st.dictionaries(
    st.sampled_from(["mode", "model", "framework", "batch_size", "layout"]) | names,
    st.none() | texts | st.integers(-(2**53), 2**53),
    max_size=4,
)
metadata = st.fixed_dictionaries(
    {},
    optional={
        "settings": st.dictionaries(texts, json_values, max_size=3),
        "network_hash": texts,
        "layout": texts,
        "disturbed_by": st.none() | texts,
        "peak_memory_bytes": st.none() | st.integers(0, 2**40),
        "anything": json_values,
    },
)


@st.composite
def measurements(draw: st.DrawFn) -> Measurement:
    rounds = tuple(draw(st.lists(seconds, min_size=1, max_size=4)))
    disturbance = st.builds(
        Disturbance, optional_seconds, optional_seconds, st.integers(0, 9), optional_seconds, optional_seconds
    )
    return Measurement(
        round_seconds=rounds,
        steps_per_round=draw(st.integers(1, 1000)),
        first_step_seconds=draw(seconds),
        warm_up_steps=draw(st.integers(0, 9)),
        stop_reason=draw(texts),
        latency_seconds=draw(seconds),
        disturbances=tuple(draw(disturbance) for _ in rounds),
    )


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    status = draw(st.sampled_from(("ok", *STATUSES)))
    if status != "ok":
        return Outcome(status, draw(st.none() | texts))
    return Outcome("ok", measurement=draw(measurements()), metadata=draw(metadata))


@st.composite
def results(draw: st.DrawFn) -> RunResult:
    ledger = Ledger()
    keys = draw(st.lists(st.tuples(names, names), unique=True, max_size=3))
    for case_id, environment in keys:
        of_case = draw(axes)
        for trial in draw(st.lists(st.integers(1, 9), unique=True, min_size=1, max_size=3)):
            ledger.ask(case_id, environment, trial, of_case)
            if draw(st.booleans()):
                items = draw(st.integers(1, 2**40))
                outcome = draw(outcomes())
                ended = EndedTrial(
                    case_id, environment, of_case, trial, draw(texts), items, outcome, draw(st.booleans())
                )
                ledger.settle(ended)
    return ledger.result(
        fingerprint=draw(st.dictionaries(texts, json_values, max_size=3)),
        machine_id=draw(st.none() | texts),
        deselected=draw(st.none() | st.lists(texts, max_size=3)),
    )


def document(result: RunResult) -> dict[str, Any]:
    """The result as pytest-benchmark and the plugin write it together."""
    benchmarks = [
        {"fullname": "a", "extra_info": extra_info(case, trial), "stats": {"data": list(trial.seconds_per_step)}}
        for case in result.cases
        for trial in case.trials
    ]
    return {"benchmarks": benchmarks, "throughput": throughput_block(result)}


def read(folder: Path, document: dict[str, Any]) -> RunResult:
    file = folder / "run.json"
    file.write_text(json.dumps(document, indent=4))
    return read_run(file)


@given(result=results())
def test_a_run_is_read_as_it_was_written(tmp_path: Path, result: RunResult) -> None:
    # A trial whose rate is beyond the bounds has no primary metric, and is in no file.
    held = replace(result, cases=tuple(replace(case, trials=case.measured) for case in result.cases))
    assert read(tmp_path, document(result)) == held


TRIAL = TrialResult(
    trial=1,
    items=1,
    median_seconds=0.5,
    metrics=(Metric("seconds_per_epoch", "s", 12.5, "lower"), Metric("accuracy", "", 0.0)),
)
OF_ANOTHER_SCENARIO = RunResult((CaseResult("a", "default", {}, "ok", trials=(TRIAL,)),))


def test_metrics_of_another_scenario_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = document(OF_ANOTHER_SCENARIO)
    assert written["throughput"]["cases"][0]["images_per_second"] is None
    found = read(tmp_path, written)
    assert found.cases[0].trials[0].metrics == TRIAL.metrics
    assert found.cases[0].unit == "s"
    assert found.cases[0].estimate().mean == pytest.approx(12.5)


@pytest.mark.parametrize("value", [0.0, -1.0, 1e19])
def test_a_figure_without_a_ratio_is_no_primary_metric_and_in_no_file(tmp_path: Path, value: float) -> None:
    trial = replace(TRIAL, metrics=(Metric("accuracy", "", value),))
    case = CaseResult("a", "default", {}, "ok", trials=(trial,))
    assert case.measured == () and case.estimate().mean is None
    assert read(tmp_path, document(RunResult((case,)))) == RunResult((replace(case, trials=()),))


def test_a_trial_too_short_for_the_clock_is_in_no_file(tmp_path: Path) -> None:
    """It has no rate, which is why its case is implausible; the case says so in the file."""
    ledger = Ledger()
    ledger.ask("a", "default", 1, {})
    unknown = Disturbance(None, None, 0, None, None)
    outcome = Outcome("ok", measurement=Measurement((0.0,), 1, 0.1, 2, "target", 0.0, (unknown,)))
    ledger.settle(EndedTrial("a", "default", {}, 1, "2026", 8, outcome))
    result = ledger.result()
    found = read(tmp_path, document(result))
    (case,) = result.cases
    assert case.implausible is not None and len(case.trials) == 1
    assert found == replace(result, cases=(replace(case, trials=()),))


def test_a_file_of_before_metrics_has_a_rate(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.ask("a", "default", 1, {"model": "m", "batch_size": 8})
    unknown = Disturbance(None, None, 0, None, None)
    outcome = Outcome("ok", measurement=Measurement((0.5,), 1, 0.1, 2, "target", 0.0, (unknown,)))
    ledger.settle(EndedTrial("a", "default", {"model": "m", "batch_size": 8}, 1, "2026", 8, outcome))
    written = document(ledger.result())
    del written["benchmarks"][0]["extra_info"]["metrics"]
    assert read(tmp_path, written) == ledger.result()
    assert ledger.result().cases[0].primary == Metric("images_per_second", "images/s", 16.0)


@pytest.mark.parametrize(
    ("unit", "shown"),
    [("tokens", "tokens/s"), (None, "items/s"), ("a b", "items/s"), ("x" * 21, "items/s"), ({"no": "text"}, "items/s")],
)
def test_the_unit_of_a_rate_is_the_networks(tmp_path: Path, unit: Any, shown: str) -> None:
    measurement = Measurement((0.5,), 1, 0.5, 0, "rounds", 0.5, (Disturbance(None, None, 0, None, None),))
    outcome = Outcome("ok", measurement=measurement, metadata={} if unit is None else {"unit": unit})
    ledger = Ledger()
    ledger.ask("a", "default", 1, {})
    ledger.settle(EndedTrial("a", "default", {}, 1, "2026", 8, outcome))
    found = read(tmp_path, document(ledger.result(fingerprint={}, machine_id=None, deselected=None)))
    assert found.cases[0].unit == shown


@pytest.mark.parametrize(
    ("axes", "unit"),
    [({"model": "m", "batch_size": 8}, "images/s"), ({"model": "m", "rows": 8}, "items/s"), ({}, "items/s")],
)
def test_only_a_batch_for_a_network_counts_as_images(axes: dict[str, object], unit: str) -> None:
    assert rate_unit(axes) == unit
