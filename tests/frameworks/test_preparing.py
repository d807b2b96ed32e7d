"""How much warm-up each way of running asks for, and CUDA events as a device's clock."""

from __future__ import annotations

import pytest

from dlworkloads.case import Case


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
    from dlworkloads.frameworks.pytorch.runtime import least_warm_up_steps

    assert least_warm_up_steps(Case("training", "pytorch", device, "vgg16", 8, "fp32", execution)) == steps


def test_events_measure_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from dlworkloads.frameworks.pytorch import runtime

    class Event:
        """Takes 250 ms from one to the next."""

        count = 0

        def __init__(self, enable_timing: bool = False) -> None:
            assert enable_timing  # Without it, elapsed_time raises.

        def record(self) -> None:
            Event.count += 1
            self.at = 250.0 * Event.count

        def elapsed_time(self, later: Event) -> float:
            return later.at - self.at

    monkeypatch.setattr(torch.cuda, "Event", Event)
    assert runtime.seconds_between(runtime.mark(), runtime.mark()) == pytest.approx(0.25)
