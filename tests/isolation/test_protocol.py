"""What crosses the pipe comes out as it went in, and what is no message is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.isolation.protocol import STATUSES, Outcome, Request, decode, encode
from pytest_throughput.measurement.disturbance import Disturbance
from pytest_throughput.measurement.loop import Measurement
from pytest_throughput.measurement.plan import PLANS

seconds = st.floats(0, 1e6)
facts = st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.integers(), st.text(max_size=5)), max_size=3)
disturbances = st.builds(Disturbance, st.none() | seconds, st.integers(0, 9), st.none() | seconds, st.none() | seconds)
measurements = st.builds(
    Measurement,
    st.lists(seconds, max_size=4).map(tuple),
    st.integers(1, 99),
    seconds,
    st.integers(0, 9),
    st.text(max_size=9),
    seconds,
    st.lists(disturbances, max_size=4).map(tuple),
)
outcomes = st.builds(
    Outcome,
    st.sampled_from(STATUSES),
    st.none() | st.text(max_size=9),
    st.none() | st.text(max_size=9),
    st.none() | measurements,
    facts,
)


@given(outcomes)
def test_an_outcome_survives_the_pipe(outcome: Outcome) -> None:
    line = encode(outcome.to_json())
    assert line.count(b"\n") == 1
    assert Outcome.from_json(decode(line)) == outcome


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@given(arguments=facts, steps=st.none() | st.integers(1, 9))
def test_a_request_survives_the_pipe(plan: object, arguments: dict[str, object], steps: int | None) -> None:
    request = Request("module:function", arguments, plan, steps)  # type: ignore[arg-type]
    assert Request.from_json(decode(encode(request.to_json()))) == request


@given(
    st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_whatever_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        decode(line)


@pytest.mark.parametrize(
    "value", [{}, {"status": "ok"}, {"status": "great", "measurement": None}, {"status": "ok", "measurement": {}}]
)
def test_an_object_that_is_no_outcome_is_refused(value: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        Outcome.from_json(value)
