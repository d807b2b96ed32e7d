"""What each framework tells of itself after the first step: data types, time of compiling, number of compilations."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dlworkloads.frameworks.workload import Workload
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import BatchNorm, Conv2d, Dense, Flatten, ReLU
from dlworkloads.models.network import Network
from dlworkloads.verification import dtypes_asked_for
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


@pytest.mark.slow
def test_pytorch_freezes_weights(open_workload: Callable[..., Any]) -> None:
    """They are constants of the compiled code, so that later changes have no effect; nothing is compiled again."""
    torch = pytest.importorskip("torch")
    frozen = open_workload("pytorch", TINY, "inference", execution="compiled-frozen")
    eager = open_workload("pytorch", TINY, "inference")
    frozen.load(eager.parameters())
    assert (frozen.settings["frozen_weights"], eager.compile_seconds()) == (True, None)
    assert frozen.compile_seconds() == 0
    started = time.perf_counter()
    logits = frozen.read(frozen.run())["logits"]
    first_step_seconds = time.perf_counter() - started
    np.testing.assert_allclose(logits, eager.read(eager.run())["logits"], rtol=1e-4, atol=1e-5)
    compilations = frozen.compilations()
    assert compilations > 0
    assert looked_at(frozen) == dtypes_asked_for(frozen.case)
    with torch.no_grad():
        for parameter in frozen.model.parameters():
            parameter.mul_(2)
    np.testing.assert_array_equal(frozen.read(frozen.run())["logits"], logits)
    assert frozen.compilations() == compilations
    assert 0 < frozen.compile_seconds() <= first_step_seconds
    frozen.close()


@pytest.mark.slow
def test_pytorch_tells_of_compiling_and_of_compiling_again(open_workload: Callable[..., Any]) -> None:
    pytest.importorskip("torch")
    training = open_workload("pytorch", TINY, "training", execution="compiled")
    assert "frozen_weights" not in training.settings
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
    inference = open_workload("pytorch", TINY, "inference", execution="compiled")
    assert inference.settings["frozen_weights"] is False
    inference.close()


def test_pytorch_trains_no_frozen_weights(open_workload: Callable[..., Any]) -> None:
    pytest.importorskip("torch")
    with pytest.raises(Unsupported, match="compiled-frozen makes weights constants, and the mode is training: ask for"):
        open_workload("pytorch", TINY, "training", execution="compiled-frozen")
