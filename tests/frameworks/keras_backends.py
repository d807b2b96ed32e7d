"""Keras on PyTorch and on JAX: what `test_keras_backends` runs, in one process for each backend.

A process has one backend of Keras, which is TensorFlow in the process of the other tests.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from networks import TESTED_FRAMEWORK, random_weights

from dlworkloads.base.external_network import ExternalNetwork
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import (
    BatchNorm,
    Conv2d,
    Dense,
    Flatten,
    GlobalAveragePool,
    LocalResponseNorm,
    ReLU,
    SelfAttention,
    TakeToken,
    Tokens,
)
from dlworkloads.models.network import Network
from dlworkloads.opening import open_step
from dlworkloads.optimisers import OPTIMISERS
from pytest_throughput import Unsupported

FRAMEWORK = os.environ[TESTED_FRAMEWORK]
KNOWN = FRAMEWORKS[FRAMEWORK]
DEFAULT_LAYOUT = {"keras-torch": "nchw", "keras-jax": "nhwc"}[FRAMEWORK]
OTHER_LAYOUT = {"nchw": "nhwc", "nhwc": "nchw"}[DEFAULT_LAYOUT]
TINY = Network("tiny", (3, 8, 8), Sequential(Conv2d(4, 3), ReLU(), Flatten(), Dense(5)))
MODES = ("inference", "training")
SLOW_IN_TORCH = () if FRAMEWORK == "keras-jax" else pytest.mark.slow
"""For what compiles: torch.compile traces all of Keras' code."""
AXES: dict[str, Any] = {
    "mode": "inference",
    "framework": FRAMEWORK,
    "device": "cpu",
    "model": "letter_mlp",
    "batch_size": 2,
    "precision": "fp32",
    "execution": KNOWN.default_execution,
    "threads": 1,
}


def bound_of(network: Network) -> float:
    """Return how near a network has to be to PyTorch's: JAX computes the scores of attention in float32."""
    has_attention = any(isinstance(layer, SelfAttention) for _, layer, _, _ in network.walk())
    return 1e-6 if FRAMEWORK == "keras-jax" and has_attention else 1e-8


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("mode", MODES)
def test_every_layer_agrees(assert_agreement: Callable[..., None], small_network: Network, mode: str) -> None:
    assert_agreement(FRAMEWORK, small_network, mode, bound_of(small_network))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("small_network", ["googlenet_like"], indirect=True)
def test_layers_agree_in_the_other_layout(assert_agreement: Callable[..., None], small_network: Network) -> None:
    assert_agreement(FRAMEWORK, small_network, "inference", 1e-8, layout=OTHER_LAYOUT)


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("mode", MODES)
def test_every_network_agrees(assert_agreement: Callable[..., None], suite_network: Network, mode: str) -> None:
    assert_agreement(FRAMEWORK, suite_network, mode, bound_of(suite_network), batch_size=2)


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("mode", MODES)
def test_a_compiled_step_agrees(assert_agreement: Callable[..., None], mode: str) -> None:
    assert_agreement(FRAMEWORK, TINY, mode, 1e-8, execution="compiled")


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
def test_compiled_updates_agree_with_eager_ones(open_workload: Callable[..., Any]) -> None:
    options: dict[str, Any] = {"precision": "fp64", "optimiser": OPTIMISERS["adam"]}
    trained = []
    for execution in KNOWN.executions:
        workload = open_workload(FRAMEWORK, TINY, "training", execution=execution, **options)
        workload.restart(random_weights(TINY))
        workload.run()
        compiled = workload.compilations()
        for _ in range(3):
            output = workload.read(workload.run())
        assert workload.compilations() == compiled == int(execution == "compiled")
        predicted = workload.read(workload.predict(workload.batch[0]))
        trained.append({**output, "predicted": predicted["logits"], **workload.parameters()})
    for name, values in trained[0].items():
        np.testing.assert_allclose(trained[-1][name], values, rtol=1e-8, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("precision", "name"), [("fp32", "float32"), ("bf16", "bfloat16")])
def test_the_precision_is_the_one_asked_for(
    open_workload: Callable[..., Any], precision: str, name: str, mode: str
) -> None:
    workload = open_workload(FRAMEWORK, TINY, mode, precision=precision)
    workload.load(random_weights(TINY))
    output = workload.run()
    kept = name if mode == "inference" else "float32"
    assert workload.dtypes(output) == {"weights": kept, "images": kept, "computation": name}
    if mode == "inference":
        assert str(output.dtype).removeprefix("torch.") == name
    for path, values in workload.read(output).items():
        assert np.isfinite(values).all() and np.linalg.norm(values) > 0, path


