"""Peak rates by the names that drivers give, and nothing by names that only resemble them."""

from __future__ import annotations

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
        ("NVIDIA GeForce RTX 4090", 82.6, 82.6, 165.2),
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
    assert peak is not None and peak.method == "datasheet" and "NVIDIA" in peak.source


@pytest.mark.parametrize(
    "name",
    [
        "NVIDIA L40",  # not the L4, nor the L40S
        "NVIDIA H100 NVL",
        "NVIDIA H200 NVL",
        "NVIDIA A10",
        "NVIDIA A100-SXM4-40GB MIG 1g.5gb",
        "NVIDIA H100 80GB HBM3 MIG 3g.40gb",
        "NVIDIA GeForce RTX 4090 D",
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "Tesla V100S-PCIE-32GB",
        "AMD Instinct MI300X",
        "",
    ],
)
def test_a_gpu_that_is_not_in_the_table_has_none(name: str) -> None:
    assert datasheet_peak(name, "fp32") is None
