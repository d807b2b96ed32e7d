"""Compare a framework that has float32 only, in an interpreter of its own, with PyTorch.

The reference is PyTorch in float64, from which a framework may be as far as PyTorch's own float32 is, within a factor.
At each ReLU and maximum the rounding of float32 may choose the other side, so that no fixed bound suits both a shallow
and a deep network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pytest
from networks import for_small_images, googlenet_like, in_mode, open_workload, random_weights, resnet_like, vgg_like
from old_frameworks import Answer, Arrays, Job
from reference_updates import updated

from dlworkloads import models
from dlworkloads.base.workload import Workload
from dlworkloads.data import synthetic
from dlworkloads.models.containers import Parallel, Residual, Sequential
from dlworkloads.models.layers import (
    AveragePool,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    LocalResponseNorm,
    MaxPool,
    ReLU,
)
from dlworkloads.models.network import Network, without_dropout
from dlworkloads.optimisers import OPTIMISERS, Optimiser

BATCH_SIZE = 3
TIMES_PYTORCH = 4.0
"""How many times the largest error of a tensor in PyTorch's float32 an error may be."""
LEAST_BOUND = 1e-5
"""A hundred roundings of float32: whoever has fewer by luck sets no bound for others. Faulty translations exceed it."""
UPDATE_BOUND = 1e-3
"""The relative error of all updates together. One changes a weight by a thousandth, with the weight's own rounding."""
STEPS = 5

Key = tuple[str, str]
"""The name of a network or an optimiser, and the mode."""


def overwritten() -> Network:
    """Return a network of which each layer could spoil another one by writing to its output.

    The large epsilon keeps the rounding of channels that hardly vary small.
    """
    return Network(
        "overwritten",
        (4, 9, 9),
        Sequential(
            ReLU(),
            BatchNorm(0.1),
            ReLU(),
            ReLU(),
            BatchNorm(0.1),
            Conv2d(6, 3, padding=1),
            ReLU(),
            BatchNorm(0.1),
            LocalResponseNorm(3, alpha=0.5),
            ReLU(),
            Residual(Sequential(ReLU(), Conv2d(6, 1, bias=False), BatchNorm(0.1), ReLU())),
            Residual(Sequential(BatchNorm(0.1), Conv2d(6, 1)), Sequential(ReLU(), AveragePool(3, 1, padding=1))),
            Parallel(Sequential(ReLU()), Sequential(BatchNorm(0.1)), Sequential(), Sequential(Conv2d(6, 3, padding=1))),
            ReLU(),
            BatchNorm(0.1),
            MaxPool((3, 2), (2, 3), padding=(1, 0)),
            ReLU(),
            LocalResponseNorm(3, alpha=0.5),
            BatchNorm(0.1),
            LocalResponseNorm(3, alpha=0.5),
            Flatten(),
            ReLU(),
            Dense(12),
            Residual(Sequential(ReLU(), Dense(12))),
            Dense(5),
        ),
    )


def pooled() -> Network:
    """Return a network whose pools end before the image does, at its end, and after it; of odd sizes."""
    return Network(
        "pooled",
        (2, 30, 23),
        Sequential(
            MaxPool(2, 2),
            Conv2d(4, (2, 3), stride=(1, 2), padding=(0, 1)),
            MaxPool(3, 2, padding=1),
            MaxPool(2, 2, ceil_mode=True),
            AveragePool(2, 2),
            GlobalAveragePool(),
            Residual(Sequential(Dense(4), ReLU())),
            Dense(3),
        ),
    )


def hardly_dropped() -> Network:
    """Return a network with dropout that drops one value in 10⁹: where it is in place, it may not disturb others."""
    layers = (Conv2d(6, 3), ReLU(), Dropout(1e-9), MaxPool(2, 2), Dropout(1e-9), Flatten(), Dropout(1e-9), Dense(8))
    return Network("hardly_dropped", (2, 8, 8), Sequential(*layers, Dropout(1e-9), ReLU(), Dropout(1e-9), Dense(3)))


def of_suite(name: str) -> Network:
    """Return a network of the suite without dropout; a large one narrow, for small images."""
    network = without_dropout(models.build(name))
    if network.input_shape[-1] >= 224:
        network = for_small_images(network, 8)
    return network


SMALL: Mapping[str, Callable[[], Network]] = {
    "vgg_like": lambda: without_dropout(vgg_like()),
    "googlenet_like": lambda: without_dropout(googlenet_like()),
    **{build.__name__: build for build in (resnet_like, overwritten, pooled, hardly_dropped)},
}
SUITE = tuple(name for name in models.names() if not name.startswith("vit"))
"""The networks of the suite that have no layer of transformers."""

UPDATED = Network("small", (3, 6, 5), Sequential(Conv2d(4, 3, bias=False), BatchNorm(), ReLU(), Flatten(), Dense(5)))
UPDATES: Mapping[str, Optimiser] = {
    **OPTIMISERS,
    "sgd-decay": Optimiser("sgd", 0.1, decay=0.5),
    "momentum-decay": Optimiser("sgd", 0.1, decay=0.5, momentum=0.9),
    "nesterov-decay": Optimiser("sgd", 0.1, decay=0.5, momentum=0.9, nesterov=True),
    "nesterov-without-momentum": Optimiser("sgd", 0.1, nesterov=True),
    "rmsprop-decay": Optimiser("rmsprop", 0.01, decay=0.5, rho=0.8, epsilon=1e-3),
    "adadelta-decay": Optimiser("adadelta", 1.0, decay=0.5, rho=0.8, epsilon=1e-3),
    "mnist_cnn": Optimiser("adadelta", 1.0, rho=0.95, epsilon=1e-6),
    "cifar10_cnn": Optimiser("rmsprop", 1e-4, decay=1e-6),
    "cifar100_cnn": Optimiser("sgd", 0.01, decay=1e-6, momentum=0.9, nesterov=True),
    "letter_mlp": Optimiser("sgd", 0.001, decay=1e-7),
}
"""Every algorithm with and without each of its parts, and the optimisers of the published trainings."""


