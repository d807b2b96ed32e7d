"""What each framework tells of itself after the first step: data types, time of compiling, number of compilations."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dlworkloads.base.workload import Workload
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import BatchNorm, Conv2d, Dense, Flatten, ReLU
from dlworkloads.models.network import Network
from dlworkloads.verification import OtherThanAskedFor, dtypes_asked_for, verified_metadata
from pytest_throughput import Unsupported

TINY = Network("tiny", (3, 8, 8), Sequential(Conv2d(4, 3), BatchNorm(), ReLU(), Flatten(), Dense(5)))


def looked_at(workload: Workload) -> dict[str, str]:
    """Run a step, and return the data types that it shows."""
    return workload.dtypes(workload.run())


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16", "fp64"])
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_data_types_are_those_that_the_case_asks_for(
    open_workload: Callable[..., Workload], framework: str, mode: str, precision: str
) -> None:
    workload = open_workload(framework, TINY, mode, precision=precision)
    compilations = workload.compilations()
    assert looked_at(workload) == dtypes_asked_for(workload.case)
    first = workload.compilations()
    workload.run()
    assert workload.compilations() == first
    assert compilations <= first


@pytest.mark.parametrize("small_network", ["vit_like"], indirect=True)
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_data_types_of_attention(
    open_workload: Callable[..., Workload], framework: str, small_network: Network, mode: str
) -> None:
    workload = open_workload(framework, small_network, mode, precision="bf16")
    assert looked_at(workload) == dtypes_asked_for(workload.case)


def test_looking_changes_nothing(open_workload: Callable[..., Workload], framework: str) -> None:
    """Neither the running statistics nor the mode of the network."""
    workload = open_workload(framework, TINY, "training")
    output = workload.run()
    before = workload.parameters()
    workload.dtypes(output)
    for path, values in workload.parameters().items():
        np.testing.assert_array_equal(values, before[path])
    workload.run()
    assert (workload.parameters()["1.running_mean"] != before["1.running_mean"]).all()


@pytest.mark.parametrize("execution", ["eager", "graph", "compiled"])
def test_tensorflow_counts_what_it_traces(open_workload: Callable[..., Any], execution: str) -> None:
    pytest.importorskip("tensorflow")
    workload = open_workload("tensorflow", TINY, "inference", execution=execution)
    assert workload.compilations() == 0
    assert looked_at(workload) == dtypes_asked_for(workload.case)
    workload.run()
    once = 0 if execution == "eager" else 1
    assert workload.compilations() == once
    workload.batch = [workload.batch[0][:2]]
    workload.run()
    assert workload.compilations() == 2 * once


def test_pytorch_shows_a_product_in_another_type(open_workload: Callable[..., Any]) -> None:
    torch = pytest.importorskip("torch")
    workload = open_workload("pytorch", TINY, "inference", precision="bf16")
    workload.model[-1].to(torch.float32)
    cast = workload.model[-1].forward
    workload.model[-1].forward = lambda values: cast(values.to(torch.float32))
    mixed = "bfloat16, float32"
    assert looked_at(workload) == {"weights": mixed, "images": "bfloat16", "computation": mixed}


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_weights_are_constants_if_the_output_does_not_follow_them(precision: str) -> None:
    torch = pytest.importorskip("torch")
    from dlworkloads.runtimes.pytorch_compiler import weights_are_constants

    dtype = getattr(torch, precision)
    images = torch.rand(2, 4, dtype=dtype)
    layers = [torch.nn.Linear(4, 4, bias=False, dtype=dtype) for _ in range(2)]
    network, weights = torch.nn.Sequential(*layers), [layer.weight for layer in layers]
    before = [weight.detach().clone() for weight in weights]
    output = network(images).detach()
    assert not weights_are_constants(lambda: network(images), output, weights)
    assert weights_are_constants(lambda: output * 1.001, output, weights)
    assert all(map(torch.equal, weights, before))


@pytest.mark.slow
@pytest.mark.parametrize("execution", ["compiled-frozen", "compiled"])
def test_pytorch_shows_whether_it_has_frozen_the_weights(open_workload: Callable[..., Any], execution: str) -> None:
    """They are constants of the compiled code, so that later changes have no effect; nothing is compiled again."""
    pytest.importorskip("torch")
    workload = open_workload("pytorch", TINY, "inference", execution=execution)
    eager = open_workload("pytorch", TINY, "inference")
    workload.load(eager.parameters())
    assert (workload.compile_seconds(), eager.compile_seconds()) == (0, None)
    started = time.perf_counter()
    output = workload.run()
    first_step_seconds = time.perf_counter() - started
    logits = workload.read(output)["logits"]
    np.testing.assert_allclose(logits, eager.read(eager.run())["logits"], rtol=1e-4, atol=1e-5)
    compilations = workload.compilations()
    assert compilations > 0
    assert workload.dtypes(output) == dtypes_asked_for(workload.case)
    settings = verified_metadata(workload, output, allow_others=False)["settings"]
    assert settings["frozen_weights"] is (execution == "compiled-frozen")
    np.testing.assert_array_equal(workload.read(workload.run())["logits"], logits)
    assert workload.compilations() == compilations
    assert 0 < workload.compile_seconds() <= first_step_seconds
    assert eager.frozen_weights(output) is None
    workload.close()


@pytest.mark.slow
@pytest.mark.parametrize(("execution", "freezing"), [("compiled-frozen", False), ("compiled", True)])
def test_pytorch_that_freezes_other_weights_than_it_is_told_to_fails(
    open_workload: Callable[..., Any], execution: str, freezing: bool
) -> None:
    """As PyTorch 2.13 does if freezing is an option of the compiled function."""
    pytest.importorskip("torch")
    import torch._inductor.config as config

    workload = open_workload("pytorch", TINY, "inference", execution=execution)
    config.freezing = freezing
    output = workload.run()
    with pytest.raises(OtherThanAskedFor, match=f"{execution} asks for frozen_weights={not freezing}, but found"):
        verified_metadata(workload, output, allow_others=False)
    workload.close()


@pytest.mark.slow
def test_pytorch_tells_of_compiling_and_of_compiling_again(open_workload: Callable[..., Any]) -> None:
    pytest.importorskip("torch")
    training = open_workload("pytorch", TINY, "training", execution="compiled")
    assert training.frozen_weights(None) is None
    started = time.perf_counter()
    training.run()
    first_step_seconds = time.perf_counter() - started
    compilations = training.compilations()
    assert 0.5 * first_step_seconds < training.compile_seconds() <= first_step_seconds
    assert looked_at(training) == dtypes_asked_for(training.case)
    assert training.compilations() == compilations
    training.batch = [each[:2] for each in training.batch]
    training.run()
    assert training.compilations() == compilations + 1
    training.close()


def test_pytorch_trains_no_frozen_weights(open_workload: Callable[..., Any]) -> None:
    pytest.importorskip("torch")
    with pytest.raises(Unsupported, match="compiled-frozen makes weights constants, and the mode is training: ask for"):
        open_workload("pytorch", TINY, "training", execution="compiled-frozen")
