"""Published figures of a correct measurement, some of them above the peak of the datasheet, are not implausible."""

from __future__ import annotations

import pytest

from dlworkloads import models
from pytest_throughput.measurement.disturbance import Disturbance
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.results.ledger import Ledger
from pytest_throughput.telemetry.device import Device
from pytest_throughput.telemetry.gpus import Gpu
from pytest_throughput.telemetry.utilisation import flops_rate, known_peak, utilisation
from pytest_throughput.worker.protocol import Outcome

GPUS = {
    "P100": Gpu("GPU-p100", "Tesla P100-PCIE-16GB", 16 * 2**30, None, 250.0, (6, 0)),
    "T4": Gpu("GPU-t4", "Tesla T4", 16 * 2**30, None, 70.0, (7, 5)),
}
BATCH_SIZES = (4, 8, 16, 32)
MILLISECONDS = {
    ("P100", "vgg16", "inference"): [(14.2, 25.5, 38.3, 72.0), (14.2, 25.8, 39.6, 75.8), (13.9, 26.8, 52.2, 96.5)],
    ("P100", "vgg16", "training"): [(64.2, 75.9, 122.1, 222.3), (44.5, 78.3, 127.0, 241.5), (51.1, 96.6, 181.1, 335.3)],
    ("P100", "resnet152", "inference"): [(26.8, 41.6, 62.8, 115.5), (30.1, 38.0, 60.2, 113.0)],
    ("P100", "resnet152", "training"): [(158.0, 213.1, 295.6, 478.9), (102.9, 132.7, 205.0, 374.9)],
    ("T4", "vgg16", "inference"): [(30.8, 55.4, 81.4, 159.8), (31.8, 56.9, 80.7, 152.7)],
    ("T4", "vgg16", "training"): [(89.2, 155.5, 247.0, 452.8), (92.7, 163.0, 244.9, 464.6)],
}
"""Milliseconds per step by batch size, a tuple for each framework, in fp32: the report that `paper` repeats."""


def mark(gpu: str, model: str, mode: str, batch_size: int, seconds: float, *, known: bool) -> tuple[float, str | None]:
    """The utilisation and the mark. ``known``: whether the share of the operations that suits Winograd is."""
    network = models.build(model)
    metadata = {
        "precision": "fp32",
        "flops_per_image": network.training_flops if mode == "training" else network.inference_flops,
        **({"winograd_flops_share": network.winograd_flops_share} if known else {}),
    }
    peak = known_peak(metadata, Device("cuda", GPUS[gpu]), None)
    added = utilisation(flops_rate(metadata, batch_size / seconds), peak)
    quiet = Disturbance(0.0, 0.0, 0, 0.0, 0.0)
    measurement = Measurement((seconds,), 1, seconds, 10, "max_rounds", seconds, (quiet,))
    axes = {"mode": mode, "model": model, "batch_size": batch_size}
    ledger = Ledger()
    ledger.ask("case", "default", 1, axes)
    outcome = Outcome("ok", measurement=measurement, metadata={**metadata, **added})
    ledger.settle(EndedTrial("case", "default", axes, 1, "2019-06-01T00:00:00+00:00", batch_size, outcome))
    (case,) = ledger.result().cases
    return added["model_flops_utilisation"], case.implausible


@pytest.mark.parametrize(("gpu", "model", "mode"), MILLISECONDS)
def test_no_published_figure_is_marked(gpu: str, model: str, mode: str) -> None:
    for of_a_framework in MILLISECONDS[gpu, model, mode]:
        for batch_size, milliseconds in zip(BATCH_SIZES, of_a_framework, strict=True):
            _, said = mark(gpu, model, mode, batch_size, milliseconds / 1000, known=True)
            assert said is None


def test_some_are_above_the_peak_and_would_be_marked_without_winograd() -> None:
    found, said = mark("P100", "vgg16", "inference", 32, 0.072, known=False)
    assert found == pytest.approx(1.48, abs=0.01)
    assert said is not None and "of the device's peak" in said


def test_a_step_that_is_not_waited_for_is_still_marked() -> None:
    for model, seconds in (("vgg16", 0.02), ("resnet152", 0.04)):
        _, said = mark("P100", model, "inference", 32, seconds, known=True)
        assert said is not None


def test_caffes_googlenet_has_its_parameters_in_training_and_in_inference() -> None:
    """Of ``models/bvlc_googlenet``: ``train_val.prototxt`` and ``deploy.prototxt``."""
    network = models.build("googlenet_caffe")
    assert network.parameter_count == 13_378_280
    assert network.for_inference().parameter_count == 6_998_552


@pytest.mark.parametrize(
    ("model", "share"),
    [
        ("vgg16", 30_693_261_312 / 30_940_528_640),  # All convolutions; the rest is dense.
        ("resnet50", 13 * 2 * 56 * 56 * 64 * 64 * 9 / 8_178_368_512),  # 3 of its 16 blocks have the stride 2.
        ("alexnet", 2 * 13 * 13 * 9 * (192 * 384 + 384 * 256 + 256 * 256) / 1_428_376_960),
        ("vit_b_16", 0.0),
        ("letter_mlp", 0.0),
    ],
)
def test_the_share_of_convolutions_that_suit_winograd(model: str, share: float) -> None:
    assert models.build(model).winograd_flops_share == pytest.approx(share)
