"""JSON for github-action-benchmark, which draws a chart of the commits of a branch and warns of slower ones.

It reads a list of objects with ``name``, ``unit``, ``value``, ``range`` and ``extra``, all of them better in one
direction, which the workflow names as its ``tool``: ``customBiggerIsBetter`` or ``customSmallerIsBetter``.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pytest_throughput.report.exports.exported import NOT_COMPLETE, Exported, said_beside
from pytest_throughput.report.exports.names import case_names
from pytest_throughput.results.model import CaseResult, RunResult
from pytest_throughput.text import count, printable

__all__ = ["bigger_is_better", "smaller_is_better"]

_BIGGER = "github-action-benchmark"
_SMALLER = f"{_BIGGER}-smaller"
_LONGEST_UNIT = 50


def bigger_is_better(result: RunResult) -> Exported:
    """Return the cases of whose primary metric higher values are better."""
    return _export(result, "higher", _SMALLER)


def smaller_is_better(result: RunResult) -> Exported:
    """Return the cases of whose primary metric lower values are better."""
    return _export(result, "lower", _BIGGER)


def _export(result: RunResult, better: str, other_format: str) -> Exported:
    names = case_names(result.cases)
    measured = [case for case in result.cases if case.primary is not None]
    exported = [case for case in measured if case.primary is not None and case.primary.better == better]
    entries = [_entry(case, names[case.key], result.complete) for case in exported]
    notes = said_beside(result, exported)
    others = len(measured) - len(exported)
    if others:
        what = (
            f"left out, since {'lower' if better == 'higher' else 'higher'} values are better: {count(others, 'case')}"
        )
        notes += (f"{what}; --format {other_format} exports them",)
    return Exported((json.dumps(entries, indent=2, allow_nan=False) + "\n").encode(), notes)


def _entry(case: CaseResult, name: str, complete: bool) -> dict[str, Any]:
    mean, low, high = case.estimate()
    about = [f"trials: {len(case.measured)}"]
    entry: dict[str, Any] = {"name": name, "unit": _unit(case.unit), "value": mean}
    if low is not None and high is not None:
        entry["range"] = f"± {(high - low) / 2:.4g}"
        about.append(f"95 % interval: {low:.6g} to {high:.6g}")
    if case.status != "ok":
        about.append(f"{case.status}: {printable(case.reason or '')}")
    if case.implausible is not None:
        about.append(f"implausible: {printable(case.implausible)}")
    if not complete:
        about.append(NOT_COMPLETE)
    return {**entry, "extra": "\n".join(about)}


def _unit(unit: str) -> str:
    """Return the unit without characters that mean something in Markdown, into which it is pasted unescaped."""
    return re.sub(r"[^\w/%²³· -]", "", printable(unit, _LONGEST_UNIT))
