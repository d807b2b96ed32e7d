"""Find causes of unsteady figures on this machine, and advise how to mend them. Nothing is changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from pytest_throughput.telemetry.cpu import cpu_model, usable_physical_cores
from pytest_throughput.telemetry.cpu_load import read_cpu, summarise_cpu
from pytest_throughput.telemetry.gpus import Gpu, list_gpus
from pytest_throughput.telemetry.probe import CLOCK_REASONS, GpuProbe, Reading, reason_of
from pytest_throughput.text import byte_count, printable, share

__all__ = ["Diagnosis", "diagnose_cpu", "diagnose_gpus", "who_computes"]

_SYS = Path("/sys")
_LOOKING_SECONDS = 1.0
_BUSY_SHARE = 0.05
_STOLEN_SHARE = 0.01
_IDLE = 0x1
_SETTINGS = {0x2: "its application clocks", 0x100: "its display clocks"}


@dataclass
class Diagnosis:
    """The findings about one part of the machine, and the advice for mending it."""

    lines: list[str] = field(default_factory=list)
    to_mend: list[str] = field(default_factory=list)


def diagnose_gpus(environment: dict[str, str] | None = None) -> Diagnosis:
    """Describe every NVIDIA GPU and its current state."""
    found = Diagnosis()
    gpus = list_gpus()
    if not gpus:
        found.lines.append(f"none: {_why_none()}")
        return found
    found.lines.append(f"driver {_system('nvmlSystemGetDriverVersion', str)}, for CUDA up to {_cuda_version()}")
    visible = (os.environ if environment is None else environment).get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        found.lines.append(f"CUDA_VISIBLE_DEVICES={printable(visible)}: what it leaves out is not measured")
        if any(entry.strip().isdecimal() for entry in visible.split(",")) and len({gpu.name for gpu in gpus}) > 1:
            found.to_mend.append(
                "name the GPUs of CUDA_VISIBLE_DEVICES by UUID: CUDA counts them in an order of its own"
            )
    for index, gpu in enumerate(gpus):
        probe = GpuProbe(gpu)
        reading = probe.read(time.monotonic())
        persistent = _device("nvmlDeviceGetPersistenceMode", gpu)
        probe.close()
        _describe_gpu(found, index, gpu, reading, probe.unknown, persistent)
    return found


def _describe_gpu(
    found: Diagnosis, index: int, gpu: Gpu, reading: Reading, unknown: dict[str, str], persistent: int | None
) -> None:
    name = f"GPU {index}"
    values = reading.values

    def shown(field: str, text: Callable[[float], str]) -> str:
        return text(values[field]) if field in values else f"unknown ({unknown.get(field, unknown.get('gpu', '-'))})"

    found.lines.append(f"{name}: {printable(gpu.name)}, {byte_count(gpu.memory_bytes)}, {printable(gpu.uuid)}")
    highest = f" of at most {values['highest_sm_clock_mhz']:.0f}" if "highest_sm_clock_mhz" in values else ""
    limit = f" of {gpu.power_limit_watts:.0f}" if gpu.power_limit_watts is not None else ""
    found.lines += [
        f"    SM clock: {shown('sm_clock_mhz', lambda value: f'{value:.0f}{highest} MHz')}",
        f"    memory clock: {shown('memory_clock_mhz', lambda value: f'{value:.0f} MHz')}",
        f"    clocks are lowered by: {shown('clock_reasons', _reasons)}",
        f"    temperature: {shown('temperature_celsius', lambda value: f'{value:.0f} °C')}",
        f"    power: {shown('power_watts', lambda value: f'{value:.0f}{limit} W')}",
        f"    energy counter: {shown('energy_joules', lambda _: 'yes')}",
        f"    memory in use: {shown('memory_used_bytes', byte_count)}",
        f"    persistence mode: {'unknown' if persistent is None else 'on' if persistent else 'off'}",
    ]
    if gpu.mig:
        found.lines.append("    divided (MIG): clocks and power are those of the whole GPU, and it has no peak")
    if reading.processes is None:
        found.lines.append(f"    processes: unknown ({unknown.get('processes', unknown.get('gpu', '-'))})")
    else:
        found.lines.append(f"    processes: {', '.join(map(_process, sorted(reading.processes))) or 'none'}")
    if reading.processes:
        found.to_mend.append(f"{name}: others compute on it; end them, or measure on another (--device cuda:N)")
    if persistent == 0:
        found.to_mend.append(
            f"{name}: sudo nvidia-smi -i {index} -pm 1, so that the driver stays loaded between workers"
        )
    lowered = int(values.get("clock_reasons", 0))
    if lowered & sum(CLOCK_REASONS) & ~0x4:
        found.to_mend.append(
            f"{name}: its clocks are lowered by {_reasons(lowered)}; see to its cooling and power supply"
        )


def _reasons(bits: float) -> str:
    names = [name for bit, name in {**CLOCK_REASONS, **_SETTINGS}.items() if int(bits) & bit]
    return ", ".join(names) or ("nothing (it is idle)" if int(bits) & _IDLE else "nothing")


def _process(number: int) -> str:
    try:
        return f"{number} ({printable(psutil.Process(number).name())})"
    except psutil.Error:
        return str(number)


@contextmanager
def _nvml() -> Iterator[Any]:
    """Yield the initialised NVML module. Raise what its import or its initialisation raises."""
    import pynvml

    pynvml.nvmlInit()
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def _why_none() -> str:
    try:
        with _nvml():
            pass
    except Exception as error:
        return reason_of(error)
    return "the driver is there, and sees none"


def _system(function: str, read: Callable[[Any], str]) -> str:
    try:
        with _nvml() as pynvml:
            return read(getattr(pynvml, function)())
    except Exception as error:
        return f"unknown ({reason_of(error)})"


def _cuda_version() -> str:
    return _system("nvmlSystemGetCudaDriverVersion_v2", lambda version: f"{version // 1000}.{version % 1000 // 10}")


def _device(function: str, gpu: Gpu) -> int | None:
    try:
        with _nvml() as pynvml:
            return int(getattr(pynvml, function)(pynvml.nvmlDeviceGetHandleByUUID(gpu.uuid)))
    except Exception:
        return None


def diagnose_cpu(sys: Path = _SYS, look: Callable[[float], object] = time.sleep) -> Diagnosis:
    """Describe the CPUs: governor, turbo, and their load by other processes during one second."""
    found = Diagnosis()
    before = read_cpu()
    look(_LOOKING_SECONDS)
    load, _ = summarise_cpu(before, read_cpu())
    logical = os.cpu_count() or 1
    found.lines.append(printable(cpu_model() or "unknown model"))
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else logical
    cores = usable_physical_cores()
    found.lines.append(
        f"processors: {logical}, of which {usable} may be used here; physical cores for threads: {cores}"
    )
    memory = psutil.virtual_memory()
    found.lines.append(f"memory: {byte_count(memory.total)}, {byte_count(memory.available)} available")
    governors = sorted(
        {text for file in sys.glob("devices/system/cpu/cpu*/cpufreq/scaling_governor") if (text := _text(file))}
    )
    found.lines.append(f"governor: {printable(', '.join(governors)) or 'unknown (as in most virtual machines)'}")
    if governors and governors != ["performance"]:
        found.to_mend.append("sudo cpupower frequency-set -g performance: the clocks follow the load")
    turbo = _turbo(sys)
    found.lines.append(f"turbo: {'unknown' if turbo is None else 'on' if turbo else 'off'}")
    busy, stolen = load["busy_share"], load["steal_share"]
    found.lines.append(f"busy in the last second: {share(busy)}; stolen by the hypervisor: {share(stolen)}")
    if busy is not None and busy > _BUSY_SHARE:
        found.to_mend.append(
            f"others keep {busy * logical:.1f} of {logical} processors busy{who_computes()}; "
            "measure when they have ended"
        )
    if stolen is not None and stolen > _STOLEN_SHARE:
        found.to_mend.append("other virtual machines take this one's processors; measure on a machine of its own")
    return found


def _turbo(sys: Path) -> bool | None:
    for file, on in (("intel_pstate/no_turbo", "0"), ("cpufreq/boost", "1")):
        text = _text(sys / "devices/system/cpu" / file)
        if text:
            return text == on
    return None


def who_computes() -> str:
    """Return the three processes that use most CPU time in the next 0.2 seconds: ``: cc1 (4711), …``, empty if none."""
    processes = [process for process in psutil.process_iter(["name"]) if process.pid != os.getpid()]
    for process in processes:
        _used(process)
    time.sleep(0.2)
    using = sorted(((_used(process), process) for process in processes), key=lambda pair: -pair[0])[:3]
    names = [f"{printable(process.info['name'] or '?')} ({process.pid})" for percent, process in using if percent > 5]
    return f": {', '.join(names)}" if names else ""


def _used(process: psutil.Process) -> float:
    try:
        return float(process.cpu_percent())
    except psutil.Error:
        return 0.0


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""
