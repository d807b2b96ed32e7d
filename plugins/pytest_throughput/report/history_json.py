"""The history of a baseline as JSON, described in ``docs/schema/history-1.schema.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from pytest_throughput.gate.history import CaseHistory, CaseRun, Figure, History, LevelChange, Machine, Run
from pytest_throughput.gate.wording import bounded

__all__ = ["as_json"]

_SCHEMA = 1


def as_json(history: History) -> str:
    document = {
        "schema": _SCHEMA,
        "machines": [_machine(machine) for machine in history.machines],
        "left_out": [{"file": file, "reason": why} for file, why in history.damaged],
    }
    return json.dumps(document, indent=2, allow_nan=False)


def _machine(machine: Machine) -> dict[str, Any]:
    return {
        "hardware": machine.hardware,
        "fingerprint": machine.fingerprint,
        "individual": machine.id,
        "correlation": machine.correlation,
        "runs": [_run(run) for run in machine.runs],
        "cases": [_case(case) for case in machine.cases],
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "run": run.number,
        "started_at": run.started_at,
        "note": run.note or None,
        "software_changes": _changes(run.software),
    }


def _case(case: CaseHistory) -> dict[str, Any]:
    metric = case.metric
    return {
        "id": case.id,
        "differs": list(case.differs),
        "metric": None if metric is None else {"name": metric.name, "unit": metric.unit, "better": metric.better},
        "anchor": case.anchor,
        "anchor_versions": dict(case.anchor_versions),
        "tested": case.is_tested,
        "runs": [_case_run(one) for one in case.runs],
        "change_points": [_change(change) for change in case.changes],
    }


def _case_run(one: CaseRun) -> dict[str, Any]:
    return {
        "run": one.run.number,
        "trials": one.trials,
        **_figure("value", one.value),
        **_figure("anchor_ratio", one.ratio),
    }


def _figure(name: str, figure: Figure | None) -> dict[str, float | None]:
    value, low, high = figure or (None, None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _change(change: LevelChange) -> dict[str, Any]:
    return {
        "first_run": change.first.run.number,
        "started_at": change.first.run.started_at,
        "ratio": math.exp(bounded(change.size)),
        "ratio_low": math.exp(bounded(change.low)),
        "ratio_high": math.exp(bounded(change.high)),
        "wanted": change.is_wanted,
        "note": change.note or None,
        "software_changes": _changes(change.first.run.software),
    }


def _changes(changes: Mapping[str, tuple[str, str]]) -> dict[str, dict[str, str]]:
    return {name: {"before": before, "after": after} for name, (before, after) in changes.items()}
