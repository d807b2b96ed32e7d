"""How close a trial came to a peak that is known without measuring it."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_throughput.telemetry.device import Device
from pytest_throughput.telemetry.gpus import Gpu
from pytest_throughput.telemetry.peaks import Peak
from pytest_throughput.telemetry.utilisation import flops_rate, known_peak, utilisation

H200 = Gpu("GPU-aaaa", "NVIDIA H200", 150 * 10**9, False, 700.0)
RESNET50 = {"flops_per_image": 8.178e9, "precision": "bf16", "settings": {"threads": 2}}


def test_a_gpu_is_known_by_its_name_and_the_precision_of_the_case() -> None:
    peak = known_peak(RESNET50, Device("cuda", H200), None)
    assert peak is not None and peak.flops == pytest.approx(989.5e12)
    assert (peak.method, "H200 datasheet" in peak.source) == ("datasheet", True)


def test_without_nvml_it_is_known_by_the_name_that_the_framework_gives_it() -> None:
    peak = known_peak({**RESNET50, "device_name": "NVIDIA H200"}, Device("cuda"), None)
    assert peak is not None and peak.flops == pytest.approx(989.5e12)
    assert known_peak(RESNET50, Device("cuda"), None) is None


@pytest.mark.parametrize("gpu", [Gpu("GPU-a", "NVIDIA Z1", None, False, None), Gpu("GPU-b", "NVIDIA H200", 1, True, 1)])
def test_an_unknown_gpu_and_a_slice_of_one_have_none(gpu: Gpu) -> None:
    assert known_peak(RESNET50, Device("cuda", gpu), None) is None


@pytest.mark.parametrize("device", [Device("cuda", H200), Device()])
def test_a_peak_that_is_given_wins(device: Device) -> None:
    assert known_peak(RESNET50, device, 100.0) == Peak(100e12, "given", "--throughput-peak-tflops")


def test_a_cpu_is_known_by_no_name() -> None:
    assert known_peak({**RESNET50, "device_name": "NVIDIA H200"}, Device(), None) is None


def test_the_utilisation_is_the_rate_divided_by_the_peak() -> None:
    found = utilisation(flops_rate(RESNET50, 12_228.0), Peak(100e12, "given", "the option"))
    assert found["model_flops_utilisation"] == pytest.approx(1.0, rel=0.001)
    assert found["peak"] == {"tflops": 100.0, "method": "given", "source": "the option"}
    assert utilisation(None, Peak(100e12, "given", "the option")) == utilisation(1e9, None) == {}


@pytest.mark.parametrize("flops", [None, -1, 0, "8 GFLOP", float("inf"), float("nan")])
def test_work_that_is_not_known_has_no_rate(flops: Any) -> None:
    assert flops_rate({"flops_per_image": flops}, 6.0) is None
    assert flops_rate(RESNET50, None) is None
