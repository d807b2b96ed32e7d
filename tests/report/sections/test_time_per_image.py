"""The section of seconds per image: points, limits of the memory, cliffs."""

from __future__ import annotations

from typing import Any

import pytest
from measured_cases import measured

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report.charts.chart import Axis, Limit, LineChart
from pytest_throughput.report.sections.time_per_image import section
from pytest_throughput.results.model import RATE, CaseResult, RunResult


def chart(*cases: CaseResult) -> LineChart:
    found = section(RunResult(cases))
    assert found is not None
    (only,) = found.charts
    assert isinstance(only, LineChart)
    return only


def sweep(framework: str, *rates: float | None, **axes: Any) -> list[CaseResult]:
    """Return cases with these rates at batch 1, 2, 4, …; None where memory did not suffice."""
    return [
        measured(framework, [], batch_size=2**power, status="out_of_memory", **axes)
        if rate is None
        else measured(framework, [rate, 1.1 * rate], batch_size=2**power, **axes)
        for power, rate in enumerate(rates)
    ]


def test_points_are_seconds_per_image_with_their_intervals() -> None:
    found = chart(*sweep("jax", 10.0, 20.0, 40.0))
    assert (found.x, found.y) == (Axis("batch size", "log", (1, 2, 4)), Axis("seconds per image", "log"))
    assert found.title == "seconds per image by batch size"
    first = found.series[0].points[0]
    assert first.y == pytest.approx((1 / 10 * 1 / 11) ** 0.5)
    assert first.low is not None and first.high is not None
    assert first.low < first.y < first.high
    assert first.low * first.high == pytest.approx(first.y**2)  # The interval is that of logarithms.


def test_the_memory_wall_is_the_largest_batch_before_one_that_does_not_fit() -> None:
    found = chart(
        *sweep("pytorch", 10.0, 20.0, None, None), *sweep("tensorflow", 10.0, 20.0, 30.0, None), *sweep("jax", 1.0, 1.0)
    )
    assert found.limits == (
        Limit(2, "pytorch: 2 fits, 4 does not", 0),
        Limit(4, "tensorflow: 4 fits, 8 does not", 1),
    )
    assert found.title == "largest batch that fits: pytorch 2, tensorflow 4, jax at least 2"


def test_executions_with_the_same_wall_share_a_line() -> None:
    one, other, third = (
        sweep("pytorch", 1.0, 2.0, *rest, execution=how)
        for how, rest in (("eager", [None]), ("compiled", [None]), ("graphs", [3.0, None]))
    )
    assert [limit.text for limit in chart(*one, *other).limits] == ["pytorch: 2 fits, 4 does not"]
    assert chart(*one, *third).title == "largest batch that fits: pytorch eager 2, pytorch graphs 4"


def test_a_search_finds_the_wall_between_the_sizes_of_a_sweep() -> None:
    search = {"largest_batch": {"fits": 213, "refused": 217}}
    found = chart(*sweep("jax", 1.0, 2.0), measured("jax", [9.0], batch_size="max", metadata=search))
    assert found.limits == (Limit(213, "jax: 213 fits, 217 does not", 2),)
    assert [point.x for point in found.series[0].points] == [1, 2, 213]


@pytest.mark.parametrize("refused", [None, "217", [217], 10**400, -1, 5])
def test_a_search_that_names_no_larger_batch_has_no_wall(refused: object) -> None:
    search = {"largest_batch": {"fits": 213, "refused": refused}}
    found = chart(*sweep("jax", 1.0, 2.0), measured("jax", [9.0], batch_size="max", metadata=search))
    assert found.limits == ()


def test_names_that_are_too_long_for_a_title_leave_the_neutral_one() -> None:
    found = chart(*(case for name in "abcd" for case in sweep(30 * name, 1.0, 1.0, None)))
    assert found.title == "seconds per image by batch size"
    assert len(found.limits) == 4


def test_cliffs_of_swapping_are_noted() -> None:
    calm = sweep("jax", 10.0, 10.0, 10.0)
    swapped = measured("jax", [2.0], batch_size=8, metadata={"swapped_bytes": 2**30})
    found = section(RunResult((*calm, swapped)))
    assert found is not None
    assert any(note.startswith("swap cliff: jax inference vgg16: from batch 4 to 8") for note in found.notes)


def test_other_items_have_their_name() -> None:
    tokens = Metric(RATE, "tokens/s", 1.0)
    assert chart(*(measured("jax", [1.0], batch_size=size, metric=tokens) for size in (1, 2, 4))).y.label == (
        "seconds per token"
    )


def test_there_is_no_section_for_two_sizes_or_other_metrics() -> None:
    seconds = Metric("seconds", "s", 1.0, "lower")
    assert section(RunResult(tuple(sweep("jax", 1.0, 1.0)))) is None
    others = tuple(measured("jax", [1.0], batch_size=size, metric=seconds) for size in (1, 2, 4))
    assert section(RunResult(others)) is None
