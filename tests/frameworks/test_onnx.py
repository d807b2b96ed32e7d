"""The ONNX models of the networks compute what PyTorch computes, by ONNX's own evaluator and in both runtimes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from networks import random_weights

from dlworkloads.base.workload import Workload
from dlworkloads.data import synthetic
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import BatchNorm, Dense, Flatten, GlobalAveragePool, MaxPool
from dlworkloads.models.network import Network

onnx = pytest.importorskip("onnx")

RUNTIMES = pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])


def translated(network: Network, batch_size: int, dtype: str, **options: Any) -> Any:
    from dlworkloads.frameworks.onnx.translation import Translation

    return Translation(network, random_weights(network).__getitem__, np.dtype(dtype), **options).logits(batch_size)


def test_every_model_computes_the_network_in_float64(
    assert_model_agrees: Callable[..., None], small_network: Network
) -> None:
    assert_model_agrees(small_network.for_inference())


@pytest.mark.parametrize("small_network", ["googlenet_like"], indirect=True)
def test_local_response_norm_in_elementary_operators_computes_the_same(
    assert_model_agrees: Callable[..., None], small_network: Network
) -> None:
    assert_model_agrees(small_network, composes_local_response_norm=True)


@pytest.fixture
def assert_model_agrees(open_workload: Callable[..., Workload]) -> Callable[..., None]:
    """Assert that ONNX's own evaluator computes what PyTorch computes; the runtimes have no kernels for float64.

    With as many images as channels are normalised: the evaluator's LRN runs over images where it should over channels.
    """
    from onnx.reference import ReferenceEvaluator

    def check(network: Network, **options: Any) -> None:
        model = translated(network, 8, "float64", **options)
        onnx.checker.check_model(model, full_check=True)
        images = synthetic.images(8, network.input_shape).astype(np.float64)
        (found,) = ReferenceEvaluator(model).run(None, {"images": images})
        reference = open_workload("pytorch", network, "inference", precision="fp64", batch_size=8)
        reference.load(random_weights(network))
        expected = reference.read(reference.run())["logits"]
        assert np.linalg.norm(found - expected) <= 1e-8 * np.linalg.norm(expected)

    return check


@RUNTIMES
def test_every_layer_agrees_in_float32(
    assert_agreement: Callable[..., None], small_network: Network, runtime: str
) -> None:
    assert_agreement(runtime, small_network, "inference", 1e-4, precision="fp32")


@RUNTIMES
def test_every_network_agrees_in_float32(
    assert_agreement: Callable[..., None], suite_network: Network, runtime: str
) -> None:
    assert_agreement(runtime, suite_network, "inference", 1e-4, precision="fp32", batch_size=2)


@RUNTIMES
def test_a_window_that_leaves_the_image_agrees(assert_agreement: Callable[..., None], runtime: str) -> None:
    """Of ONNX's ``ceil_mode``, versions and runtimes give different sizes where the window begins in the padding."""
    for size, kernel, stride, padding in ((6, 3, 2, 1), (7, 2, 3, 1), (5, 3, 4, 0)):
        body = Sequential(MaxPool(kernel, stride, padding, ceil_mode=True), Flatten(), Dense(3))
        assert_agreement(runtime, Network("pooled", (2, size, size), body), "inference", 1e-4, precision="fp32")


@pytest.mark.parametrize("small_network", ["googlenet_like", "resnet_like", "vit_like"], indirect=True)
def test_a_model_in_float16_has_one_type(small_network: Network) -> None:
    """For a GPU. A CPU computes it in float32, with casts."""
    onnxruntime = pytest.importorskip("onnxruntime")
    images = synthetic.images(2, small_network.input_shape)
    logits = []
    for dtype in ("float16", "float32"):
        session = onnxruntime.InferenceSession(translated(small_network, 2, dtype).SerializeToString())
        logits.append(session.run(None, {"images": images.astype(dtype)})[0])
    assert logits[0].dtype == np.float16
    np.testing.assert_allclose(logits[0], logits[1], rtol=0.05, atol=0.05)


@RUNTIMES
def test_statistics_are_those_of_the_batch(open_workload: Callable[..., Workload], runtime: str) -> None:
    network = Network("normalised", (3, 5, 6), Sequential(BatchNorm(), GlobalAveragePool(), Dense(6), BatchNorm()))
    workload = open_workload(runtime, network, "inference", batch_size=4)
    images = synthetic.images(4, network.input_shape)
    parameters = workload.parameters()
    np.testing.assert_allclose(parameters["0.running_mean"], images.mean((0, 2, 3)), rtol=1e-4)
    np.testing.assert_allclose(parameters["0.running_var"], images.var((0, 2, 3)), rtol=1e-4)
    # The second BatchNorm sees what the first one has normalised, so its logits are normalised themselves.
    logits = workload.read(workload.run())["logits"]
    np.testing.assert_allclose(logits.mean(0), np.zeros(6), atol=1e-3)
    workload.load(parameters)
    np.testing.assert_allclose(workload.read(workload.run())["logits"], logits, atol=1e-6)


@RUNTIMES
def test_parameters_come_back_as_they_were_loaded(
    open_workload: Callable[..., Workload], small_network: Network, runtime: str
) -> None:
    network = small_network.for_inference()
    weights = random_weights(network)
    workload = open_workload(runtime, network, "inference")
    workload.load(weights)
    parameters = workload.parameters()
    assert list(parameters) == [*network.parameters, *network.buffers]
    for path, values in weights.items():
        np.testing.assert_array_equal(parameters[path], values.astype(np.float32))
    with pytest.raises(KeyError):
        workload.load({"no.such.weight": np.zeros(1)})


@RUNTIMES
def test_statistics_are_those_of_the_first_images_of_a_large_batch(
    open_workload: Callable[..., Workload], runtime: str
) -> None:
    """The batch has more images than BatchNorm gets its statistics from."""
    pytest.importorskip(runtime)
    network = Network("normalised", (3, 6, 6), Sequential(BatchNorm(), GlobalAveragePool(), Dense(4)))
    workload = open_workload(runtime, network, "inference", batch_size=9)
    images = synthetic.images(9, network.input_shape)[:8]
    means = workload.parameters()["0.running_mean"]
    np.testing.assert_allclose(means, images.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    assert workload.read(workload.run())["logits"].shape == (9, 4)
