"""Telemetry around a trial: what it adds, and that it never fails one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pynvml
import pytest
from fake_nvml import FakeNvml

from pytest_throughput.measurement.disturbance import Disturbance
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.telemetry import sampler
from pytest_throughput.telemetry.cpu_load import CpuReading, read_cpu, summarise_cpu
from pytest_throughput.telemetry.device import Device
from pytest_throughput.telemetry.gpu_summary import GpuSummary
from pytest_throughput.telemetry.gpus import Gpu
from pytest_throughput.telemetry.probe import GpuProbe, Reading
from pytest_throughput.telemetry.sampler import Sampler
from pytest_throughput.telemetry.watch import Telemetry, Watch

GPU = Gpu("GPU-fake", "NVIDIA H200", 150 * 10**9, False, 700.0)


def measurement(window: tuple[float, float] | None) -> Measurement:
    return Measurement((0.1,), 1, 0.1, 0, "target", 0.1, (Disturbance(None, None, 0, None, None),), window)


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    return FakeNvml(monkeypatch)


def wait_for_readings(nvml: FakeNvml, count: int) -> None:
    """Returns when the GPU was read so many times more."""
    enough = threading.Event()
    seen: list[float] = []

    def power(_: str) -> int:
        seen.append(time.monotonic())
        if len(seen) >= count:
            enough.set()
        return 650_000

    nvml.monkeypatch.setattr(pynvml, "nvmlDeviceGetPowerUsage", power)
    assert enough.wait(60)


def test_a_gpu_is_read_while_its_worker_measures(nvml: FakeNvml) -> None:
    telemetry = Telemetry()
    with telemetry.watching(Device("cuda", GPU), isolated=True) as watch:
        began_at = time.monotonic()
        wait_for_readings(nvml, 4)
        ended_at = time.monotonic()
    metadata = watch.metadata(measurement((began_at, ended_at)), 10)
    gpu = metadata["telemetry"]["gpu"]
    assert gpu["readings"] >= 3
    assert gpu["sm_clock_mhz"] == {"mean": 1980.0, "min": 1980.0, "highest_possible": 1980.0}
    assert (metadata["images_per_joule"], metadata["disturbed_by"]) == (None, None)
    assert "power_watts" in metadata["telemetry"]["unknown"]
    assert nvml.opened == 1
    telemetry.close()
    assert nvml.opened == 0
    assert "pytest-throughput-telemetry" not in [thread.name for thread in threading.enumerate()]


def test_a_throttled_gpu_disturbs_the_trial(nvml: FakeNvml) -> None:
    nvml.reasons = 0x40
    telemetry = Telemetry()
    with telemetry.watching(Device("cuda", GPU), isolated=True) as watch:
        began_at = time.monotonic()
        wait_for_readings(nvml, 2)
        ended_at = time.monotonic()
    metadata = watch.metadata(measurement((began_at, ended_at)), 10)
    assert metadata["disturbed_by"] == "thermal slowdown by hardware in 100% of the time"
    telemetry.close()


@pytest.mark.parametrize(
    ("device", "gpu", "isolated", "reason"),
    [
        ("cuda", None, True, "NVML sees no GPU, or not which of them it is"),
        ("cuda", GPU, False, "measured in the pytest process"),
        ("cuda", replace(GPU, uuid="GPU-gone"), True, "NVML knows no GPU of that UUID"),
    ],
)
def test_what_cannot_be_read_is_null_with_a_reason(
    nvml: FakeNvml, device: str, gpu: Gpu | None, isolated: bool, reason: str
) -> None:
    telemetry = Telemetry()
    with telemetry.watching(Device(device, gpu), isolated=isolated) as watch:
        pass
    metadata = watch.metadata(measurement((0.0, 1.0)), 10)
    assert metadata["telemetry"]["gpu"] is None
    assert metadata["telemetry"]["unknown"]["gpu"].startswith(reason)
    assert (metadata["images_per_joule"], metadata["disturbed_by"]) == (None, None)
    telemetry.close()


@pytest.mark.parametrize("window", [None, (0.0, 1.0), (time.monotonic(), time.monotonic() + 1e6)])
def test_rounds_by_another_clock_are_not_looked_for(nvml: FakeNvml, window: tuple[float, float] | None) -> None:
    telemetry = Telemetry()
    with telemetry.watching(Device("cuda", GPU), isolated=True) as watch:
        pass
    telemetry.close()
    metadata = watch.metadata(measurement(window), 10)
    assert metadata["telemetry"]["gpu"] is None
    assert metadata["telemetry"]["unknown"]["gpu"] in ("nothing was read", "the worker's clock is not this machine's")


def test_nvml_that_hangs_is_left_alone(nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "_PATIENCE_SECONDS", 0.01)
    entered, released = threading.Event(), threading.Event()

    class Hanging(GpuProbe):
        reads = 0

        def read(self, at: float) -> Reading:
            self.reads += 1
            if self.reads > 1:
                entered.set()
                released.wait(60)
            return super().read(at)

    telemetry = Telemetry(Hanging)
    try:
        with telemetry.watching(Device("cuda", GPU), isolated=True) as watch:
            assert entered.wait(60)
        assert watch.metadata(measurement((0.0, 1.0)), 1)["telemetry"]["gpu"] is None
        with telemetry.watching(Device("cuda", GPU), isolated=True) as watch:
            pass
        reason = watch.metadata(measurement((0.0, 1.0)), 1)["telemetry"]["unknown"]["gpu"]
        assert reason == "NVML did not answer any more"
    finally:
        released.set()
        telemetry.close()


def test_what_we_started_is_ours_even_when_it_has_ended(nvml: FakeNvml) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    nvml.processes = [child.pid, os.getpid(), 2**22 + 1]
    reader = Sampler(GpuProbe(GPU))
    reader.start()
    child.communicate(b"\n")
    reader.stop()
    assert reader.ours == {child.pid}


def test_a_cpu_is_read_before_and_after_and_by_no_thread() -> None:
    threads = threading.active_count()
    with Telemetry().watching(Device(), isolated=True) as watch:
        assert threading.active_count() == threads
    found = watch.metadata(measurement((0.0, 1.0)), 10)
    assert found["telemetry"]["gpu"] is None
    assert found["telemetry"]["cpu"]["seconds"] >= 0
    assert set(found["telemetry"]["unknown"]) <= {"busy_share", "steal_share", "frequency_mhz"}
    assert (found["images_per_joule"], found["disturbed_by"]) == (None, None)


def test_busy_and_stolen_processors_are_shares_of_all() -> None:
    before = CpuReading(10.0, 0.5, (1000, 600, 10), None)
    after = CpuReading(20.0, 1.5, (2000, 1200, 60), 2400.0)
    fields, unknown = summarise_cpu(before, after)
    assert fields == {
        "seconds": 10.0,
        "load_before": 0.5,
        "load_after": 1.5,
        "busy_share": 0.4,
        "steal_share": 0.05,
        "frequency_mhz": 2400.0,
    }
    assert unknown == {}
    _, unknown = summarise_cpu(CpuReading(1.0, None, None, None), CpuReading(2.0, None, None, None))
    assert set(unknown) == set(fields) - {"seconds"}


def test_the_processors_are_read_from_linux_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    (tmp_path / "stat").write_text("cpu  10 1 4 70 5 2 1 7 3 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
    for number, kilohertz in ((0, 2_000_000), (1, 3_000_000), (2, 9_000_000)):
        folder = tmp_path / f"devices/system/cpu/cpu{number}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_cur_freq").write_text(f"{kilohertz}\n")
    reading = read_cpu(tmp_path, tmp_path)
    assert (reading.ticks, reading.frequency_mhz) == ((100, 75, 7), 2500.0)
    nothing = read_cpu(tmp_path / "none", tmp_path / "none")
    assert (nothing.ticks, nothing.frequency_mhz) == (None, None)
    (tmp_path / "stat").write_text("nonsense")
    assert read_cpu(tmp_path, tmp_path).ticks is None


def test_what_counts_no_items_has_none_per_joule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_throughput.telemetry.watch.summarise", lambda *_: GpuSummary({}, images_per_joule=2.0))
    watch = Watch(Device("cuda", GPU))
    watch.readings = [Reading(0.0, {}), Reading(9.0, {})]
    assert watch.metadata(measurement((1.0, 2.0)), 10)["images_per_joule"] == 2.0
    assert watch.metadata(measurement((1.0, 2.0)), None)["images_per_joule"] is None
