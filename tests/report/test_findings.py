"""The findings in titles: their words, and how often they are wrong."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import pytest
from measured_cases import IMAGES, measured

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report.findings import (
    Rivals,
    fastest,
    notes_on_findings,
    quantity_of,
    title_at,
    title_by_batch_size,
    title_by_device,
)

SHOWN = "images per second by batch size"
SURE, UNSURE = (1.0, 1.01, 0.99), (0.8, 1.0, 1.25)
"""What three trials are as shares of their mean: with narrow intervals of their ratios, and with wide ones."""


def by_size(*speeds: Mapping[str, float], trials: Sequence[float] = SURE) -> dict[int, Rivals]:
    """Return rivals at batch 1, 2, 4, … of these mean speeds; the trials of each rival vary in another order."""
    return {
        2**power: {
            name: [measured(name, [speed * trials[(number + place) % len(trials)] for number in range(len(trials))])]
            for place, (name, speed) in enumerate(at_size.items())
        }
        for power, at_size in enumerate(speeds)
    }


A, B, EQUAL = {"jax": 2.0, "flow": 1.0}, {"jax": 1.0, "flow": 2.0}, {"jax": 1.0, "flow": 1.0}


@pytest.mark.parametrize(
    ("speeds", "title"),
    [
        ([A, A, A], "jax is fastest at every batch size"),
        ([EQUAL, A, A], "jax is fastest from batch 2 on"),
        ([EQUAL, EQUAL, A], "jax is fastest at batch 4"),
        ([A, A, EQUAL], "jax is fastest up to batch 2"),
        ([A, EQUAL, EQUAL], "jax is fastest at batch 1"),
        ([A, EQUAL, A], "jax is fastest at batch 1 and at batch 4"),
        ([A, A, EQUAL, A, A], "jax is fastest up to batch 2 and from batch 8 on"),
        ([A, A, B, B], "jax is fastest up to batch 2, flow from batch 4 on"),
        ([A, B], "jax is fastest at batch 1, flow at batch 2"),
        ([A, EQUAL, B], "jax is fastest at batch 1, flow at batch 4"),
        ([EQUAL, A, EQUAL], SHOWN),
        ([EQUAL, EQUAL], f"{SHOWN}: no difference that the intervals show"),
    ],
)
def test_a_title_says_at_which_batch_sizes_a_framework_is_fastest(
    speeds: list[Mapping[str, float]], title: str
) -> None:
    assert title_by_batch_size(by_size(*speeds), IMAGES) == title


def test_a_title_names_a_difference_only_where_the_intervals_show_one() -> None:
    assert (
        title_by_batch_size(by_size(A, A, trials=UNSURE), IMAGES) == f"{SHOWN}: no difference that the intervals show"
    )
    assert title_by_batch_size(by_size(A, A, trials=[1.0]), IMAGES) == SHOWN
    third = {"jax": 2.0, "flow": 2.0, "torch": 1.0}  # There is a difference, but the fastest is not known.
    assert title_by_batch_size(by_size(third, third), IMAGES) == SHOWN


def test_a_size_with_a_single_framework_ends_a_finding() -> None:
    alone = by_size(A, A, {"jax": 9.0})
    assert title_by_batch_size(alone, IMAGES) == "jax is fastest up to batch 2"


def test_trials_in_one_process_show_nothing() -> None:
    here = {"settings": {"isolation": "none"}}
    rivals = {name: [measured(name, [speed, speed], metadata=here)] for name, speed in A.items()}
    assert title_at(rivals, IMAGES, "at batch 8") == "images per second at batch 8"
    (note,) = notes_on_findings([rows[0] for rows in rivals.values()])
    assert "--throughput-trials 5" in note


def test_notes_say_what_titles_claim_and_how_to_get_intervals() -> None:
    several, single = measured("jax", [1.0, 1.1]), measured("flow", [1.0])
    assert ["5 %" in note for note in notes_on_findings([several])] == [True]
    assert ["--throughput-trials 5" in note for note in notes_on_findings([several, single])] == [False, True]


@pytest.mark.parametrize(
    ("metric", "verb", "quantity"),
    [
        (IMAGES, "fastest", "images per second"),
        (Metric("tokens_per_second", "tokens/s", 1.0), "fastest", "tokens per second"),
        (Metric("seconds", "s", 1.0, "lower"), "fastest", "seconds (s), lower is better"),
        (Metric("peak_memory_bytes", "bytes", 1.0, "lower"), "best", "peak memory bytes (bytes), lower is better"),
        (Metric("accuracy", "", 1.0), "best", "accuracy"),
    ],
)
def test_the_words_fit_the_metric(metric: Metric, verb: str, quantity: str) -> None:
    values = {"jax": 1.0, "flow": 2.0} if metric.better == "lower" else A
    rivals = {
        name: [measured(name, [value * share for share in SURE], metric=metric)] for name, value in values.items()
    }
    assert quantity_of(metric) == quantity
    assert title_at(rivals, metric, "") == f"jax is {verb}"
    assert title_at({"jax": rivals["jax"]}, metric, "") == quantity


def test_a_framework_is_fastest_if_one_of_its_configurations_is() -> None:
    slow, quick = measured("torch", [1.0, 1.01, 1.02]), measured("torch", [4.0, 4.1, 4.05])
    flow = measured("flow", [2.0, 2.01, 2.05])
    assert fastest({"torch": [slow, quick], "flow": [flow]}) == "torch"
    assert fastest({"torch": [slow], "flow": [flow]}) == "flow"
    assert fastest({"torch": [slow, quick]}) is None


def test_all_frameworks_have_to_agree_on_the_fastest_device() -> None:
    devices = by_size({"cpu": 1.0, "cuda": 5.0})[1]
    assert title_by_device({"jax": devices}, IMAGES, "at batch 8") == "cuda is fastest with jax at batch 8"
    both = {"jax": devices, "flow": devices}
    assert title_by_device(both, IMAGES, "") == "cuda is fastest with every framework"
    others = {"jax": devices, "flow": by_size({"cpu": 5.0, "cuda": 1.0})[1]}
    assert title_by_device(others, IMAGES, "") == "images per second by device"
    one = {"jax": devices, "flow": {"cuda": devices["cuda"]}}
    assert title_by_device(one, IMAGES, "") == "images per second by device"


def test_titles_are_short_whatever_names_are() -> None:
    long = {"x" * 300: 2.0, "y" * 300: 1.0}
    assert title_by_batch_size(by_size(long, long), IMAGES) == SHOWN
    endless = Metric("x" * 300, "y" * 300, 1.0, "lower")
    assert len(title_at({}, endless, "at batch 8")) <= 90
    mid = {"x" * 30: 2.0, "y" * 30: 1.0}
    assert "x" * 30 in title_by_batch_size(by_size(mid, mid), IMAGES)


Speeds = Sequence[Mapping[str, Sequence[float]]]
"""At each batch size, the speeds of the configurations of each framework."""


def titles(speeds: Speeds, trials: int, repetitions: int, unequal: bool = False) -> list[str]:
    """Return titles of charts. Hours vary by 20 %, processes by 5 %; of the first framework by 1 % if ``unequal``."""
    generator = random.Random(repr((speeds, trials, unequal)))
    found = []
    for _ in range(repetitions):
        hours = [generator.lognormvariate(0, 0.2) for _ in range(trials)]
        rivals = {
            2**power: {
                name: [
                    measured(
                        name,
                        [
                            speed * hour * generator.lognormvariate(0, 0.01 if unequal and not place else 0.05)
                            for hour in hours
                        ],
                    )
                    for speed in configurations
                ]
                for place, (name, configurations) in enumerate(at_size.items())
            }
            for power, at_size in enumerate(speeds)
        }
        found.append(title_by_batch_size(rivals, IMAGES) if len(rivals) > 1 else title_at(rivals[1], IMAGES, "here"))
    return found


def equal(frameworks: int, sizes: int, configurations: int = 1) -> Speeds:
    return [{name: [1.0] * (configurations if name == "a" else 1) for name in "abcdef"[:frameworks]}] * sizes


TRUE_OF_HALF = ["a is fastest from batch 4 on", "a is fastest at batch 8"]
TIED, A_FIRST = {"a": [1.0], "b": [1.0], "c": [0.5]}, {"a": [2.0], "b": [1.0], "c": [0.5]}
SIMULATIONS: list[tuple[Speeds, int, bool, list[str]]] = [
    (equal(2, 1), 2, False, []),
    (equal(3, 4), 5, False, []),
    (equal(6, 2), 2, False, []),
    (equal(2, 2, configurations=4), 3, False, []),
    (equal(3, 2), 3, True, []),
    (equal(2, 4), 3, False, []),
    ([TIED] * 3, 5, False, []),
    ([TIED, TIED, A_FIRST, A_FIRST], 5, False, TRUE_OF_HALF),
]
"""Speeds, trials, whether the first framework varies less, and the findings that are true."""


def assert_few_are_false(simulation: tuple[Speeds, int, bool, list[str]], repetitions: int) -> None:
    """Assert that at most 5 % of the titles are false, and 3 standard errors more."""
    speeds, trials, unequal, true = simulation
    found = titles(speeds, trials, repetitions, unequal)
    false = [title for title in found if " is fastest " in title and title not in true]
    assert len(false) / repetitions <= 0.05 + 3 * (0.05 * 0.95 / repetitions) ** 0.5
    assert not true or len([title for title in found if title == true[0]]) > repetitions / 2


@pytest.mark.parametrize("simulation", SIMULATIONS[-3:])
def test_at_most_one_chart_in_twenty_has_a_false_finding(simulation: tuple[Speeds, int, bool, list[str]]) -> None:
    assert_few_are_false(simulation, 100)


@pytest.mark.slow
@pytest.mark.parametrize("simulation", SIMULATIONS)
def test_many_charts_have_as_few_false_findings(simulation: tuple[Speeds, int, bool, list[str]]) -> None:
    assert_few_are_false(simulation, 1000)
