"""Cases with invented figures, as a session or the reader of files builds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.results.model import RATE, CaseResult, TrialResult

__all__ = ["IMAGES", "measured"]

IMAGES = Metric(RATE, "images/s", 1.0)
"""The metric of a network; its value is that of each trial."""


def measured(
    framework: Any,
    rates: Sequence[float],
    *,
    id: str | None = None,  # noqa: A002 - as in CaseResult
    environment: str = "default",
    status: str = "ok",
    implausible: str | None = None,
    metric: Metric = IMAGES,
    metadata: Mapping[str, Any] | None = None,
    **axes: Any,
) -> CaseResult:
    """Return a case with a trial for each value of its primary metric, by default for VGG16 in inference on the CPU.

    An axis of None is left out, as is the framework.
    """
    work = {"mode": "inference", "model": "vgg16", "batch_size": 8, "precision": "fp32", "device": "cpu", **axes}
    named = {name: value for name, value in {**work, "framework": framework}.items() if value is not None}
    size = work["batch_size"]
    items = size if type(size) is int and size > 0 else 1
    trials = tuple(
        TrialResult(
            trial=number,
            items=items,
            median_seconds=items / rate,
            metrics=(Metric(metric.name, metric.unit, rate, metric.better),),
            metadata=metadata or {},
        )
        for number, rate in enumerate(rates, start=1)
    )
    name = "-".join(map(str, named.values())) if id is None else id
    return CaseResult(name, environment, named, status, implausible=implausible, trials=trials)
