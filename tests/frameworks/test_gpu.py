"""On a CUDA device. TensorFlow and JAX decide once in a process whether they see one: run these with ``-m gpu``.

`test_keras_backends` runs them for Keras on PyTorch and on JAX, in processes of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from networks import frameworks_to_test

from dlworkloads.base.workload import Workload
from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.models.network import Network
from dlworkloads.opening import import_workload
from dlworkloads.operator_classes import class_of
from dlworkloads.verification import dtypes_asked_for, verified_metadata
from pytest_throughput import Unsupported

pytestmark = pytest.mark.gpu

CASES = [(name, execution) for name in frameworks_to_test() for execution in FRAMEWORKS[name].executions]


@pytest.fixture
def gpu_framework(framework: str) -> str:
    """Each framework that finds a GPU."""
    if framework != "tensorflow":
        known = FRAMEWORKS[framework]
        case = Case("inference", framework, "cuda", "mnist_cnn", 1, "fp32", known.default_execution)
        try:
            import_workload(known, case, 1).prepare(case, 1)
        except Unsupported as error:
            pytest.skip(str(error))
    else:
        config = pytest.importorskip("tensorflow").config
        gpus = config.list_physical_devices("GPU")
        if not gpus:
            pytest.skip("TensorFlow finds no CUDA device")
        try:
            config.set_visible_devices(gpus[:1], "GPU")
        except RuntimeError:
            pytest.skip("TensorFlow already runs without GPU in this process: run with -m gpu")
    return framework


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_every_layer_agrees_with_the_cpu(
    assert_agreement: Callable[..., None], gpu_framework: str, small_network: Network, mode: str, layout: str
) -> None:
    """In float64, but for Keras on PyTorch and JAX, which reduces some values to float32."""
    precision, bound = ("fp32", 1e-3) if gpu_framework.startswith("keras-") else ("fp64", 1e-8)
    assert_agreement(gpu_framework, small_network, mode, bound, precision=precision, layout=layout, device="cuda")


@pytest.mark.parametrize("small_network", ["googlenet_like", "vit_like"], indirect=True)
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16"])
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_values_are_finite_in_every_precision(
    open_workload: Callable[..., Workload], gpu_framework: str, small_network: Network, mode: str, precision: str
) -> None:
    workload = open_workload(gpu_framework, small_network, mode, device="cuda", precision=precision)
    assert workload.settings["tf32_matmul"] is workload.settings["tf32_convolution"] is (precision == "tf32")
    _assert_runs(workload)


@pytest.mark.parametrize("small_network", ["resnet_like"], indirect=True)
@pytest.mark.parametrize(("framework", "execution"), CASES, indirect=["framework"])
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_every_execution_runs(
    open_workload: Callable[..., Workload], gpu_framework: str, execution: str, small_network: Network, mode: str
) -> None:
    try:
        workload = open_workload(gpu_framework, small_network, mode, device="cuda", execution=execution)
        _assert_runs(workload)
    except Unsupported as error:
        pytest.skip(str(error))
    verified_metadata(workload, workload.run(), allow_others=False)
    compilations = workload.compilations()
    workload.run()
    assert workload.compilations() == compilations


@pytest.mark.parametrize("small_network", ["vit_like", "resnet_like"], indirect=True)
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16"])
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_data_types_are_those_that_the_case_asks_for(
    open_workload: Callable[..., Workload], gpu_framework: str, small_network: Network, mode: str, precision: str
) -> None:
    workload = open_workload(gpu_framework, small_network, mode, device="cuda", precision=precision)
    metadata = verified_metadata(workload, workload.run(), allow_others=False)
    assert metadata["settings"]["dtypes"] == dtypes_asked_for(workload.case)


@pytest.mark.parametrize("small_network", ["resnet_like"], indirect=True)
@pytest.mark.parametrize("framework", ["pytorch"], indirect=True)
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_nothing_of_the_batch_is_copied_before_a_replay(
    open_workload: Callable[..., Workload], gpu_framework: str, small_network: Network, mode: str
) -> None:
    """Only the gradient of the loss, one number, is copied for the backward graph."""
    from torch._dynamo.utils import counters

    counters.clear()
    _assert_runs(open_workload(gpu_framework, small_network, mode, device="cuda", execution="compiled-graphs"))
    copied = counters["inductor"]["cudagraph_recorded_non_static_inputs"]
    assert copied == (1 if mode == "training" else 0)


def _assert_runs(workload: Workload) -> None:
    workload.reset_peak_memory()
    for _ in range(3):
        output = workload.run()
        workload.wait(output)
    assert all(np.isfinite(values).all() for values in workload.read(output).values())
    assert workload.asynchronous
    # JAX's peak cannot be reset, and an earlier test may have had as much.
    assert (workload.peak_memory_bytes() or 0) > 0 or workload.case.framework in ("jax", "keras-jax")
    assert workload.device_name


@pytest.mark.parametrize("small_network", ["vgg_like"], indirect=True)
def test_a_profile_has_the_kernels_of_the_device(
    open_workload: Callable[..., Workload], gpu_framework: str, small_network: Network, tmp_path: Path
) -> None:
    workload = open_workload(gpu_framework, small_network, "training", device="cuda")
    workload.wait(workload.run())
    kernels = workload.profile(2, str(tmp_path / "trace.json"))
    classes = {class_of(name) for name, _, seconds in kernels if seconds > 0.0}
    assert {"convolution", "matrix product", "element-wise"} <= classes
    # Operators of the host would be named like this.
    assert not [name for name, _, _ in kernels if name.startswith("aten::") or name in ("Conv2D", "MatMul")]
    assert (tmp_path / "trace.json").stat().st_size > 0
