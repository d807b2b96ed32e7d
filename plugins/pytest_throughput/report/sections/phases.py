"""The seconds of each phase of whole jobs, as stacked bars: a bar for each job and framework."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_throughput.report.charts.chart import Axis, Bar, BarChart, BarPart, Section
from pytest_throughput.report.sections.case_panels import Panel, panels_of, selected
from pytest_throughput.report.sections.wording import clearly_first, span
from pytest_throughput.results.model import CaseResult, Estimate, RunResult
from pytest_throughput.text import listed, printable, share

__all__ = ["section"]

_MOST_JOBS = 16
_MOST_PHASES = 12
"""The most phases with a part of their own; the shorter ones are one part."""
_OTHERS = "other phases"
_LONGEST_NAME = 60


@dataclass(frozen=True)
class _Job:
    """One whole job: what its phases have in common, and each phase."""

    case: CaseResult
    """The first phase, without the name of its phase in axes and id."""
    phases: tuple[tuple[str, CaseResult], ...]
    """The name and the case of each phase, in the order of the run."""

    @property
    def seconds(self) -> dict[str, Estimate]:
        """The seconds of each phase that was measured, by name."""
        found = ((name, case.estimate("seconds")) for name, case in self.phases)
        return {name: estimate for name, estimate in found if estimate.mean is not None}

    @property
    def total(self) -> float:
        """The seconds of all phases."""
        return sum(estimate.mean or 0.0 for estimate in self.seconds.values())

    @property
    def unmeasured(self) -> list[str]:
        """The phases without a figure, with their statuses."""
        measured = self.seconds
        return [f"{name} ({case.status or 'not run'})" for name, case in self.phases if name not in measured]


def section(result: RunResult) -> Section | None:
    """Return the section; None if no phase was measured."""
    jobs = {job.case.key: job for job in _jobs(result.cases) if job.seconds}
    if not jobs:
        return None
    shown, left_out = selected(
        [job.case for job in jobs.values()], lambda case: jobs[case.key].total, "longest jobs", most=_MOST_JOBS
    )
    styles = _styles([jobs[case.key] for case in shown])
    panels = panels_of(shown, result)
    return Section(
        "phases",
        "Phases of whole jobs",
        charts=tuple(_chart(panel, jobs, styles) for panel in panels),
        notes=(
            "Each bar is one job; its parts are the seconds of its phases, one after the other, as means over the "
            "trials. A phase that repeats a part of another one to measure it alone is shown as well.",
            *_unmeasured(panels, jobs),
            *left_out,
        ),
    )


def _jobs(cases: Sequence[CaseResult]) -> list[_Job]:
    """Return the jobs whose phases are among the cases. A whole training is not taken apart into phases."""
    found: dict[Hashable, tuple[CaseResult, list[tuple[str, CaseResult]]]] = {}
    for case in cases:
        phase = _phase(case)
        if phase is not None and case.axes.get("mode") != "convergence":
            axes = {name: value for name, value in case.axes.items() if name != "phase"}
            common = replace(case, id=_without_parameter(case.id, phase), axes=axes)
            key = tuple((name, str(value)) for name, value in axes.items()) or common.id
            _, phases = found.setdefault((case.environment, key), (common, []))
            phases.append((printable(phase, _LONGEST_NAME), case))
    return [_Job(common, tuple(phases)) for common, phases in found.values()]


def _phase(case: CaseResult) -> str | None:
    """Return the phase that a case is: an axis in the suite's jobs, and metadata in others."""
    names = [case.axes.get("phase"), *case.metadata_values("phase")]
    return next((name for name in names if isinstance(name, str) and name), None)


def _without_parameter(case_id: str, value: str) -> str:
    """Return a node id such as ``test_job[a-load]`` without one of its parameters: ``test_job[a]``."""
    name, bracket, parameters = case_id.partition("[")
    kept = [each for each in parameters.removesuffix("]").split("-") if each != value]
    return f"{name}[{'-'.join(kept)}]" if bracket and kept else name


def _styles(jobs: Sequence[_Job]) -> Mapping[str, int]:
    """Return the style of each phase, in the order of the run; those without one are summed up."""
    seconds: dict[str, float] = {}
    for job in jobs:
        for name, estimate in job.seconds.items():
            seconds[name] = seconds.get(name, 0.0) + (estimate.mean or 0.0)
    longest = set(sorted(seconds, key=seconds.__getitem__, reverse=True)[:_MOST_PHASES])
    return {name: style for style, name in enumerate(name for name in seconds if name in longest)}


def _chart(panel: Panel, jobs: Mapping[tuple[str, str], _Job], styles: Mapping[str, int]) -> BarChart:
    bars = tuple(Bar(row.label, _parts(jobs[row.case.key], styles)) for row in panel.rows)
    return BarChart(panel.name, _title(bars), Axis("seconds"), bars, is_stacked=True)


def _parts(job: _Job, styles: Mapping[str, int]) -> tuple[BarPart, ...]:
    own = [
        BarPart(name, styles[name], mean, low, high)
        for name, (mean, low, high) in job.seconds.items()
        if mean is not None and name in styles
    ]
    others = [estimate.mean or 0.0 for name, estimate in job.seconds.items() if name not in styles]
    return (*own, *([BarPart(_OTHERS, len(styles), sum(others))] if others else []))


def _title(bars: Sequence[Bar]) -> str:
    """Return which phase takes the longest, if the intervals of every bar show the same one."""
    longest = [clearly_first(bar.parts, is_highest=True) for bar in bars]
    parts = [bar.parts[first] for bar, first in zip(bars, longest, strict=True) if first is not None]
    if len(parts) < len(bars) or len({part.name for part in parts}) > 1:
        return "seconds per phase"
    shares = [part.value / sum(each.value for each in bar.parts) for bar, part in zip(bars, parts, strict=True)]
    where = f" in {bars[0].label}" if len(bars) == 1 else ""
    return f"{parts[0].name} takes {span(shares, share)} of the seconds of all phases{where}"


def _unmeasured(panels: Sequence[Panel], jobs: Mapping[tuple[str, str], _Job]) -> list[str]:
    """Return the note on bars that lack phases, and so are too short."""
    found = [
        f"{row.label}: {', '.join(missing)}"
        for panel in panels
        for row in panel.rows
        if (missing := jobs[row.case.key].unmeasured)
    ]
    return [f"Bars without all phases, since some were not measured: {listed(found)}."] if found else []
