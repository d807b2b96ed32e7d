"""Every framework computes the same network: same weights and same input, same outputs and same gradients.

In float64, where agreement means something: in float32 the gradients of a deep network differ by percents between two
layouts of one framework.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from networks import random_weights

from dlworkloads.base.workload import Workload
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import Conv2d, Dense, Flatten, LocalResponseNorm, ReLU
from dlworkloads.models.network import Network
from pytest_throughput import Unsupported

LAYOUTS = {"pytorch": "nhwc", "tensorflow": "nhwc", "jax": "nhwc", "numpy": "nchw"}
"""PyTorch in nchw is what all are compared with."""

IN_INFERENCE = pytest.mark.parametrize("framework", ["pytorch", "tensorflow", "jax", "numpy"])
IN_TRAINING = pytest.mark.parametrize("framework", ["pytorch", "tensorflow", "jax"])

JAX = pytest.param("jax", "compiled", marks=pytest.mark.slow)
"""XLA compiles large networks for seconds. The small ones have every layer, and are not slow."""


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


@pytest.mark.parametrize(("framework", "execution"), [("tensorflow", "eager"), JAX, ("numpy", "eager")])
def test_every_network_agrees_in_inference(
    assert_agreement: Callable[..., None], suite_network: Network, framework: str, execution: str
) -> None:
    options = {"layout": LAYOUTS[framework], "batch_size": 2, "execution": execution}
    assert_agreement(framework, suite_network, "inference", 1e-8, precision="fp64", **options)
    assert_agreement(framework, suite_network, "inference", 1e-4, precision="fp32", **options)


@pytest.mark.parametrize(("framework", "execution"), [("tensorflow", "eager"), JAX])
def test_every_network_agrees_in_training(
    assert_agreement: Callable[..., None], suite_network: Network, framework: str, execution: str
) -> None:
    """Its loss and every gradient."""
    options = {"layout": "nhwc", "batch_size": 2, "execution": execution}
    assert_agreement(framework, suite_network, "training", 1e-8, **options)


@pytest.mark.parametrize(
    ("framework", "execution", "mode"),
    [
        ("pytorch", "compiled", "inference"),
        pytest.param("pytorch", "compiled", "training", marks=pytest.mark.slow),
        ("tensorflow", "compiled", "training"),
        ("tensorflow", "compiled", "inference"),
        ("tensorflow", "eager", "training"),
        ("jax", "eager", "inference"),
        ("jax", "eager", "training"),
    ],
)
def test_every_execution_agrees(
    assert_agreement: Callable[..., None], framework: str, execution: str, mode: str
) -> None:
    network = Network("tiny", (3, 8, 8), Sequential(Conv2d(4, 3), ReLU(), Flatten(), Dense(5)))
    assert_agreement(framework, network, mode, 1e-8, execution=execution)


def test_jax_computes_channels_first(assert_agreement: Callable[..., None], small_network: Network) -> None:
    """Losses and gradients follow from the outputs, too."""
    assert_agreement("jax", small_network, "training", 1e-8, layout="nchw")


@pytest.mark.parametrize("small_network", ["resnet_like"], indirect=True)
def test_jax_computes_channels_first_in_inference(
    assert_agreement: Callable[..., None], small_network: Network
) -> None:
    """Of the layers of images, batch normalisation alone computes something else then."""
    assert_agreement("jax", small_network, "inference", 1e-8, layout="nchw")


@pytest.mark.slow
def test_frozen_weights_agree(assert_agreement: Callable[..., None], small_network: Network) -> None:
    """In float32: on a CPU, PyTorch cannot freeze the weights of float64 convolutions."""
    assert_agreement("pytorch", small_network, "inference", 1e-4, precision="fp32", execution="compiled-frozen")


@pytest.mark.parametrize("small_network", ["googlenet_like", "resnet_like"], indirect=True)
@pytest.mark.parametrize("execution", ["eager", "graph"])
def test_tensorflow_computes_channels_first_on_a_cpu(
    assert_agreement: Callable[..., None], small_network: Network, execution: str
) -> None:
    """With the kernels of oneDNN, which have no float64."""
    pytest.importorskip("tensorflow")
    options = {"layout": "nchw", "precision": "fp32", "execution": execution}
    try:
        assert_agreement("tensorflow", small_network, "training", 1e-4, **options)
    except Unsupported as error:
        pytest.skip(str(error))


def test_channels_first_without_a_kernel_are_refused(open_workload: Callable[..., Workload]) -> None:
    network = Network("tiny", (3, 8, 8), Sequential(Conv2d(4, 3), Flatten(), Dense(5)))
    for execution, mode in (("graph", "training"), ("compiled", "inference")):
        with pytest.raises(Unsupported, match="no kernels for nchw convolutions in float64 on this CPU: ask for nhwc"):
            open_workload("tensorflow", network, mode, precision="fp64", layout="nchw", execution=execution)
    open_workload("tensorflow", network, "training", precision="fp64", layout="nchw", execution="compiled").run()


def test_a_bias_that_keras_would_add_along_the_width_is_refused(open_workload: Callable[..., Workload]) -> None:
    """Where images are as wide as they have channels; Keras' own layer then gives other values."""
    network = Network("square", (2, 5, 4), Sequential(Conv2d(3, 2), Flatten(), Dense(4)))
    with pytest.raises(Unsupported, match=r"adds the bias of an nchw convolution along the width .* here 3: ask for"):
        open_workload("tensorflow", network, "training", layout="nchw", execution="compiled")
    open_workload("tensorflow", network, "training", layout="nhwc")


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_tensorflows_own_local_response_norm_agrees(assert_agreement: Callable[..., None], mode: str) -> None:
    """Its kernel has no float64, so that elsewhere a composition of elementary operations is compared."""
    body = Sequential(LocalResponseNorm(5, alpha=0.5, beta=0.75, k=2.0), Flatten(), Dense(3))
    network = Network("normalised", (8, 4, 4), body)
    assert_agreement("tensorflow", network, mode, 1e-5, precision="fp32")


def test_parameters_come_back_as_they_were_loaded(
    open_workload: Callable[..., Workload], small_network: Network, framework: str
) -> None:
    network = small_network.for_inference()
    weights = random_weights(network)
    workload = open_workload(framework, network, "inference", precision="fp64")
    workload.load(weights)
    parameters = workload.parameters()
    assert list(parameters) == [*network.parameters, *network.buffers]
    for path, values in weights.items():
        np.testing.assert_array_equal(parameters[path], values)
    with pytest.raises(KeyError):
        workload.load({"no.such.weight": np.zeros(1)})
