"""The ratios between the rows of one work: what they are, and how often their intervals hold the truth."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report.ratios import Ratio, legend, ratio_between, ratios_to_fastest
from pytest_throughput.results.model import RATE, CaseResult, Estimate, TrialResult
from pytest_throughput.results.statistics import geometric_mean_interval


def in_turn(group: str, *seconds: Any) -> dict[str, Any]:
    """Return the metadata of a trial whose slices have these medians."""
    slices = [{"started_at": 0.2 * place, "rounds": 3, "p10_seconds": each} for place, each in enumerate(seconds)]
    return {"settings": {"pairing": "slices"}, "pair": {"id": group, "ratio": None}, "slices": slices}


def row(
    framework: str,
    rates: Sequence[float],
    *,
    items: int = 8,
    first: int = 1,
    metadata: Sequence[dict[str, Any]] = (),
    model: str = "vgg16",
    metric: tuple[str, str, str] = (RATE, "images/s", "higher"),
) -> CaseResult:
    name, unit, better = metric
    given_metadata = [*metadata, *[{}] * len(rates)]
    trials = tuple(
        TrialResult(
            first + index, items, items / rate, (Metric(name, unit, rate, better),), metadata=given_metadata[index]
        )
        for index, rate in enumerate(rates)
    )
    return CaseResult(f"{framework}-{model}", "default", {"model": model, "framework": framework}, "ok", trials=trials)


def between(one: CaseResult, other: CaseResult) -> Ratio:
    ratio = ratio_between(one, other)
    assert ratio is not None
    return ratio


def test_trials_with_the_same_number_are_compared() -> None:
    ratio = between(row("a", [10.0, 30.0, 24.0]), row("b", [20.0, 50.0, 60.0]))
    assert ratio.estimate == geometric_mean_interval([0.5, 0.6, 0.4])
    assert ratio.in_turn == (False, False, False)
    mean, low, high = between(row("a", [10.0, 30.0]), row("b", [60.0, 7.0], first=2)).estimate
    assert mean == pytest.approx(0.5)
    assert (low, high) == (None, None)
    assert ratio_between(row("a", [10.0]), row("b", [60.0], first=2)) is None


def test_trials_in_turn_are_compared_by_their_slices() -> None:
    # The rates say otherwise: the second trials of the rows were measured in other groups.
    one = row("a", [1.0, 30.0], metadata=[in_turn("x", 0.4, 0.2, 0.9), in_turn("y", 0.1, 0.1)])
    other = row("b", [1.0, 60.0], metadata=[in_turn("x", 0.1, 0.05, 0.9), in_turn("z", 0.1, 0.1)])
    ratio = between(one, other)
    assert ratio.estimate == pytest.approx(geometric_mean_interval([0.25, 0.5]))
    assert ratio.in_turn == (True, False)


def test_steps_with_different_numbers_of_items_are_compared_by_items() -> None:
    one = row("a", [1.0], items=16, metadata=[in_turn("x", 0.2, 0.2)])
    other = row("b", [1.0], items=8, metadata=[in_turn("x", 0.1, 0.1)])
    assert between(one, other).estimate.mean == pytest.approx(1.0)


@pytest.mark.parametrize(
    "metadata",
    [
        in_turn("x", 0.1),
        in_turn("x", 0.1, 0.0),
        in_turn("x", 0.1, "0.1"),
        in_turn("x", 0.1, 1e300),
        {**in_turn("x", 0.1, 0.1), "slices": 5},
        {**in_turn("x", 0.1, 0.1), "slices": [1, 2]},
        {**in_turn("x", 0.1, 0.1), "settings": {"pairing": "trials"}},
        {**in_turn("x", 0.1, 0.1), "pair": "x"},
        {"slices": in_turn("x", 0.1, 0.1)["slices"]},
    ],
)
def test_slices_that_cannot_be_compared_leave_the_trials(metadata: dict[str, Any]) -> None:
    known = in_turn("x", 0.1, 0.1)
    for of_one, of_other in ((metadata, known), (known, metadata)):
        ratio = between(row("a", [10.0], metadata=[of_one]), row("b", [40.0], metadata=[of_other]))
        assert ratio.estimate.mean == pytest.approx(0.25)
        assert ratio.in_turn == (False,)


def test_seconds_are_faster_where_they_are_fewer() -> None:
    seconds = ("seconds", "s", "lower")
    fast, slow = row("a", [2.0, 2.0], metric=seconds), row("b", [8.0, 8.0], metric=seconds)
    assert between(slow, fast).estimate.mean == pytest.approx(0.25)
    found = ratios_to_fastest([slow, fast])
    assert {name: found[name, "default"].estimate.mean for name, _ in found} == {
        "a-vgg16": 1.0,
        "b-vgg16": pytest.approx(0.25),
    }


def test_trials_of_one_process_have_no_interval() -> None:
    here = [{"settings": {"isolation": "none"}}] * 3
    ratio = between(row("a", [10.0, 11.0, 12.0], metadata=here), row("b", [20.0, 21.0, 22.0]))
    assert ratio.estimate.low is None


rates = st.lists(st.tuples(st.floats(1e-3, 1e6), st.floats(1e-3, 1e6), st.booleans()), min_size=1, max_size=6)


@given(rates)
def test_a_ratio_is_the_reciprocal_of_the_ratio_of_the_rows_the_other_way_round(
    both: list[tuple[float, float, bool]],
) -> None:
    def side(name: str, values: list[float]) -> CaseResult:
        metadata = [
            in_turn(str(index), 1 / value, 2 / value) if paired else {}
            for index, (value, (*_, paired)) in enumerate(zip(values, both, strict=True))
        ]
        return row(name, values, metadata=metadata)

    one, other = side("a", [first for first, *_ in both]), side("b", [second for _, second, _ in both])
    there, back = between(one, other), between(other, one)
    assert there.in_turn == back.in_turn == tuple(paired for *_, paired in both)
    ends = (there.estimate.mean, there.estimate.low, there.estimate.high)
    mirrored = (back.estimate.mean, back.estimate.high, back.estimate.low)
    for end, other_end in zip(ends, mirrored, strict=True):
        assert (end is None) == (other_end is None) == (len(both) < 2 and end is not there.estimate.mean)
        if end and other_end:
            assert math.log(end) == pytest.approx(-math.log(other_end), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("trials", [2, 3, 5])
@pytest.mark.parametrize("paired", [True, False])
def test_the_interval_covers_the_ratio_as_often_as_it_says(trials: int, paired: bool) -> None:
    """Processes vary by 5 %, and what both of them met, such as the hour, by 20 %."""
    generator = random.Random(trials)
    covered, repetitions, truth = 0, 800, 0.8
    for _ in range(repetitions):
        hours = [generator.lognormvariate(0, 0.2) for _ in range(trials)]
        sides = []
        for name, rate in (("a", 100 * truth), ("b", 100.0)):
            found = [rate * hour * generator.lognormvariate(0, 0.05) for hour in hours]
            slices = [in_turn(str(index), *[1 / each] * 4) for index, each in enumerate(found)] if paired else []
            sides.append(row(name, found, items=1, metadata=slices))
        _, low, high = between(*sides).estimate
        assert low is not None
        assert high is not None
        covered += low <= truth <= high
    assert covered / repetitions == pytest.approx(0.95, abs=0.02)


def test_each_row_is_compared_with_the_fastest_of_its_work() -> None:
    rows = [
        row("a", [10.0, 10.0]),
        row("b", [40.0, 40.0]),
        row("a", [3.0], model="alexnet"),
        row("c", [20.0, 20.0]),
        row("d", []),
        row("e", [5.0], metric=("seconds", "s", "lower")),
    ]
    found = ratios_to_fastest(rows)
    assert {name: ratio.estimate.mean for (name, _), ratio in found.items()} == {
        "a-vgg16": pytest.approx(0.25),
        "b-vgg16": 1.0,
        "c-vgg16": pytest.approx(0.5),
    }
    assert found["b-vgg16", "default"].estimate.low is None


def test_the_fastest_row_is_the_fastest_in_turn() -> None:
    """Its rate was the lower one, since other work slowed more of its slices in both trials."""
    one = row("a", [90.0, 90.0], metadata=[in_turn(group, 0.01, 0.01, 0.05, 0.05) for group in "xy"])
    other = row("b", [100.0, 100.0], metadata=[in_turn(group, 0.011, 0.011, 0.055, 0.055) for group in "xy"])
    found = ratios_to_fastest([one, other])
    assert (found["a-vgg16", "default"].in_turn, found["a-vgg16", "default"].estimate.mean) == ((), 1.0)
    assert found["b-vgg16", "default"].estimate.mean == pytest.approx(1 / 1.1)


@pytest.mark.parametrize(
    ("in_turns", "low", "text"),
    [
        ([(True, True), (True, True)], 0.9, ", and half its 95 % interval (measured in turn)"),
        ([(True, False), (False, False)], 0.9, ", and half its 95 % interval (in turn where possible)"),
        ([(False, False)], 0.9, ", and half its 95 % interval (one after the other)"),
        ([(False,)], None, ", without its interval"),
        ([(), ()], None, ""),
    ],
)
def test_the_legend_says_how_the_ratios_were_made(
    in_turns: list[tuple[bool, ...]], low: float | None, text: str
) -> None:
    ratios = {(str(index), "default"): Ratio(Estimate(1.0, low, 1.1), each) for index, each in enumerate(in_turns)}
    said = legend({**ratios, ("fastest", "default"): Ratio(Estimate(1.0, None, None), ())})
    assert said == (f"÷ fastest: speed ÷ that of the work's fastest row{text}" if text else "")
