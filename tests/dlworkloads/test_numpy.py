"""The NumPy reference is a framework like any other, but for what it cannot do."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from networks import random_weights

from dlworkloads.base.external_network import ExternalNetwork
from dlworkloads.data import synthetic
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import BatchNorm, Dense, Dropout, GlobalAveragePool
from dlworkloads.models.network import Network
from dlworkloads.opening import open_step
from pytest_throughput import Unsupported

AXES: dict[str, Any] = {
    "mode": "inference",
    "framework": "numpy",
    "device": "cpu",
    "model": "mnist_cnn",
    "batch_size": 2,
    "precision": "fp32",
    "execution": "eager",
    "threads": 1,
}


def test_a_step_runs_and_describes_itself() -> None:
    step = open_step(**AXES)
    logits = step.run()
    step.wait(logits)
    assert logits.shape == (2, 10) and logits.dtype == np.float32 and np.isfinite(logits).all()
    metadata = json.loads(json.dumps(dict(step.metadata)))
    assert metadata["layout"] == "nchw"
    assert (metadata["parameters"], metadata["unit"]) == (1_199_882, "images")
    assert metadata["settings"]["threads"] == 1
    assert step.close is not None
    step.close()


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", np.float32), ("fp64", np.float64)])
def test_a_step_brings_a_product_of_matrices(precision: str, dtype: type) -> None:
    step = open_step(**{**AXES, "precision": precision})
    product: Any = step.products["NumPy"](3)()
    assert (list(step.products), product.shape, product.dtype) == (["NumPy"], (3, 3), dtype)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mode": "training"}, "NumPy does inference only, and the mode is training: ask for inference"),
        ({"device": "cuda"}, "the device is cuda: ask for cpu"),
        ({"precision": "bf16"}, "NumPy has no bf16 products: ask for fp32"),
        ({"layout": "nhwc"}, "written for nchw"),
        ({"execution": "graph"}, "no execution of NumPy 'graph': the known ones are eager"),
    ],
)
def test_what_it_cannot_do_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        open_step(**{**AXES, **given})


def test_it_has_no_modules_of_its_own(open_workload: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="net:build gave object, and numpy takes a dlworkloads Network"):
        open_workload("numpy", ExternalNetwork("net:build", object(), (3, 4, 4), 0.0), "inference")


def test_inference_uses_the_statistics_of_one_batch_and_keeps_them(open_workload: Callable[..., Any]) -> None:
    network = Network("normalised", (3, 5, 6), Sequential(BatchNorm(), GlobalAveragePool(), Dense(2)))
    workload = open_workload("numpy", network, "inference", batch_size=4)
    images = synthetic.images(4, network.input_shape)
    for _ in range(2):
        workload.run()
        np.testing.assert_allclose(workload.parameters()["0.running_mean"], images.mean((0, 2, 3)), rtol=1e-4)
        np.testing.assert_allclose(workload.parameters()["0.running_var"], images.var((0, 2, 3)), rtol=1e-4)


def test_dropout_drops_nothing_in_inference(open_workload: Callable[..., Any]) -> None:
    network = Network("dropped", (8,), Sequential(Dropout(0.9), Dense(3)))
    workload = open_workload("numpy", network, "inference")
    weights = workload.parameters()
    expected = synthetic.images(3, (8,)) @ weights["1.weight"].T + weights["1.bias"]
    np.testing.assert_allclose(workload.read(workload.run())["logits"], expected, rtol=1e-5)


def test_parameters_come_back_as_they_were_loaded(open_workload: Callable[..., Any], small_network: Network) -> None:
    network = small_network.for_inference()
    weights = random_weights(network)
    workload = open_workload("numpy", network, "inference", precision="fp64")
    workload.load(weights)
    parameters = workload.parameters()
    assert list(parameters) == [*network.parameters, *network.buffers]
    for path, values in weights.items():
        np.testing.assert_array_equal(parameters[path], values)
    with pytest.raises(KeyError):
        workload.load({"no.such.weight": np.zeros(1)})
