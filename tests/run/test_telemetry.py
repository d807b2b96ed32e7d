"""Telemetry from NVML to the JSON, with a GPU that is not there."""

from __future__ import annotations

import time

import pynvml
import pytest
from fake_nvml import ERRORS, FakeNvml
from plugin_project import Project

TESTS = """
def test_it(measure_isolated):
    measure_isolated("steps:sleep", {"milliseconds": 20}, items=2, device="cuda")
"""


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return FakeNvml(monkeypatch)


def test_a_trial_on_a_gpu_records_what_the_gpu_did(project: Project, nvml: FakeNvml) -> None:
    nvml.processes = [2**22 + 1, 2**22 + 2]
    project.tests(TESTS)
    result = project.run("--throughput-protocol=paper", "--benchmark-json=run.json")
    assert result.ret == 0
    (benchmark,) = project.json()["benchmarks"]
    info = benchmark["extra_info"]
    gpu = info["telemetry"]["gpu"]
    assert gpu["readings"] >= 1
    assert gpu["sm_clock_mhz"]["mean"] == 1980
    assert gpu["memory_peak_bytes"] == 9e9
    assert gpu["foreign_processes"] == 1
    assert info["disturbed_by"] == "1 other process on the GPU"
    assert info["rounds_disturbed"] == 20
    assert info["images_per_joule"] is None
    assert "the rounds did not last long enough" in info["telemetry"]["unknown"]["power_watts"]
    assert info["telemetry"]["cpu"]["seconds"] > 0
    assert nvml.opened == 0
    result.stdout.fnmatch_lines(["test_it.py::test_it: disturbed: 1 other process on the GPU"])


def test_joules_are_counted_over_long_rounds(project: Project, nvml: FakeNvml) -> None:
    def millijoules(_: str) -> int:
        return int(600_000 * time.monotonic())  # 600 W

    nvml.monkeypatch.setattr(pynvml, "nvmlDeviceGetTotalEnergyConsumption", millijoules)
    project.tests(TESTS.replace(": 20", ": 200"))
    result = project.run("--throughput-protocol=paper", "--benchmark-json=run.json")
    info = project.json()["benchmarks"][0]["extra_info"]
    gpu = info["telemetry"]["gpu"]
    assert gpu["power_method"] == "energy counter", info["telemetry"]["unknown"]
    assert gpu["power_seconds"] >= 1.5
    assert 300 < gpu["power_watts"] < 1200
    assert info["images_per_joule"] == pytest.approx(info["images_per_second"] / gpu["power_watts"], rel=0.5)
    result.stdout.fnmatch_lines(["*images/J*"])


@pytest.mark.parametrize("error", [pynvml.NVMLError_GpuIsLost, pynvml.NVMLError_NotSupported, OSError, MemoryError])
def test_telemetry_never_fails_a_benchmark(project: Project, nvml: FakeNvml, error: type[Exception]) -> None:
    assert pynvml.NVMLError_GpuIsLost in ERRORS
    for name in dir(pynvml):
        if name.startswith("nvmlDeviceGet") and "UUID" not in name and name != "nvmlDeviceGetName":
            nvml.fail(name, error)
    nvml.monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 1)
    nvml.monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: "handle")
    for name in ("MemoryInfo", "MigMode", "EnforcedPowerLimit", "CudaComputeCapability"):
        # What the list of GPUs reads has tests of its own.
        nvml.fail(f"nvmlDeviceGet{name}", pynvml.NVMLError_NotSupported)
    project.tests(TESTS)
    result = project.run("--throughput-protocol=paper", "--benchmark-json=run.json")
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    telemetry = project.json()["benchmarks"][0]["extra_info"]["telemetry"]
    assert telemetry["gpu"]["sm_clock_mhz"]["mean"] is None
    assert telemetry["unknown"]["sm_clock_mhz"]


def test_without_a_driver_it_is_null_and_says_so(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = FakeNvml(monkeypatch)
    nvml.fail("nvmlInit", pynvml.NVMLError_LibraryNotFound)
    project.tests(TESTS)
    (benchmark,) = project.run_json("--throughput-protocol=paper")["benchmarks"]
    assert benchmark["extra_info"]["telemetry"]["gpu"] is None
    assert benchmark["extra_info"]["telemetry"]["unknown"]["gpu"].startswith("NVML sees no GPU")


def test_running_once_reads_nothing(project: Project, nvml: FakeNvml) -> None:
    nvml.fail("nvmlDeviceGetHandleByUUID", AssertionError)
    project.tests(TESTS)
    assert project.run("--benchmark-disable").ret == 0


def test_the_fingerprint_has_the_gpus_of_the_trials_and_no_others(project: Project, nvml: FakeNvml) -> None:
    """A run on one of two GPUs is compared with runs on that one, whatever else the machine has."""
    handles = ["handle", "other"]
    nvml.monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 2)
    nvml.monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", handles.__getitem__)
    nvml.monkeypatch.setattr(pynvml, "nvmlDeviceGetUUID", lambda handle: {"other": "GPU-bbbb"}.get(handle, "GPU-aaaa"))
    nvml.monkeypatch.setattr(pynvml, "nvmlDeviceGetName", lambda handle: {"other": "NVIDIA L4"}.get(handle, "H200"))
    project.tests(TESTS.replace('"cuda"', '"cuda:1"').replace("20}", "0.1}"))
    block = project.run_json()["throughput"]
    assert [gpu["name"] for gpu in block["fingerprint"]["gpus"]] == ["NVIDIA L4"]
