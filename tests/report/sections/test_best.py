"""The section of each framework at its best: which works are shown, bars, titles and the table."""

from __future__ import annotations

import pytest
from measured_cases import measured

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report.charts.chart import BarChart, Section
from pytest_throughput.report.sections.best import section
from pytest_throughput.results.model import CaseResult, RunResult

TRIALS = [100.0, 101.0, 102.0]


def shown(*cases: CaseResult) -> Section:
    found = section(RunResult(cases))
    assert found is not None
    return found


def charts(*cases: CaseResult) -> list[BarChart]:
    return [chart for chart in shown(*cases).charts if isinstance(chart, BarChart)]


def times(factor: float) -> list[float]:
    return [factor * each for each in TRIALS]


EAGER = measured("pytorch", times(1), execution="eager")
COMPILED = measured("pytorch", times(2), execution="compiled")
JAX = measured("jax", times(3), execution="compiled")


def test_bars_are_the_fastest_configuration_of_each_framework_the_fastest_first() -> None:
    (chart,) = charts(EAGER, COMPILED, JAX)
    assert chart.panel == "inference, vgg16, cpu"
    assert chart.title == "jax is fastest at batch 8"
    assert chart.value.label == "images per second"
    assert [bar.label for bar in chart.bars] == ["jax compiled", "pytorch compiled"]
    (part,) = chart.bars[1].parts
    assert (part.name, part.style) == ("pytorch compiled", 0)
    assert part.value == pytest.approx(202, abs=0.01)
    assert part.low is not None and part.high is not None
    assert part.low < part.value < part.high


def test_the_table_has_the_ratios_to_the_fastest_and_the_number_of_configurations() -> None:
    (table,) = shown(EAGER, COMPILED, JAX).tables
    rows = [[cell.text for cell in row] for row in table.rows]
    assert rows[0] == ["inference, vgg16, cpu at batch 8", "jax compiled", "303.0 images/s", "1.00", "1"]
    assert rows[1][1:] == ["pytorch compiled", "202.0 images/s", "0.667 (0.667 to 0.667)", "2"]
    assert [cell.number for cell in table.rows[1]][2:] == [
        pytest.approx(202, abs=0.01),
        pytest.approx(2 / 3),
        2,
    ]


def test_of_the_batch_sizes_with_most_frameworks_the_fastest_is_shown() -> None:
    cases = [
        *(measured("jax", times(speed), batch_size=size) for size, speed in ((1, 1), (8, 3), (32, 2), (64, 9))),
        *(measured("pytorch", times(speed), batch_size=size) for size, speed in ((1, 1), (8, 3), (32, 1), (64, 9))),
        *(measured("tensorflow", times(speed), batch_size=size) for size, speed in ((1, 2), (8, 4), (32, 4))),
    ]
    (chart,) = charts(*cases)
    assert chart.title == "tensorflow is fastest at batch 8"
    assert len(chart.bars) == 3


def test_precisions_metrics_and_modes_are_not_mixed() -> None:
    seconds = Metric("seconds", "s", 1.0, "lower")
    cases = [
        measured(name, times(speed), **axes)
        for name, speed in (("jax", 1), ("pytorch", 2))
        for axes in ({}, {"precision": "bf16"}, {"mode": "training"}, {"metric": seconds, "mode": "convergence"})
    ]
    found = charts(*cases)
    assert [chart.panel for chart in found] == [
        "inference, vgg16, cpu, fp32",
        "inference, vgg16, cpu, bf16",
        "training, vgg16, cpu, fp32",
        "convergence, vgg16, cpu, fp32",
    ]
    assert found[3].title == "jax is fastest at batch 8"
    assert [bar.label for bar in found[3].bars] == ["jax", "pytorch"]


def test_two_environments_are_compared() -> None:
    (chart,) = charts(EAGER, measured("pytorch", times(2), execution="eager", environment="head"))
    assert chart.title == "pytorch (head) is fastest at batch 8"


def test_the_largest_batches_are_compared_in_words() -> None:
    cases = [
        measured(name, [1.0], batch_size="max", metadata={"largest_batch": {"fits": size}})
        for name, size in (("jax", 200), ("pytorch", 300))
    ]
    assert charts(*cases)[0].title == "images per second at batch max"


def test_choices_by_one_trial_are_said_to_flatter() -> None:
    cases = [measured("pytorch", [1.0], execution="eager"), measured("pytorch", [2.0], execution="compiled")]
    found = shown(*cases, measured("jax", [1.0]))
    assert found.charts[0].title == "images per second at batch 8"
    assert any(note.startswith("by one trial, the fastest of several looks faster") for note in found.notes)


def test_phases_of_whole_jobs_are_left_out() -> None:
    phases = [measured(name, TRIALS, mode="phases", phase="load") for name in ("jax", "pytorch")]
    assert section(RunResult(tuple(phases))) is None
    assert [chart.panel for chart in charts(EAGER, JAX, *phases)] == ["inference, vgg16, cpu"]


@pytest.mark.parametrize("cases", [(), (EAGER, COMPILED), (measured(None, [1.0]), measured(None, [2.0], model="a"))])
def test_there_is_no_section_for_a_single_framework(cases: tuple[CaseResult, ...]) -> None:
    assert section(RunResult(cases)) is None


def test_of_too_many_works_those_with_most_frameworks_are_shown() -> None:
    cases = [
        measured(name, [1.0], model=f"net{number:02}")
        for number in range(15)
        for name in (("jax", "pytorch", "tensorflow") if number == 14 else ("jax", "pytorch"))
    ]
    found = shown(*cases)
    assert [chart.panel for chart in found.charts][-2:] == ["inference, net10, cpu", "inference, net14, cpu"]
    assert found.notes[-1] == (
        "3 of 15 charts are left out, to keep this page small: "
        "inference, net11, cpu; inference, net12, cpu; inference, net13, cpu"
    )
    assert len(found.tables[0].rows) == 11 * 2 + 3
