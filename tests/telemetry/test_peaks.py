"""Peak rates by the names that drivers give, and nothing by names that only resemble them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pytest_throughput.telemetry.peaks import datasheet_peak


@pytest.mark.parametrize(
    ("name", "fp32", "tf32", "half"),
    [
        ("Tesla K80", 4.37, None, None),
        ("Tesla P100-SXM2-16GB", 10.6, None, 21.2),
        ("Tesla P100-PCIE-12GB", 9.3, None, 18.7),
        ("Tesla V100-SXM2-32GB", 15.7, None, 125),
        ("Tesla V100-PCIE-16GB", 14, None, 112),
        ("Tesla T4", 8.1, None, 65),
        ("NVIDIA A100-SXM4-40GB", 19.5, 156, 312),
        ("NVIDIA A100 80GB PCIe", 19.5, 156, 312),
        ("NVIDIA A40", 37.4, 74.8, 149.7),
        ("NVIDIA L4", 30.3, 60, 121),
        ("NVIDIA L40S", 91.6, 183, 362),
        ("NVIDIA A10", 31.2, 62.5, 125),
        ("NVIDIA A30", 10.3, 82, 165),
        ("NVIDIA GeForce RTX 3090", 35.6, 35.6, 71.2),
        ("NVIDIA GeForce RTX 3080", 29.8, 29.8, 59.6),
        ("NVIDIA GeForce RTX 3070", 20.3, 20.3, 40.6),
        ("NVIDIA GeForce RTX 4090", 82.6, 82.6, 165.2),
        ("NVIDIA GeForce RTX 5090", 104.8, 104.8, 209.6),
        ("NVIDIA GeForce RTX 5080", 56.3, 56.3, 112.6),
        ("NVIDIA GeForce RTX 5070 Ti", 43.9, 43.9, 87.8),
        ("NVIDIA GeForce RTX 5070", 30.9, 30.9, 61.8),
        ("NVIDIA H100 NVL", 60, 417.5, 835.5),
        ("NVIDIA GH200 480GB", 67, 494.5, 989.5),
        ("AMD Instinct MI300X", 163.4, 653.7, 1307.4),
        ("NVIDIA H100 PCIe", 51.2, 378, 756),
        ("NVIDIA H100 80GB HBM3", 67, 494.5, 989.5),
        ("NVIDIA H200", 67, 494.5, 989.5),
        ("NVIDIA B200", 80, 1100, 2250),
        ("NVIDIA GB200", 90, 1250, 2500),
    ],
)
def test_a_gpu_has_the_dense_rates_of_its_datasheet(
    name: str, fp32: float, tf32: float | None, half: float | None
) -> None:
    def tflops(precision: str) -> Any:
        peak = datasheet_peak(name, precision)
        return None if peak is None else pytest.approx(peak.flops / 1e12)

    assert (tflops("fp32"), tflops("tf32"), tflops("fp16")) == (fp32, tf32, half)
    assert tflops("bf16") == (half if tf32 is not None else None)
    assert tflops("fp64") is None
    peak = datasheet_peak(name, "fp32")
    assert peak is not None and peak.method == "datasheet" and re.search("NVIDIA|AMD", peak.source)


@pytest.mark.parametrize(
    ("model", "cores", "boost_megahertz"),
    [
        ("3090 Ti", 10752, 1860),
        ("3090", 10496, 1695),
        ("3080 Ti", 10240, 1665),
        ("3080", 8704, 1710),
        ("3070 Ti", 6144, 1770),
        ("3070", 5888, 1725),
        ("3060 Ti", 4864, 1665),
        ("3060", 3584, 1777),
        ("4090", 16384, 2520),
        ("5090", 21760, 2407),
        ("5080", 10752, 2617),
        ("5070 Ti", 8960, 2452),
        ("5070", 6144, 2512),
        ("5060 Ti", 4608, 2572),
        ("5060", 3840, 2497),
    ],
)
def test_fp32_of_a_geforce_is_two_operations_of_each_core_in_each_cycle(
    model: str, cores: int, boost_megahertz: int
) -> None:
    peak = datasheet_peak(f"NVIDIA GeForce RTX {model}", "fp32")
    assert peak is not None
    assert peak.flops == pytest.approx(2 * cores * boost_megahertz * 1e6, rel=0.005)


@pytest.mark.parametrize(
    "name",
    [
        "NVIDIA L40",  # not the L4, nor the L40S
        "NVIDIA H100 NVL MIG 1g.12gb",
        "NVIDIA H200 NVL",
        "NVIDIA A10G",
        "NVIDIA A30X",
        "NVIDIA GeForce RTX 3080 Laptop GPU",
        "NVIDIA GeForce RTX 5090 D",
        "NVIDIA RTX 3090",
        "NVIDIA A100-SXM4-40GB MIG 1g.5gb",
        "NVIDIA H100 80GB HBM3 MIG 3g.40gb",
        "NVIDIA GeForce RTX 4090 D",
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "Tesla V100S-PCIE-32GB",
        "AMD Instinct MI300A",
        "",
    ],
)
def test_a_gpu_that_is_not_in_the_table_has_none(name: str) -> None:
    assert datasheet_peak(name, "fp32") is None
