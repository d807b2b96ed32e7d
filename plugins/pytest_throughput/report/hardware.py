"""Name the hardware of a fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["hardware_of"]


def hardware_of(fingerprint: Mapping[str, Any]) -> str:
    """Return the GPUs and the CPU, as ``NVIDIA H200; AMD EPYC``; the fingerprint may come from a stranger's file."""
    gpus = fingerprint.get("gpus")
    devices = gpus if isinstance(gpus, list) else []
    names = [gpu.get("name") if isinstance(gpu, dict) else "unknown GPU" for gpu in devices]
    cpu = fingerprint.get("cpu", fingerprint.get("plain"))
    names.append((cpu.get("model") if isinstance(cpu, dict) else None) or "unknown CPU")
    return "; ".join(map(str, names))
