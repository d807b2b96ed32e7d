"""Model FLOPs utilisation: the rate of a trial as a share of its device's peak rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_throughput.telemetry.cpu_peak import measured_cpu_flops
from pytest_throughput.telemetry.device import Device
from pytest_throughput.telemetry.peaks import Peak, datasheet_peak

__all__ = ["Utilisation"]

_DTYPES = {"fp32": "float32", "fp64": "float64"}
"""NumPy's type for each precision in which a CPU's peak can be measured."""
_MEASURED_AT_MOST = 3


class Utilisation:
    """The peaks of a run's devices. A CPU's peak is measured when it is first needed."""

    def __init__(self, given_tflops: float | None, measure: Callable[[int, str], float | None] | None = None) -> None:
        """Use ``given_tflops``, the value of ``--throughput-peak-tflops``, for every device and precision if given."""
        self._given_tflops = given_tflops
        self._measure = measured_cpu_flops if measure is None else measure
        self._measured: dict[tuple[int, str], list[float | None]] = {}

    def metadata(self, metadata: Mapping[str, Any], images_per_second: float, device: Device) -> dict[str, Any]:
        """Return ``model_flops_utilisation`` and ``peak`` of a trial; nothing if its FLOPs or the peak are unknown."""
        flops_per_image = metadata.get("flops_per_image")
        if not isinstance(flops_per_image, (int, float)) or not 0 < flops_per_image < 1e18:
            return {}
        rate = flops_per_image * images_per_second
        peak = self._peak(metadata, rate, device)
        if peak is None:
            return {}
        return {
            "model_flops_utilisation": rate / peak.flops,
            "peak": {"tflops": peak.flops / 1e12, "method": peak.method, "source": peak.source},
        }

    def _peak(self, metadata: Mapping[str, Any], rate: float, device: Device) -> Peak | None:
        if self._given_tflops is not None:
            return Peak(self._given_tflops * 1e12, "given", "--throughput-peak-tflops")
        precision = str(metadata.get("precision"))
        if not device.is_gpu:
            settings = metadata.get("settings")
            return self._cpu_peak(settings.get("threads") if isinstance(settings, dict) else None, precision, rate)
        gpu = device.gpu
        if gpu is not None and gpu.mig:
            return None  # A slice of a GPU has only a part of the GPU's peak.
        name = gpu.name if gpu is not None else metadata.get("device_name")
        return datasheet_peak(name, precision) if isinstance(name, str) else None

    def _cpu_peak(self, threads: Any, precision: str, rate: float) -> Peak | None:
        if not isinstance(threads, int) or threads < 1 or precision not in _DTYPES:
            return None
        tried = self._measured.setdefault((threads, precision), [])
        while len(tried) < _MEASURED_AT_MOST and max(filter(None, tried), default=0.0) < rate:
            # Measured the first time, and again if a case is faster than the peak: something held up the product.
            tried.append(self._measure(threads, _DTYPES[precision]))
            if tried[-1] is None:
                break
        best = max(filter(None, tried), default=None)
        return None if best is None else Peak(best, "measured", f"a large product of matrices, {threads} threads")
