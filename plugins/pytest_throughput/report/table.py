"""The table of a run: a row for each case, with the rows of the same work together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from rich.text import Text

from pytest_throughput.naming import CONTENDERS, DEFAULT_ENVIRONMENT
from pytest_throughput.report.best import bests, has_choice
from pytest_throughput.report.columns import Column, Row, lay_out
from pytest_throughput.report.figures import figure_columns
from pytest_throughput.report.ratios import legend, ratios_to_fastest
from pytest_throughput.report.warnings import host_bound_ratio, input_bound_ratio, recompilations, warnings_of
from pytest_throughput.results.anchor import shown_anchor
from pytest_throughput.results.model import CaseResult, RunResult
from pytest_throughput.text import printable, significant

__all__ = ["heading", "notes", "render", "rows_of", "side_by_side"]

_LONGEST_NAME = 500
"""The most characters of a name: every row of a table is as wide as its widest row."""
_OPTIONAL_RANK = 3
"""The least rank of columns that may be left out beside the case's name. Primary metric and spread may not: if they do
not fit, the name gets a line of its own."""
_AXES_WITH_UNITS = {"batch_size": "batch {}", "loader_workers": "{} loader workers", "epochs": "{} epochs"}
_BEST = "•"
"""The mark of the fastest configuration of a framework."""


def heading(result: RunResult) -> str:
    """Return the hardware and the settings of the run on one line."""
    gpus, cpu = result.fingerprint.get("gpus"), result.fingerprint.get("cpu")
    parts: list[object] = []
    for gpu in gpus if isinstance(gpus, list) else ():
        parts.append(gpu.get("name") if isinstance(gpu, dict) else "unknown GPU")
    parts.append((cpu.get("model") if isinstance(cpu, dict) else None) or "unknown CPU")
    used = [settings for case in result.cases for settings in case.metadata_values("settings")]
    for name in ("threads", "protocol", "isolation", "allocator"):
        values = dict.fromkeys(str(settings[name]) for settings in used if settings.get(name) is not None)
        if values:
            parts.append(f"{name} {', '.join(values)}")
    return printable("; ".join(map(str, parts)))


def render(result: RunResult, *, width: int | None, colour: bool) -> str:
    """Return the table as text, fitted to ``width`` columns, or as wide as necessary if it is None."""
    cases = side_by_side(result.cases)
    rows = _marked(rows_of(cases), cases)
    status = Column("status", [_status(case) for case in cases], is_number=False)
    lines = lay_out(
        rows,
        [*figure_columns(cases, ratios_to_fastest(cases)), status],
        headings=("work", "measured in" if any(row.member for row in rows) else ""),
        width=width,
        colour=colour,
        optional_rank=_OPTIONAL_RANK,
    )
    return "\n".join(lines)


def notes(result: RunResult) -> list[str]:
    """Return the lines below the table: what all rows share, what ratios and marks are, and the warnings."""
    axes = _shared_axes(result.cases).items()
    shared = {name: value for name, value in axes if name not in CONTENDERS and value is not None}
    lines = ["all rows: " + ", ".join(_shown_axis(name, value) for name, value in shared.items())] if shared else []
    ratios = legend(ratios_to_fastest(result.cases))
    marks = [f"{_BEST} the fastest configuration of its framework for this work"] if has_choice(result.cases) else []
    warnings = [warning.text for warning in warnings_of(result)]
    return [*lines, *ratios, *_peaks(result), *marks, *_real_images(result.cases), *_anchors(result), *warnings]


def _marked(rows: Sequence[Row], cases: Sequence[CaseResult]) -> list[Row]:
    chosen = {best.case.key for work in bests(cases) for best in work if best.is_chosen}
    return [
        replace(row, member=f"{row.member} {_BEST}") if case.key in chosen else row
        for row, case in zip(rows, cases, strict=True)
    ]


def _peaks(result: RunResult) -> list[str]:
    """Return the line that says what the column of utilisation is, with the peaks; none if there are none."""
    peaks: dict[str, None] = {}
    for case in result.cases:
        precisions = [case.axes.get("precision"), *case.metadata_values("precision")]
        precision = next((f" in {one}" for one in precisions if one is not None), "")
        for peak in case.metadata_values("peak"):
            if isinstance(peak, dict) and type(peak.get("tflops")) in (int, float):
                peaks[f"{significant(peak['tflops'], 3)} TFLOP/s{precision} ({peak.get('source')})"] = None
    meaning = "direct FLOPs ÷ peak: operations/s, convolutions counted as direct ones, ÷"
    return [f"{meaning} {' or '.join(map(printable, peaks))}"] if peaks else []


def _real_images(cases: Sequence[CaseResult]) -> list[str]:
    """Return the line that compares steps on real images with steps on random ones; none if no case did that."""
    shown = []
    for row, case in zip(rows_of(cases), cases, strict=True):
        found = [metric.value for trial in case.measured if (metric := trial.metric("real_to_random_ratio"))]
        if found:
            several = f" ({min(found):.2f} to {max(found):.2f} in {len(found)} trials)" if len(found) > 1 else ""
            shown.append(f"{' '.join(filter(None, (row.member, row.group)))} {median(found):.2f}{several}")
    return [f"seconds of a step on real images ÷ on random ones: {'; '.join(shown)}"] if shown else []


def _anchors(result: RunResult) -> list[str]:
    """Return a line for each anchor that trials were measured beside, with its versions."""
    found = [anchor for case in result.cases for anchor in case.metadata_values("anchor") if anchor.get("digest")]
    versions = {anchor["digest"]: anchor.get("versions", {}) for anchor in found}
    return [printable(f"measured beside the anchor {shown_anchor(*each)}") for each in versions.items()]


def _status(case: CaseResult) -> Text:
    if case.status != "ok":
        return Text(case.status or "not run", style="yellow")
    marks = ["implausible"] if case.implausible is not None else []
    marks += ["recompiled"] if recompilations(case) else []
    ratio = host_bound_ratio(case)
    marks += [f"host-bound {ratio:.2f}"] if ratio is not None else []
    ratio = input_bound_ratio(case)
    marks += [f"input-bound {ratio:.2f}"] if ratio is not None else []
    return Text(", ".join(["ok", *marks]), style="yellow" if marks else "")


def rows_of(cases: Sequence[CaseResult]) -> list[Row]:
    """Return the names of the cases: the work, without what all of them have in common, and what it is measured in."""
    shared = _shared_axes(cases)
    return [Row(_work(case, shared), _contender(case)) for case in cases]


def side_by_side(cases: Sequence[CaseResult]) -> list[CaseResult]:
    """Return the cases with those of the same work together, otherwise in the order of the run."""
    works: dict[Hashable, list[CaseResult]] = {}
    for case in cases:
        works.setdefault(case.work, []).append(case)
    return [case for together in works.values() for case in together]


def _shared_axes(cases: Sequence[CaseResult]) -> dict[str, Any]:
    """Return the axes that have one value in all cases, which need not be repeated in every row."""
    if not cases:
        return {}
    first = cases[0].axes
    never = ("mode", "model")
    return {
        name: value
        for name, value in first.items()
        if name not in never and all(case.axes.get(name) == value for case in cases)
    }


def _work(case: CaseResult, shared: dict[str, Any]) -> str:
    if not case.axes:
        return printable(case.id, _LONGEST_NAME)
    axes = [
        _shown_axis(name, value)
        for name, value in case.axes.items()
        if name not in CONTENDERS and name not in shared and value is not None
    ]
    return printable(" ".join(axes), _LONGEST_NAME)


def _contender(case: CaseResult) -> str:
    parts = [case.axes.get(name) for name in CONTENDERS]
    if case.environment != DEFAULT_ENVIRONMENT:
        parts.append(case.environment)
    return printable(" ".join(str(part) for part in parts if part is not None), _LONGEST_NAME)


def _shown_axis(name: str, value: Any) -> str:
    return printable(_AXES_WITH_UNITS.get(name, "{}").format(value))
