"""What ONNX Runtime and OpenVINO tell of a step, what they refuse, and what they leave behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import random_weights

from dlworkloads import cuda_device, models
from dlworkloads.base.external_network import ExternalNetwork
from dlworkloads.base.workload import Workload
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import Conv2d, Dense, Flatten, ReLU
from dlworkloads.models.network import Network
from dlworkloads.opening import open_step
from pytest_throughput import OutOfMemory, Unsupported

pytest.importorskip("onnx")

RUNTIMES = pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
AXES: dict[str, Any] = {
    "mode": "inference",
    "framework": "onnxruntime",
    "device": "cpu",
    "model": "mnist_cnn",
    "batch_size": 2,
    "precision": "fp32",
    "execution": "graph",
    "threads": 1,
}
TINY = Network("tiny", (3, 8, 8), Sequential(Conv2d(4, 3), ReLU(), Flatten(), Dense(5)))


def open_in(runtime: str, **axes: Any) -> Any:
    pytest.importorskip(runtime)
    return open_step(**{**AXES, "framework": runtime, **axes})


@RUNTIMES
def test_a_step_runs_and_describes_itself(runtime: str) -> None:
    step = open_in(runtime)
    step.wait(step.run())
    assert step.asynchronous is False and step.build_seconds > 0
    metadata = json.loads(json.dumps(dict(step.metadata)))
    assert metadata["parameters"] == 1_199_882 and metadata["network_hash"] == "7cd78da41474eb27"
    assert {runtime, "onnx", "numpy", "python"} <= set(metadata["versions"])
    own = {
        "onnxruntime": {
            "execution_provider": "CPUExecutionProvider",
            "graph_optimization": "ORT_ENABLE_ALL",
            "spinning": True,
        },
        "openvino": {"inference_precision": "f32", "performance_hint": "LATENCY", "cpu_pinning": True},
    }
    assert metadata["settings"] == {
        "layout": "nchw",
        "threads": 1,
        "threads_asked": 1,
        "inter_op_threads": 1,
        "autotune": None,
        "tf32_matmul": False,
        "tf32_convolution": False,
        **own[runtime],
    }
    step.close()


@RUNTIMES
def test_threads_are_those_asked_for(runtime: str) -> None:
    assert open_in(runtime, threads=2).metadata["settings"]["threads"] == 2
    assert open_in(runtime, threads=1).metadata["settings"]["threads"] == 1


@pytest.mark.parametrize(
    ("runtime", "precision", "shown"),
    [
        ("onnxruntime", "fp32", {"images": "float32", "computation": "float32"}),
        ("openvino", "fp32", {"computation": "float32"}),
        ("openvino", "bf16", {"computation": "bfloat16"}),
    ],
)
def test_what_a_step_has_used_is_shown(
    open_workload: Callable[..., Workload], runtime: str, precision: str, shown: dict[str, str]
) -> None:
    try:
        workload = open_workload(runtime, TINY, "inference", precision=precision)
    except Unsupported as error:
        pytest.skip(str(error))
    output = workload.run()
    assert workload.dtypes(output) == shown
    assert workload.frozen_weights(output) is True
    assert workload.is_finite(output)
    assert workload.read(output)["logits"].dtype == np.float32
    assert (workload.compile_seconds() or 0) > 0 and workload.compilations() == 1


@RUNTIMES
def test_weights_that_may_change_are_not_frozen(
    open_workload: Callable[..., Workload], runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the weights of the ONNX model are inputs with initial values."""
    import onnx

    from dlworkloads.frameworks.onnx.translation import Translation

    logits = Translation.logits

    def with_inputs(translation: Translation, batch_size: int) -> Any:
        model = logits(translation, batch_size)
        for weight in model.graph.initializer:
            model.graph.input.append(onnx.helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims))
        return model

    monkeypatch.setattr(Translation, "logits", with_inputs)
    workload = open_workload(runtime, TINY, "inference")
    assert workload.frozen_weights(workload.run()) is (runtime == "openvino")


