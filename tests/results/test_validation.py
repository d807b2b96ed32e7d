"""What a refusal of a file says: where, what was found, what was expected."""

from __future__ import annotations

import math
from typing import Annotated, Any

import pytest
from msgspec import Meta, Struct
from mutations import HOSTILE, obeyed

from pytest_throughput.results.model import LEAST_FIGURE, MOST_FIGURE
from pytest_throughput.results.validation import convert


class _Trial(Struct):
    seconds: Annotated[float, Meta(ge=LEAST_FIGURE, le=MOST_FIGURE)] = 1.0
    rounds: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    name: Annotated[str, Meta(min_length=1, max_length=10)] = "a"
    versions: dict[Annotated[str, Meta(max_length=3)], str] = {}
    data: Annotated[tuple[float, ...], Meta(max_length=3)] = ()


class _Run(Struct):
    trials: list[_Trial]


@pytest.mark.parametrize(
    ("trial", "problem"),
    [
        ({"seconds": 0}, "trials[0].seconds (c) is 0; expected a number of at least 1e-18"),
        ({"seconds": math.nan}, "trials[0].seconds (c) is NaN; expected a number of at least 1e-18"),
        ({"seconds": "fast"}, 'trials[0].seconds (c) is "fast"; expected a number'),
        ({"seconds": True}, "trials[0].seconds (c) is true; expected a number"),
        ({"rounds": 1.5}, "trials[0].rounds (c) is 1.5; expected a whole number or null"),
        ({"rounds": 2**53 + 1}, "is 9007199254740993; expected a whole number of at most 9007199254740992"),
        ({"name": ""}, 'trials[0].name (c) is ""; expected a text that is not empty'),
        ({"name": "x" * 10**6}, f'is "{"x" * 80}"… of 1,000,000 characters; expected a text of at most 10 characters'),
        ({"versions": {"abcd": ""}}, "a name in trials[0].versions (c): expected a text of at most 3 characters"),
        ({"versions": {"a": 1}}, "trials[0].versions[...] (c): expected a text"),
        ({"data": [1, 2, 3, 4]}, "trials[0].data (c) is a list of 4 entries; expected a list of at most 3 entries"),
        ({"data": [1, {}]}, "trials[0].data[1] (c) is an object of 0 entries; expected a number"),
    ],
)
def test_a_value_that_does_not_fit_is_named(trial: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError) as error:
        convert({"trials": [{"id": "c", **trial}]}, _Run)
    assert str(error.value).endswith(problem)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({}, "run 1 has no trials"),
        ([], "run 1 is a list of 0 entries; expected an object"),
        ({"trials": None}, "run 1.trials is null; expected a list"),
        ({"trials": [{"seconds": 10**400}]}, "; expected a number that is not as large"),
    ],
)
def test_what_lacks_is_named(value: Any, problem: str) -> None:
    with pytest.raises(ValueError) as error:
        convert(value, _Run, "run 1")
    assert str(error.value).startswith("run 1") and str(error.value).endswith(problem)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("trial", [{"id": HOSTILE, "seconds": 0}, {"name": HOSTILE}, {"versions": {HOSTILE: 1}}])
def test_nothing_in_a_refusal_is_obeyed(trial: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as error:
        convert({"trials": [trial]}, _Run)
    assert obeyed(str(error.value)) is None