def jobs_of(networks: Mapping[str, Network]) -> dict[Key, Job]:
    """Return each network in inference and in training."""
    return {
        (name, mode): Job(network, mode, random_weights(network), [batch(network, 0)], "fp32")
        for name, trained in networks.items()
        for mode in ("inference", "training")
        for network in [in_mode(trained, mode)]
    }


def jobs_of_updates(names: Iterable[str]) -> dict[Key, Job]:
    """Return a training of several steps with each of these optimisers."""
    batches, weights = [batch(UPDATED, step) for step in range(STEPS)], random_weights(UPDATED)
    return {(name, "update"): Job(UPDATED, "update", weights, batches, "fp32", UPDATES[name]) for name in names}


def batch(network: Network, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images and labels; each seed has others."""
    images = synthetic.images(BATCH_SIZE, network.input_shape, seed=seed)
    if network.loss == "binary_cross_entropy":
        return images, synthetic.labels(BATCH_SIZE, 2, seed=seed)[:, None].astype(np.float32)
    return images, synthetic.labels(BATCH_SIZE, network.outputs, seed=seed)


def assert_agreement(
    network: Network, mode: str, answer: Answer, alter: Callable[[Workload], None] = lambda workload: None
) -> None:
    """Assert that outputs, loss and every gradient are PyTorch's; ``alter`` may change its network in place."""
    network = in_mode(network, mode)
    expected, in_float32 = (_reference(network, mode, precision, alter) for precision in ("fp64", "fp32"))
    (found,) = answer.outputs
    assert list(found) == list(expected) == (["logits"] if mode == "inference" else ["loss", *network.parameters])
    assert {name: each.shape for name, each in found.items()} == {name: each.shape for name, each in expected.items()}
    # A gradient may be zero, as that of a bias before a BatchNorm: it is compared with the others.
    least = 0.01 * max(float(np.linalg.norm(value)) for value in expected.values())
    errors = {name: error(found[name], value, least) for name, value in expected.items()}
    of_pytorch = max(error(in_float32[name], value, least) for name, value in expected.items())
    bound = max(LEAST_BOUND, TIMES_PYTORCH * of_pytorch)
    assert {name: each for name, each in errors.items() if not each <= bound} == {}, f"the bound is {bound}"
    weights = random_weights(network)
    for path, values in answer.parameters.items():
        # A training step has moved the running statistics.
        if mode == "inference" or path in network.parameters:
            np.testing.assert_allclose(values, weights[path], rtol=1e-6, err_msg=path)


def _reference(network: Network, mode: str, precision: str, alter: Callable[[Workload], None]) -> Arrays:
    workload = open_workload("pytorch", without_dropout(network), mode, precision=precision, batch_size=BATCH_SIZE)
    alter(workload)
    workload.load(random_weights(network))
    images, labels = batch(network, 0)
    inputs = [images] if mode == "inference" else [images, labels]
    workload.batch = [workload.upload(values) for values in inputs]
    return workload.read(workload.run())


def assert_follows_the_formulas(name: str, answer: Answer) -> None:
    """Assert the loss of each step, all weights and running statistics at the end, and the prediction by these."""
    workload = open_workload("pytorch", UPDATED, "training", precision="fp64", batch_size=BATCH_SIZE)
    initial = random_weights(UPDATED)
    workload.load(initial)
    weights = {path: initial[path] for path in UPDATED.parameters}
    state: dict[str, Any] = {}
    for step in range(STEPS):
        workload.load(weights)
        workload.batch = [workload.upload(values) for values in batch(UPDATED, step)]
        gradients = workload.read(workload.run())
        assert answer.outputs[step]["loss"] == pytest.approx(float(gradients.pop("loss")), rel=1e-4)
        weights = updated(UPDATES[name], step, weights, gradients, state)
    expected = {**workload.parameters(), **weights}
    assert list(answer.parameters) == [*UPDATED.parameters, *UPDATED.buffers]
    for path, values in answer.parameters.items():
        assert error(values - initial[path], expected[path] - initial[path]) < UPDATE_BOUND, path
    inference = open_workload("pytorch", UPDATED, "inference", precision="fp64", batch_size=BATCH_SIZE)
    inference.load(expected)
    inference.batch = [inference.upload(batch(UPDATED, 0)[0])]
    assert answer.predicted is not None
    assert error(answer.predicted, inference.read(inference.run())["logits"]) < UPDATE_BOUND


def error(found: np.ndarray, expected: np.ndarray, least: float = 0.0) -> float:
    """Return the distance, relative to the norm of what is expected, or to ``least`` if that is more."""
    return float(np.linalg.norm(found - expected) / max(float(np.linalg.norm(expected)), least))
