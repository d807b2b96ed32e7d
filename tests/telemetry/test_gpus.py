"""GPUs, with NVML's real module and real errors, and no GPU."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from pytest_throughput.telemetry.gpus import (
    Gpu,
    default_device,
    find_gpu,
    is_device,
    is_gpu,
    is_numbered,
    list_gpus,
    visibility,
)


def gpu(uuid: str, name: str = "NVIDIA H200") -> Gpu:
    return Gpu(uuid, name, 150 * 10**9, False, 700.0)


TWO = [gpu("GPU-aaaa"), gpu("GPU-bbbb", "NVIDIA L4")]
SAME = [gpu("GPU-aaaa"), gpu("GPU-bbbb")]


@pytest.mark.parametrize(
    ("device", "environ", "visible", "found"),
    [
        ("cuda", {}, "GPU-aaaa", 0),
        ("cuda:1", {}, "GPU-bbbb", 1),
        ("cuda:2", {}, "", None),
        ("cuda", {"CUDA_VISIBLE_DEVICES": "GPU-bb, GPU-aa"}, "GPU-bb", 1),
        ("cuda:1", {"CUDA_VISIBLE_DEVICES": "GPU-bb, GPU-aa"}, "GPU-aa", 0),
        ("cuda:1", {"CUDA_VISIBLE_DEVICES": "GPU-bb"}, "", None),
        ("cuda", {"CUDA_VISIBLE_DEVICES": ""}, "", None),
        ("cuda", {"CUDA_VISIBLE_DEVICES": "-1"}, "", None),
        ("cuda", {"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, "", None),
        ("cuda:1", {"CUDA_VISIBLE_DEVICES": "GPU-bb,-1,GPU-aa"}, "", None),
        ("cuda", {"CUDA_VISIBLE_DEVICES": "1"}, "1", None),
        ("cuda", {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, "1", 1),
        ("cuda", {"CUDA_VISIBLE_DEVICES": "7", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, "7", None),
    ],
)
def test_a_worker_is_shown_one_gpu(device: str, environ: dict[str, str], visible: str, found: int | None) -> None:
    variables = visibility(device, TWO, environ)
    assert variables["CUDA_VISIBLE_DEVICES"] == visible
    assert find_gpu(device, TWO, environ) == (None if found is None else TWO[found])
    numbered = "CUDA_VISIBLE_DEVICES" in environ and "CUDA_DEVICE_ORDER" not in environ
    assert variables["CUDA_DEVICE_ORDER"] == ("FASTEST_FIRST" if numbered else "PCI_BUS_ID")


def test_numbers_are_known_where_all_gpus_are_alike() -> None:
    assert find_gpu("cuda", SAME, {"CUDA_VISIBLE_DEVICES": "1"}) == SAME[1]


def test_a_cpu_case_is_shown_no_gpu() -> None:
    assert visibility("cpu", TWO, {}) == {"CUDA_VISIBLE_DEVICES": ""}
    assert find_gpu("cpu", TWO, {}) is None


@pytest.mark.parametrize(
    ("gpus", "environ", "device"),
    [
        (TWO, {}, "cuda"),
        (TWO, {"CUDA_VISIBLE_DEVICES": "1"}, "cuda"),
        (TWO, {"CUDA_VISIBLE_DEVICES": ""}, "cpu"),
        (TWO, {"CUDA_VISIBLE_DEVICES": "-1"}, "cpu"),
        ([], {}, "cpu"),
    ],
)
def test_the_default_device_is_a_gpu_that_can_be_seen(gpus: list[Gpu], environ: dict[str, str], device: str) -> None:
    assert default_device(gpus, environ) == device


def test_without_nvml_cuda_counts_for_itself() -> None:
    assert visibility("cuda:1", [], {}) == {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert find_gpu("cuda:1", [], {}) is None


class FakeNvml:
    """Two GPUs; the second one answers nothing but its name."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        unsupported = pynvml.NVMLError_NotSupported()
        self.shut_down = 0

        def only_first(value: Any) -> Any:
            def read(handle: int) -> Any:
                if handle:
                    raise unsupported
                return value

            return read

        for name, function in {
            "nvmlInit": lambda: None,
            "nvmlShutdown": self._shut_down,
            "nvmlDeviceGetCount": lambda: 2,
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlDeviceGetUUID": lambda handle: f"GPU-{handle}",
            "nvmlDeviceGetName": lambda handle: "NVIDIA H200",
            "nvmlDeviceGetMemoryInfo": only_first(SimpleNamespace(total=150)),
            "nvmlDeviceGetMigMode": only_first([1, 1]),
            "nvmlDeviceGetEnforcedPowerLimit": only_first(700_000),
            "nvmlDeviceGetCudaComputeCapability": only_first([9, 0]),
        }.items():
            monkeypatch.setattr(pynvml, name, function)

    def _shut_down(self) -> None:
        self.shut_down += 1


def test_every_field_may_be_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = FakeNvml(monkeypatch)
    assert list_gpus() == [
        Gpu("GPU-0", "NVIDIA H200", 150, True, 700.0, (9, 0)),
        Gpu("GPU-1", "NVIDIA H200", None, None, None, None),
    ]
    assert nvml.shut_down == 1


@pytest.mark.parametrize("function", ["nvmlInit", "nvmlDeviceGetCount"])
@pytest.mark.parametrize(
    "error", [pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_Unknown, pynvml.NVMLError_LibRmVersionMismatch]
)
def test_no_driver_is_no_gpu(monkeypatch: pytest.MonkeyPatch, function: str, error: type[Exception]) -> None:
    FakeNvml(monkeypatch)

    def fail() -> None:
        raise error()

    monkeypatch.setattr(pynvml, function, fail)
    assert list_gpus() == []


def test_the_fingerprint_has_the_model_and_not_the_single_gpu() -> None:
    assert gpu("GPU-aaaa").fingerprint() == gpu("GPU-bbbb").fingerprint()
    # Runs that were accepted before the compute capability was read stay comparable.
    assert replace(gpu("GPU-aaaa"), compute_capability=(9, 0)).fingerprint() == gpu("GPU-aaaa").fingerprint()
    assert gpu("GPU-aaaa").fingerprint() != gpu("GPU-aaaa", "NVIDIA L4").fingerprint()


@pytest.mark.parametrize(
    ("name", "known", "gpu", "numbered"),
    [
        ("cpu", True, False, False),
        ("cuda", True, True, False),
        ("cuda:0", True, True, True),
        ("cuda:12", True, True, True),
        ("cuda:", False, True, True),
        ("tpu", False, True, False),
        ("cuda:1234567890", False, True, True),
    ],
)
def test_names_of_devices(name: str, known: bool, gpu: bool, numbered: bool) -> None:
    assert (is_device(name), is_gpu(name), is_numbered(name)) == (known, gpu, numbered)
