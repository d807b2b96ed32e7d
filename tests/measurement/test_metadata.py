"""The facts of a step become JSON, or the reason why not names the fact."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.measurement.metadata import json_metadata

numbers = st.integers() | st.floats() | st.sampled_from([10**400, -(10**400)])
names = st.text().filter(lambda name: name not in ("settings", "versions", "not_finite"))
keys = st.text() | st.integers() | st.booleans()
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(keys, each, max_size=3),
    max_leaves=9,
)


@given(
    st.dictionaries(
        st.text().filter(lambda name: name not in ("settings", "versions", "not_finite")), values, max_size=3
    )
)
def test_what_is_returned_survives_strict_json(metadata: dict[str, Any]) -> None:
    copied = json_metadata(metadata)
    assert json.loads(json.dumps(copied, allow_nan=False)) == copied
    assert json_metadata(copied) == copied


def test_numbers_that_are_not_finite_become_null_and_are_named() -> None:
    metadata = {"loss": math.nan, "settings": {"rate": math.inf, "momentum": 0.9}, "curve": [1.0, -math.inf, 10**400]}
    assert json_metadata(metadata) == {
        "loss": None,
        "settings": {"rate": None, "momentum": 0.9},
        "curve": [1.0, None, None],
        "not_finite": ["loss", "settings.rate", "curve"],
    }


def test_what_json_has_another_form_for_is_turned_into_it() -> None:
    metadata = MappingProxyType({"shape": (3, 4), "counts": OrderedDict({1: 2, None: 3, False: 4})})
    assert json_metadata(metadata) == {"shape": [3, 4], "counts": {"1": 2, "null": 3, "false": 4}}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def contains_itself() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["again"] = value
    return value


def doubled(times: int) -> Any:
    """Small in memory, and of 2 ** times values when written."""
    value: Any = 1
    for _ in range(times):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"device": {"kind": {1}}}, "device.kind is set, expected dict, list, str"),
        ({"data": b"x"}, "data is bytes, expected"),
        ({"table": {(1, 2): 3}}, "table has a key of type tuple, expected str"),
        ({(1, 2): 3}, "metadata has a key of type tuple, expected str"),
        ({"table": {math.nan: 1}, "deep": nested(100_000)}, "deep is nested more than 50 deep"),
        (contains_itself(), "is nested more than 50 deep, or contains itself"),
        ({"a": doubled(40)}, "more than 10,000 values"),
        ({"a": "x" * 10_000}, "more than 10,000 values"),
        ({"settings": [1]}, "settings is list, expected dict"),
        ({"versions": "2.13"}, "versions is str, expected dict"),
    ],
)
def test_what_json_cannot_say_is_named(metadata: Any, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_throughput.measurement.metadata._MAX_SIZE", 10_000)
    with pytest.raises(ValueError, match=words.replace("(", "\\(")):
        json_metadata(metadata)
