"""A case does what its name says: its mode, its precision, its execution, and nothing besides."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from networks import frameworks_to_test

from dlworkloads.base.workload import Workload
from dlworkloads.data import synthetic
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import AveragePool, BatchNorm, Conv2d, Dense, Dropout, GlobalAveragePool
from dlworkloads.models.network import Network, without_dropout
from dlworkloads.optimisers import OPTIMISERS, Optimiser
from pytest_throughput import Unsupported

NORMALISED = Network("normalised", (3, 5, 6), Sequential(BatchNorm(), GlobalAveragePool(), Dense(2)))
DROPPED = Network("dropped", (8,), Sequential(Dense(1000), Dropout(0.25), Dense(2, bias=False)))


QUICK_TO_BUILD = [
    (name, execution)
    for name in frameworks_to_test()
    for execution in FRAMEWORKS[name].executions
    if execution in ("eager", "graph") or name in ("jax", "keras-jax")
]


SLOW_TO_COMPILE = pytest.mark.parametrize(
    "framework",
    [pytest.param(name, marks=pytest.mark.slow if name == "jax" else ()) for name in frameworks_to_test()],
    indirect=True,
)
"""For networks of many layers, all of which XLA compiles."""


@pytest.fixture(params=QUICK_TO_BUILD, ids="-".join)
def framework_and_execution(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Each framework in each execution that is quick to build."""
    framework, execution = request.param
    return framework, execution


def test_batch_statistics_move_in_training(
    open_workload: Callable[..., Any], framework_and_execution: tuple[str, str]
) -> None:
    framework, execution = framework_and_execution
    workload = open_workload(framework, NORMALISED, "training", execution=execution, batch_size=4)
    mean = synthetic.images(4, NORMALISED.input_shape).mean((0, 2, 3))
    workload.run()
    np.testing.assert_allclose(workload.parameters()["0.running_mean"], 0.1 * mean, rtol=1e-4)
    workload.run()
    np.testing.assert_allclose(workload.parameters()["0.running_mean"], 0.19 * mean, rtol=1e-4)


@pytest.mark.parametrize("batch_size", [4, 12])
def test_inference_uses_the_statistics_of_at_most_8_images_and_keeps_them(
    open_workload: Callable[..., Any], framework_and_execution: tuple[str, str], batch_size: int
) -> None:
    framework, execution = framework_and_execution
    workload = open_workload(framework, NORMALISED, "inference", execution=execution, batch_size=batch_size)
    images = synthetic.images(batch_size, NORMALISED.input_shape)[:8]
    for _ in range(2):
        parameters = workload.parameters()
        np.testing.assert_allclose(parameters["0.running_mean"], images.mean((0, 2, 3)), rtol=1e-4)
        # Of a sample or of a population: the frameworks differ by 1 in 120.
        np.testing.assert_allclose(parameters["0.running_var"], images.var((0, 2, 3)), rtol=0.01)
        workload.run()


def test_dropout_drops_in_training_and_each_time_others(
    open_workload: Callable[..., Any], framework_and_execution: tuple[str, str]
) -> None:
    framework, execution = framework_and_execution
    workload = open_workload(framework, DROPPED, "training", execution=execution, batch_size=1)
    dropped = [(workload.read(workload.run())["2.weight"] == 0).all(0) for _ in range(2)]
    for each in dropped:
        assert each.mean() == pytest.approx(0.25, abs=0.06)
    assert (dropped[0] != dropped[1]).any()


def test_dropout_keeps_all_in_inference(
    open_workload: Callable[..., Any], framework_and_execution: tuple[str, str]
) -> None:
    framework, execution = framework_and_execution
    workload = open_workload(framework, DROPPED, "inference", execution=execution)
    weights = workload.parameters()
    images = synthetic.images(3, (8,))
    expected = (images @ weights["0.weight"].T + weights["0.bias"]) @ weights["2.weight"].T
    for _ in range(2):
        np.testing.assert_allclose(workload.read(workload.run())["logits"], expected, rtol=1e-3, atol=1e-4)


def test_pytorch_builds_no_gradient_graph_in_inference(open_workload: Callable[..., Any]) -> None:
    workload = open_workload("pytorch", DROPPED, "inference")
    logits = workload.run()
    assert logits.is_inference() and not logits.requires_grad


def test_pytorch_accumulates_no_gradients(open_workload: Callable[..., Any]) -> None:
    workload = open_workload("pytorch", DROPPED, "training")
    loss, gradients = workload.run()
    assert loss.requires_grad and len(gradients) == 3
    assert all(parameter.grad is None for parameter in workload.model.parameters())


