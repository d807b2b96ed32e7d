"""``pytest-throughput doctor``: what it sees, and what it would have mended."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pynvml
import pytest
from fake_nvml import ERRORS, FakeNvml

from pytest_throughput.cli import main
from pytest_throughput.telemetry import doctor as diagnosis
from pytest_throughput.telemetry.doctor import diagnose_cpu, diagnose_gpus


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    nvml = FakeNvml(monkeypatch)
    for name, value in {
        "nvmlSystemGetDriverVersion": "580.65.06",
        "nvmlSystemGetCudaDriverVersion_v2": 13020,
    }.items():
        monkeypatch.setattr(pynvml, name, lambda value=value: value)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetPersistenceMode", lambda handle: 1)
    return nvml


def test_a_steady_gpu_needs_nothing(nvml: FakeNvml) -> None:
    found = diagnose_gpus({})
    assert found.to_mend == []
    assert found.lines == [
        "driver 580.65.06, for CUDA up to 13.2",
        "GPU 0: NVIDIA H200, 139.70 GiB, GPU-fake",
        "    SM clock: 1980 of at most 1980 MHz",
        "    memory clock: 3201 MHz",
        "    clocks are lowered by: nothing",
        "    temperature: 61 °C",
        "    power: 650 of 700 W",
        "    energy counter: yes",
        "    memory in use: 8.38 GiB",
        "    persistence mode: on",
        "    processes: none",
    ]
    assert nvml.opened == 0


def test_what_makes_figures_unsteady_is_to_be_mended(nvml: FakeNvml) -> None:
    nvml.reasons, nvml.processes = 0x44, [os.getpid(), 2**22 + 1]
    nvml.monkeypatch.setattr(pynvml, "nvmlDeviceGetPersistenceMode", lambda handle: 0)
    found = diagnose_gpus({})
    assert "    clocks are lowered by: power limit, thermal slowdown by hardware" in found.lines
    (processes,) = [line for line in found.lines if "processes" in line]
    assert str(os.getpid()) in processes and str(2**22 + 1) in processes
    assert [advice.partition(":")[2].strip().partition(" ")[0] for advice in found.to_mend] == ["others", "sudo", "its"]


@pytest.mark.parametrize(("reasons", "shown"), [(0x1, "nothing (it is idle)"), (0x2, "its application clocks")])
def test_an_idle_gpu_and_chosen_clocks_are_no_fault(nvml: FakeNvml, reasons: int, shown: str) -> None:
    nvml.reasons = reasons
    found = diagnose_gpus({})
    assert f"    clocks are lowered by: {shown}" in found.lines
    assert found.to_mend == []


def test_what_is_hidden_is_said(nvml: FakeNvml) -> None:
    assert (
        "CUDA_VISIBLE_DEVICES=1: what it leaves out is not measured"
        in diagnose_gpus({"CUDA_VISIBLE_DEVICES": "1"}).lines
    )


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_whatever_nvml_answers_there_is_a_line(nvml: FakeNvml, error: type[Exception]) -> None:
    for name in dir(pynvml):
        if name.startswith(("nvmlDeviceGet", "nvmlSystemGet")) and name not in (
            "nvmlDeviceGetCount",
            "nvmlDeviceGetHandleByIndex",
            "nvmlDeviceGetUUID",
            "nvmlDeviceGetName",
        ):
            nvml.fail(name, error)
    found = diagnose_gpus({})
    assert len(found.lines) == 11
    assert sum("unknown" in line for line in found.lines) == 10
    assert found.to_mend == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (pynvml.NVMLError_LibraryNotFound, "no NVIDIA driver, or a container without it (docker run --gpus)"),
        (pynvml.NVMLError_LibRmVersionMismatch, "the driver was updated and not loaded again: reboot"),
        (pynvml.NVMLError_Unknown, "NVML: unknown error (in a container: start it anew)"),
    ],
)
def test_no_gpu_has_a_reason(nvml: FakeNvml, error: type[Exception], reason: str) -> None:
    nvml.fail("nvmlInit", error)
    assert diagnose_gpus({}).lines == [f"none: {reason}"]


def machine(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        file = folder / "devices/system/cpu" / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    return folder


def test_a_governor_that_follows_the_load_is_to_be_changed(tmp_path: Path) -> None:
    sys_folder = machine(
        tmp_path,
        cpu0__cpufreq__scaling_governor="powersave",
        cpu1__cpufreq__scaling_governor="performance",
        intel_pstate__no_turbo="0",
    )
    found = diagnose_cpu(sys_folder, look=lambda seconds: None)
    assert "governor: performance, powersave" in found.lines
    assert "turbo: on" in found.lines
    assert any("cpupower frequency-set -g performance" in advice for advice in found.to_mend)


def test_a_fixed_clock_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "_BUSY_SHARE", 1.1)  # Whatever else this machine does.
    monkeypatch.setattr(diagnosis, "_STOLEN_SHARE", 1.1)
    found = diagnose_cpu(
        machine(tmp_path, cpu0__cpufreq__scaling_governor="performance", cpufreq__boost="0"), look=lambda seconds: None
    )
    assert found.to_mend == []
    assert "turbo: off" in found.lines


def test_the_command_asks_interpreters_without_importing(
    nvml: FakeNvml, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "torch.py"
    broken.write_text("raise SystemExit('imported')")
    arguments = ["doctor", f"--interpreter=here={sys.executable}", "--interpreter=gone=/nowhere/python"]
    nvml.monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert main(arguments) == 0
    output = capsys.readouterr().out
    assert f"    here: {sys.executable}, Python {sys.version.split()[0]}" in output
    assert "        numpy " in output
    assert "    gone: /nowhere/python does not answer (No such file or directory)" in output
    for title in ("GPUs", "CPU", "Frameworks", "What to mend"):
        assert f"{title}\n" in output


def test_the_command_lists_the_environments_of_the_current_folder(
    nvml: FakeNvml, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, program in {"new": sys.executable, "old": "/bin/false", "given": "/bin/false"}.items():
        python = tmp_path / f".nox/env-{name}/bin/python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        python.chmod(0o755)
    assert main(["doctor", f"--interpreter=given={sys.executable}"]) == 0
    output = capsys.readouterr().out
    assert f"    new: {sys.executable}, Python {sys.version.split()[0]}" in output
    assert f"    old: {tmp_path}/.nox/env-old/bin/python does not answer (CalledProcessError)" in output
    assert f"    given: {sys.executable}, Python" in output
    assert output.count("given:") == 1


def test_a_bad_interpreter_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--interpreter=python"]) == 2
    assert "expected [ENVIRONMENT/]NAME=COMMAND" in capsys.readouterr().err