@RUNTIMES
def test_a_profile_has_the_operators_of_its_steps_alone(
    open_workload: Callable[..., Workload], runtime: str, tmp_path: Path
) -> None:
    operators = open_workload(runtime, TINY, "inference").profile(3, str(tmp_path / "trace.json"))
    calls = {name.partition(" ")[0]: calls for name, calls, _ in operators}
    dense = {"onnxruntime": "Gemm", "openvino": "FullyConnected"}[runtime]
    assert calls[{"onnxruntime": "Conv", "openvino": "Convolution"}[runtime]] == calls[dense] == 3
    assert all(seconds >= 0 for _, _, seconds in operators)
    assert [path.name for path in tmp_path.iterdir()] == ["trace.json"]
    trace = json.loads((tmp_path / "trace.json").read_text())
    events = trace["traceEvents"] if runtime == "openvino" else trace
    assert {event["ph"] for event in events} == {"X"}
    assert sum(event["dur"] for event in events if event["name"].endswith("_kernel_time") or runtime == "openvino") == (
        pytest.approx(1e6 * sum(seconds for *_, seconds in operators))
    )


@RUNTIMES
def test_a_product_of_matrices_runs(open_workload: Callable[..., Workload], runtime: str) -> None:
    workload = open_workload(runtime, TINY, "inference")
    assert workload.product is not None
    product = workload.read(workload.product(16)())["logits"]
    assert product.shape == (16, 16) and np.isfinite(product).all()
    assert workload.read(workload.run())["logits"].shape == (3, 5)


@pytest.mark.parametrize(
    ("runtime", "given", "message"),
    [
        ("onnxruntime", {"mode": "training"}, "does inference only, and the mode is training"),
        ("onnxruntime", {"layout": "nhwc"}, "take nchw images, which ONNX Runtime reorders itself: ask for nchw"),
        ("onnxruntime", {"precision": "bf16"}, "ONNX Runtime has no bf16: ask for fp32 or tf32 or fp16"),
        ("onnxruntime", {"precision": "fp16"}, "casts fp16 to fp32 on a CPU, where it has no kernels for it: ask for"),
        ("onnxruntime", {"precision": "tf32"}, "the device is the CPU: ask for fp32"),
        ("onnxruntime", {"execution": "eager"}, "the known ones are graph"),
        ("openvino", {"precision": "tf32"}, "OpenVINO has no tf32: ask for fp32 or bf16 or fp16"),
        ("openvino", {"device": "cuda"}, "the device is cuda: ask for cpu"),
    ],
)
def test_what_cannot_be_done_is_refused(runtime: str, given: dict[str, str], message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        open_in(runtime, **given)


def test_openvino_is_not_asked_for_a_precision_that_it_would_replace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for f16 on a CPU without it, it computes in bf16 or f32."""
    openvino = pytest.importorskip("openvino")

    class Core:
        def get_property(self, device: str, name: str) -> list[str]:
            return ["BF16", "WINOGRAD", "FP32", "INT8"]

    monkeypatch.setattr(openvino, "Core", Core)
    with pytest.raises(Unsupported, match="OpenVINO has no fp16 on this CPU, whose precisions are BF16, FP32"):
        open_in("openvino", precision="fp16")


@RUNTIMES
def test_without_onnx_it_is_said_what_to_install(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(runtime)
    import dlworkloads.frameworks.onnx.workload as ours

    monkeypatch.setattr(ours, "find_spec", lambda name: None)
    with pytest.raises(Unsupported, match=f"onnx is not installed: pip install onnx {runtime}"):
        open_in(runtime)


def test_a_gpu_needs_the_provider_and_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(Unsupported, match=r"has no CUDA provider \(it has .*\): pip install onnxruntime-gpu"):
            open_in("onnxruntime", device="cuda")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(cuda_device, "first", lambda: None)
    with pytest.raises(Unsupported, match="finds no CUDA device"):
        open_in("onnxruntime", device="cuda:1")
    monkeypatch.setattr(cuda_device, "first", lambda: cuda_device.CudaDevice("Tesla V100", (7, 0)))
    with pytest.raises(Unsupported, match=r"tf32 needs compute capability 8.0, and Tesla V100 has 7.0"):
        open_in("onnxruntime", device="cuda", precision="tf32")


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_cannot_be_loaded_is_not_replaced_by_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime itself warns and goes on without the GPU."""
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("there is a CUDA provider")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(cuda_device, "first", lambda: cuda_device.CudaDevice("NVIDIA H200", (9, 0)))
    with pytest.raises(Unsupported, match="cannot load its CUDAExecutionProvider"):
        open_in("onnxruntime", device="cuda")


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "bound"), [("fp32", 1e-4), ("tf32", 1e-2), ("fp16", 2e-2)])
def test_a_gpu_computes_the_network(
    open_workload: Callable[..., Workload], small_network: Network, precision: str, bound: float
) -> None:
    pytest.importorskip("onnxruntime")
    try:
        workload = open_workload("onnxruntime", small_network, "inference", device="cuda", precision=precision)
    except Unsupported as error:
        pytest.skip(str(error))
    reference = open_workload("pytorch", small_network, "inference", precision="fp64")
    for each in (workload, reference):
        each.load(random_weights(small_network.for_inference()))
    found, expected = (each.read(each.run())["logits"] for each in (workload, reference))
    assert np.linalg.norm(found - expected) <= bound * np.linalg.norm(expected)
    assert workload.settings["execution_provider"] == "CUDAExecutionProvider"
    assert workload.settings["tf32_matmul"] is workload.settings["tf32_convolution"] is (precision == "tf32")


