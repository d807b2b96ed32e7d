"""What crosses the pipe comes out as it went in, and what is no message is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.measurement.disturbance import Disturbance
from pytest_throughput.measurement.loop import Measurement
from pytest_throughput.measurement.plan import PLANS
from pytest_throughput.worker.protocol import STATUSES, Outcome, Request, decode, encode

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
outcomes = ended_well | ended_badly


@given(outcomes)
def test_an_outcome_survives_the_pipe(outcome: Outcome) -> None:
    line = encode(outcome.to_json())
    assert line.count(b"\n") == 1
    assert Outcome.from_json(decode(line)) == outcome


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@given(arguments=metadata, steps=st.none() | st.integers(1, 9))
def test_a_request_survives_the_pipe(plan: object, arguments: dict[str, object], steps: int | None) -> None:
    request = Request("module:function", arguments, plan, steps)  # type: ignore[arg-type]
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
    ],
)
def test_an_object_that_is_no_outcome_is_refused(changes: dict[str, object]) -> None:
    assert Outcome.from_json(FAILED).reason == "because"
    with pytest.raises((ValueError, KeyError, TypeError)):
        Outcome.from_json({**FAILED, **changes})


def test_what_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        decode(b"[" * 10**6)
