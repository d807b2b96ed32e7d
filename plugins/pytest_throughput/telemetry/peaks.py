"""Peak rates of NVIDIA GPUs by precision, for dense matrices, from their datasheets.

The published tables that were examined are not used: each gives at least one common GPU the figure of another model,
the doubled figure for sparse matrices, or a guess for an unknown name. A GPU that is not listed here has no peak unless
``--throughput-peak-tflops`` gives one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Peak", "datasheet_peak"]


@dataclass(frozen=True)
class Peak:
    """A peak rate in floating-point operations per second; a multiply-add counts as two."""

    flops: float
    method: str
    """``datasheet``, ``given`` or ``measured``."""
    source: str


@dataclass(frozen=True)
class _Sheet:
    """The datasheet of one model of GPU; rates in TFLOP/s."""

    names: str
    """A regular expression for the driver's whole name without ``NVIDIA`` or ``Tesla``. The whole name has to match,
    because it distinguishes form factors, and because the name of a MIG slice begins with that of its GPU."""
    source: str
    rates: Mapping[str, float]
    """Rates by precision: ``fp32`` without tensor cores; ``bf16`` and ``fp16`` with accumulation in float32."""


_SHEETS = (
    _Sheet("K80", "NVIDIA Tesla K80 board specification, 8.73 for two devices", {"fp32": 4.37}),
    _Sheet(r"P100-SXM2-16GB", "NVIDIA Tesla P100 datasheet, for NVLink", {"fp32": 10.6, "fp16": 21.2}),
    _Sheet(r"P100-PCIE-1[26]GB", "NVIDIA Tesla P100 datasheet, for PCIe", {"fp32": 9.3, "fp16": 18.7}),
    _Sheet(r"V100-SXM2-(16|32)GB", "NVIDIA V100 datasheet, for NVLink", {"fp32": 15.7, "fp16": 125.0}),
    _Sheet(r"V100-PCIE-(16|32)GB", "NVIDIA V100 datasheet, for PCIe", {"fp32": 14.0, "fp16": 112.0}),
    _Sheet("T4", "NVIDIA T4 datasheet", {"fp32": 8.1, "fp16": 65.0}),
    _Sheet(
        r"A100-SXM4-(40|80)GB|A100-PCIE-40GB|A100 80GB PCIe",
        "NVIDIA A100 datasheet",
        {"fp32": 19.5, "tf32": 156.0, "bf16": 312.0, "fp16": 312.0},
    ),
    _Sheet("A40", "NVIDIA A40 datasheet", {"fp32": 37.4, "tf32": 74.8, "bf16": 149.7, "fp16": 149.7}),
    _Sheet(
        "GeForce RTX 4090",
        "NVIDIA Ada GPU architecture whitepaper",
        {"fp32": 82.6, "tf32": 82.6, "bf16": 165.2, "fp16": 165.2},
    ),
    _Sheet("L4", "NVIDIA Ada GPU architecture whitepaper", {"fp32": 30.3, "tf32": 60.0, "bf16": 121.0, "fp16": 121.0}),
    _Sheet("L40S", "NVIDIA L40S datasheet", {"fp32": 91.6, "tf32": 183.0, "bf16": 362.0, "fp16": 362.0}),
    _Sheet(
        "H100 PCIe",
        "NVIDIA H100 datasheet, halved for dense matrices",
        {"fp32": 51.2, "tf32": 378.0, "bf16": 756.0, "fp16": 756.0},
    ),
    _Sheet(
        "H100 80GB HBM3",
        "NVIDIA H100 datasheet, for SXM, halved for dense matrices",
        {"fp32": 67.0, "tf32": 494.5, "bf16": 989.5, "fp16": 989.5},
    ),
    _Sheet(
        "H200",
        "NVIDIA H200 datasheet, for SXM, halved for dense matrices",
        {"fp32": 67.0, "tf32": 494.5, "bf16": 989.5, "fp16": 989.5},
    ),
    _Sheet(
        "B200",
        "NVIDIA Blackwell datasheet, HGX B200, halved for dense matrices",
        {"fp32": 80.0, "tf32": 1100.0, "bf16": 2250.0, "fp16": 2250.0},
    ),
    _Sheet(
        "GB200",
        "NVIDIA Blackwell datasheet, GB200 per GPU, halved for dense matrices",
        {"fp32": 90.0, "tf32": 1250.0, "bf16": 2500.0, "fp16": 2500.0},
    ),
)


def datasheet_peak(name: str, precision: str) -> Peak | None:
    """Return the peak of the GPU that the driver calls ``name``; None if it is not listed."""
    model = re.sub(r"^(NVIDIA |Tesla )+", "", name.strip())
    for sheet in _SHEETS:
        if re.fullmatch(sheet.names, model) and precision in sheet.rates:
            return Peak(sheet.rates[precision] * 1e12, "datasheet", sheet.source)
    return None
