"""Write results as JSON: ``extra_info`` of each benchmark, and the ``throughput`` block."""

from __future__ import annotations

import json
from typing import Any

from pytest_throughput.results.model import RATE, CaseResult, RunResult, TrialResult

__all__ = ["MAX_RESULT_BYTES", "SCHEMA", "estimated_bytes", "extra_info", "throughput_block"]

SCHEMA = 1
MAX_RESULT_BYTES = 512 * 2**20
"""The size of the largest result file that can be read, since it is held in memory as a whole."""
_BYTES_PER_ROUND = 40
"""The bytes of a sample on its own line, as pytest-benchmark indents it."""
_BYTES_PER_TRIAL = 4096


def extra_info(case: CaseResult, trial: TrialResult) -> dict[str, Any]:
    """Return the ``extra_info`` of one measured trial for pytest-benchmark's JSON."""
    return {
        **case.axes,
        **trial.metadata,
        "case_id": case.id,
        "trial": trial.trial,
        "environment": case.environment,
        "images_per_second": trial.images_per_second,
        "metrics": [metric.to_json() for metric in trial.metrics],
        "batch_size": trial.items,
        "first_step_seconds": trial.first_step_seconds,
        "rounds_disturbed": trial.rounds_disturbed,
        "started_at": trial.started_at,
        "resumed": trial.resumed,
    }


def estimated_bytes(trial: TrialResult | None) -> int:
    """Return about how many bytes of the result file a trial takes: one line for each round, and the rest.

    ``trial``: None for one that was not measured.
    """
    if trial is None:
        return _BYTES_PER_TRIAL
    metadata = json.dumps(trial.metadata, indent=4, default=str)
    return _BYTES_PER_TRIAL + len(metadata) + _BYTES_PER_ROUND * (trial.rounds or 0)


def throughput_block(result: RunResult) -> dict[str, Any]:
    """Return the top-level ``throughput`` object: every case that was asked for, measured or not."""
    return {
        "schema": SCHEMA,
        "complete": result.complete,
        "deselected": None if result.deselected is None else list(result.deselected),
        "fingerprint": dict(result.fingerprint),
        "individual": result.machine_id,
        "cases": [_case(case) for case in result.cases],
    }


def _case(case: CaseResult) -> dict[str, Any]:
    mean, low, high = case.estimate(RATE)
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


def _trial(trial: TrialResult) -> dict[str, Any]:
    return {
        "trial": trial.trial,
        "images_per_second": trial.images_per_second,
        "median_seconds": trial.median_seconds,
        "rounds": trial.rounds,
        "rounds_disturbed": trial.rounds_disturbed,
        "started_at": trial.started_at,
        "resumed": trial.resumed,
    }
