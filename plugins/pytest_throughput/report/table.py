"""The table of a run: a row for each case, with the rows of the same work together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

from rich.text import Text

from pytest_throughput.naming import ALL_COLUMNS
from pytest_throughput.report.best import bests, has_choice
from pytest_throughput.report.columns import Column, Row, lay_out
from pytest_throughput.report.figures import Figure, figures_of
from pytest_throughput.report.marks import host_bound_ratio, input_bound_ratio, recompilations
from pytest_throughput.report.ratios import ratios_to_fastest
from pytest_throughput.report.rows import in_order, names_of, rows_of, shown_shared_axes
from pytest_throughput.report.values import metric_values
from pytest_throughput.report.warnings import warnings_of
from pytest_throughput.results.anchor import shown_anchor
from pytest_throughput.results.model import CaseResult, RunResult
from pytest_throughput.text import printable

__all__ = ["heading", "notes", "render", "status_of"]

_OPTIONAL_RANK = 3
"""The least rank of columns that may be left out beside the case's name. Primary metric, ratio to the fastest row and
spread may not: if they do not fit, the name gets a line of its own."""
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


def render(
    result: RunResult,
    *,
    width: int | None,
    colour: bool,
    sort: str = "run",
    columns: Sequence[str] | None = None,
) -> str:
    """Return the table with its legend as text, fitted to ``width`` columns, or as wide as necessary if it is None.

    ``sort`` is one of ``naming.SORT_KEYS``. ``columns`` are some of ``naming.COLUMNS``, ``naming.ALL_COLUMNS``, or None
    for the usual ones.
    """
    figures = figures_of(result.cases, ratios_to_fastest(result.cases))
    cases = in_order(result.cases, sort, figures)
    rows = _marked(rows_of(cases), cases)
    lines = lay_out(
        rows,
        _columns(cases, figures, columns),
        headings=("work", "measured in" if any(row.member for row in rows) else ""),
        width=width,
        colour=colour,
        optional_rank=_OPTIONAL_RANK,
        legend=_legend(result),
    )
    return "\n".join(lines)


def notes(result: RunResult) -> list[str]:
    """Return the lines that follow the table: what it does not show, and the warnings."""
    return [*_real_images(result.cases), *(warning.text for warning in warnings_of(result))]


def _columns(
    cases: Sequence[CaseResult], figures: Mapping[str, Figure], words: Sequence[str] | None
) -> Sequence[Column]:
    """Return the columns that ``words`` name, or else the usual ones; of all and of the usual ones those with figures.

    Where the terminal is narrow, of the named columns the last ones are left out first.
    """
    status = Column("status", [status_of(case) for case in cases], is_number=False)
    if words is None or ALL_COLUMNS in words:
        found = [figure.column(cases) for figure in figures.values() if words is not None or figure.is_usual]
        return [*(column for column in found if column.rank == 0 or column.is_filled), status]
    named = [figures[word].column(cases) if word in figures else status for word in words]
    return [replace(column, rank=index and _OPTIONAL_RANK + index) for index, column in enumerate(named)]


def _marked(rows: Sequence[Row], cases: Sequence[CaseResult]) -> list[Row]:
    chosen = {best.case.key for work in bests(cases) for best in work if best.is_chosen}
    return [
        replace(row, member=f"{row.member} {_BEST}") if case.key in chosen else row
        for row, case in zip(rows, cases, strict=True)
    ]


def _legend(result: RunResult) -> list[str]:
    """Return what all rows share, what the mark is, and the anchors beside which trials were measured."""
    shared = ", ".join(shown_shared_axes(result.cases))
    found = [anchor for case in result.cases for anchor in case.metadata_values("anchor") if anchor.get("digest")]
    versions = {anchor["digest"]: anchor.get("versions", {}) for anchor in found}
    return [
        *([f"all rows: {shared}"] if shared else []),
        *([f"{_BEST} the fastest configuration of its framework"] if has_choice(result.cases) else []),
        *(printable(f"measured beside the anchor {shown_anchor(*each)}") for each in versions.items()),
    ]


def _real_images(cases: Sequence[CaseResult]) -> list[str]:
    """Return the line that compares steps on real images with steps on random ones; none if no case did that."""
    shown = []
    for name, case in zip(names_of(cases), cases, strict=True):
        found = metric_values(case, "real_to_random_ratio")
        if found:
            several = f" ({min(found):.2f} to {max(found):.2f} in {len(found)} trials)" if len(found) > 1 else ""
            shown.append(f"{name} {median(found):.2f}{several}")
    return [f"seconds of a step on real images ÷ on random ones: {'; '.join(shown)}"] if shown else []


def status_of(case: CaseResult) -> Text:
    """Return the status of a case, and what marks it."""
    if case.status != "ok":
        return Text(case.status or "not run", style="yellow")
    marks = ["implausible"] if case.implausible is not None else []
    marks += ["recompiled"] if recompilations(case) else []
    ratio = host_bound_ratio(case)
    marks += [f"host-bound {ratio:.2f}"] if ratio is not None else []
    ratio = input_bound_ratio(case)
    marks += [f"input-bound {ratio:.2f}"] if ratio is not None else []
    return Text(", ".join(["ok", *marks]), style="yellow" if marks else "")
