"""Every framework updates weights by the same formulas, and a workload that updates them can train and predict."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from networks import frameworks_to_test, open_workload, random_weights
from reference_updates import Arrays, updated

from dlworkloads.base.workload import Workload
from dlworkloads.data import synthetic
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import BatchNorm, Conv2d, Dense, Dropout, Flatten, ReLU
from dlworkloads.models.network import Network
from dlworkloads.optimisers import OPTIMISERS, Optimiser
from pytest_throughput import Unsupported

NETWORK = Network("small", (3, 6, 5), Sequential(Conv2d(4, 3), BatchNorm(), ReLU(), Flatten(), Dense(5)))
BATCH_SIZE = 4
STEPS = 5

EVERY_OPTIMISER = {
    **OPTIMISERS,
    "sgd-decay": Optimiser("sgd", 0.1, decay=0.5),
    "momentum-decay": Optimiser("sgd", 0.1, decay=0.5, momentum=0.9),
    "nesterov": Optimiser("sgd", 0.1, momentum=0.9, nesterov=True),
    "nesterov-decay": Optimiser("sgd", 0.1, decay=0.5, momentum=0.9, nesterov=True),
    "nesterov-without-momentum": Optimiser("sgd", 0.1, nesterov=True),
    "rmsprop-decay": Optimiser("rmsprop", 0.01, decay=0.5, rho=0.8, epsilon=1e-3),
    "adadelta-decay": Optimiser("adadelta", 1.0, decay=0.5, rho=0.8, epsilon=1e-3),
    "adam-decay": Optimiser("adam", 0.01, decay=0.5, beta_1=0.8, beta_2=0.9, epsilon=1e-3),
    "mnist_cnn": Optimiser("adadelta", 1.0, rho=0.95, epsilon=1e-6),
    "cifar10_cnn": Optimiser("rmsprop", 1e-4, decay=1e-6),
    "cifar100_cnn": Optimiser("sgd", 0.01, decay=1e-6, momentum=0.9, nesterov=True),
    "letter_mlp": Optimiser("sgd", 0.001, decay=1e-7),
}
"""Every algorithm with and without each of its parts, and the optimisers of the published trainings."""

QUICK = ("adam", "nesterov-decay", "rmsprop-decay", "adadelta-decay", "adam-decay")
"""The optimisers for which frameworks that trace or compile are tested every time: every algorithm, and every part."""

HAVE_UPDATES = frameworks_to_test()
FRAMEWORK = pytest.mark.parametrize("framework", HAVE_UPDATES)


@pytest.mark.parametrize(
    ("framework", "name"),
    [
        pytest.param(framework, name, marks=() if framework == "pytorch" or name in QUICK else pytest.mark.slow)
        for framework in HAVE_UPDATES
        for name in EVERY_OPTIMISER
    ],
)
@pytest.mark.usefixtures("float64")
def test_updates_follow_the_formulas(framework: str, name: str) -> None:
    """In float64, after several batches, with the gradients that the framework's own training computes."""
    optimiser = EVERY_OPTIMISER[name]
    workload = _opened(framework, optimiser=optimiser)
    assert_follows_the_formulas(framework, workload, optimiser)
    # A second training from the same weights is the same as the first: the state is new, the number of steps too.
    assert_follows_the_formulas(framework, workload, optimiser)


@FRAMEWORK
@pytest.mark.slow
@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ["adam-decay", "nesterov-decay"])
def test_updates_follow_the_formulas_in_every_execution(framework: str, name: str) -> None:
    for execution in FRAMEWORKS[framework].executions_for("update", "cpu"):
        workload = _opened(framework, optimiser=EVERY_OPTIMISER[name], execution=execution)
        assert_follows_the_formulas(framework, workload, EVERY_OPTIMISER[name])


