"""Whole trainings, on a workload that stands for a framework."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np
import pytest
from softmax_regression import SoftmaxRegression, points

from dlworkloads.convergence.result import Result
from dlworkloads.convergence.training import Epoch, TrainedFold, Training
from dlworkloads.data.folds import Folds


def trained(
    workload: SoftmaxRegression, data: Folds, epochs: int, clock: Any = None, seed: int = 0
) -> tuple[list[TrainedFold], Result]:
    def initial(fold: int) -> Mapping[str, np.ndarray]:
        return {"weight": np.random.default_rng([seed, fold]).standard_normal((3, 6))}

    ticking = count()
    training: Any = Training(workload, data, initial, clock=clock or (lambda: float(next(ticking))))  # type: ignore[arg-type]
    folds = training.run(epochs)
    return folds, Result(folds, data.examples.labels, "images")


def test_a_training_learns_and_counts_every_example() -> None:
    workload, data = SoftmaxRegression(16, 3), points(100, 1)
    (fold,), result = trained(workload, data, 8)
    assert (len(fold.epochs), fold.trained, fold.tested) == (8, 64, 34)
    assert fold.epochs[-1].test_accuracy == fold.correct / 34 > 0.95
    assert fold.epochs[-1].loss < fold.epochs[0].loss
    assert fold.epochs[-1].test_loss < fold.epochs[0].test_loss
    assert result.metadata()["did_not_learn"] is False
    assert result.metadata()["implausible"] is None


def test_the_last_batch_of_a_test_is_filled_up_and_the_filling_ignored() -> None:
    """Batches of one need no filling."""
    data = points(100, 1)
    workload = SoftmaxRegression(16, 3)
    (fold,), _ = trained(workload, data, 1)
    test = data.folds[0].test
    logits = data.examples.inputs[test] / np.float32(200) @ workload.weights.T
    assert fold.epochs[-1].test_accuracy == (logits.argmax(1) == data.examples.labels[test]).mean()
    likely = np.exp(logits)[np.arange(34), data.examples.labels[test]] / np.exp(logits).sum(1)
    assert fold.epochs[-1].test_loss == pytest.approx(-np.log(likely).mean(), rel=1e-6)


def test_a_training_is_repeated_exactly_and_each_fold_and_epoch_has_its_own_order() -> None:
    first, again = SoftmaxRegression(16, 3), SoftmaxRegression(16, 3)
    data = points(100, 10)
    assert trained(first, data, 2, clock=lambda: 0.0)[0] == trained(again, data, 2, clock=lambda: 0.0)[0]
    assert first.trained == again.trained
    assert len({str(weights) for weights in first.begun_from}) == 10
    batches = 90 // 16
    epochs = [str(first.trained[i : i + batches]) for i in range(0, len(first.trained), batches)]
    assert len(epochs) == len({*epochs}) == 20


def test_time_of_training_and_of_testing_are_told_apart() -> None:
    """The clock ticks once at each reading: a second for the training, one for the test."""
    (fold,), result = trained(SoftmaxRegression(16, 3), points(100, 1), 3)
    assert [(epoch.seconds, epoch.evaluation_seconds) for epoch in fold.epochs] == [(1.0, 1.0)] * 3
    metrics = {metric.name: metric for metric in result.metrics()}
    assert metrics["training_seconds"].value == 3.0
    assert metrics["seconds_per_epoch"].value == 1.0
    assert (metrics["images_per_second"].value, metrics["images_per_second"].unit) == (64.0, "images/s")


def test_what_precedes_the_epochs_changes_none_of_them() -> None:
    def untimed() -> float:
        return 0.0

    data = points(100, 1)
    trainings = [
        Training(
            SoftmaxRegression(16, 3),  # type: ignore[arg-type]
            data,
            lambda fold: {"weight": np.eye(3, 6)},
            clock=untimed,
        )
        for _ in range(2)
    ]
    trainings[0].prepare()
    assert trainings[0].run(2) == trainings[1].run(2)


def test_the_first_batch_is_timed_before_the_epochs() -> None:
    ticking = count()
    training: Any = Training(
        SoftmaxRegression(16, 3),  # type: ignore[arg-type]
        points(100, 1),
        lambda fold: {"weight": np.eye(3, 6)},
        clock=lambda: float(next(ticking)),
    )
    first_batch_seconds = training.prepare()
    result = Result(training.run(3), np.arange(3), "images", None, first_batch_seconds)
    metrics = {metric.name: metric for metric in result.metrics()}
    assert metrics["first_batch_seconds"].value == 1.0
    assert metrics["training_seconds"].value == 3.0


def test_ten_folds_test_every_example_once() -> None:
    folds, result = trained(SoftmaxRegression(16, 3), points(100, 10), 6)
    assert (len(folds), result.tested) == (10, 100)
    metadata = result.metadata()
    assert metadata["test_examples"] == 100
    low, high = metadata["accuracy_interval"]
    assert low <= result.correct / 100 <= high
    assert len(metadata["history"]) == 60
    assert metadata["history"][-1]["fold"] == 10 and metadata["history"][-1]["epoch"] == 6
    assert {*metadata["history"][0]} == {"fold", "epoch", *Epoch.__dataclass_fields__}


def test_what_cannot_be_learned_is_not_a_result() -> None:
    _, result = trained(SoftmaxRegression(16, 3), points(200, 1, can_be_learned=False), 3)
    metadata = result.metadata()
    assert metadata["did_not_learn"] is True
    assert metadata["implausible"].startswith("did_not_learn: ")
    assert "of 67 test examples are right, which is not significantly more than the 3" in metadata["implausible"]


def test_the_target_is_counted_where_every_fold_reaches_it() -> None:
    def fold(*accuracies: float) -> TrainedFold:
        return TrainedFold(tuple(Epoch(2.0, 1.0, 0.5, 0.5, 0.5, each) for each in accuracies), 64, 100)

    reached = (fold(0.5, 0.8, 0.7, 0.9), fold(0.8, 0.9, 0.9, 0.9)) * 5
    labels = np.arange(10)
    metrics = {metric.name: metric for metric in Result(reached, labels, "images", 0.8).metrics()}
    assert (metrics["epochs_to_80_percent"].value, metrics["seconds_to_80_percent"].value) == (1.5, 3.0)
    assert metrics["epochs_to_80_percent"].better == metrics["seconds_to_80_percent"].better == "lower"
    assert metrics["accuracy"].better == "higher"
    missed = Result((*reached[1:], fold(0.7)), labels, "images", 0.8)
    assert not [metric.name for metric in missed.metrics() if "_to_" in metric.name]


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (0.97, "seconds_to_97_percent"),
        (0.975, "seconds_to_97_5_percent"),
        (1.0, "seconds_to_100_percent"),
        (0.1, "seconds_to_10_percent"),
        (1e-7, "seconds_to_0_00001_percent"),
    ],
)
def test_each_target_has_metrics_of_its_own(target: float, name: str) -> None:
    folds = [TrainedFold((Epoch(2.0, 1.0, 0.5, 0.5, 0.5, 1.0),), 64, 100)]
    metrics = {metric.name: metric for metric in Result(folds, np.arange(10), "images", target).metrics()}
    assert metrics[name].value == 2.0
    assert name.replace("seconds", "epochs") in metrics


def test_a_fold_without_a_whole_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="--batch-size 128: a fold trains on 66 examples, fewer than a batch"):
        trained(SoftmaxRegression(128, 3), points(100, 1), 1)


def test_a_training_that_diverges_has_not_learned_and_has_no_loss() -> None:
    folds = [TrainedFold((Epoch(2.0, 1.0, float("nan"), 0.1, float("nan"), 0.1),), 64, 100)]
    result = Result(folds, np.arange(100) % 10, "images")
    assert result.metadata()["did_not_learn"] is True
    assert "test_loss" not in {metric.name for metric in result.metrics()}
