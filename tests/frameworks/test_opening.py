"""Opening a case in a framework: what is recorded, and what is refused."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from dlworkloads import cuda_memory, opening
from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.opening import import_workload, open_step
from pytest_throughput import OutOfMemory, Unsupported

AXES: dict[str, Any] = {
    "mode": "inference",
    "framework": "pytorch",
    "device": "cpu",
    "model": "mnist_cnn",
    "batch_size": 2,
    "precision": "fp32",
    "execution": "eager",
    "threads": 1,
}
CASE = {name: value for name, value in AXES.items() if name != "threads"}


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_a_step_runs_and_describes_itself(framework: str, mode: str) -> None:
    execution = FRAMEWORKS[framework].default_execution
    step = open_step(**{**AXES, "mode": mode, "framework": framework, "execution": execution})
    step.wait(step.run())
    metadata = json.loads(json.dumps(dict(step.metadata)))
    expected = {**AXES, "mode": mode, "framework": framework, "execution": execution}
    del expected["threads"]
    assert {axis: metadata[axis] for axis in expected} == expected
    assert metadata["layout"] == {"pytorch": "nchw"}.get(framework, "nhwc")
    assert metadata["parameters"] == 1_199_882
    assert (
        metadata["flops_per_image"]
        == {"inference": 23_984_896, "training": 3 * 23_984_896 - 2 * 26 * 26 * 32 * 9}[mode]
    )
    assert metadata["network_hash"] == "7cd78da41474eb27"
    assert metadata["settings"]["threads"] == metadata["settings"]["threads_asked"] == 1
    assert {FRAMEWORKS[framework].package, "numpy", "python"} <= set(metadata["versions"])
    assert "device_name" not in metadata
    assert step.build_seconds is not None and step.build_seconds > 0
    assert step.asynchronous is False
    assert step.close is not None
    step.close()


def test_a_step_with_its_update_is_described_as_training_and_keeps_its_loss(framework: str) -> None:
    axes = {**AXES, "framework": framework, "execution": FRAMEWORKS[framework].default_execution}
    step = open_step(**{**axes, "mode": "update", "optimiser": "momentum"})
    training = open_step(**{**axes, "mode": "training"})
    assert step.metadata["optimiser"] == "momentum" and "optimiser" not in training.metadata
    assert step.metadata["flops_per_image"] == training.metadata["flops_per_image"]
    # Its loss stays of the size that it has without training, whatever dropout leaves of a network of that size.
    losses = [float(step.run()[0]) for _ in range(40)]
    assert 0.5 < statistics.median(losses[20:]) / statistics.median(losses[:20]) < 2
    assert step.after_first_step is not None and step.after_first_step(step.run())["settings"]["dtypes"] is not None


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_brings_the_frameworks_product_of_matrices(framework: str, precision: str) -> None:
    known = FRAMEWORKS[framework]
    step = open_step(**{**AXES, "framework": framework, "execution": known.default_execution, "precision": precision})
    assert list(step.products) == [known.display_name, "NumPy"][: 2 if precision == "fp32" else 1]
    product: Any = step.products[known.display_name](64)()
    assert sorted(product.shape)[-2:] == [64, 64]
    assert {"fp32": "float32", "bf16": "bfloat16"}[precision] in str(product.dtype)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"precision": "tf32"}, "the device is the CPU: ask for fp32"),
        ({"execution": "compiled-graphs"}, "the device is the CPU: ask for compiled"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_can(given: dict[str, str], message: str) -> None:
    axes = {**AXES, **given}
    pytest.importorskip(FRAMEWORKS[axes["framework"]].package)
    with pytest.raises(Unsupported, match=message):
        open_step(**axes)


def test_a_gpu_that_is_not_there_is_refused(framework: str, no_cuda: None, monkeypatch: pytest.MonkeyPatch) -> None:
    execution = FRAMEWORKS[framework].default_execution
    # What JAX looks for is decided once for a process: the tests decide for the CPU.
    import_workload(FRAMEWORKS[framework], Case(**{**CASE, "framework": framework, "execution": execution}), 1)
    monkeypatch.setattr(opening, "_VARIABLES", {})
    with pytest.raises(Unsupported, match="finds no CUDA device"):
        open_step(**{**AXES, "framework": framework, "execution": execution, "device": "cuda:1"})


@pytest.fixture
def no_cuda(framework: str) -> None:
    if framework == "pytorch":
        import torch

        there = torch.cuda.is_available()
    elif framework == "jax":
        there = False  # It sees the CPU only.
    else:
        import tensorflow

        there = bool(tensorflow.config.list_physical_devices("GPU"))
    if there:
        pytest.skip("there is a GPU")


def test_other_threads_than_tensorflow_runs_with_are_refused() -> None:
    tensorflow = pytest.importorskip("tensorflow")
    axes = {**AXES, "framework": "tensorflow", "execution": "graph"}
    open_step(**axes)
    assert tensorflow.config.threading.get_intra_op_parallelism_threads() == 1
    with pytest.raises(Unsupported, match="already runs in this process with 1 intra-op threads"):
        open_step(**{**axes, "threads": 2})


def test_pytorchs_own_number_of_inter_op_threads_is_recorded() -> None:
    torch = pytest.importorskip("torch")
    assert open_step(**AXES).metadata["settings"]["inter_op_threads"] == torch.get_num_interop_threads() >= 1


def test_tensorflows_own_number_of_inter_op_threads_is_recorded() -> None:
    """In a process of its own: earlier tests have left threads of the same name."""
    pytest.importorskip("tensorflow")
    axes = {**AXES, "framework": "tensorflow", "execution": "graph"}
    program = f"""
        from pathlib import Path
        from dlworkloads.opening import open_step
        step = open_step(**{axes!r})
        names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
        print(step.metadata["settings"]["inter_op_threads"], names.count("tf_Compute"))
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    recorded, there = map(int, ran.stdout.split())
    assert recorded == there >= 1


