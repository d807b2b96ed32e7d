"""Every framework computes the same network: same weights and same input, same outputs and same gradients.

In float64, where agreement means something: in float32 the gradients of a deep network differ by percents between two
layouts of one framework.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dlworkloads import models
from dlworkloads.frameworks.base import Workload
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import Conv2d, Dense, Flatten, LocalResponseNorm, ReLU
from dlworkloads.models.network import Network

CANDIDATES = pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])  # PyTorch in nchw is the reference


@CANDIDATES
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_every_layer_agrees_in_float64(
    assert_agreement: Callable[..., None], small_network: Network, framework: str, mode: str
) -> None:
    assert_agreement(framework, small_network, mode, 1e-8, layout="nhwc")


@CANDIDATES
def test_every_layer_agrees_in_float32_inference(
    assert_agreement: Callable[..., None], small_network: Network, framework: str
) -> None:
    assert_agreement(framework, small_network, "inference", 1e-4, precision="fp32", layout="nhwc")


@CANDIDATES
def test_a_network_of_the_suite_agrees_in_training(assert_agreement: Callable[..., None], framework: str) -> None:
    assert_agreement(framework, models.build("mnist_cnn"), "training", 1e-8, layout="nhwc")


@CANDIDATES
def test_a_large_network_of_the_suite_agrees_in_inference(
    assert_agreement: Callable[..., None], framework: str
) -> None:
    network = models.build("alexnet")
    assert_agreement(framework, network, "inference", 1e-4, precision="fp32", layout="nhwc", batch_size=1)


@pytest.mark.parametrize(
    ("framework", "execution", "mode"),
    [
        ("pytorch", "compiled", "training"),
        ("tensorflow", "compiled", "training"),
        ("tensorflow", "compiled", "inference"),
        ("tensorflow", "eager", "training"),
    ],
)
def test_every_execution_agrees(
    assert_agreement: Callable[..., None], framework: str, execution: str, mode: str
) -> None:
    network = Network("tiny", (3, 8, 8), Sequential(Conv2d(4, 3), ReLU(), Flatten(), Dense(5)))
    assert_agreement(framework, network, mode, 1e-8, execution=execution)


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_tensorflows_own_local_response_norm_agrees(assert_agreement: Callable[..., None], mode: str) -> None:
    """Its kernel has no float64, so that elsewhere a composition of elementary operations is compared."""
    body = Sequential(LocalResponseNorm(5, alpha=0.5, beta=0.75, k=2.0), Flatten(), Dense(3))
    network = Network("normalised", (8, 4, 4), body)
    assert_agreement("tensorflow", network, mode, 1e-5, precision="fp32")


def test_parameters_come_back_as_they_were_loaded(
    open_workload: Callable[..., Workload], small_network: Network, weights: dict[str, np.ndarray], framework: str
) -> None:
    workload = open_workload(framework, small_network, "inference", precision="fp64")
    workload.load(weights)
    parameters = workload.parameters()
    assert list(parameters) == [*small_network.parameters, *small_network.buffers]
    for path, values in weights.items():
        np.testing.assert_array_equal(parameters[path], values)
    with pytest.raises(KeyError):
        workload.load({"no.such.weight": np.zeros(1)})
