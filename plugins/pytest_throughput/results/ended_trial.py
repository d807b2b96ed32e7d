"""A trial that has just ended, and the result that it gives."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.measurement.metric import Metric
from pytest_throughput.results.model import RATE, TrialResult, rate_unit
from pytest_throughput.worker.protocol import Outcome

__all__ = ["EndedTrial", "other_metadata"]

_UNKNOWN_UNLESS_GIVEN = (
    "framework",
    "device",
    "model",
    "mode",
    "precision",
    "execution",
    "layout",
    "parameters",
    "flops_per_image",
    "network_hash",
    "device_seconds",
    "enqueue_ratio",
    "model_flops_utilisation",
    "peak",
    "product_flops",
    "images_per_joule",
    "kernels",
    "profile",
    "telemetry",
    "disturbed_by",
    "largest_batch",
    "compile_seconds",
    "recompilations",
)
"""Names that the metadata of every trial have, null where unknown, unless they are axes of its case."""

PAGE_FAULTS = "page_faults_per_step"
"""The name of the metric, and of the key in the metadata."""
_MOST_CHARACTERS_OF_A_UNIT = 20


@dataclass(frozen=True)
class EndedTrial:
    """One trial of one case that has ended, with the outcome that the worker reported."""

    case_id: str
    environment: str
    axes: Mapping[str, Any]
    """The axes of the case by name."""
    trial: int
    started_at: str
    """The time of its start in UTC, by ISO 8601."""
    items: int
    """How many items one step works through: the batch size, for images."""
    outcome: Outcome
    resumed: bool = False
    """Whether an earlier run measured it, so that this run took it from that run's journal."""

    @property
    def key(self) -> tuple[str, str, int]:
        """The case, environment and number, which identify the trial."""
        return self.case_id, self.environment, self.trial

    @cached_property
    def result(self) -> TrialResult | None:
        """The figures; None unless the outcome is ok."""
        measurement = self.outcome.measurement
        if measurement is None:
            return None
        median = statistics.median(measurement.seconds_per_step)
        metadata = {
            **dict.fromkeys(name for name in _UNKNOWN_UNLESS_GIVEN if name not in self.axes),
            **self.outcome.metadata,
            "latency_seconds": measurement.latency_seconds,
            "disturbance": _disturbance(measurement),
            "stop_reason": measurement.stop_reason,
            PAGE_FAULTS: measurement.page_faults_per_step,
        }
        return TrialResult(
            trial=self.trial,
            items=self.items,
            median_seconds=median,
            metrics=_with_page_faults(self.outcome.metrics or self._rate(median), measurement),
            seconds_per_step=tuple(measurement.seconds_per_step),
            rounds=len(measurement.round_seconds),
            rounds_disturbed=_rounds_disturbed(measurement, self.outcome.metadata),
            first_step_seconds=measurement.first_step_seconds,
            started_at=self.started_at,
            resumed=self.resumed,
            metadata=other_metadata(metadata, self.axes),
        )

    def _rate(self, median_seconds: float) -> tuple[Metric, ...]:
        """Return the rate, which is the metric of a step; nothing if a step took no time.

        Its unit is the ``unit`` that the step's metadata name, such as ``images`` or ``tokens``, per second.
        """
        if not median_seconds:
            return ()
        items = self.outcome.metadata.get("unit")
        is_name = isinstance(items, str) and items.isidentifier() and len(items) <= _MOST_CHARACTERS_OF_A_UNIT
        return (Metric(RATE, f"{items}/s" if is_name else rate_unit(self.axes), self.items / median_seconds),)


def _with_page_faults(metrics: tuple[Metric, ...], measurement: Measurement) -> tuple[Metric, ...]:
    """Return the metrics, and the page faults behind them; no metrics if there is no primary one."""
    page_faults = measurement.page_faults_per_step
    if not metrics or page_faults is None or any(metric.name == PAGE_FAULTS for metric in metrics):
        return metrics
    return (*metrics, Metric(PAGE_FAULTS, "faults/step", page_faults, "lower"))


def other_metadata(metadata: Mapping[str, Any], axes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata without those that are fields of a ``TrialResult`` or axes of its case."""
    return {
        name: value
        for name, value in metadata.items()
        if name not in _HELD_ELSEWHERE and not (name in axes and axes[name] == value)
    }


_HELD_ELSEWHERE = (
    "case_id",
    "trial",
    "environment",
    "images_per_second",
    "metrics",
    "batch_size",
    "first_step_seconds",
    "rounds_disturbed",
    "started_at",
    "resumed",
)


def _rounds_disturbed(measurement: Measurement, metadata: Mapping[str, Any]) -> int | None:
    """Return how many rounds were disturbed: all if, for example, a throttled GPU disturbed the whole trial."""
    if metadata.get("disturbed_by") is not None:
        return len(measurement.round_seconds)
    known = [each for each in measurement.disturbed if each is not None]
    return sum(known) if known else None


def _disturbance(measurement: Measurement) -> dict[str, Any]:
    """Return sums over the rounds, and which of them were disturbed (counted from 0)."""
    each = measurement.disturbances
    return {
        "waiting_seconds": _sum_of_known([one.waiting_seconds for one in each]),
        "longest_wait_seconds": max(_known([one.longest_wait_seconds for one in each]), default=None),
        "involuntary_switches": sum(one.involuntary_switches for one in each),
        "foreign_seconds": _sum_of_known([one.foreign_seconds for one in each]),
        "steal_seconds": _sum_of_known([one.steal_seconds for one in each]),
        "rounds": [index for index, disturbed in enumerate(measurement.disturbed) if disturbed],
    }


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _sum_of_known(values: Sequence[float | None]) -> float | None:
    known = _known(values)
    return sum(known) if known else None