def test_a_batch_that_does_not_fit_is_out_of_memory(framework: str) -> None:
    execution = FRAMEWORKS[framework].default_execution
    with pytest.raises(OutOfMemory, match="Unable to allocate"):
        open_step(**{**AXES, "framework": framework, "execution": execution, "batch_size": 10**12})


def test_the_frameworks_own_errors_are_out_of_memory() -> None:
    torch = pytest.importorskip("torch")
    from dlworkloads.frameworks.pytorch.workload import PyTorchWorkload

    assert PyTorchWorkload.is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    with pytest.raises(RuntimeError) as refused:
        torch.empty(10**15)
    assert PyTorchWorkload.is_out_of_memory(refused.value)
    assert not PyTorchWorkload.is_out_of_memory(RuntimeError("shapes cannot be multiplied"))


def test_tensorflows_own_error_is_out_of_memory() -> None:
    tensorflow = pytest.importorskip("tensorflow")
    from dlworkloads.frameworks.keras.tensorflow import TensorFlowWorkload

    error = tensorflow.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
    assert TensorFlowWorkload.is_out_of_memory(error)
    late = tensorflow.errors.InternalError(None, None, "Failed to synchronize: CUDA_ERROR_OUT_OF_MEMORY: out of memory")
    assert TensorFlowWorkload.is_out_of_memory(late)
    assert not TensorFlowWorkload.is_out_of_memory(tensorflow.errors.InvalidArgumentError(None, None, "no"))


NO_ENGINE = "FIND was unable to find an engine to execute this computation"
OUT_OF_MEMORY = [
    ("pytorch", "cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ("tensorflow", "Could not create cudnn handle: CUDNN_STATUS_ALLOC_FAILED"),
    ("tensorflow", "Failed to allocate request for 2.00GiB (2147483648B) on device ordinal 0"),
    ("jax", "RESOURCE_EXHAUSTED: Out of memory allocating 2147483648 bytes."),
    ("jax", "INTERNAL: CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
]
PERHAPS_OUT_OF_MEMORY = [
    ("pytorch", NO_ENGINE),
    ("pytorch", "GET was unable to find an engine to execute this computation"),
    ("pytorch", "Unable to find a valid cuDNN algorithm to run convolution"),
    ("tensorflow", "No algorithm worked!  Error messages:\n  Profiling failure on CUDNN engine eng2{k2=2,k3=0}"),
    ("jax", "NOT_FOUND: No algorithm worked!"),
]


def is_out_of_memory(framework: str, text: str) -> bool:
    if framework == "pytorch":
        return import_workload(FRAMEWORKS[framework], Case(**CASE), 1).is_out_of_memory(RuntimeError(text))
    if framework == "jax":
        error = pytest.importorskip("jax").errors.JaxRuntimeError(text)
    else:
        error = pytest.importorskip("tensorflow").errors.NotFoundError(None, None, text)
    return import_workload(FRAMEWORKS[framework], Case(**CASE), 1).is_out_of_memory(error)


@pytest.mark.parametrize(("framework", "text"), OUT_OF_MEMORY, indirect=["framework"])
def test_what_only_memory_can_cause_is_out_of_memory(framework: str, text: str) -> None:
    assert is_out_of_memory(framework, text)


@pytest.mark.parametrize("low", [False, True])
@pytest.mark.parametrize(("framework", "text"), PERHAPS_OUT_OF_MEMORY, indirect=["framework"])
def test_that_no_algorithm_ran_is_out_of_memory_only_where_memory_was_low(
    framework: str, text: str, low: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """cuDNN also has no algorithm for a GPU that its build does not know, such as a V100 by CUDA 13."""
    monkeypatch.setattr(cuda_memory, "is_low", lambda: low)
    assert is_out_of_memory(framework, text) == low