@SLOW_TO_COMPILE
@pytest.mark.parametrize("small_network", ["googlenet_like", "resnet_like", "vit_like"], indirect=True)
@pytest.mark.parametrize(("precision", "name"), [("fp32", "float32"), ("bf16", "bfloat16"), ("fp16", "float16")])
def test_the_precision_is_the_one_asked_for_and_suffices(
    open_workload: Callable[..., Any],
    framework: str,
    small_network: Network,
    weights: dict[str, np.ndarray],
    precision: str,
    name: str,
) -> None:
    inference = open_workload(framework, small_network, "inference", precision=precision)
    logits = inference.run()
    assert str(logits.dtype) in (name, f"torch.{name}", f"<dtype: {name!r}>")
    assert np.isfinite(inference.read(logits)["logits"]).all()
    assert all(values.dtype == np.float32 for values in inference.parameters().values())
    assert inference.settings["tf32_matmul"] is inference.settings["tf32_convolution"] is False
    # Dropout may drop all that a branch of a few channels gives, and with it every gradient.
    training = open_workload(framework, without_dropout(small_network), "training", precision=precision)
    training.load(weights)
    for path, values in training.read(training.run()).items():
        assert np.isfinite(values).all(), path
        assert np.linalg.norm(values) > 0, path


@SLOW_TO_COMPILE
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_every_network_stays_finite(
    open_workload: Callable[..., Any], suite_network: Network, framework: str, precision: str
) -> None:
    """With the weights that it is measured with, in the precisions whose range or digits are few."""
    execution = "compiled" if framework == "jax" else "eager"
    options = {"precision": precision, "execution": execution, "batch_size": 1}
    workload = open_workload(framework, suite_network, "inference", **options)
    logits = workload.read(workload.run())["logits"]
    assert np.isfinite(logits).all() and np.linalg.norm(logits) > 0


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("execution", ["graph", "compiled"])
def test_tensorflow_traces_once(open_workload: Callable[..., Any], execution: str, mode: str) -> None:
    workload = open_workload("tensorflow", NORMALISED, mode, execution=execution)
    for _ in range(5):
        workload.run()
    assert workload.function.experimental_get_tracing_count() == 1


def test_pytorch_compiles_once(open_workload: Callable[..., Any]) -> None:
    workload = open_workload("pytorch", DROPPED, "inference", execution="compiled")
    import torch

    torch._dynamo.utils.counters.clear()
    for _ in range(5):
        workload.run()
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("optimiser", [None, OPTIMISERS["sgd"]])
def test_what_torch_compile_is_known_to_fail_at_is_refused(
    open_workload: Callable[..., Any], optimiser: Optimiser | None
) -> None:
    """Two average pools in a row, as in `googlenet_like`. If a newer PyTorch compiles them, the refusal can go."""
    if "pytorch" in frameworks_to_test():
        framework = "pytorch"
    elif "keras-torch" in frameworks_to_test():
        framework = "keras-torch"
    else:
        pytest.skip("this process tests no framework on PyTorch")
    pools = (AveragePool(3, 1), AveragePool(2, 2), GlobalAveragePool())
    network = Network("pooled", (2, 11, 11), Sequential(Conv2d(2, 1), *pools, Dense(2)))
    workload = open_workload(framework, network, "training", execution="compiled", optimiser=optimiser)
    with pytest.raises(Unsupported, match=r"torch\.compile of PyTorch .* an average pool .*: ask for eager"):
        workload.run()
    workload.close()


def test_the_cpu_is_done_when_the_step_returns(open_workload: Callable[..., Any], framework: str) -> None:
    workload = open_workload(framework, DROPPED, "training")
    assert workload.asynchronous is False
    assert workload.wait(workload.run()) is None
    assert workload.peak_memory_bytes() is None
    if framework == "tensorflow":
        import tensorflow

        assert tensorflow.config.experimental.get_synchronous_execution()


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_no_numbers_are_seen(
    open_workload: Callable[..., Any], framework: str, mode: str, value: float
) -> None:
    workload = open_workload(framework, DROPPED, mode)
    assert workload.is_finite(workload.run())
    assert Workload.is_finite(workload, workload.run())
    weights = workload.parameters()["2.weight"]
    weights[0, 0] = value
    workload.load({"2.weight": weights})
    assert not workload.is_finite(workload.run())
    assert not Workload.is_finite(workload, workload.run())


def test_closing_frees_the_network_even_if_the_step_is_kept(open_workload: Callable[..., Any], framework: str) -> None:
    workload = open_workload(framework, DROPPED, "training")
    step = workload.run
    step()
    model = weakref.ref(workload.model)
    workload.close()
    assert model() is None
