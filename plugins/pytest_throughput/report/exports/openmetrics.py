"""OpenMetrics 1.0 text, which Prometheus and its like read: a gauge for each case, and what the case is.

All metrics are gauges. Prometheus' older text format, which the Pushgateway and node_exporter's textfile collector
read, does not know OpenMetrics' type ``info``; to it, the lines with the unit and the end are comments.

Values are in base units (seconds, bytes, ratios), as OpenMetrics asks for. They have no time of their own: what scrapes
or pushes the text gives it one.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report.exports.exported import Exported
from pytest_throughput.report.exports.names import distinct, shown_name
from pytest_throughput.results.model import RATE, CaseResult, RunResult
from pytest_throughput.text import printable

__all__ = ["export"]

_PREFIX = "pytest_throughput"
_BASE_UNITS: Mapping[str, tuple[str, float]] = {
    "ns": ("seconds", 1e-9),
    "µs": ("seconds", 1e-6),
    "us": ("seconds", 1e-6),
    "ms": ("seconds", 1e-3),
    "s": ("seconds", 1.0),
    "min": ("seconds", 60.0),
    "h": ("seconds", 3600.0),
    "bytes": ("bytes", 1.0),
    "B": ("bytes", 1.0),
    "kB": ("bytes", 1e3),
    "MB": ("bytes", 1e6),
    "GB": ("bytes", 1e9),
    "KiB": ("bytes", 2.0**10),
    "MiB": ("bytes", 2.0**20),
    "GiB": ("bytes", 2.0**30),
    "%": ("ratio", 0.01),
}
"""The base unit of a unit, and the factor into it."""
_NAMES_OF_UNITS = {unit.lower() for unit in _BASE_UNITS}
"""The ends of the names of metrics that are units."""

Labels = Mapping[str, str]


@dataclass
class _Family:
    """A metric family: all samples of one name."""

    name: str
    about: str
    unit: str = ""
    samples: list[tuple[Labels, float]] = field(default_factory=list)

    def lines(self) -> list[str]:
        unit = [f"# UNIT {self.name} {self.unit}"] if self.unit else []
        return [
            f"# TYPE {self.name} gauge",
            *unit,
            f"# HELP {self.name} {_escaped(self.about)}",
            *(f"{self.name}{_shown(labels)} {value!r}" for labels, value in self.samples),
        ]


def export(result: RunResult) -> Exported:
    """Return the primary metric of each case with its interval, the seconds per step, and the status of each case."""
    labels = _labels_of(result.cases)
    families: dict[str, _Family] = {}
    for case in result.cases:
        if case.primary is not None:
            _add_figures(families, case, case.primary, labels[case.key])
    info = _Family(f"{_PREFIX}_case_info", "The status of each case that was asked for.")
    info.samples = [
        (
            {
                **labels[case.key],
                "status": case.status or "not_run",
                "implausible": str(case.implausible is not None).lower(),
            },
            1,
        )
        for case in result.cases
    ]
    complete = _Family(f"{_PREFIX}_complete", "Whether every trial that was asked for has ended.")
    complete.samples = [({}, int(result.complete))]
    lines = [line for family in (*families.values(), info, complete) for line in family.lines()]
    return Exported(("\n".join([*lines, "# EOF"]) + "\n").encode())


def _add_figures(families: dict[str, _Family], case: CaseResult, primary: Metric, labels: Labels) -> None:
    name, unit, factor = _in_base_unit(primary)
    ends = {
        "mean": "Geometric mean over the trials",
        "low": "Lower end of its 95 % interval",
        "high": "Upper end of it",
    }
    for (which, about), value in zip(ends.items(), case.estimate(), strict=True):
        if value is not None:
            full_name = f"{_PREFIX}_{which}_{name}"
            better = f"{about}; {primary.better} values are better."
            _add(families, _Family(full_name, better, unit=unit), labels, factor * value)
    step = _Family(f"{_PREFIX}_step_seconds", "Geometric mean of the median seconds per step.", unit="seconds")
    seconds = statistics.geometric_mean(trial.median_seconds for trial in case.measured)
    _add(families, step, labels, seconds)


def _add(families: dict[str, _Family], family: _Family, labels: Labels, value: float) -> None:
    families.setdefault(family.name, family).samples.append((labels, value))


def _in_base_unit(metric: Metric) -> tuple[str, str, float]:
    """Return the metric's name with its base unit at the end, that unit, empty if there is none, and the factor."""
    if metric.name == RATE and metric.unit.endswith("/s"):
        name = f"{_identifier(metric.unit.removesuffix('/s'))}_per_second"
        return name, name, 1.0
    name = _identifier(metric.name)
    if metric.unit not in _BASE_UNITS:
        return name, "", 1.0
    unit, factor = _BASE_UNITS[metric.unit]
    words = name.split("_")
    if unit not in words:
        words = [*(words[:-1] if words[-1].lower() in _NAMES_OF_UNITS else words), unit]
    return "_".join(words), unit if words[-1] == unit else "", factor


def _labels_of(cases: Sequence[CaseResult]) -> dict[tuple[str, str], Labels]:
    """Return the labels of each case by its key. No two cases have the same ones."""
    ids = distinct({case.id: shown_name(case.id) for case in cases})
    environments = distinct({case.environment: shown_name(case.environment) for case in cases})
    return {
        case.key: {"case": ids[case.id], "environment": environments[case.environment], **_axes(case)} for case in cases
    }


def _axes(case: CaseResult) -> Labels:
    return {f"axis_{_identifier(name)}": str(value) for name, value in case.axes.items() if value is not None}


def _identifier(text: str) -> str:
    """Return the text with an underscore in place of each character that names may not have."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", printable(text, 100)) or "_"


def _shown(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}" if labels else ""


def _escaped(text: str) -> str:
    """Return the text as the value of a label, or as a help text."""
    return printable(text).replace("\\", r"\\").replace('"', r"\"")
