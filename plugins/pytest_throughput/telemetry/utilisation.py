"""Model FLOPs utilisation: the rate of a trial as a share of its device's peak rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_throughput.telemetry.device import Device
from pytest_throughput.telemetry.peaks import Peak, datasheet_peak

__all__ = ["flops_rate", "known_peak", "utilisation"]


def known_peak(metadata: Mapping[str, Any], device: Device, given_tflops: float | None) -> Peak | None:
    """Return the peak of a trial's device that is known without measuring; None for a CPU, and for an unknown GPU.

    ``given_tflops``, the value of ``--throughput-peak-tflops``, holds for every device and precision if given.
    """
    if given_tflops is not None:
        return Peak(given_tflops * 1e12, "given", "--throughput-peak-tflops")
    gpu = device.gpu
    if not device.is_gpu or (gpu is not None and gpu.mig):
        return None  # A slice of a GPU has only a part of the GPU's peak.
    name = gpu.name if gpu is not None else metadata.get("device_name")
    return datasheet_peak(name, str(metadata.get("precision"))) if isinstance(name, str) else None


def flops_rate(metadata: Mapping[str, Any], images_per_second: float | None) -> float | None:
    """Return a trial's operations per second, with convolutions counted as direct ones; None if they are unknown."""
    flops_per_image = metadata.get("flops_per_image")
    if images_per_second is None or not isinstance(flops_per_image, (int, float)) or not 0 < flops_per_image < 1e18:
        return None
    return flops_per_image * images_per_second


def utilisation(rate: float | None, peak: Peak | None) -> dict[str, Any]:
    """Return ``model_flops_utilisation`` and ``peak`` of a trial; nothing if the rate or the peak is unknown."""
    if rate is None or peak is None:
        return {}
    return {
        "model_flops_utilisation": rate / peak.flops,
        "peak": {"tflops": peak.flops / 1e12, "method": peak.method, "source": peak.source},
    }
