"""Cases with invented figures, for what takes a ``RunResult``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.results.model import RATE, CaseResult, TrialResult

__all__ = ["case", "job", "phase", "rates", "trial"]


def trial(number: int = 1, rate: float = 80.0, **given: Any) -> TrialResult:
    """Return a trial of 8 images a step; ``given`` are fields of a ``TrialResult``, and further ones are metadata."""
    fields = {name: given.pop(name) for name in list(given) if name in TrialResult.__dataclass_fields__}
    metrics = (Metric(RATE, "images/s", rate),)
    return TrialResult(
        **{"trial": number, "items": 8, "median_seconds": 8 / rate, "metrics": metrics, "metadata": given, **fields}
    )


def rates(*values: float, **given: Any) -> list[TrialResult]:
    """Return a trial for each rate."""
    return [trial(number, rate, **given) for number, rate in enumerate(values, 1)]


def case(
    framework: str, trials: Sequence[TrialResult], *, environment: str = "default", status: str = "ok", **axes: Any
) -> CaseResult:
    """Return a case of ResNet-50 on a CPU, at batch 8 if the axes say nothing else."""
    named = {"mode": "training", "model": "resnet50", "batch_size": 8, "device": "cpu", "framework": framework, **axes}
    name = "-".join(map(str, named.values()))
    return CaseResult(name, environment, named, status, trials=tuple(trials))


def phase(framework: str, name: str, *seconds: float, **axes: Any) -> CaseResult:
    """Return a phase of a job with a trial for each of the seconds."""
    trials = [
        trial(number, metrics=(Metric("seconds", "s", each, "lower"),), median_seconds=each, stop_reason="once")
        for number, each in enumerate(seconds, 1)
    ]
    return case(framework, trials, status="ok" if seconds else "failed", mode="phases", phase=name, **axes)


def job(framework: str, seconds: dict[str, Sequence[float]], **axes: Any) -> list[CaseResult]:
    """Return the phases of a job."""
    return [phase(framework, name, *each, **axes) for name, each in seconds.items()]