@FRAMEWORK
@pytest.mark.usefixtures("float64")
def test_predictions_are_those_of_inference_and_change_nothing(framework: str) -> None:
    """Dropout keeps all, BatchNorm keeps its statistics, and the training goes on as it would without them."""
    network = replace(NETWORK, body=Sequential(NETWORK.body, Dropout(0.0), Dense(3)))
    weights = random_weights(network)
    options: dict[str, Any] = {"precision": "fp64", "batch_size": BATCH_SIZE}
    inference = open_workload(framework, network, "inference", **options)
    training, undisturbed = (
        open_workload(framework, network, "training", optimiser=OPTIMISERS["momentum"], **options) for _ in range(2)
    )
    for each in (training, undisturbed):
        each.restart(weights)
    for step in range(3):
        inference.load(training.parameters())
        inference.batch = [_batch(inference, step)[0]]
        expected = inference.read(inference.run())["logits"]
        for _ in range(2):
            predicted = training.predict(_batch(training, step)[0])
            np.testing.assert_allclose(inference.read(predicted)["logits"], expected, rtol=1e-8)
        for each in (training, undisturbed):
            each.update(*_batch(each, step, classes=3))
    for path, values in undisturbed.parameters().items():
        np.testing.assert_array_equal(training.parameters()[path], values, err_msg=path)


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
def test_pytorch_compiles_the_training_step_and_the_prediction_once_each() -> None:
    workload = _opened("pytorch", optimiser=OPTIMISERS["momentum"], execution="compiled")
    import torch

    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    for _ in range(3):
        workload.run()
        workload.predict(workload.batch[0])
    workload.restart(random_weights(NETWORK))
    workload.run()
    assert workload.compilations() == 2


@FRAMEWORK
def test_dropout_keeps_all_in_predictions(framework: str) -> None:
    network = Network("dropped", (8,), Sequential(Dense(200), Dropout(0.5), Dense(2)))
    workload = open_workload(framework, network, "training", optimiser=OPTIMISERS["sgd"])
    first, second = (workload.read(workload.predict(workload.batch[0]))["logits"] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, workload.read(workload.run())["logits"])


@FRAMEWORK
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_weights_stay_float32_in_mixed_precision(framework: str, precision: str) -> None:
    try:
        workload = open_workload(framework, NETWORK, "training", precision=precision, optimiser=OPTIMISERS["momentum"])
    except Unsupported as error:
        pytest.skip(str(error))
    before = workload.parameters()
    for _ in range(3):
        output = workload.run()
    assert workload.is_finite(output)
    assert workload.dtypes(output)["weights"] == "float32"
    for path, values in workload.parameters().items():
        assert np.isfinite(values).all() and not np.array_equal(values, before[path]), path


def assert_follows_the_formulas(framework: str, workload: Workload, optimiser: Optimiser) -> None:
    """Restart the workload and assert that each update gives the loss and all weights of the reference."""
    initial = random_weights(NETWORK)
    workload.restart(initial)
    reference = _training(framework)
    reference.load(initial)
    weights = {path: initial[path] for path in NETWORK.parameters}
    state: dict[str, Arrays] = {}
    for step in range(STEPS):
        reference.load(weights)
        reference.batch = _batch(reference, step)
        gradients = reference.read(reference.run())
        loss = gradients.pop("loss")
        weights = updated(optimiser, step, weights, gradients, state)
        output = workload.read(workload.update(*_batch(workload, step)))
        assert list(output) == ["loss", "logits"]
        assert output["loss"] == pytest.approx(float(loss), rel=1e-8)
        assert output["logits"].shape == (BATCH_SIZE, NETWORK.outputs)
    found, statistics = workload.parameters(), reference.parameters()
    for path, expected in {**statistics, **weights}.items():
        np.testing.assert_allclose(found[path], expected, rtol=1e-8, atol=1e-11, err_msg=path)


def _opened(framework: str, **options: Any) -> Workload:
    return open_workload(framework, NETWORK, "training", precision="fp64", batch_size=BATCH_SIZE, **options)


@cache
def _training(framework: str) -> Workload:
    """Return the workload that computes the gradients, by the framework's training step."""
    return _opened(framework)


def _batch(workload: Workload, step: int, classes: int = NETWORK.outputs) -> list[Any]:
    """Return the images and the labels of one step on the device; each step has others."""
    images = synthetic.images(BATCH_SIZE, NETWORK.input_shape, seed=step)
    labels = synthetic.labels(BATCH_SIZE, classes, seed=step)
    return [workload.upload(workload.arrange(images)), workload.upload(labels)]
