"""Caffe computes what PyTorch computes: outputs, loss, every gradient, and the weights after updates.

Caffe has float32 only. It is compared with PyTorch in float64, and may be as far from it as PyTorch's own float32 is,
within a factor: how much rounding matters depends on the network, so that no fixed bound suits both a shallow and a
deep one. Everything runs in one process of the interpreter of ``nox -s env-caffe``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from networks import googlenet_like, narrow, open_workload, random_weights, resnet_like, vgg_like
from old_frameworks import Answer, Arrays, Job, run_jobs
from reference_updates import updated

from dlworkloads import models
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
"""A hundred roundings of float32. What is computed otherwise differs by percents."""
MOST_OF_SMALL = 1e-3
"""The largest bound for a small network, in which no rounding may matter so much."""
UPDATE_BOUND = 1e-3
"""The relative error of all updates together. One changes a weight by a thousandth, with the weight's own rounding."""
STEPS = 5


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
            Dense(12, bias=False),
            BatchNorm(0.1),
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
    """Return a network of the suite; a large one with an eighth of its width, for images of 75 by 75."""
    network = models.build(name)
    if network.input_shape[-1] >= 224:
        network = replace(network, input_shape=(3, 75, 75), body=narrow(network.body, 8))
    return network


SMALL: Mapping[str, Callable[[], Network]] = {
    "vgg_like": lambda: without_dropout(vgg_like()),
    "googlenet_like": lambda: without_dropout(googlenet_like()),
    **{build.__name__: build for build in (resnet_like, overwritten, pooled, hardly_dropped)},
}
SUITE = tuple(name for name in models.names() if not name.startswith("vit"))
IN_MODES = pytest.mark.parametrize("mode", ["inference", "training"])


@IN_MODES
@pytest.mark.parametrize("name", SMALL)
def test_every_layer_agrees(caffe: Callable[..., Answer], name: str, mode: str) -> None:
    assert_agreement(SMALL[name](), mode, caffe(name, mode), MOST_OF_SMALL)


@pytest.mark.slow
@IN_MODES
@pytest.mark.parametrize("name", SUITE)
def test_every_network_agrees(caffe: Callable[..., Answer], name: str, mode: str) -> None:
    assert_agreement(of_suite(name), mode, caffe(name, mode))


def assert_agreement(network: Network, mode: str, answer: Answer, most: float = math.inf) -> None:
    expected, in_float32 = (reference(network, mode, precision) for precision in ("fp64", "fp32"))
    (found,) = answer.outputs
    assert list(found) == list(expected) == (["logits"] if mode == "inference" else ["loss", *network.parameters])
    assert {name: each.shape for name, each in found.items()} == {name: each.shape for name, each in expected.items()}
    # A gradient may be zero, as that of a bias before a BatchNorm: it is compared with the others.
    least = 0.01 * max(float(np.linalg.norm(value)) for value in expected.values())
    errors = {name: error(found[name], value, least) for name, value in expected.items()}
    of_pytorch = max(error(in_float32[name], value, least) for name, value in expected.items())
    bound = min(most, max(LEAST_BOUND, TIMES_PYTORCH * of_pytorch))
    assert {name: each for name, each in errors.items() if not each <= bound} == {}, f"the bound is {bound}"
    weights = random_weights(network)
    for path, values in answer.parameters.items():
        # A training step has moved the running statistics.
        if mode == "inference" or path in network.parameters:
            np.testing.assert_allclose(values, weights[path], rtol=1e-6, err_msg=path)


OPTIMISERS_TESTED = {
    **{name: each for name, each in OPTIMISERS.items() if name != "adam"},
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
UPDATED = Network("small", (3, 6, 5), Sequential(Conv2d(4, 3, bias=False), BatchNorm(), ReLU(), Flatten(), Dense(5)))


@pytest.mark.parametrize("name", OPTIMISERS_TESTED)
def test_updates_follow_the_formulas(caffe: Callable[..., Answer], name: str) -> None:
    """Loss and logits of each step, all weights and running statistics, and predictions after the last step."""
    optimiser, answer = OPTIMISERS_TESTED[name], caffe(name, "update")
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
        weights = updated(optimiser, step, weights, gradients, state)
    expected = {**workload.parameters(), **weights}
    assert list(answer.parameters) == [*UPDATED.parameters, *UPDATED.buffers]
    for path, values in answer.parameters.items():
        assert error(values - initial[path], expected[path] - initial[path]) < UPDATE_BOUND, path
    inference = open_workload("pytorch", UPDATED, "inference", precision="fp64", batch_size=BATCH_SIZE)
    inference.load(expected)
    inference.batch = [inference.upload(batch(UPDATED, 0)[0])]
    assert answer.predicted is not None
    assert error(answer.predicted, inference.read(inference.run())["logits"]) < UPDATE_BOUND


@pytest.fixture(scope="module")
def caffe(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Answer]:
    """Return a function that returns what Caffe has computed, by the name of a network or optimiser and the mode."""

    @cache
    def answers(group: str) -> Mapping[tuple[str, str], Answer]:
        jobs = JOBS[group]()
        found = run_jobs("caffe", list(jobs.values()), tmp_path_factory.mktemp("caffe"))
        return dict(zip(jobs, found, strict=True))

    return lambda name, mode: answers("suite" if name in SUITE and mode != "update" else "small")[name, mode]


def jobs_of(networks: Mapping[str, Network]) -> dict[tuple[str, str], Job]:
    return {
        (name, mode): Job(network, mode, random_weights(network), [batch(network, 0)], "fp32")
        for name, network in networks.items()
        for mode in ("inference", "training")
    }


def jobs_of_updates() -> dict[tuple[str, str], Job]:
    batches = [batch(UPDATED, step) for step in range(STEPS)]
    weights = random_weights(UPDATED)
    return {
        (name, "update"): Job(UPDATED, "update", weights, batches, "fp32", optimiser)
        for name, optimiser in OPTIMISERS_TESTED.items()
    }


JOBS: Mapping[str, Callable[[], dict[tuple[str, str], Job]]] = {
    "small": lambda: {**jobs_of({name: build() for name, build in SMALL.items()}), **jobs_of_updates()},
    "suite": lambda: jobs_of({name: without_dropout(of_suite(name)) for name in SUITE}),
}


def batch(network: Network, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images and labels; each seed has others."""
    images = synthetic.images(BATCH_SIZE, network.input_shape, seed=seed)
    if network.loss == "binary_cross_entropy":
        return images, synthetic.labels(BATCH_SIZE, 2, seed=seed)[:, None].astype(np.float32)
    return images, synthetic.labels(BATCH_SIZE, network.outputs, seed=seed)


def reference(network: Network, mode: str, precision: str) -> Arrays:
    """Return what PyTorch computes."""
    workload = open_workload("pytorch", without_dropout(network), mode, precision=precision, batch_size=BATCH_SIZE)
    workload.load(random_weights(network))
    images, labels = batch(network, 0)
    inputs = [images] if mode == "inference" else [images, labels]
    workload.batch = [workload.upload(values) for values in inputs]
    return workload.read(workload.run())


def error(found: np.ndarray, expected: np.ndarray, least: float = 0.0) -> float:
    """Return the distance, relative to the norm of what is expected, or to ``least`` if that is more."""
    return float(np.linalg.norm(found - expected) / max(float(np.linalg.norm(expected)), least))
