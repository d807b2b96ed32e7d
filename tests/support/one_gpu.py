"""A plugin with which NVML sees one GPU, whose compute capability the variable ``CAPABILITY`` gives, as in ``8.0``.

Without the variable, NVML does not answer that question.
"""

from __future__ import annotations

import os

import pynvml

CAPABILITY = os.environ.get("CAPABILITY")


def read_capability(handle: str) -> list[int]:
    if CAPABILITY is None:
        raise pynvml.NVMLError_NotSupported()
    return [int(number) for number in CAPABILITY.split(".")]


for name, function in {
    "nvmlInit": lambda: None,
    "nvmlShutdown": lambda: None,
    "nvmlDeviceGetCount": lambda: 1,
    "nvmlDeviceGetHandleByIndex": lambda index: "handle",
    "nvmlDeviceGetUUID": lambda handle: "GPU-fake",
    "nvmlDeviceGetName": lambda handle: "NVIDIA GPU",
    "nvmlDeviceGetMemoryInfo": lambda handle: pynvml.c_nvmlMemory_t(),
    "nvmlDeviceGetMigMode": lambda handle: [0, 0],
    "nvmlDeviceGetEnforcedPowerLimit": lambda handle: 700_000,
    "nvmlDeviceGetCudaComputeCapability": read_capability,
}.items():
    setattr(pynvml, name, function)
