"""Whole trainings: lines by epoch, and bars of seconds and accuracies with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from invented_cases import case, rates, trial

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report.charts.chart import BarChart, LineChart, Section
from pytest_throughput.report.sections import convergence
from pytest_throughput.results.model import CaseResult, RunResult, TrialResult


def epochs(accuracies: Sequence[float | None], fold: int = 1) -> list[dict[str, Any]]:
    return [
        {
            "fold": fold,
            "epoch": number,
            "test_accuracy": accuracy,
            "test_loss": None if accuracy is None else 1 - accuracy,
        }
        for number, accuracy in enumerate(accuracies, 1)
    ]


def training(number: int, seconds: float, accuracy: float, history: Any, **given: Any) -> TrialResult:
    metrics = [Metric("seconds", "s", seconds, "lower"), Metric("accuracy", "", accuracy)]
    metrics += [Metric(name, "s", given.pop(name), "lower") for name in list(given) if name.startswith("seconds_to")]
    given = {"accuracy_interval": [accuracy - 0.02, accuracy + 0.02], **given}
    return trial(number, metrics=tuple(metrics), history=history, phase="training", **given)


def trained(framework: str, *trials: TrialResult, **axes: Any) -> CaseResult:
    named = {"data": "digits", "evaluation": "split", **axes}
    return case(framework, trials, mode="convergence", model="mnist_cnn", **named)


def section(*cases: CaseResult) -> Section:
    found = convergence.section(RunResult(cases))
    assert found is not None
    return found


def lines(found: Section) -> list[LineChart]:
    return [chart for chart in found.charts if isinstance(chart, LineChart)]


def bars(found: Section) -> list[BarChart]:
    return [chart for chart in found.charts if isinstance(chart, BarChart)]


def test_accuracy_and_loss_are_lines_by_epoch() -> None:
    accuracy, loss = lines(section(trained("pytorch", training(1, 10.0, 0.9, epochs([0.5, 0.75, 0.9])))))
    assert (accuracy.panel, accuracy.title) == ("mnist_cnn, cpu, digits, split", "test accuracy by epoch")
    (series,) = accuracy.series
    assert series.name == "pytorch"
    assert [(point.x, point.y) for point in series.points] == [(1, 50.0), (2, 75.0), (3, 90.0)]
    assert [point.y for point in loss.series[0].points] == pytest.approx([0.5, 0.25, 0.1])


def test_folds_and_trials_are_averaged() -> None:
    found = section(
        trained(
            "pytorch",
            training(1, 10.0, 0.9, [*epochs([0.5, 0.9]), *epochs([0.7, 0.9], fold=2)]),
            training(2, 10.0, 0.9, epochs([0.9, None])),
        )
    )
    accuracy, _ = lines(found)
    assert [point.y for point in accuracy.series[0].points] == pytest.approx([70.0, 90.0])


def test_long_trainings_have_few_points_with_the_first_and_the_last() -> None:
    accuracy, _ = lines(section(trained("pytorch", training(1, 1.0, 0.9, epochs([0.5] * 300)))))
    places = [point.x for point in accuracy.series[0].points]
    assert (len(places), places[0], places[-1]) == (30, 1, 300)


def test_configurations_of_a_framework_have_variants_of_its_style() -> None:
    one = training(1, 1.0, 0.9, epochs([0.5, 0.9]))
    accuracy, _ = lines(section(*(trained(name, one, batch_size=size) for name in ("jax", "numpy") for size in (1, 2))))
    assert [(series.name, series.variant) for series in accuracy.series] == [
        ("jax batch 1", 0),
        ("numpy batch 1", 0),
        ("jax batch 2", 1),
        ("numpy batch 2", 1),
    ]


def test_titles_name_the_most_accurate_and_the_fastest_where_intervals_show_it() -> None:
    good = [training(number, 20.0 + number / 10, 0.95, epochs([0.5, 0.95])) for number in (1, 2, 3)]
    quick = [training(number, 10.0 + number / 10, 0.85, epochs([0.5, 0.85])) for number in (1, 2, 3)]
    seconds, accuracy = bars(section(trained("pytorch", *good), trained("jax", *quick)))
    assert seconds.title == "jax trains fastest"
    assert accuracy.title == "pytorch is the most accurate"
    (part,) = accuracy.bars[0].parts
    assert (part.value, part.low, part.high) == pytest.approx((95.0, 93.0, 97.0))
    seconds, accuracy = bars(section(trained("pytorch", *good[:1]), trained("jax", training(1, 10.0, 0.93, None))))
    assert seconds.title == "seconds of the whole training"
    assert accuracy.title == "test accuracy after the last epoch"


def test_trials_widen_the_interval_of_an_accuracy_and_never_narrow_it() -> None:
    alike = [training(number, 1.0, 0.9, None) for number in range(1, 10)]
    apart = [training(number, 1.0, value, None) for number, value in enumerate([0.8, 0.95], 1)]
    _, accuracy = bars(section(trained("jax", *alike), trained("numpy", *apart)))
    jax, numpy = (bar.parts[0] for bar in accuracy.bars)
    assert (jax.low, jax.high) == pytest.approx((88.0, 92.0))
    assert numpy.low is not None and numpy.low < 80.0
    assert numpy.high == 100.0


def test_the_seconds_until_an_accuracy_are_bars() -> None:
    reached = training(1, 9.0, 0.98, None, seconds_to_97_5_percent=4.0)
    found = section(trained("jax", reached), trained("numpy", training(1, 9.0, 0.9, None)))
    _, until, _ = bars(found)
    assert until.title == "seconds until a test accuracy of 97.5 %"
    assert [(bar.label, bar.parts[0].value) for bar in until.bars] == [("jax", 4.0)]


def test_other_data_are_another_panel() -> None:
    one = training(1, 1.0, 0.9, None)
    found = section(trained("jax", one), trained("jax", one, data="mnist"), trained("jax", one, evaluation="10-fold"))
    assert len({chart.panel for chart in found.charts}) == 3


def test_trainings_that_learned_nothing_are_named() -> None:
    found = section(trained("jax", training(1, 1.0, 0.1, None, did_not_learn=True)))
    assert found.notes[1].endswith("always naming the most frequent class: jax (mnist_cnn, cpu, digits, split).")


@pytest.mark.parametrize(
    ("history", "interval"),
    [
        ("text", "text"),
        ([1], [0.1]),
        ([{"epoch": 0, "test_accuracy": 0.5}], [0.9, 0.8]),
        ([{"epoch": 1, "test_accuracy": 1.5}], [-1, 2]),
        ([{"epoch": 1, "test_accuracy": float("nan")}], [float("nan"), 1.0]),
        ([{"epoch": 1, "test_accuracy": 0.5}] * 20_001, {}),
        (epochs([0.5]), [0, None]),
    ],
)
def test_what_a_file_says_wrongly_is_left_out(history: Any, interval: Any) -> None:
    found = section(trained("jax", training(1, 1.0, 0.9, history, accuracy_interval=interval)))
    assert lines(found) == []
    _, accuracy = bars(found)
    assert accuracy.bars[0].parts[0][2:] == (90.0, None, None)


def test_cases_that_are_no_trainings_and_impossible_accuracies_are_left_out() -> None:
    validated = trial(metrics=(Metric("seconds", "s", 1.0, "lower"), Metric("accuracy", "", 0.9)), phase="validate")
    impossible = trained("jax", training(1, 1.0, 1.5, None))
    assert convergence.section(RunResult((case("jax", rates(1.0)), case("jax", [validated]), impossible))) is None
