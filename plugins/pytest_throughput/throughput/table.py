"""The table of images per second: a row a case, the frameworks side by side for the same work."""

from __future__ import annotations

import io
import statistics
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pytest_throughput.isolation.interpreters import DEFAULT_ENVIRONMENT
from pytest_throughput.measurement.stopping import relative_half_width
from pytest_throughput.throughput.ledger import CaseRecord, Ledger, TrialRecord
from pytest_throughput.throughput.text import byte_count, duration, percent, printable, significant

__all__ = ["notes", "render"]

_CONTENDERS = ("framework", "execution", "layout")
"""The axes that are compared with each other; the others say what the work is."""
_UNLIMITED = 10_000


def render(ledger: Ledger, *, width: int | None, colour: bool) -> str:
    """The table as text, folded to so many columns; as wide as it needs to be if None."""
    cases = list(ledger)
    shared = _shared_labels(cases)
    several_trials = any(len(case.asked) > 1 for case in cases)
    images = all("model" in case.labels for case in cases)
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    rows = _side_by_side(cases)
    figures = {
        "images/s" if images else "items/s": [_rate(case) for case in rows],
        "± trials" if several_trials else "± rounds": [_spread(case, several_trials) for case in rows],
        "ms/step": [_milliseconds(case) for case in rows],
        "first\nstep": [duration(_median(_first_steps(case))) for case in rows],
        "build": [duration(_median(case.fact("build_seconds"))) for case in rows],
        "peak\nmemory": [byte_count(max(case.fact("peak_memory_bytes"), default=None)) for case in rows],
        "disturbed\nrounds": [_disturbed(case) for case in rows],
    }
    # A column that says nothing anywhere is left out, but for the rate.
    shown = {name: column for name, column in figures.items() if name.endswith("/s") or {*column} != {"-"}}
    table.add_column("work", overflow="fold")
    table.add_column("measured in" if any(map(_contender, cases)) else "", overflow="fold")
    for heading in shown:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    previous_work = None
    for index, case in enumerate(rows):
        work = _work(case, shared)
        table.add_row(
            Text("" if work == previous_work else work),
            Text(_contender(case)),
            *(column[index] for column in shown.values()),
            Text(case.status or "not run", style="" if case.status == "ok" else "yellow"),
        )
        previous_work = work
    buffer = io.StringIO()
    console = Console(
        file=buffer, width=width or _UNLIMITED, force_terminal=colour, no_color=not colour, highlight=False
    )
    console.print(table)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def notes(ledger: Ledger) -> list[str]:
    """What a reader of the table has to know beside it, a line each."""
    cases = list(ledger)
    lines = []
    shared = {name: value for name, value in _shared_labels(cases).items() if name not in _CONTENDERS}
    if shared:
        lines.append("all rows: " + ", ".join(_label(name, value) for name, value in shared.items()))
    for case in cases:
        if case.status not in ("ok", None):
            lines.append(f"{_name(case)}: {case.status}: {printable(case.reason or '')}")
    shared_worker = any(
        settings.get("isolation") == "framework" for case in cases for settings in case.fact("settings")
    )
    if shared_worker and not any(case.fact("peak_memory_bytes") for case in cases):
        lines.append("peak memory on a CPU is known of processes that measure one case: --throughput-isolation trial")
    disturbed = [_name(case) for case in cases if any(map(_is_mostly_disturbed, case.measured))]
    if disturbed:
        lines.append(
            "other processes held up most rounds of these cases, whose figures tell of that work, too; "
            f"measure them again on an idle machine: {', '.join(disturbed)}"
        )
    return lines


def _is_mostly_disturbed(trial: TrialRecord) -> bool:
    return 2 * (trial.rounds_disturbed or 0) > (trial.rounds or 0)


def _rate(case: CaseRecord) -> str:
    return significant(case.images_per_second()[0])


def _spread(case: CaseRecord, several_trials: bool) -> str:
    """Half the 95 % interval as a share: of the mean over trials, else of the median over rounds."""
    mean, low, high = case.images_per_second()
    if several_trials:
        return percent((high - low) / 2 / mean if mean and low is not None and high is not None else None)
    measurement = case.measured[0].measurement if case.measured else None
    return percent(None if measurement is None else relative_half_width(measurement.seconds_per_step))


def _milliseconds(case: CaseRecord) -> str:
    mean = case.images_per_second()[0]
    return significant(1000 * case.measured[0].items / mean if mean else None)


def _first_steps(case: CaseRecord) -> list[float]:
    return [trial.measurement.first_step_seconds for trial in case.measured if trial.measurement is not None]


def _disturbed(case: CaseRecord) -> str:
    known = [trial.rounds_disturbed for trial in case.measured if trial.rounds_disturbed is not None]
    return f"{sum(known)}/{sum(trial.rounds or 0 for trial in case.measured)}" if known else "-"


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _side_by_side(cases: Sequence[CaseRecord]) -> list[CaseRecord]:
    """Cases of the same work together; works, and cases within them, in the order of the run."""
    works: dict[str, list[CaseRecord]] = {}
    for case in cases:
        works.setdefault(_work(case, {}), []).append(case)
    return [case for together in works.values() for case in together]


def _shared_labels(cases: Sequence[CaseRecord]) -> dict[str, Any]:
    """The labels that all cases have in common, which need not be repeated in every row."""
    if not cases:
        return {}
    first = cases[0].labels
    never = ("mode", "model")
    return {
        name: value
        for name, value in first.items()
        if name not in never and all(case.labels.get(name) == value for case in cases)
    }


def _work(case: CaseRecord, shared: dict[str, Any]) -> str:
    if not case.labels:
        return printable(case.id)
    return " ".join(
        _label(name, value)
        for name, value in case.labels.items()
        if name not in _CONTENDERS and name not in shared and value is not None
    )


def _contender(case: CaseRecord) -> str:
    parts = [case.labels.get("framework"), case.labels.get("execution"), case.labels.get("layout")]
    if case.environment != DEFAULT_ENVIRONMENT:
        parts.append(case.environment)
    return printable(" ".join(str(part) for part in parts if part is not None))


def _name(case: CaseRecord) -> str:
    return printable(case.id) + ("" if case.environment == DEFAULT_ENVIRONMENT else f" ({case.environment})")


def _label(name: str, value: Any) -> str:
    return printable(f"batch {value}" if name == "batch_size" else str(value))
