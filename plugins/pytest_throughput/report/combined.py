"""Several runs as one: trials of the same case on the same hardware are trials of one case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from pytest_throughput.gate.from_results import fingerprint_of
from pytest_throughput.results.model import CaseResult, RunResult
from pytest_throughput.text import count
from pytest_throughput.worker.protocol import STATUSES

__all__ = ["DEVICE", "combined", "hardware_names", "on_its_hardware", "processors_of"]

T = TypeVar("T")

DEVICE = "device"
"""The axis that names the hardware where the runs have different ones."""


def combined(runs: Sequence[RunResult]) -> RunResult:
    """Return the runs as one.

    Trials of the same case are numbered on from run to run. If the runs have different hardware, the device of a case
    reads like ``cpu (AMD EPYC 7763)``, so that each hardware has cases of its own.
    """
    if len(runs) == 1:
        return runs[0]
    names = hardware_names(runs)
    cases: dict[tuple[str, str], list[CaseResult]] = {}
    last = 0
    for run, name in zip(runs, names, strict=True):
        for case in run.cases:
            moved = _numbered_from(last, case if len({*names}) == 1 else _on(case, name))
            cases.setdefault(moved.key, []).append(moved)
        last += max((trial.trial for case in run.cases for trial in case.trials), default=0)
    return RunResult(
        cases=tuple(map(_as_one, cases.values())),
        complete=all(run.complete for run in runs),
        fingerprint=_common([run.fingerprint for run in runs]) or {},
        machine_id=_common([run.machine_id for run in runs]),
        is_ours=any(run.is_ours for run in runs),
        machine_info=_common([run.machine_info for run in runs]) or {},
        written_at=max((run.written_at for run in runs if run.written_at is not None), default=None),
        verdicts=tuple(verdicts for run in runs for verdicts in run.verdicts),
    )


def hardware_names(runs: Sequence[RunResult]) -> list[str]:
    """Return the name of the hardware of each run; two runs have the same name only if they have the same hardware."""
    fingerprints = [fingerprint_of(run) for run in runs]
    distinct = [each for index, each in enumerate(fingerprints) if each not in fingerprints[:index]]
    names = _distinct([processors_of(each) for each in distinct], [_threads(each) for each in distinct])
    return [names[distinct.index(each)] for each in fingerprints]


def on_its_hardware(case: CaseResult) -> tuple[str, str | None]:
    """Return the id of a case and its device as the run itself has them, without the name of the hardware."""
    device, _, hardware = str(case.axes.get(DEVICE) or "").partition(" ")
    return (case.id.removesuffix(f" {hardware}") if hardware else case.id), device or None


def processors_of(fingerprint: Mapping[str, Any]) -> str:
    """Return the names of the GPUs of a fingerprint, or of its CPU where it has none."""
    gpus, plain = fingerprint.get("gpus"), fingerprint.get("plain")
    found = [gpu.get("name") for gpu in gpus if isinstance(gpu, dict)] if isinstance(gpus, list) else []
    if not found:
        cpu = fingerprint.get("cpu")
        found = [each.get("model") for each in (cpu, plain) if isinstance(each, dict)]
    return ", ".join(str(name) for name in found if name) or "unknown hardware"


def _threads(fingerprint: Mapping[str, Any]) -> str:
    cpu = fingerprint.get("cpu")
    threads = cpu.get("threads") if isinstance(cpu, dict) else None
    return "" if threads is None else f", {count(threads, 'thread')}"


def _distinct(names: Sequence[str], more: Sequence[str]) -> list[str]:
    """Return the names; those that occur twice with more words, and with their position if these are equal, too."""
    longer = [name + words if names.count(name) > 1 else name for name, words in zip(names, more, strict=True)]
    found = Counter(longer)
    return [f"{name}, no. {index}" if found[name] > 1 else name for index, name in enumerate(longer, 1)]


def _on(case: CaseResult, hardware: str) -> CaseResult:
    device = str(case.axes.get(DEVICE) or "on")
    return replace(case, id=f"{case.id} ({hardware})", axes={**case.axes, DEVICE: f"{device} ({hardware})"})


def _numbered_from(last: int, case: CaseResult) -> CaseResult:
    return replace(case, trials=tuple(replace(trial, trial=last + trial.trial) for trial in case.trials))


def _as_one(cases: Sequence[CaseResult]) -> CaseResult:
    """Return the trials of all cases as one case, with the worst status."""
    worst = max(cases, key=lambda case: -1 if case.status is None else STATUSES.index(case.status))
    return replace(
        worst,
        implausible=_first_known(case.implausible for case in cases),
        trials=tuple(trial for case in cases for trial in case.trials),
        settings=_first_known(case.settings for case in cases),
        network_hash=_first_known(case.network_hash for case in cases),
        node_id=_first_known(case.node_id for case in cases),
    )


def _first_known(values: Iterable[T | None]) -> T | None:
    """Return the first value that is not None; None if there is none."""
    return next((value for value in values if value is not None), None)


def _common(values: Sequence[T]) -> T | None:
    """Return the value that all have; None if they differ."""
    return values[0] if all(value == values[0] for value in values) else None