def test_a_step_runs_and_describes_itself() -> None:
    step = open_step(**{**AXES, "mode": "training"})
    step.wait(step.run())
    assert step.check is not None and step.check(step.run()) is None
    assert step.metadata["layout"] == step.metadata["settings"]["layout"] == DEFAULT_LAYOUT
    assert step.metadata["settings"]["tf32_convolution"] is False
    assert {"keras", KNOWN.package} <= set(step.metadata["versions"])
    assert step.asynchronous is False
    step.products[KNOWN.display_name](8)()
    assert step.close is not None
    step.close()


@pytest.mark.parametrize("mode", [pytest.param(each, marks=SLOW_IN_TORCH) for each in MODES])
def test_a_step_is_compiled_once(open_workload: Callable[..., Any], mode: str) -> None:
    workload = open_workload(FRAMEWORK, TINY, mode, execution="compiled")
    before = workload.compilations()
    workload.run()
    compiled = workload.compilations()
    assert compiled == before + 1
    assert (workload.compile_seconds() or 0) > 0
    for _ in range(3):
        assert workload.is_finite(workload.run())
    assert workload.compilations() == compiled


@pytest.mark.slow
@pytest.mark.skipif(FRAMEWORK != "keras-torch", reason="only torch.compile can fail to make one graph")
@pytest.mark.parametrize("mode", MODES)
def test_attention_and_local_response_normalisation_are_one_graph(open_workload: Callable[..., Any], mode: str) -> None:
    """So are the layers after them."""
    layers = (LocalResponseNorm(3), Conv2d(4, 3), Tokens(), SelfAttention(2), TakeToken(0), Dense(2))
    workload = open_workload(FRAMEWORK, Network("both", (3, 5, 6), Sequential(*layers)), mode, execution="compiled")
    before = workload.compilations()
    assert workload.is_finite(workload.run()) and workload.compilations() == before + 1
    workload.close()


@pytest.mark.slow
def test_a_network_of_keras_zoo_has_the_layout_of_the_backend() -> None:
    case = {**AXES, "model": "keras:MobileNet", "batch_size": 1}
    step = open_step(**case)
    assert step.metadata["layout"] == DEFAULT_LAYOUT
    assert step.metadata["parameters"] == 4_231_976
    assert step.metadata["flops_per_image"] is None
    with pytest.raises(Unsupported, match="keras:MobileNet has a layout of its own: leave --layout out"):
        open_step(**case, layout=DEFAULT_LAYOUT)


@pytest.mark.slow
@pytest.mark.skipif(FRAMEWORK != "keras-torch", reason="only torch.compile can fail to make one graph")
def test_what_torch_cannot_compile_as_one_graph_is_refused(open_workload: Callable[..., Any]) -> None:
    """Such as ZeroPadding2D, which makes an operation with a new name in each step."""
    import keras

    layers = keras.layers
    model = keras.Sequential([layers.ZeroPadding2D(), layers.GlobalAveragePooling2D(), layers.Dense(2)])
    network = ExternalNetwork("padded", model, (5, 6, 3), 0.0)
    with pytest.raises(Unsupported, match=r"torch\.compile cannot make one graph of .* in Keras .* ask for eager"):
        open_workload(FRAMEWORK, network, "inference", execution="compiled").run()


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
def test_batch_normalisation_is_compiled_in_training(assert_agreement: Callable[..., None]) -> None:
    network = Network("normalised", (3, 5, 6), Sequential(BatchNorm(), GlobalAveragePool(), Dense(2)))
    assert_agreement(FRAMEWORK, network, "training", 1e-8, execution="compiled")


@pytest.mark.skipif(FRAMEWORK != "keras-torch", reason="JAX computes in float16")
def test_float16_is_refused_where_keras_would_compute_in_float32(open_workload: Callable[..., Any]) -> None:
    with pytest.raises(Unsupported, match="multiplies matrices of float16 in float32 on a CPU: ask for bf16"):
        open_workload(FRAMEWORK, TINY, "inference", precision="fp16")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"precision": "tf32"}, "the device is the CPU: ask for fp32"),
        ({"execution": "graph"}, "there is no execution of Keras on .* 'graph': the known ones are"),
        ({"framework": "tensorflow", "execution": "graph"}, "needs KERAS_BACKEND=tensorflow, but this process already"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_can(given: dict[str, str], message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        open_step(**{**AXES, **given})
