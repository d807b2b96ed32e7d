"""The table of images per second: a row a case, the frameworks side by side for the same work."""

from __future__ import annotations

import io
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pytest_throughput.measurement.stopping import relative_half_width
from pytest_throughput.throughput.ledger import CaseRecord, Ledger
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
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold", caption_justify="left")
    table.add_column("work", overflow="fold")
    table.add_column("measured in" if any(_contender(case) for case in cases) else "", overflow="fold")
    table.add_column("images/s" if images else "items/s", justify="right", no_wrap=True)
    table.add_column("± trials" if several_trials else "± rounds", justify="right", no_wrap=True)
    for heading in ("ms/step", "first\nstep", "build", "peak\nmemory", "disturbed\nrounds"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    previous_work = None
    for case in _side_by_side(cases):
        work = _work(case, shared)
        if previous_work not in (None, work):
            table.add_section()
        table.add_row(
            Text("" if work == previous_work else work),
            Text(_contender(case)),
            *_figures(case, several_trials),
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
    if shared and len(cases) > 1:
        lines.append("all rows: " + ", ".join(_label(name, value) for name, value in shared.items()))
    for case in cases:
        if case.status not in ("ok", None):
            lines.append(f"{_name(case)}: {case.status}: {printable(case.reason or '')}")
        for trial in case.measured:
            if trial.rounds and trial.rounds_disturbed and 2 * trial.rounds_disturbed > trial.rounds:
                lines.append(
                    f"{_name(case)}: {trial.rounds_disturbed} of {trial.rounds} rounds of trial {trial.trial} "
                    "had to wait for a processor: this figure is of the machine's other work too"
                )
    return lines


def _figures(case: CaseRecord, several_trials: bool) -> list[str]:
    mean, low, high = case.images_per_second()
    if mean is None:
        return ["-"] * 7
    spread = None
    if several_trials and low is not None and high is not None:
        spread = (high - low) / 2 / mean
    elif not several_trials:
        spread = _spread_of_rounds(case)
    disturbed = sum(trial.rounds_disturbed or 0 for trial in case.measured)
    rounds = sum(trial.rounds or 0 for trial in case.measured)
    return [
        significant(mean),
        percent(spread),
        significant(1000 * case.measured[0].items / mean),
        duration(_median(trial.measurement.first_step_seconds for trial in case.measured if trial.measurement)),
        duration(_median(case.fact("build_seconds"))),
        byte_count(max(case.fact("peak_memory_bytes"), default=None)),
        f"{disturbed}/{rounds}",
    ]


def _spread_of_rounds(case: CaseRecord) -> float | None:
    measurement = case.measured[0].measurement
    return None if measurement is None else relative_half_width(measurement.seconds_per_step)


def _median(values: Iterable[float]) -> float | None:
    known = list(values)
    return statistics.median(known) if known else None


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
    if case.environment != "default":
        parts.append(case.environment)
    return printable(" ".join(str(part) for part in parts if part is not None))


def _name(case: CaseRecord) -> str:
    return printable(case.id) + ("" if case.environment == "default" else f" ({case.environment})")


def _label(name: str, value: Any) -> str:
    return printable(f"batch {value}" if name == "batch_size" else str(value))
