"""What precedes the first measured step: building the network, compiling it, and the first step."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_throughput.report.charts.chart import Axis, Bar, BarChart, BarPart, Section
from pytest_throughput.report.sections.case_panels import Panel, PanelRow, panels_of, selected
from pytest_throughput.report.sections.wording import span
from pytest_throughput.report.values import numbers
from pytest_throughput.results.model import CaseResult, RunResult
from pytest_throughput.results.statistics import geometric_mean_interval
from pytest_throughput.text import significant

__all__ = ["section"]

_MOST_CASES = 24
_PARTS = ("build", "compile", "first step")
_LEAST_FACTOR = 1.5
"""The least ratio of a first step to later ones that a title names."""

_NOTE = (
    "Means over the trials, with 95 % intervals where there are several. PyTorch, JAX and Keras on either compile "
    "within the first step; ONNX Runtime, OpenVINO and Theano before it, so that the two add up; TensorFlow does not "
    "say how long it compiles. These seconds are unknown where one process measures several cases: "
    "--throughput-isolation trial."
)


def section(result: RunResult) -> Section | None:
    """Return the section; None if no such seconds are known."""
    cases = [case for case in result.cases if not _is_job(case) and any(_seconds(case))]
    if not cases:
        return None
    shown, left_out = selected(
        cases, lambda case: max(map(max, filter(None, _seconds(case)))), "cases that took the longest", most=_MOST_CASES
    )
    charts = tuple(_chart(panel) for panel in panels_of(shown, result))
    return Section("compile", "Build, compilation and first step", charts, notes=(_NOTE, *left_out))


def _is_job(case: CaseResult) -> bool:
    """Return whether the case is a phase of a job, whose seconds stand in another section."""
    return "once" in case.metadata_values("stop_reason")


def _seconds(case: CaseResult) -> tuple[list[float], ...]:
    """Return the known seconds of each of the parts, one for each trial."""
    first_steps = [trial.first_step_seconds or 0.0 for trial in case.measured]
    found = numbers(case, "build_seconds"), numbers(case, "compile_seconds"), first_steps
    return tuple([value for value in values if value > 0] for values in found)


def _chart(panel: Panel) -> BarChart:
    bars = tuple(Bar(row.label, _parts(row)) for row in panel.rows)
    factors = [factor for row in panel.rows if (factor := _factor(row.case)) is not None]
    return BarChart(panel.name, _title(factors), Axis("seconds"), bars)


def _parts(row: PanelRow) -> tuple[BarPart, ...]:
    return tuple(
        BarPart(name, row.style, *geometric_mean_interval(values))
        for name, values in zip(_PARTS, _seconds(row.case), strict=True)
        if values
    )


def _factor(case: CaseResult) -> float | None:
    """Return the seconds of the first step ÷ those of a later one; None where they are unknown."""
    known = [(trial.first_step_seconds, trial.median_seconds) for trial in case.measured]
    found = [first / later for first, later in known if first and later]
    return geometric_mean_interval(found)[0] if found else None


def _title(factors: Sequence[float]) -> str:
    if not factors or min(factors) < _LEAST_FACTOR:
        return "seconds before the first measured step"
    return f"the first step took {span(factors, lambda factor: significant(factor, 2))} times as long as a later one"
