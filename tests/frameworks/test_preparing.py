"""How much warm-up each way of running asks for, and CUDA events as a device's clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from dlworkloads.case import Case
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import Conv2d, Dense, Flatten
from dlworkloads.models.network import Network


@pytest.mark.parametrize(
    ("device", "execution", "steps"),
    [
        ("cpu", "eager", 0),
        ("cpu", "compiled", 0),
        ("cuda", "eager", 1),
        ("cuda:1", "compiled", 1),
        ("cuda", "compiled-graphs", 4),
    ],
)
def test_recording_cuda_graphs_takes_steps_that_are_not_measured(device: str, execution: str, steps: int) -> None:
    pytest.importorskip("torch")
    from dlworkloads.runtimes.pytorch import least_warm_up_steps

    assert least_warm_up_steps(Case("training", "pytorch", device, "vgg16", 8, "fp32", execution)) == steps


@pytest.mark.parametrize(("mode", "precision"), [("inference", "fp32"), ("inference", "bf16"), ("training", "fp32")])
def test_cuda_graphs_read_the_batch_where_it_is(mode: str, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every input of the forward graph is static, so that nothing is copied before a replay. It needs no GPU."""
    torch = pytest.importorskip("torch")
    from torch._dynamo.backends.common import aot_autograd
    from torch._functorch.aot_autograd import make_boxed_func

    from dlworkloads.frameworks.pytorch.workload import PyTorchWorkload

    copied = []

    def look(graph: Any, inputs: Sequence[Any]) -> Any:
        static = torch._guards.TracingContext.get().fw_metadata.static_input_indices
        copied.append(set(range(len(inputs))) - set(static))
        return make_boxed_func(graph)

    backend = aot_autograd(fw_compiler=look, bw_compiler=lambda graph, inputs: make_boxed_func(graph))
    compile_with = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function, mode, **how: compile_with(function, backend=backend, **how))
    network = Network("small", (3, 8, 8), Sequential(Conv2d(4, 3), Flatten(), Dense(2)))
    workload = PyTorchWorkload(Case(mode, "pytorch", "cpu", "small", 2, precision, "compiled-graphs"), network)
    workload.run()
    workload.close()
    assert copied == [set()]


def test_events_measure_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from dlworkloads.runtimes import pytorch as runtime

    class Event:
        """Takes 250 ms from one to the next."""

        count = 0

        def __init__(self, enable_timing: bool = False) -> None:
            assert enable_timing  # Without it, elapsed_time raises.

        def record(self) -> None:
            Event.count += 1
            self.at = 250.0 * Event.count

        def synchronize(self) -> None:
            self.is_reached = True

        def elapsed_time(self, later: Event) -> float:
            assert later.is_reached
            return later.at - self.at

    monkeypatch.setattr(torch.cuda, "Event", Event)
    assert runtime.seconds_between(runtime.mark(), runtime.mark()) == pytest.approx(0.25)
