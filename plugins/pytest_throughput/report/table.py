"""The table of images per second: a row a case, the frameworks side by side for the same work."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from rich.text import Text

from pytest_throughput.measurement.stopping import relative_half_width
from pytest_throughput.naming import DEFAULT_ENVIRONMENT
from pytest_throughput.report.columns import Column, Row, lay_out
from pytest_throughput.text import byte_count, duration, percent, printable, share, significant

__all__ = ["heading", "notes", "render"]

_CONTENDERS = ("framework", "execution", "layout")
"""The axes that are compared with each other; the others say what the work is."""
_HOST_BOUND = 0.9
"""Launching takes so large a share of a step that a faster device would hardly make it shorter."""
_MUCH_SWAPPED_BYTES = 2**20
_LONGEST_NAME = 500
"""Characters: every row of a table is as wide as its widest."""
_OPTIONAL_RANK = 3
"""Rate and spread stay beside the case's name; where they do not fit, the name gets a line of its own."""


class Trial(Protocol):
    """What a table needs to know of a measured trial, be it of this run or read from a file."""

    @property
    def items(self) -> float: ...
    @property
    def rounds(self) -> int | None: ...
    @property
    def rounds_disturbed(self) -> int | None: ...
    @property
    def seconds_per_step(self) -> Sequence[float]: ...
    @property
    def first_step_seconds(self) -> float | None: ...


class Case(Protocol):
    """What a table needs to know of a case."""

    @property
    def id(self) -> str: ...
    @property
    def environment(self) -> str: ...
    @property
    def axes(self) -> Mapping[str, Any]: ...
    @property
    def asked(self) -> Sequence[int]: ...
    @property
    def status(self) -> str | None: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def implausible(self) -> str | None: ...
    @property
    def measured(self) -> Sequence[Trial]: ...
    def images_per_second(self) -> tuple[float | None, float | None, float | None]: ...
    def fact(self, name: str) -> list[Any]: ...


def heading(fingerprint: Mapping[str, Any], cases: Iterable[Case]) -> str:
    """The hardware, and how all of it was measured, on one line."""
    gpus, cpu = fingerprint.get("gpus"), fingerprint.get("cpu")
    parts: list[object] = []
    for gpu in gpus if isinstance(gpus, list) else ():
        parts.append(gpu.get("name") if isinstance(gpu, dict) else "unknown GPU")
    parts.append((cpu.get("model") if isinstance(cpu, dict) else None) or "unknown CPU")
    used = [settings for case in cases for settings in case.fact("settings")]
    for name in ("threads", "protocol", "isolation"):
        values = dict.fromkeys(str(settings[name]) for settings in used if settings.get(name) is not None)
        if values:
            parts.append(f"{name} {', '.join(values)}")
    return printable("; ".join(map(str, parts)))


def render(ledger: Iterable[Case], *, width: int | None, colour: bool, unit: str | None = None) -> str:
    """Return the table as text, fitted to so many columns; as wide as it needs to be if None.

    ``unit``: of the rates, where it is not images (cases with a model) or items.
    """
    cases = list(ledger)
    shared = _shared_labels(cases)
    several_trials = any(len(case.asked) > 1 for case in cases)
    images = all("model" in case.axes for case in cases)
    rows = _side_by_side(cases)
    rate = unit or ("images/s" if images else "items/s")
    # The columns of the highest rank are the first to be left out where the terminal is narrow.
    figures: dict[str, tuple[int, list[str]]] = {
        "largest\nbatch": (1, [_largest_batch(case) for case in rows]),
        rate: (0, [_rate(case) for case in rows]),
        "± trials" if several_trials else "± rounds": (2, [_spread(case, several_trials) for case in rows]),
        "ms/step": (3, [_milliseconds(case) for case in rows]),
        "of\npeak": (5, [share(_median(_numbers(case, "model_flops_utilisation"))) for case in rows]),
        "images/J": (6, [significant(_median(_numbers(case, "images_per_joule"))) for case in rows]),
        "first\nstep": (8, [duration(_median(_first_steps(case))) for case in rows]),
        "build": (9, [duration(_median(_numbers(case, "build_seconds"))) for case in rows]),
        "peak\nmemory": (7, [byte_count(max(_numbers(case, "peak_memory_bytes"), default=None)) for case in rows]),
        "disturbed\nrounds": (4, [_disturbed(case) for case in rows]),
    }
    columns = [
        Column(heading, [Text(cell) for cell in cells], rank)
        for heading, (rank, cells) in figures.items()
        # A column that says nothing anywhere is left out, but for the rate.
        if rank == 0 or {*cells} != {"-"}
    ]
    columns.append(Column("status", [_status(case) for case in rows], is_number=False))
    lines = lay_out(
        [Row(_work(case, shared), _contender(case)) for case in rows],
        columns,
        headings=("work", "measured in" if any(map(_contender, cases)) else ""),
        width=width,
        colour=colour,
        optional_rank=_OPTIONAL_RANK,
    )
    return "\n".join(lines)


def _status(case: Case) -> Text:
    if case.status != "ok":
        return Text(case.status or "not run", style="yellow")
    marks = ["implausible"] if case.implausible is not None else []
    marks += [f"host-bound {_enqueue_ratio(case):.2f}"] if _is_host_bound(case) else []
    return Text(", ".join(["ok", *marks]), style="yellow" if marks else "")


def _enqueue_ratio(case: Case) -> float:
    return _median(_numbers(case, "enqueue_ratio")) or 0.0


def _is_host_bound(case: Case) -> bool:
    return _HOST_BOUND <= _enqueue_ratio(case) <= 1.0


