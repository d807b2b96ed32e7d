"""Every framework computes the same network: same weights and same input, same outputs and same gradients.

In float64, where agreement means something: in float32 the gradients of a deep network differ by percents between two
layouts of one framework.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dlworkloads.frameworks.workload import Workload
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import Conv2d, Dense, Flatten, LocalResponseNorm, ReLU
from dlworkloads.models.network import Network

LAYOUTS = {"pytorch": "nhwc", "tensorflow": "nhwc", "numpy": "nchw"}
"""PyTorch in nchw is what all are compared with."""

IN_INFERENCE = pytest.mark.parametrize("framework", ["pytorch", "tensorflow", "numpy"])
IN_TRAINING = pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])


@IN_INFERENCE
def test_every_layer_agrees_in_float64_inference(
    assert_agreement: Callable[..., None], small_network: Network, framework: str
) -> None:
    assert_agreement(framework, small_network, "inference", 1e-8, layout=LAYOUTS[framework])


@IN_TRAINING
def test_every_layer_agrees_in_float64_training(
    assert_agreement: Callable[..., None], small_network: Network, framework: str
) -> None:
    assert_agreement(framework, small_network, "training", 1e-8, layout=LAYOUTS[framework])


@IN_INFERENCE
def test_every_layer_agrees_in_float32_inference(
    assert_agreement: Callable[..., None], small_network: Network, framework: str
) -> None:
    assert_agreement(framework, small_network, "inference", 1e-4, precision="fp32", layout=LAYOUTS[framework])


@pytest.mark.parametrize("framework", ["tensorflow", "numpy"])
def test_every_network_agrees_in_inference(
    assert_agreement: Callable[..., None], suite_network: Network, framework: str
) -> None:
    options = {"layout": LAYOUTS[framework], "batch_size": 2, "execution": "eager"}
    assert_agreement(framework, suite_network, "inference", 1e-8, precision="fp64", **options)
    assert_agreement(framework, suite_network, "inference", 1e-4, precision="fp32", **options)


def test_every_network_agrees_in_training(assert_agreement: Callable[..., None], suite_network: Network) -> None:
    """Its loss and every gradient."""
    options = {"layout": "nhwc", "batch_size": 2, "execution": "eager"}
    assert_agreement("tensorflow", suite_network, "training", 1e-8, **options)


@pytest.mark.parametrize(
    ("framework", "execution", "mode"),
    [
        ("pytorch", "compiled", "inference"),
        pytest.param("pytorch", "compiled", "training", marks=pytest.mark.slow),
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
