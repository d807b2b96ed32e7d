"""What the results look like in JSON: ``extra_info`` of each benchmark, and the ``throughput`` block."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pytest_throughput.measurement.loop import Measurement
from pytest_throughput.results.model import CaseRecord, Ledger, TrialRecord

__all__ = ["MAX_RESULT_BYTES", "SCHEMA", "estimated_bytes", "extra_info", "throughput_block"]

SCHEMA = 1

MAX_RESULT_BYTES = 512 * 2**20
"""A larger result file is not read: it has to be held in memory as a whole."""
_BYTES_PER_ROUND = 40
"""A sample on its own line, as pytest-benchmark indents it."""
_BYTES_PER_TRIAL = 4096

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
    "images_per_joule",
    "telemetry",
    "disturbed_by",
    "largest_batch",
)


def extra_info(case: CaseRecord, trial: TrialRecord, measurement: Measurement) -> dict[str, Any]:
    """What pytest-benchmark records beside the samples of one measured trial."""
    return {
        **dict.fromkeys(_UNKNOWN_UNLESS_GIVEN),
        **case.axes,
        **trial.outcome.metadata,
        "case_id": case.id,
        "trial": trial.trial,
        "environment": case.environment,
        "images_per_second": trial.images_per_second,
        "metrics": [asdict(metric) for metric in trial.metrics],
        "batch_size": trial.items,
        "first_step_seconds": measurement.first_step_seconds,
        "latency_seconds": measurement.latency_seconds,
        "rounds_disturbed": trial.rounds_disturbed,
        "disturbance": _disturbance(measurement),
        "stop_reason": measurement.stop_reason,
        "started_at": trial.started_at,
        "resumed": trial.resumed,
    }


def estimated_bytes(trial: TrialRecord) -> int:
    """Return about how many bytes of the result file a trial takes: one line for each round, and the rest."""
    metadata = json.dumps(trial.outcome.metadata, indent=4, default=str)
    return _BYTES_PER_TRIAL + len(metadata) + _BYTES_PER_ROUND * ((trial.rounds or 0) + (trial.rounds_disturbed or 0))


def _disturbance(measurement: Measurement) -> dict[str, Any]:
    """Sums over the rounds, and which of them were disturbed (counted from 0)."""
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


def throughput_block(
    ledger: Ledger, *, deselected: Sequence[str] | None, fingerprint: Mapping[str, Any], machine_id: str | None
) -> dict[str, Any]:
    """The top-level ``throughput`` object: every case that was asked for, measured or not.

    ``deselected``: the ids of the cases that ``-k``, ``-m`` or ``--deselect`` left out; None where
    node ids were given, since pytest then does not say what it left out. ``machine_id``: which machine or GPU it was,
    hashed.
    """
    return {
        "schema": SCHEMA,
        "complete": ledger.is_complete,
        "deselected": None if deselected is None else list(deselected),
        "fingerprint": dict(fingerprint),
        "individual": machine_id,
        "cases": [_case(case) for case in ledger],
    }


def _case(case: CaseRecord) -> dict[str, Any]:
    mean, low, high = case.images_per_second()
    return {
        "id": case.id,
        "environment": case.environment,
        "status": case.status,
        "reason": case.reason,
        "implausible": case.implausible,
        "labels": dict(case.axes),
        "trials": [_trial(trial) for trial in case.measured],
        "images_per_second": mean,
        "images_per_second_low": low,
        "images_per_second_high": high,
        "settings": case.settings,
        "network_hash": case.network_hash,
    }


def _trial(trial: TrialRecord) -> dict[str, Any]:
    return {
        "trial": trial.trial,
        "images_per_second": trial.images_per_second,
        "median_seconds": trial.median_seconds,
        "rounds": trial.rounds,
        "rounds_disturbed": trial.rounds_disturbed,
        "started_at": trial.started_at,
        "resumed": trial.resumed,
    }
