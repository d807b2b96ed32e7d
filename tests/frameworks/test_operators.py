"""Each framework's own profiler gives operators with known classes, and a trace."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from networks import vgg_like

from dlworkloads.base.workload import Workload
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.operator_classes import class_of

CASES = [(name, known.default_execution, "training") for name, known in FRAMEWORKS.items() if known.by_default]


def classes(workload: Workload, trace: Path) -> dict[str, float]:
    """Return the seconds of each class in two steps; check names, calls and trace."""
    workload.wait(workload.run())
    operators = workload.profile(2, str(trace))
    assert all(name and calls >= 1 and seconds >= 0.0 for name, calls, seconds in operators)
    assert len({name for name, _, _ in operators}) == len(operators)
    assert json.loads(trace.read_text())["traceEvents"]
    sums: dict[str, float] = {}
    for name, _, seconds in operators:
        sums[class_of(name)] = sums.get(class_of(name), 0.0) + seconds
    return sums


@pytest.mark.parametrize(("framework", "execution", "mode"), CASES, indirect=["framework"])
def test_a_step_is_convolutions_and_more(
    open_workload: Callable[..., Workload], framework: str, execution: str, mode: str, tmp_path: Path
) -> None:
    workload = open_workload(framework, vgg_like(), mode, execution=execution)
    sums = classes(workload, tmp_path / "trace.json")
    assert {"convolution", "matrix product", "pooling", "element-wise"} <= sums.keys()
    assert sums["convolution"] > 0.0


def test_calls_are_those_of_all_steps(open_workload: Callable[..., Workload], tmp_path: Path) -> None:
    workload = open_workload("pytorch", vgg_like(), "inference")
    workload.run()
    calls = {name: calls for name, calls, _ in workload.profile(3, str(tmp_path / "trace.json"))}
    assert calls["aten::conv2d"] == 3 * 3
    assert calls["aten::addmm"] == 3 * 2


@pytest.mark.slow
@pytest.mark.parametrize("execution", ["eager", "compiled"])
def test_tensorflow_in_its_other_executions(
    open_workload: Callable[..., Workload], execution: str, tmp_path: Path
) -> None:
    sums = classes(open_workload("tensorflow", vgg_like(), "training", execution=execution), tmp_path / "t.json")
    assert {"convolution", "matrix product", "pooling", "element-wise"} <= sums.keys()


@dataclass(frozen=True)
class Event:
    """What the profiler of PyTorch says of one call on the CPU."""

    key: str
    self_cpu_time_total: float
    device_type: Any
    count: int = 1
    is_user_annotation: bool = False


def test_an_operator_that_ends_after_its_caller_makes_no_time_negative() -> None:
    autograd = pytest.importorskip("torch.autograd")
    from dlworkloads.runtimes.pytorch_profile import operators_of

    calls = [Event("aten::copy_", microseconds, autograd.DeviceType.CPU) for microseconds in (-3.0, 5.0)]
    assert operators_of(calls, cuda=False) == [("aten::copy_", 2, 5e-6)]
    assert operators_of(calls[:1], cuda=False) == [("aten::copy_", 1, 0.0)]
    assert operators_of(calls, cuda=True) == []
