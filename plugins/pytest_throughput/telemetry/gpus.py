"""The NVIDIA GPUs that NVML lists, the names of devices, and how exactly one GPU is made visible to a worker."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

__all__ = [
    "DEVICES",
    "Gpu",
    "default_device",
    "find_gpu",
    "is_device",
    "is_gpu",
    "is_numbered",
    "list_gpus",
    "visibility",
]

DEVICES = ("cpu", "cuda", "cuda:N")
"""The names of devices, as messages list them; N stands for a number from 0."""

_NAMES_A_DEVICE = re.compile(r"\d+$|GPU-|MIG-")


@dataclass(frozen=True)
class Gpu:
    """The properties of one GPU on which a measured figure depends."""

    uuid: str
    name: str
    memory_bytes: int | None
    mig: bool | None
    power_limit_watts: float | None
    compute_capability: tuple[int, int] | None = None
    """Major and minor number. It follows from the name, and is no part of the fingerprint."""

    def fingerprint(self) -> dict[str, Any]:
        """Return the properties that are equal for GPUs of the same hardware; the UUID is not among them."""
        return {
            "name": self.name,
            "memory_bytes": self.memory_bytes,
            "mig": self.mig,
            "power_limit_watts": self.power_limit_watts,
        }


def is_device(name: object) -> bool:
    """Return whether the value is the text ``cpu``, ``cuda`` or ``cuda:N``."""
    return isinstance(name, str) and re.fullmatch(r"cpu|cuda(:[0-9]{1,9})?", name) is not None


def is_gpu(device: str) -> bool:
    """Return whether the name of a device is that of a GPU."""
    return device != "cpu"


def is_numbered(device: str) -> bool:
    """Return whether the name says which one of several devices is meant: ``cuda:1`` does, ``cuda`` does not."""
    return ":" in device


def list_gpus() -> list[Gpu]:
    """Return all GPUs in NVML's order, which is that of the PCI bus; an empty list without a driver."""
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    gpus = []
    try:
        for index in range(pynvml.nvmlDeviceGetCount()):
            with suppress(pynvml.NVMLError):
                gpus.append(_read_gpu(pynvml, pynvml.nvmlDeviceGetHandleByIndex(index)))
    except pynvml.NVMLError:
        pass
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()
    return gpus


def _read_gpu(pynvml: Any, handle: Any) -> Gpu:
    memory_bytes = mig = power_limit_watts = compute_capability = None
    with suppress(pynvml.NVMLError):
        memory_bytes = int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
    with suppress(pynvml.NVMLError):
        mig = bool(pynvml.nvmlDeviceGetMigMode(handle)[0])
    with suppress(pynvml.NVMLError):
        power_limit_watts = pynvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000
    with suppress(pynvml.NVMLError):
        major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
        compute_capability = (int(major), int(minor))
    return Gpu(
        uuid=pynvml.nvmlDeviceGetUUID(handle),
        name=pynvml.nvmlDeviceGetName(handle),
        memory_bytes=memory_bytes,
        mig=mig,
        power_limit_watts=power_limit_watts,
        compute_capability=compute_capability,
    )


def visibility(device: str, gpus: list[Gpu], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment variables that make one device visible to a worker, as its device 0.

    ``cpu`` hides all GPUs. ``cuda:N`` is the N-th entry of an inherited ``CUDA_VISIBLE_DEVICES``, else the N-th GPU in
    PCI order, named by its UUID where NVML reports it. If there is no such GPU, none is visible, and the framework
    reports that it finds none.
    """
    if not is_gpu(device):
        return {"CUDA_VISIBLE_DEVICES": ""}
    return {"CUDA_VISIBLE_DEVICES": _entry(device, gpus, environ) or "", "CUDA_DEVICE_ORDER": _order(environ)}


def default_device(gpus: list[Gpu], environ: Mapping[str, str] = os.environ) -> str:
    """Return ``cuda`` if a GPU is visible, else ``cpu``."""
    return "cuda" if gpus and _entry("cuda", gpus, environ) is not None else "cpu"


def find_gpu(device: str, gpus: list[Gpu], environ: Mapping[str, str] = os.environ) -> Gpu | None:
    """Return the GPU that ``cuda`` or ``cuda:N`` names; None for a CPU, or where it cannot be determined."""
    entry = _entry(device, gpus, environ) if is_gpu(device) else None
    if entry is None:
        return None
    if entry.isdecimal():
        # A number counts in CUDA's own order, which equals NVML's order only if both follow the PCI bus.
        same_model = len({gpu.name for gpu in gpus}) == 1
        known = _order(environ) == "PCI_BUS_ID" or same_model
        return gpus[int(entry)] if known and int(entry) < len(gpus) else None
    return next((gpu for gpu in gpus if gpu.uuid.startswith(entry)), None)


def _entry(device: str, gpus: list[Gpu], environ: Mapping[str, str]) -> str | None:
    index = int(device.partition(":")[2] or 0)
    inherited = environ.get("CUDA_VISIBLE_DEVICES")
    if inherited is not None:
        # CUDA reads up to the first invalid entry: "", "-1" and "NoDevFiles" hide the entries after them.
        entries = list(takewhile(_NAMES_A_DEVICE.match, (entry.strip() for entry in inherited.split(","))))
    elif gpus:
        entries = [gpu.uuid for gpu in gpus]
    else:
        return str(index)  # CUDA may work where NVML does not, in some containers.
    return entries[index] if index < len(entries) else None


def _order(environ: Mapping[str, str]) -> str:
    inherited = environ.get("CUDA_DEVICE_ORDER")
    if inherited is not None:
        return inherited
    # The numbers of an inherited list were counted in CUDA's default order.
    return "FASTEST_FIRST" if environ.get("CUDA_VISIBLE_DEVICES") is not None else "PCI_BUS_ID"
