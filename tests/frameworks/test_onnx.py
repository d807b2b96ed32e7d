"""ONNX Runtime and OpenVINO: the ONNX models of the networks, and how both runtimes execute them."""

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
from dlworkloads.data import synthetic
from dlworkloads.external.network import ExternalNetwork
from dlworkloads.frameworks.workload import Workload
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import BatchNorm, Conv2d, Dense, Flatten, GlobalAveragePool, MaxPool, ReLU
from dlworkloads.models.network import Network
from dlworkloads.opening import open_step
from pytest_throughput import OutOfMemory, Unsupported

onnx = pytest.importorskip("onnx")
# As the workload does: tests import OpenVINO before it.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

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


def translated(network: Network, batch_size: int, dtype: str, **options: Any) -> Any:
    from dlworkloads.frameworks.onnx.translation import translate

    return translate(network, batch_size, random_weights(network).__getitem__, np.dtype(dtype), **options)


def open_in(runtime: str, **axes: Any) -> Any:
    pytest.importorskip(runtime)
    return open_step(**{**AXES, "framework": runtime, **axes})


def test_every_model_computes_the_network_in_float64(
    assert_model_agrees: Callable[..., None], small_network: Network
) -> None:
    assert_model_agrees(small_network)


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
    open_workload: Callable[..., Workload], small_network: Network, weights: dict[str, np.ndarray], runtime: str
) -> None:
    workload = open_workload(runtime, small_network, "inference")
    workload.load(weights)
    parameters = workload.parameters()
    assert list(parameters) == [*small_network.parameters, *small_network.buffers]
    for path, values in weights.items():
        np.testing.assert_array_equal(parameters[path], values.astype(np.float32))
    with pytest.raises(KeyError):
        workload.load({"no.such.weight": np.zeros(1)})


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
        "inter_op_threads": 1,
        "autotune": None,
        "tf32_matmul": False,
        "tf32_convolution": False,
        "frozen_weights": True,
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
        ("onnxruntime", "fp32", {"weights": "float32", "images": "float32", "computation": "float32"}),
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
    assert workload.is_finite(output)
    assert workload.read(output)["logits"].dtype == np.float32
    assert (workload.compile_seconds() or 0) > 0 and workload.compilations() == 1


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