def test_every_precision_of_a_cpu_leaves_out_what_only_a_gpu_has() -> None:
    known = FRAMEWORKS["onnxruntime"]
    assert known.precisions_for("inference", "cpu") == ("fp32",)
    assert known.precisions_for("inference", "cuda") == ("fp32", "tf32", "fp16")


@RUNTIMES
def test_a_model_of_more_than_two_gibibytes_is_refused(open_workload: Callable[..., Workload], runtime: str) -> None:
    network = Network("huge", (32768,), Sequential(Dense(16385)))
    with pytest.raises(Unsupported, match=r"huge has 2,147,\d+,\d+ bytes of weights, and an ONNX model holds at most"):
        open_workload(runtime, network, "inference")


@RUNTIMES
def test_networks_of_other_frameworks_are_refused(open_workload: Callable[..., Workload], runtime: str) -> None:
    with pytest.raises(TypeError, match=f"net:build gave object, and {runtime} takes a dlworkloads Network"):
        open_workload(runtime, ExternalNetwork("net:build", object(), (3, 4, 4), 0.0), "inference")


@RUNTIMES
def test_what_does_not_fit_is_out_of_memory(runtime: str) -> None:
    with pytest.raises(OutOfMemory, match="Unable to allocate"):
        open_in(runtime, batch_size=10**12)


def test_the_runtimes_own_errors_are_out_of_memory() -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    from dlworkloads.frameworks.onnx.onnxruntime import ONNXRuntimeWorkload
    from dlworkloads.frameworks.onnx.openvino import OpenVINOWorkload

    arena = "BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 2835349504"
    assert ONNXRuntimeWorkload.is_out_of_memory(RuntimeError(arena))
    assert OpenVINOWorkload.is_out_of_memory(RuntimeError("Check 'ptr' failed\nFailed to allocate 102760448 bytes"))
    for kind in (ONNXRuntimeWorkload, OpenVINOWorkload):
        assert kind.is_out_of_memory(MemoryError())
        assert not kind.is_out_of_memory(RuntimeError("Got invalid dimensions for input"))


@RUNTIMES
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="there is no /proc")
def test_closing_frees_the_weights(open_workload: Callable[..., Workload], runtime: str) -> None:
    network = Network("wide", (4096,), Sequential(Dense(4096), ReLU(), Dense(5)))
    open_workload(runtime, TINY, "inference")
    before = resident_bytes()
    workload = open_workload(runtime, network, "inference")
    workload.run()
    weights = 4 * 4096 * 4096
    assert resident_bytes() - before > 0.8 * weights
    workload.close()
    assert resident_bytes() - before < 0.5 * weights


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_importing_openvino_sends_no_message() -> None:
    """Its package of telemetry would, to Google Analytics."""
    pytest.importorskip("openvino")
    program = (
        "import dlworkloads.frameworks.onnx.openvino\nfrom openvino.tools.ovc.telemetry_utils import tm\nprint(tm)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert "telemetry_stub" in ran.stdout


@pytest.mark.slow
@pytest.mark.parametrize("model", ["vgg16", "resnet50", "googlenet", "vit_b_16"])
def test_products_of_whole_networks_are_in_bfloat16(open_workload: Callable[..., Workload], model: str) -> None:
    try:
        workload = open_workload("openvino", models.build(model), "inference", precision="bf16", batch_size=1)
    except Unsupported as error:
        pytest.skip(str(error))
    output = workload.run()
    assert workload.is_finite(output) and workload.dtypes(output) == {"computation": "bfloat16"}
