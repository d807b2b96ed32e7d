"""What is timed is the step alone: each framework's own profiler, over one step, shows nothing beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlworkloads.base.workload import Workload
from dlworkloads.models.network import Network

NETWORKS = pytest.mark.parametrize("small_network", ["vgg_like", "googlenet_like", "vit_like", "mlp"], indirect=True)
MODES = pytest.mark.parametrize("mode", ["inference", "training"])

FOREIGN_TO_A_STEP = (
    "Memcpy HtoD",  # a transfer to the device
    "Memcpy DtoH",  # a transfer to the host
    "MemcpyH2D",  # the same in TensorFlow's words
    "MemcpyD2H",
    "aten::item",  # a value that Python waits for
    "aten::_local_scalar_dense",
    "aten::normal_",  # new images
    "aten::random_",  # new labels
    "RandomStandardNormal",
    "Optimizer.step",  # a weight update, by torch.optim
    "aten::_foreach_",
    "aten::_fused_",
    "ResourceApply",  # a weight update, by keras.optimizers
    "AssignSubVariableOp",
    "AssignAddVariableOp",
    "tf.function-graph_building",  # tracing
)
"""In the names of a profiler's events."""


def profile_pytorch(workload: Workload) -> Counter[str]:
    """Return the names of what PyTorch's profiler sees in one step, on the CPU and on a GPU."""
    import torch

    with torch.profiler.profile() as profiler:
        workload.wait(workload.run())
    return Counter(event.name for event in profiler.events())


def profile_tensorflow(workload: Workload, folder: Path) -> Counter[str]:
    """Return the names of what TensorFlow's profiler sees in one step, on the CPU and on a GPU."""
    import tensorflow

    schema = pytest.importorskip("tensorflow.tsl.profiler.protobuf.xplane_pb2")
    with tensorflow.profiler.experimental.Profile(str(folder)):
        workload.wait(workload.run())
    (file,) = folder.rglob("*.xplane.pb")
    space = schema.XSpace.FromString(file.read_bytes())
    return Counter(
        plane.event_metadata[event.metadata_id].name
        for plane in space.planes
        for line in plane.lines
        for event in line.events
    )


def external(names: Counter[str]) -> set[str]:
    return {name for name in names for sign in FOREIGN_TO_A_STEP if sign in name}


@NETWORKS
@MODES
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_pytorchs_profiler_sees_the_step_alone(
    open_workload: Callable[..., Any], small_network: Network, mode: str, layout: str
) -> None:
    workload = open_workload("pytorch", small_network, mode, layout=layout)
    for _ in range(2):
        workload.run()
    names = profile_pytorch(workload)
    assert external(names) == set()
    products = sum(names[name] for name in ("aten::convolution", "aten::linear"))
    expected = sum(1 for path in small_network.parameters if path.endswith("weight")) - _normalisations(small_network)
    assert products == expected
    backward = sum(names[name] for name in ("ConvolutionBackward0", "AddmmBackward0", "MmBackward0"))
    assert (backward > 0) is (mode == "training")


def _normalisations(network: Network) -> int:
    return sum(type(layer).__name__ in ("BatchNorm", "LayerNorm") for _, layer, _, _ in network.walk())


@NETWORKS
@MODES
@pytest.mark.parametrize("execution", ["eager", "graph"])
def test_tensorflows_profiler_sees_the_step_alone(
    open_workload: Callable[..., Any], small_network: Network, mode: str, execution: str, tmp_path: Path
) -> None:
    workload = open_workload("tensorflow", small_network, mode, execution=execution)
    for _ in range(2):
        workload.run()
    names = profile_tensorflow(workload, tmp_path)
    assert external(names) == set()
    if execution == "graph":
        assert names["FunctionRun"] == 1
    else:
        assert names["EagerLocalExecute: MatMul"] > 0
        assert ("EagerLocalExecute: ReluGrad" in names) is (mode == "training" and small_network.name != "vit_like")


def test_pytorchs_profiler_sees_what_does_not_belong(open_workload: Callable[..., Any], small_network: Network) -> None:
    """So that the tests above can fail."""
    torch = pytest.importorskip("torch")
    workload = open_workload("pytorch", small_network, "training")
    optimiser = torch.optim.SGD(workload._trained, 0.1)
    step = workload.run

    def step_and_update() -> Any:
        loss, gradients = step()
        for parameter, gradient in zip(workload._trained, gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()
        return loss.item()

    workload.run = step_and_update
    found = external(profile_pytorch(workload))
    assert {"aten::item", "Optimizer.step#SGD.step"} <= found


@pytest.mark.parametrize("small_network", ["mlp"], indirect=True)
def test_tensorflows_profiler_sees_what_does_not_belong(
    open_workload: Callable[..., Any], small_network: Network, tmp_path: Path
) -> None:
    """So that the tests above can fail."""
    tensorflow = pytest.importorskip("tensorflow")
    workload = open_workload("tensorflow", small_network, "training")
    weight = tensorflow.Variable([1.0])
    workload.run = tensorflow.function(lambda: weight.assign_sub(tensorflow.random.normal((1,))))
    found = external(profile_tensorflow(workload, tmp_path))
    for sign in ("tf.function-graph_building", "AssignSubVariableOp", "RandomStandardNormal"):
        assert any(sign in name for name in found)


@MODES
@pytest.mark.parametrize("small_network", ["with_auxiliary_heads", "vit_like"], indirect=True)
def test_steps_change_no_weight(
    open_workload: Callable[..., Workload], framework: str, small_network: Network, mode: str
) -> None:
    """In two networks that together have every layer with weights, and an auxiliary head."""
    workload = open_workload(framework, small_network, mode)
    before = workload.parameters()
    for _ in range(3):
        workload.run()
    after = workload.parameters()
    moved = {path for path in before if not np.array_equal(before[path], after[path])}
    assert moved == (set(small_network.buffers) if mode == "training" else set())


@pytest.mark.gpu
@NETWORKS
@MODES
def test_on_a_gpu_nothing_is_copied_from_or_to_the_host(
    open_workload: Callable[..., Any], small_network: Network, mode: str
) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("PyTorch finds no CUDA device")
    workload = open_workload("pytorch", small_network, mode, device="cuda")
    for _ in range(2):
        workload.wait(workload.run())
    names = profile_pytorch(workload)
    assert external(names) == set()
    assert any("kernel" in name or "gemm" in name or "conv" in name for name in names)