def notes(ledger: Iterable[Case]) -> list[str]:
    """What a reader of the table has to know beside it, a line each."""
    cases = list(ledger)
    lines = []
    shared = {name: value for name, value in _shared_labels(cases).items() if name not in _CONTENDERS}
    if shared:
        lines.append("all rows: " + ", ".join(_label(name, value) for name, value in shared.items()))
    for case in cases:
        if case.status not in ("ok", None):
            lines.append(f"{_name(case)}: {case.status}: {printable(case.reason or '')}")
    lines += [
        f"{_name(case)}: implausible: {printable(case.implausible)}" for case in cases if case.implausible is not None
    ]
    shared_worker = any(
        settings.get("isolation") == "framework" for case in cases for settings in case.fact("settings")
    )
    if shared_worker and not any(case.fact("peak_memory_bytes") for case in cases):
        lines.append(
            "peak memory on a CPU is known only where a process measures one case: --throughput-isolation trial"
        )
    swapped = [(_name(case), max(_numbers(case, "swapped_bytes"), default=0)) for case in cases]
    if any(size >= _MUCH_SWAPPED_BYTES for _, size in swapped):
        lines.append(
            "memory did not suffice for these cases: a part was swapped out, and their figures include waits for disk: "
            + ", ".join(f"{name} ({byte_count(size)})" for name, size in swapped if size >= _MUCH_SWAPPED_BYTES)
        )
    if any(_is_host_bound(case) for case in cases):
        lines.append(
            "host-bound: the host takes as long to launch a step as the device takes to execute it; "
            "to measure the device, try a larger batch or compiled-graphs"
        )
    for case in cases:
        lines += [f"{_name(case)}: disturbed: {reason}" for reason in _texts(case, "disturbed_by")]
    others = [case for case in cases if not _texts(case, "disturbed_by")]
    disturbed = [_name(case) for case in others if any(map(_is_mostly_disturbed, case.measured))]
    if disturbed:
        lines.append(
            "other processes held up most rounds of these cases, and their figures include those waits; "
            f"measure them again on an idle machine: {', '.join(disturbed)}"
        )
    return lines


def _is_mostly_disturbed(trial: Trial) -> bool:
    return 2 * (trial.rounds_disturbed or 0) > (trial.rounds or 0)


def _largest_batch(case: Case) -> str:
    """Of several trials the smallest: what fits for sure."""
    fits = [case_search["fits"] for case_search in case.fact("largest_batch") if _is_search(case_search)]
    return f"{min(fits):,}" if fits else "-"


def _is_search(value: Any) -> bool:
    return isinstance(value, dict) and type(value.get("fits")) is int and 0 < value["fits"] < 1e18


def _rate(case: Case) -> str:
    return significant(case.images_per_second()[0])


def _spread(case: Case, several_trials: bool) -> str:
    """Half the 95 % interval as a share: of the mean over trials, else of the median over rounds."""
    mean, low, high = case.images_per_second()
    if several_trials:
        return percent((high - low) / 2 / mean if mean and low is not None and high is not None else None)
    return percent(relative_half_width(case.measured[0].seconds_per_step) if case.measured else None)


def _milliseconds(case: Case) -> str:
    mean = case.images_per_second()[0]
    return significant(1000 * case.measured[0].items / mean if mean else None)


def _first_steps(case: Case) -> list[float]:
    return [trial.first_step_seconds for trial in case.measured if trial.first_step_seconds is not None]


def _numbers(case: Case, name: str) -> list[float]:
    """A fact of each trial that knows it; whoever opened the step may have named anything."""
    return [value for value in case.fact(name) if type(value) in (int, float) and 0 <= value < 1e18]


def _texts(case: Case, name: str) -> list[str]:
    """The same, of texts; each once."""
    return list(dict.fromkeys(printable(value) for value in case.fact(name) if isinstance(value, str)))


def _disturbed(case: Case) -> str:
    known = [trial.rounds_disturbed for trial in case.measured if trial.rounds_disturbed is not None]
    return f"{sum(known)}/{sum(trial.rounds or 0 for trial in case.measured)}" if known else "-"


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _side_by_side(cases: Sequence[Case]) -> list[Case]:
    """Cases of the same work together; works, and cases within them, in the order of the run."""
    works: dict[str, list[Case]] = {}
    for case in cases:
        works.setdefault(_work(case, {}), []).append(case)
    return [case for together in works.values() for case in together]


def _shared_labels(cases: Sequence[Case]) -> dict[str, Any]:
    """The labels that all cases have in common, which need not be repeated in every row."""
    if not cases:
        return {}
    first = cases[0].axes
    never = ("mode", "model")
    return {
        name: value
        for name, value in first.items()
        if name not in never and all(case.axes.get(name) == value for case in cases)
    }


def _work(case: Case, shared: dict[str, Any]) -> str:
    if not case.axes:
        return printable(case.id, _LONGEST_NAME)
    axes = [
        _label(name, value)
        for name, value in case.axes.items()
        if name not in _CONTENDERS and name not in shared and value is not None
    ]
    return printable(" ".join(axes), _LONGEST_NAME)


def _contender(case: Case) -> str:
    parts = [case.axes.get("framework"), case.axes.get("execution"), case.axes.get("layout")]
    if case.environment != DEFAULT_ENVIRONMENT:
        parts.append(case.environment)
    return printable(" ".join(str(part) for part in parts if part is not None), _LONGEST_NAME)


def _name(case: Case) -> str:
    return printable(case.id) + ("" if case.environment == DEFAULT_ENVIRONMENT else f" ({printable(case.environment)})")


def _label(name: str, value: Any) -> str:
    return printable(f"batch {value}" if name == "batch_size" else str(value))
