"""A device of a trial: its GPU, and how it is shown to a worker."""

from __future__ import annotations

import pytest

from pytest_throughput.telemetry.device import Device
from pytest_throughput.telemetry.gpus import Gpu

GPUS = [Gpu("GPU-aaaa", "NVIDIA H200", None, False, None), Gpu("GPU-bbbb", "NVIDIA H200", None, False, None)]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(name, raising=False)


def test_a_cpu_has_no_gpu_and_hides_all() -> None:
    device = Device.find("cpu", GPUS)
    assert (device.is_gpu, device.gpu, dict(device.visibility)) == (False, None, {"CUDA_VISIBLE_DEVICES": ""})


def test_devices_of_a_group_are_gpus_of_their_own() -> None:
    devices = tuple(Device.find(name, GPUS) for name in ("cuda:0", "cuda:1"))
    assert [device.gpu for device in devices] == GPUS
    assert [dict(device.visibility)["CUDA_VISIBLE_DEVICES"] for device in devices] == ["GPU-aaaa", "GPU-bbbb"]


def test_a_gpu_that_nvml_does_not_list_stays_a_gpu() -> None:
    device = Device.find("cuda:1", [])
    assert (device.is_gpu, device.gpu) == (True, None)
    assert dict(device.visibility)["CUDA_VISIBLE_DEVICES"] == "1"
