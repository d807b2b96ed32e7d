"""Read one GPU through NVML, field by field.

No error leaves this module: a field that cannot be read is absent, and its reason is kept. The GPU is found by its
UUID, because NVML's indices differ from CUDA's and may change with the next boot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pytest_throughput.telemetry.gpus import Gpu

__all__ = ["CLOCK_REASONS", "GpuProbe", "Reading", "reason_of"]

CLOCK_REASONS = {
    0x4: "power limit",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "thermal slowdown by software",
    0x40: "thermal slowdown by hardware",
    0x80: "power brake",
}
"""Bits of ``nvmlClocksEventReasons`` that lower the clocks, except those for an idle GPU and for user settings."""

_NANOSECONDS = 1e9
_POWER_COUNTER, _THERMAL_COUNTER = 74, 75
"""Field identifiers of ``NVML_FI_DEV_PERF_POLICY_POWER`` and ``_THERMAL``. The newer, finer counters are not used:
their identifiers are 251 to 253 in the header of one driver, and 269 to 271 in that of another."""


@dataclass(frozen=True)
class Reading:
    """The state of a GPU at one moment."""

    at: float
    """Seconds of ``time.monotonic``."""
    values: Mapping[str, float]
    """Values by the names of ``_FIELDS``; fields that could not be read are absent."""
    processes: frozenset[int] | None = None
    """Ids of the processes that compute on the GPU, as the host numbers them even in a container; None if unknown."""


class GpuProbe:
    """A connection to one GPU through NVML."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._nvml: Any = None
        self._handle: Any = None
        self._given_up: set[str] = set()
        self.unknown: dict[str, str] = {}
        """The reason why a field could not be read last, by its name; ``gpu`` if no field can be read."""
        try:
            import pynvml

            pynvml.nvmlInit()
            self._nvml = pynvml
            self._handle = pynvml.nvmlDeviceGetHandleByUUID(gpu.uuid)
        except Exception as error:
            self.unknown["gpu"] = self._reason(error)

    def read(self, at: float) -> Reading:
        """Read all fields that can be read now."""
        values = {}
        for name, field in _FIELDS.items():
            value = self._try(name, field)
            if value is not None:
                values[name] = float(value)
        return Reading(at, values, self._try("processes", _processes))

    def close(self) -> None:
        """Close the connection to NVML."""
        nvml, self._nvml, self._handle = self._nvml, None, None
        if nvml is not None:
            with suppress(Exception):
                nvml.nvmlShutdown()

    def _try(self, name: str, field: Callable[[Any, Any], Any]) -> Any:
        if self._handle is None or name in self._given_up:
            return None
        try:
            value = field(self._nvml, self._handle)
        except Exception as error:
            self.unknown[name] = self._reason(error)
            if type(error).__name__ in _FOR_GOOD:
                self._given_up.add(name)
            return None
        self.unknown.pop(name, None)
        return value

    def _reason(self, error: Exception) -> str:
        if type(error).__name__ == "NVMLError_NotSupported" and self._gpu.mig:
            return "not supported by a GPU that is divided (MIG)"
        return reason_of(error)


def reason_of(error: Exception) -> str:
    """Return in a few words what an error of NVML means."""
    name = type(error).__name__
    return _REASONS.get(name, f"NVML: {str(error) or name}")


_FOR_GOOD = (
    "AttributeError",
    "NVMLError_FunctionNotFound",
    "NVMLError_NoPermission",
    "NVMLError_NotSupported",
    "NVMLLibraryMismatchError",
)
"""Errors that would recur, so that the field is not read again."""
_REASONS = {
    "AttributeError": "not known to this version of nvidia-ml-py",
    "ModuleNotFoundError": "nvidia-ml-py is not installed",
    "NVMLError_DriverNotLoaded": "the NVIDIA driver is not loaded",
    "NVMLError_FunctionNotFound": "not known to this driver, which is older",
    "NVMLError_GpuIsLost": "the GPU has fallen off the bus",
    "NVMLError_LibRmVersionMismatch": "the driver was updated and not loaded again: reboot",
    "NVMLError_LibraryNotFound": "no NVIDIA driver, or a container without it (docker run --gpus)",
    "NVMLError_NoPermission": "this user may not read it",
    "NVMLError_NotFound": "NVML knows no GPU of that UUID",
    "NVMLError_NotSupported": "not supported by this GPU",
    "NVMLError_Unknown": "NVML: unknown error (in a container: start it anew)",
    "NVMLLibraryMismatchError": "not known to this driver, which is older",
}


def _clock_reasons(nvml: Any, gpu: Any) -> int:
    try:
        return int(nvml.nvmlDeviceGetCurrentClocksEventReasons(gpu))
    except (AttributeError, nvml.NVMLError_FunctionNotFound):
        return int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu))  # Its name in older drivers.


def _temperature(nvml: Any, gpu: Any) -> int:
    try:
        return int(nvml.nvmlDeviceGetTemperatureV(gpu, nvml.NVML_TEMPERATURE_GPU))
    except (AttributeError, nvml.NVMLError_FunctionNotFound):
        return int(nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU))


def _counter(identifier: int) -> Callable[[Any, Any], float]:
    def seconds(nvml: Any, gpu: Any) -> float:
        (field,) = nvml.nvmlDeviceGetFieldValues(gpu, [identifier])
        if field.nvmlReturn != nvml.NVML_SUCCESS:
            raise nvml.NVMLError(field.nvmlReturn)
        if field.valueType != nvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG:
            raise TypeError(f"field {identifier} is of type {field.valueType}")
        return float(field.value.ullVal) / _NANOSECONDS

    return seconds


def _processes(nvml: Any, gpu: Any) -> frozenset[int]:
    return frozenset(int(process.pid) for process in nvml.nvmlDeviceGetComputeRunningProcesses(gpu))


_FIELDS: Mapping[str, Callable[[Any, Any], float]] = {
    "sm_clock_mhz": lambda nvml, gpu: nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM),
    "highest_sm_clock_mhz": lambda nvml, gpu: nvml.nvmlDeviceGetMaxClockInfo(gpu, nvml.NVML_CLOCK_SM),
    "memory_clock_mhz": lambda nvml, gpu: nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_MEM),
    "temperature_celsius": _temperature,
    "power_watts": lambda nvml, gpu: nvml.nvmlDeviceGetPowerUsage(gpu) / 1000,
    "energy_joules": lambda nvml, gpu: nvml.nvmlDeviceGetTotalEnergyConsumption(gpu) / 1000,
    "clock_reasons": _clock_reasons,
    "power_limited_seconds": _counter(_POWER_COUNTER),
    "thermally_limited_seconds": _counter(_THERMAL_COUNTER),
    "utilisation_percent": lambda nvml, gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu,
    "memory_used_bytes": lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).used,
}
"""The fields and how they are read.

``power_watts`` is a mean over one second from Ampere on, except on the A100. ``energy_joules`` counts from the loading
of the driver, from Volta on, and advances about ten times a second. ``utilisation_percent`` is the share of time in
which any kernel was running, not the share of the GPU that was in use.
"""
