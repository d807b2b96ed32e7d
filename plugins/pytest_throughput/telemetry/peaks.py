"""Peak rates of GPUs by precision, for dense matrices, from their datasheets.

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


_RTX_30 = "NVIDIA Ampere GA102 GPU architecture whitepaper"
_RTX_30_CLOCKS = "NVIDIA GeForce RTX 30 specifications: cores and boost clock"
_RTX_40 = "NVIDIA Ada GPU architecture whitepaper"
_RTX_50 = "NVIDIA RTX Blackwell GPU architecture whitepaper"
_RTX_50_CLOCKS = "NVIDIA GeForce RTX 50 specifications: cores and boost clock"


def _geforce(model: str, fp32: float, source: str) -> _Sheet:
    """Return the sheet of a GeForce from RTX 30 on.

    With accumulation in float32, its tensor cores compute TF32 at the rate of fp32, and the half precisions at twice
    that rate: appendix A of the whitepapers.
    """
    rates = {"fp32": fp32, "tf32": fp32, "bf16": 2 * fp32, "fp16": 2 * fp32}
    return _Sheet(f"GeForce RTX {model}", source, rates)


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
    _Sheet("A10", "NVIDIA A10 datasheet", {"fp32": 31.2, "tf32": 62.5, "bf16": 125.0, "fp16": 125.0}),
    _Sheet("A30", "NVIDIA A30 datasheet", {"fp32": 10.3, "tf32": 82.0, "bf16": 165.0, "fp16": 165.0}),
    _geforce("3090 Ti", 40.0, _RTX_30_CLOCKS),
    _geforce("3090", 35.6, _RTX_30),
    _geforce("3080 Ti", 34.1, _RTX_30_CLOCKS),
    # The model of 12 GB has the same name, and 3 % more.
    _geforce("3080", 29.8, _RTX_30),
    _geforce("3070 Ti", 21.7, _RTX_30_CLOCKS),
    _geforce("3070", 20.3, _RTX_30),
    _geforce("3060 Ti", 16.2, _RTX_30_CLOCKS),
    _geforce("3060", 12.7, _RTX_30_CLOCKS),
    _geforce("4090", 82.6, _RTX_40),
    _geforce("5090", 104.8, _RTX_50),
    _geforce("5080", 56.3, _RTX_50),
    _geforce("5070 Ti", 43.9, _RTX_50),
    _geforce("5070", 30.9, _RTX_50),
    _geforce("5060 Ti", 23.7, _RTX_50_CLOCKS),
    _geforce("5060", 19.2, _RTX_50_CLOCKS),
    _Sheet("L4", _RTX_40, {"fp32": 30.3, "tf32": 60.0, "bf16": 121.0, "fp16": 121.0}),
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
        "H100 NVL",
        "NVIDIA H100 datasheet, for NVL, halved for dense matrices",
        {"fp32": 60.0, "tf32": 417.5, "bf16": 835.5, "fp16": 835.5},
    ),
    _Sheet(
        r"GH200 (120|480)GB|GH200 144G HBM3e",
        "NVIDIA GH200 datasheet, for its GPU, halved for dense matrices",
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
    # Its FP32 is that of the vector units; ROCm's PyTorch calls its devices cuda, too.
    _Sheet(
        "AMD Instinct MI300X",
        "AMD Instinct MI300X data sheet, for dense matrices",
        {"fp32": 163.4, "tf32": 653.7, "bf16": 1307.4, "fp16": 1307.4},
    ),
)


def datasheet_peak(name: str, precision: str) -> Peak | None:
    """Return the peak of the GPU that the driver calls ``name``; None if it is not listed."""
    model = re.sub(r"^(NVIDIA |Tesla )+", "", name.strip())
    for sheet in _SHEETS:
        if re.fullmatch(sheet.names, model) and precision in sheet.rates:
            return Peak(sheet.rates[precision] * 1e12, "datasheet", sheet.source)
    return None
