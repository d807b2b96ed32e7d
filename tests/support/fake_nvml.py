"""A fake GPU for NVML's real module and its real error classes. Every answer can be set, or be made an error."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

POWER_COUNTER, THERMAL_COUNTER = pynvml.NVML_FI_DEV_PERF_POLICY_POWER, pynvml.NVML_FI_DEV_PERF_POLICY_THERMAL

READING_FUNCTIONS = (
    "nvmlDeviceGetClockInfo",
    "nvmlDeviceGetMaxClockInfo",
    "nvmlDeviceGetTemperatureV",
    "nvmlDeviceGetPowerUsage",
    "nvmlDeviceGetTotalEnergyConsumption",
    "nvmlDeviceGetCurrentClocksEventReasons",
    "nvmlDeviceGetFieldValues",
    "nvmlDeviceGetUtilizationRates",
    "nvmlDeviceGetMemoryInfo",
    "nvmlDeviceGetComputeRunningProcesses",
)

ERRORS = sorted(
    {
        error
        for name in dir(pynvml)
        if name.startswith("NVMLError_") and isinstance(error := getattr(pynvml, name), type)
    },
    key=lambda error: error.__name__,
)
"""Every class of NVML's errors."""


class FakeNvml:
    """One busy GPU with the UUID ``GPU-fake``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.opened = 0
        self.sm_clock_mhz = 1980
        self.energy_millijoules = 5_000_000
        self.milliwatts = 650_000
        self.reasons = 0
        self.counters: Mapping[int, int] = {POWER_COUNTER: 0, THERMAL_COUNTER: 0}
        self.processes: list[int] = []
        for name, function in {
            "nvmlInit": self._init,
            "nvmlShutdown": self._shutdown,
            "nvmlDeviceGetCount": lambda: 1,
            "nvmlDeviceGetHandleByIndex": lambda index: "handle",
            "nvmlDeviceGetHandleByUUID": self._handle,
            "nvmlDeviceGetUUID": lambda handle: "GPU-fake",
            "nvmlDeviceGetName": lambda handle: "NVIDIA H200",
            "nvmlDeviceGetMigMode": lambda handle: [0, 0],
            "nvmlDeviceGetEnforcedPowerLimit": lambda handle: 700_000,
            "nvmlDeviceGetCudaComputeCapability": lambda handle: [9, 0],
            "nvmlDeviceGetClockInfo": lambda handle, clock: (
                self.sm_clock_mhz if clock == pynvml.NVML_CLOCK_SM else 3201
            ),
            "nvmlDeviceGetMaxClockInfo": lambda handle, clock: 1980,
            "nvmlDeviceGetTemperatureV": lambda handle, sensor: 61,
            "nvmlDeviceGetPowerUsage": lambda handle: self.milliwatts,
            "nvmlDeviceGetTotalEnergyConsumption": lambda handle: self.energy_millijoules,
            "nvmlDeviceGetCurrentClocksEventReasons": lambda handle: self.reasons,
            "nvmlDeviceGetFieldValues": self._fields,
            "nvmlDeviceGetUtilizationRates": lambda handle: SimpleNamespace(gpu=97, memory=40),
            "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=150 * 10**9, used=9 * 10**9),
            "nvmlDeviceGetComputeRunningProcesses": lambda handle: [
                SimpleNamespace(pid=process, usedGpuMemory=None) for process in self.processes
            ],
        }.items():
            monkeypatch.setattr(pynvml, name, function)

    def fail(self, function: str, error: type[Exception]) -> None:
        """Make a function of NVML raise from now on."""

        def raise_error(*_: object) -> None:
            raise error()

        self.monkeypatch.setattr(pynvml, function, raise_error)

    def _init(self) -> None:
        self.opened += 1

    def _shutdown(self) -> None:
        self.opened -= 1

    def _handle(self, uuid: str) -> str:
        if uuid != "GPU-fake":
            raise pynvml.NVMLError_NotFound()
        return "handle"

    def _fields(self, handle: str, identifiers: list[int]) -> list[Any]:
        return [
            SimpleNamespace(
                nvmlReturn=pynvml.NVML_SUCCESS if identifier in self.counters else pynvml.NVML_ERROR_NOT_SUPPORTED,
                valueType=pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG,
                value=SimpleNamespace(ullVal=self.counters.get(identifier)),
            )
            for identifier in identifiers
        ]
