"""What crosses the pipe comes out as it went in, and what is no message is refused."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.measurement.disturbance import Disturbance
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.measurement.metric import BETTER, Metric
from pytest_throughput.measurement.plan import PLANS
from pytest_throughput.measurement.scenario import Elapsed
from pytest_throughput.worker.parts import EndedPart, KeptParts
from pytest_throughput.worker.protocol import STATUSES, Outcome, Progress, Request, decode, encode

seconds = st.just(0.0) | st.floats(1e-9, 1e6)
metadata = st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.integers(), st.text(max_size=5)), max_size=3)
unknown = st.none() | seconds
disturbances = st.builds(Disturbance, unknown, unknown, st.integers(0, 9), unknown, unknown)
rounds = st.lists(st.tuples(seconds, disturbances), min_size=1, max_size=4)


def measurement(rounds: list[tuple[float, Disturbance]], **others: Any) -> Measurement:
    """With as many disturbances as rounds."""
    return Measurement(tuple(r[0] for r in rounds), disturbances=tuple(r[1] for r in rounds), **others)


measurements = st.builds(
    measurement,
    rounds,
    steps_per_round=st.integers(1, 99),
    first_step_seconds=seconds,
    warm_up_steps=st.integers(0, 9),
    stop_reason=st.text(max_size=9),
    latency_seconds=seconds,
)
texts = st.none() | st.text(max_size=9)
ended_well = st.builds(Outcome, st.just("ok"), texts, texts, measurements, metadata)
ended_badly = st.builds(Outcome, st.sampled_from(STATUSES[1:]), texts, texts, st.none(), metadata)
identifiers = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
metrics = st.lists(
    st.builds(Metric, identifiers, st.text(max_size=5), st.floats(-1e9, 1e9), st.sampled_from(BETTER), unknown),
    max_size=3,
    unique_by=lambda metric: metric.name,
).map(tuple)
phases_ended_well = st.builds(
    Outcome, st.just("ok"), texts, texts, measurements, metadata, st.none() | st.integers(1, 2**53), metrics
)
phases = st.dictionaries(identifiers, phases_ended_well | ended_badly, min_size=1, max_size=3)
jobs = st.builds(Outcome, st.sampled_from(STATUSES), texts, texts, st.none(), metadata, phases=phases)
outcomes = ended_well | ended_badly | phases_ended_well | jobs

elapsed = st.builds(Elapsed, seconds, disturbances, st.integers(0, 99))
parts = st.builds(
    EndedPart, st.integers(1, 99), st.text(max_size=9), st.floats(0.01, 1.0), elapsed, st.booleans(), texts
)
kept_parts = st.builds(KeptParts, identifiers, st.text(max_size=9), st.none() | parts)


@given(outcomes)
def test_an_outcome_survives_the_pipe(outcome: Outcome) -> None:
    line = encode(outcome.to_json())
    assert line.count(b"\n") == 1
    assert Outcome.from_json(decode(line)) == outcome


@given(
    st.builds(
        Progress, st.booleans(), st.integers(0, 99), phases.map(tuple), st.none() | phases_ended_well, st.none() | parts
    )
)
def test_progress_survives_the_pipe(progress: Progress) -> None:
    assert Progress.from_json(decode(encode(progress.to_json()))) == progress


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@given(arguments=metadata, steps=st.none() | st.integers(1, 9), kept=st.none() | kept_parts)
def test_a_request_survives_the_pipe(
    plan: object, arguments: dict[str, object], steps: int | None, kept: KeptParts | None
) -> None:
    request = Request("module:function", arguments, plan, steps, kept_parts=kept)  # type: ignore[arg-type]
    assert Request.from_json(decode(encode(request.to_json()))) == request


@given(
    st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_whatever_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        decode(line)


FAILED = Outcome("failed", reason="because").to_json()


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "great"},
        {"status": "ok"},
        {"measurement": {}},
        {"reason": 5},
        {"details": []},
        {"metadata": []},
        {"metadata": {"settings": None}},
        {"metadata": {"versions": "2.13"}},
        {"surprise": 1},
        {"items": 0},
        {"items": True},
        {"metrics": {}},
        {"metrics": [{"name": "a", "unit": "s", "value": 1.0}]},
        {"metrics": [{"name": "a", "unit": "s", "value": "1", "better": "lower"}]},
        {"metrics": [{"name": "a b", "unit": "s", "value": 1.0, "better": "lower"}]},
        {"metrics": [{"name": "a", "unit": "s", "value": 1.0, "better": "lower"}] * 2},
        {"metrics": [{"name": "a", "unit": "s", "value": 1.0, "better": "lower", "standard_error": -1.0}]},
        {"metrics": [{"name": "a", "unit": "s", "value": 1.0, "better": "lower", "standard_error": "1"}]},
        {"phases": []},
        {"phases": {"two words": Outcome("failed").to_json()}},
        {"phases": {"load": Outcome("failed", phases={"a": Outcome("failed")}).to_json()}},
        {"phases": {"load": 1}},
        {"phases": {f"p{number}": Outcome("failed").to_json() for number in range(1001)}},
    ],
)
def test_an_object_that_is_no_outcome_is_refused(changes: dict[str, object]) -> None:
    assert Outcome.from_json(FAILED).reason == "because"
    with pytest.raises((ValueError, KeyError, TypeError)):
        Outcome.from_json({**FAILED, **changes})


PART: dict[str, Any] = asdict(EndedPart(1, "epoch 1", 0.5, Elapsed(1.0, Disturbance(None, None, 0, None, None), 2)))


@pytest.mark.parametrize(
    "changes",
    [
        {"is_finished": 1},
        {"rounds": -1},
        {"rounds": 1.0},
        {"phases": "load"},
        {"phases": ["a", "a"]},
        {"phases": ["two words"]},
        {"ended_phase": {}},
        {"ended_part": {}},
        {"ended_part": {**PART, "number": 0}},
        {"ended_part": {**PART, "done": 2.0}},
        {"ended_part": {**PART, "text": None}},
        {"ended_part": {**PART, "is_saved": 1}},
        {"ended_part": {**PART, "elapsed": {**PART["elapsed"], "seconds": -1.0}}},
        {"ended_part": {**PART, "elapsed": {**PART["elapsed"], "page_faults": 1.5}}},
        {"surprise": 1},
    ],
)
def test_an_object_that_is_no_progress_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        Progress.from_json({**Progress().to_json(), **changes})


def test_what_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        decode(b"[" * 10**6)
