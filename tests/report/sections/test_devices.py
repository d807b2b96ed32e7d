"""The section of speeds by device."""

from __future__ import annotations

from typing import Any

from measured_cases import measured

from pytest_throughput.report.charts.chart import BarChart
from pytest_throughput.report.sections.devices import section
from pytest_throughput.results.model import CaseResult, RunResult

TRIALS = [100.0, 101.0, 102.0]
GPU = "cuda (Tesla T4)"


def charts(*cases: CaseResult) -> list[BarChart]:
    found = section(RunResult(cases))
    assert found is not None
    return [chart for chart in found.charts if isinstance(chart, BarChart)]


def on(device: str, framework: str, speed: float, **axes: Any) -> CaseResult:
    return measured(framework, [speed * each for each in TRIALS], device=device, **axes)


def test_each_device_has_the_frameworks_at_their_best() -> None:
    (chart,) = charts(
        on("cpu", "jax", 1),
        on("cpu", "pytorch", 2, execution="eager"),
        on("cpu", "pytorch", 3, execution="compiled"),
        on(GPU, "jax", 10),
        on(GPU, "pytorch", 9, execution="eager"),
    )
    assert chart.panel == "inference, vgg16"
    assert chart.title == f"{GPU} is fastest with every framework at batch 8"
    assert [(bar.label, [part.name for part in bar.parts]) for bar in chart.bars] == [
        ("cpu", ["pytorch compiled", "jax"]),
        (GPU, ["jax", "pytorch eager"]),
    ]
    assert [part.style for part in chart.bars[1].parts] == [2, 0]


def test_of_the_batch_sizes_with_most_devices_the_fastest_is_shown() -> None:
    sizes = {"cpu": (1, 4, 8), GPU: (1, 4, 8, 64), "cuda:1": (1, 4)}
    (chart,) = charts(*(on(device, "jax", size, batch_size=size) for device in sizes for size in sizes[device]))
    assert chart.title == "images per second by device at batch 4: no difference that the intervals show"
    assert len(chart.bars) == 3


def test_frameworks_that_disagree_have_no_finding() -> None:
    (chart,) = charts(on("cpu", "jax", 1), on("cpu", "pytorch", 9), on(GPU, "jax", 9), on(GPU, "pytorch", 1))
    assert chart.title == "images per second by device at batch 8"


def test_only_works_of_several_devices_are_shown() -> None:
    assert section(RunResult((on("cpu", "jax", 1), on("cpu", "pytorch", 1)))) is None
    assert section(RunResult((on("cpu", "jax", 1), on(GPU, "jax", 1, precision="fp16")))) is None
    found = charts(on("cpu", "jax", 1), on(GPU, "jax", 1), on(GPU, "jax", 1, model="alexnet"))
    assert [chart.panel for chart in found] == ["inference, vgg16"]
