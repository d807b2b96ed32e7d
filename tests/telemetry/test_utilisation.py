"""How close a trial came to its device's peak."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pytest_throughput.telemetry.cpu_peak import measured_cpu_flops
from pytest_throughput.telemetry.device import Device
from pytest_throughput.telemetry.gpus import Gpu
from pytest_throughput.telemetry.utilisation import Utilisation

H200 = Gpu("GPU-aaaa", "NVIDIA H200", 150 * 10**9, False, 700.0)
RESNET50 = {"flops_per_image": 8.178e9, "precision": "bf16", "settings": {"threads": 2}}


class Products:
    """What products of matrices give, one after the other, and how they were asked for."""

    def __init__(self, *flops: float | None) -> None:
        self._flops: Iterator[float | None] = iter(flops)
        self.asked: list[tuple[int, str]] = []

    def __call__(self, threads: int, dtype: str) -> float | None:
        self.asked.append((threads, dtype))
        return next(self._flops)


def test_a_gpu_is_known_by_its_name_and_the_precision_of_the_case() -> None:
    found = Utilisation(None).metadata(RESNET50, 12_100.0, Device("cuda", H200))
    assert found["model_flops_utilisation"] == pytest.approx(0.1, rel=0.001)
    assert found["peak"]["tflops"] == pytest.approx(989.5)
    assert (found["peak"]["method"], "H200 datasheet" in found["peak"]["source"]) == ("datasheet", True)


def test_without_nvml_it_is_known_by_the_name_that_the_framework_gives_it() -> None:
    metadata = {**RESNET50, "device_name": "NVIDIA H200"}
    assert Utilisation(None).metadata(metadata, 12_100.0, Device("cuda"))["peak"]["tflops"] == pytest.approx(989.5)
    assert Utilisation(None).metadata(RESNET50, 12_100.0, Device("cuda")) == {}


@pytest.mark.parametrize("gpu", [Gpu("GPU-a", "NVIDIA Z1", None, False, None), Gpu("GPU-b", "NVIDIA H200", 1, True, 1)])
def test_an_unknown_gpu_and_a_slice_of_one_have_no_utilisation(gpu: Gpu) -> None:
    assert Utilisation(None).metadata(RESNET50, 100.0, Device("cuda", gpu)) == {}


def test_a_peak_that_is_given_wins() -> None:
    found = Utilisation(100.0).metadata(RESNET50, 12_228.0, Device("cuda", H200))
    assert found["model_flops_utilisation"] == pytest.approx(1.0, rel=0.001)
    assert found["peak"] == {"tflops": 100.0, "method": "given", "source": "--throughput-peak-tflops"}


def test_the_peak_of_a_cpu_is_measured_once_for_each_number_of_threads() -> None:
    products = Products(1e11, 2e11)
    utilisation = Utilisation(None, products)
    metadata = {**RESNET50, "precision": "fp32"}
    for rate, expected in ((6.114, 0.5), (3.057, 0.25)):
        found = utilisation.metadata(metadata, rate, Device())
        assert found["model_flops_utilisation"] == pytest.approx(expected, rel=0.001)
        assert found["peak"] == {
            "tflops": 0.1,
            "method": "measured",
            "source": "a large product of matrices, 2 threads",
        }
    utilisation.metadata({**metadata, "settings": {"threads": 4}}, 6.0, Device())
    assert products.asked == [(2, "float32"), (4, "float32")]


def test_it_is_measured_again_where_a_case_does_better_but_not_for_ever() -> None:
    """The product was held up, or the case cannot be."""
    products = Products(1e11, 2e11, 1.5e11)
    utilisation = Utilisation(None, products)
    metadata = {**RESNET50, "precision": "fp32"}
    assert utilisation.metadata(metadata, 18.342, Device())["model_flops_utilisation"] == pytest.approx(0.75, rel=0.001)
    assert utilisation.metadata(metadata, 48.912, Device())["model_flops_utilisation"] == pytest.approx(2.0, rel=0.001)
    assert len(products.asked) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "bf16"},
        {"precision": None},
        {"settings": {"threads": None}},
        {"settings": "many"},
        {"flops_per_image": None},
        {"flops_per_image": -1},
        {"flops_per_image": "8 GFLOP"},
    ],
)
def test_what_is_not_known_of_a_case_leaves_it_without(changes: dict[str, Any]) -> None:
    metadata = {**RESNET50, "precision": "fp32", **changes}
    assert Utilisation(None, Products()).metadata(metadata, 6.0, Device()) == {}


def test_a_product_that_fails_leaves_it_without() -> None:
    products = Products(None, 1e11)
    assert Utilisation(None, products).metadata({**RESNET50, "precision": "fp32"}, 6.0, Device()) == {}
    assert len(products.asked) == 1


@pytest.mark.slow
def test_this_machine_multiplies_matrices() -> None:
    flops = measured_cpu_flops(1, "float32")
    assert flops is not None and 1e7 < flops < 1e14


def test_numpy_that_fails_is_no_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured_cpu_flops(1, "float3") is None
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    assert measured_cpu_flops(1, "float32") is None
