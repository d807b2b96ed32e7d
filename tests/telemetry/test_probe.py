"""A GPU read field by field: with every error that NVML has, at every place, nothing is raised."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pynvml
import pytest
from fake_nvml import ERRORS, POWER_COUNTER, READING_FUNCTIONS, THERMAL_COUNTER, FakeNvml

from pytest_throughput.telemetry.gpus import Gpu
from pytest_throughput.telemetry.probe import CLOCK_REASONS, GpuProbe, Reading

GPU = Gpu("GPU-fake", "NVIDIA H200", 150 * 10**9, False, 700.0)
FIELDS = {
    "sm_clock_mhz": 1980,
    "highest_sm_clock_mhz": 1980,
    "memory_clock_mhz": 3201,
    "temperature_celsius": 61,
    "power_watts": 650,
    "energy_joules": 5000,
    "clock_reasons": 0,
    "power_limited_seconds": 2.5,
    "thermally_limited_seconds": 0.25,
    "utilisation_percent": 97,
    "memory_used_bytes": 9e9,
}


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    nvml = FakeNvml(monkeypatch)
    nvml.counters = {POWER_COUNTER: 2_500_000_000, THERMAL_COUNTER: 250_000_000}
    nvml.processes = [10, 20]
    return nvml


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("nvmlDeviceGetClockInfo", 2),
        ("nvmlDeviceGetMaxClockInfo", 2),
        ("nvmlDeviceGetTemperatureV", 2),
        ("nvmlDeviceGetTemperature", 2),
        ("nvmlDeviceGetPowerUsage", 1),
        ("nvmlDeviceGetTotalEnergyConsumption", 1),
        ("nvmlDeviceGetCurrentClocksEventReasons", 1),
        ("nvmlDeviceGetCurrentClocksThrottleReasons", 1),
        ("nvmlDeviceGetFieldValues", 2),
        ("nvmlDeviceGetUtilizationRates", 1),
        ("nvmlDeviceGetMemoryInfo", 1),
        ("nvmlDeviceGetComputeRunningProcesses", 1),
        ("nvmlDeviceGetHandleByUUID", 1),
        ("nvmlDeviceGetPersistenceMode", 1),
        ("nvmlSystemGetDriverVersion", 0),
        ("nvmlSystemGetCudaDriverVersion_v2", 0),
    ],
)
def test_nvidias_module_has_what_is_called(function: str, arguments: int) -> None:
    inspect.signature(getattr(pynvml, function)).bind(*range(arguments))


def test_the_fields_of_its_structures_are_those_that_are_read() -> None:
    assert {"nvmlReturn", "valueType", "value"} <= {name for name, _ in pynvml.c_nvmlFieldValue_t._fields_}
    assert "ullVal" in {name for name, _ in pynvml.c_nvmlValue_t._fields_}
    assert "gpu" in {name for name, _ in pynvml.c_nvmlUtilization_t._fields_}
    assert {"total", "used"} <= {name for name, _ in pynvml.c_nvmlMemory_t._fields_}
    bits = {name: value for name, value in vars(pynvml).items() if name.startswith("nvmlClocksEventReason")}
    lowering = {
        "SwPowerCap",
        "HwSlowdown",
        "SyncBoost",
        "SwThermalSlowdown",
        "HwThermalSlowdown",
        "HwPowerBrakeSlowdown",
    }
    assert {bits[f"nvmlClocksEventReason{name}"] for name in lowering} == set(CLOCK_REASONS)


def test_all_is_read_in_its_unit(nvml: FakeNvml) -> None:
    probe = GpuProbe(GPU)
    assert probe.read(7.0) == Reading(7.0, FIELDS, frozenset({10, 20}))
    assert probe.unknown == {}
    probe.close()
    probe.close()
    assert nvml.opened == 0
    assert probe.read(8.0).values == {}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
@pytest.mark.parametrize("function", READING_FUNCTIONS)
def test_any_error_costs_its_own_fields_and_says_why(nvml: FakeNvml, function: str, error: type[Exception]) -> None:
    probe = GpuProbe(GPU)
    nvml.fail(function, error)
    if error is pynvml.NVMLError_FunctionNotFound:  # An older driver: the older functions are not there either.
        nvml.fail("nvmlDeviceGetTemperature", error)
        nvml.fail("nvmlDeviceGetCurrentClocksThrottleReasons", error)
    reading = probe.read(1.0)
    lost = {*FIELDS, "processes"} - {*reading.values, *(["processes"] if reading.processes is not None else [])}
    assert 1 <= len(lost) <= 2
    assert set(probe.unknown) == lost
    assert all(probe.unknown.values())
    assert {name: FIELDS[name] for name in reading.values} == reading.values


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
@pytest.mark.parametrize("function", ["nvmlInit", "nvmlDeviceGetHandleByUUID"])
def test_a_gpu_that_cannot_be_opened_says_why(nvml: FakeNvml, function: str, error: type[Exception]) -> None:
    nvml.fail(function, error)
    probe = GpuProbe(GPU)
    assert probe.unknown["gpu"]
    assert (probe.read(1.0).values, probe.read(1.0).processes) == ({}, None)
    nvml.fail("nvmlShutdown", pynvml.NVMLError_Uninitialized)
    probe.close()


def test_what_is_not_supported_is_not_asked_again_and_what_failed_once_is(nvml: FakeNvml) -> None:
    probe = GpuProbe(GPU)
    asked = []

    def fail_with(error: type[Exception]) -> object:
        def fail(*_: object) -> None:
            asked.append(error)
            raise error()

        return fail

    power = pynvml.nvmlDeviceGetPowerUsage
    for error in (pynvml.NVMLError_Timeout, pynvml.NVMLError_NotSupported):
        nvml.monkeypatch.setattr(pynvml, "nvmlDeviceGetPowerUsage", fail_with(error))
        probe.read(1.0)
    nvml.monkeypatch.setattr(pynvml, "nvmlDeviceGetPowerUsage", power)
    assert "power_watts" not in probe.read(2.0).values
    assert asked == [pynvml.NVMLError_Timeout, pynvml.NVMLError_NotSupported]
    assert probe.unknown == {"power_watts": "not supported by this GPU"}


def test_a_reason_goes_with_its_cause(nvml: FakeNvml) -> None:
    probe = GpuProbe(GPU)
    power = pynvml.nvmlDeviceGetPowerUsage
    nvml.fail("nvmlDeviceGetPowerUsage", pynvml.NVMLError_Unknown)
    probe.read(1.0)
    assert probe.unknown == {"power_watts": "NVML: unknown error (in a container: start it anew)"}
    nvml.monkeypatch.setattr(pynvml, "nvmlDeviceGetPowerUsage", power)
    assert probe.read(2.0).values["power_watts"] == 650
    assert probe.unknown == {}


def test_a_divided_gpu_says_that_it_is(nvml: FakeNvml) -> None:
    probe = GpuProbe(replace(GPU, mig=True))
    nvml.fail("nvmlDeviceGetUtilizationRates", pynvml.NVMLError_NotSupported)
    probe.read(1.0)
    assert probe.unknown == {"utilisation_percent": "not supported by a GPU that is divided (MIG)"}


def test_older_drivers_are_asked_by_the_older_names(nvml: FakeNvml) -> None:
    for function in ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetTemperatureV"):
        nvml.fail(function, pynvml.NVMLError_FunctionNotFound)
    nvml.monkeypatch.setattr(pynvml, "nvmlDeviceGetCurrentClocksThrottleReasons", lambda handle: 4)
    nvml.monkeypatch.setattr(pynvml, "nvmlDeviceGetTemperature", lambda handle, sensor: 50)
    values = GpuProbe(GPU).read(1.0).values
    assert (values["clock_reasons"], values["temperature_celsius"]) == (4, 50)


def test_an_older_nvidia_ml_py_lacks_names(nvml: FakeNvml) -> None:
    nvml.monkeypatch.delattr(pynvml, "nvmlDeviceGetComputeRunningProcesses")
    probe = GpuProbe(GPU)
    assert probe.read(1.0).processes is None
    assert probe.unknown == {"processes": "not known to this version of nvidia-ml-py"}


def test_a_counter_that_this_gpu_lacks_is_not_known(nvml: FakeNvml) -> None:
    nvml.counters = {POWER_COUNTER: 2_500_000_000}
    probe = GpuProbe(GPU)
    assert set(probe.read(1.0).values) == set(FIELDS) - {"thermally_limited_seconds"}
    assert probe.unknown == {"thermally_limited_seconds": "not supported by this GPU"}
