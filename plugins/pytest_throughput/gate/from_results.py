"""Runs out of what was measured: a run that has just ended, one of our files, or a plain one of pytest-benchmark."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from pytest_throughput.gate.runs import Axes, CaseResult, Run, Trial, hashed_machine_id
from pytest_throughput.gate.scope import Scope
from pytest_throughput.results.reader import read_run
from pytest_throughput.results.untrusted_json import Unreadable
from pytest_throughput.text import printable

__all__ = ["GivenRun", "axes_of", "given_run", "run_of"]

_CHOSEN_WHILE_MEASURING = ("warm_up_steps", "steps_per_round")
"""Settings that the measuring loop decides anew in each trial."""
_MOST_TRIALS = 1_000


class MeasuredTrial(Protocol):
    """What is needed of a trial, be it of this run or read from a file."""

    @property
    def trial(self) -> int: ...
    @property
    def started_at(self) -> str | None: ...
    @property
    def images_per_second(self) -> float | None: ...
    @property
    def rounds(self) -> int | None: ...
    @property
    def rounds_disturbed(self) -> int | None: ...


class MeasuredCase(Protocol):
    """What is needed of a case."""

    @property
    def id(self) -> str: ...
    @property
    def environment(self) -> str: ...
    @property
    def axes(self) -> Mapping[str, Any]: ...
    @property
    def status(self) -> str | None: ...
    @property
    def measured(self) -> Sequence[MeasuredTrial]: ...
    @property
    def settings(self) -> Mapping[str, Any] | None: ...
    @property
    def network_hash(self) -> str | None: ...
    def fact(self, name: str) -> list[Any]: ...


@dataclass(frozen=True)
class GivenRun:
    """A run that is to be judged, or judged by."""

    run: Run
    scope: Scope
    name: str
    """For people, fit to be shown: the file and, where it has several, the environment."""
    file: Path | None = None
    complete: bool = True
    """Whether every trial that was asked for has ended."""
    implausible: tuple[str, ...] = ()
    """Cases whose figures cannot be."""


def given_run(argument: str, items_param: str | None = None) -> GivenRun:
    """The run of ``RUN.json`` or ``RUN.json#ENVIRONMENT``.

    ``items_param``: see ``read_run``. Raises Unreadable, also where there is no such environment, and
    where there are several and none was named.
    """
    file, environment = _split(argument)
    result = read_run(file, items_param)
    environments = list(dict.fromkeys(case.environment for case in result.cases))
    shown = ", ".join(map(printable, environments))
    if environment is None and len(environments) > 1:
        example = f"{printable(str(file))}#{printable(environments[-1])}"
        raise Unreadable(file, f"holds several environments ({shown}); say which one, such as {example}")
    if environment is not None and environment not in environments:
        raise Unreadable(file, f"has no environment {printable(environment)}; it has: {shown or 'no case at all'}")
    cases = [case for case in result.cases if environment in (None, case.environment)]
    try:
        run = run_of(
            cases,
            fingerprint=result.fingerprint if result.is_ours else _plain_fingerprint(result.machine_info),
            machine_id=result.machine_id if result.is_ours else _plain_machine_id(result.machine_info),
            written_at=result.written_at,
            software=None if result.is_ours else _plain_software(result.machine_info),
        )
    except ValueError as error:
        raise Unreadable(file, str(error)) from None
    return GivenRun(
        run=run,
        scope=Scope.of(((case.id, axes_of(case.axes)) for case in cases), result.deselected),
        name=printable(argument),
        file=file,
        complete=result.complete,
        implausible=tuple(case.id for case in cases if case.implausible is not None),
    )


def run_of(
    cases: Iterable[MeasuredCase],
    *,
    fingerprint: Mapping[str, Any],
    machine_id: str | None,
    written_at: str | None = None,
    software: Mapping[str, str] | None = None,
) -> Run:
    """The run with these cases, all of one environment; those that were never run are no part of it.

    ``written_at``: for when no trial says when it began. ``software``: where trials do not know their
    versions. Raises ValueError where neither says when the run was.
    """
    cases = [case for case in cases if case.status is not None]
    moments = [_moment(trial.started_at) for case in cases for trial in case.measured]
    started_at = min((each for each in moments if each is not None), default=_moment(written_at))
    if started_at is None:
        raise ValueError("says nowhere when it was measured; expected an ISO 8601 datetime")
    return Run(
        started_at=started_at.isoformat(),
        fingerprint=fingerprint,
        machine_id=machine_id,
        software=_software(cases) if software is None else software,
        cases={case.id: _case(case) for case in cases},
    )


def _case(case: MeasuredCase) -> CaseResult:
    trials = []
    for position, trial in enumerate(case.measured, 1):
        number = trial.trial if 1 <= trial.trial <= _MOST_TRIALS else position
        disturbed = None
        if trial.rounds_disturbed is not None and trial.rounds:
            disturbed = min(trial.rounds_disturbed / trial.rounds, 1.0)
        if trial.images_per_second is not None:
            trials.append(Trial(number, trial.images_per_second, disturbed))
    return CaseResult(
        id=case.id,
        status=case.status or "",
        trials=tuple(trials),
        network_hash=None if case.network_hash is None else str(case.network_hash),
        settings_digest=_digest(case.settings),
        axes=axes_of(case.axes),
    )


def axes_of(axes: Mapping[str, Any]) -> Axes:
    """The labels of a case as texts and whole numbers, the same whether it has just ended or is read from a file."""
    return {str(name): value if value is None or type(value) is int else str(value) for name, value in axes.items()}


def _digest(settings: Mapping[str, Any] | None) -> str | None:
    """Of what a figure depends on and was not decided by the measuring itself."""
    if settings is None:
        return None
    fixed: dict[str, Any] = {name: value for name, value in settings.items() if name not in _CHOSEN_WHILE_MEASURING}
    # Whether steps were pipelined is a setting; how many shared a round is not, and files of before say no more.
    fixed["pipelined"] = fixed.pop("pipelining", settings.get("steps_per_round") not in (None, 1))
    canonical = json.dumps(fixed, sort_keys=True, separators=(",", ":"), default=repr)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _software(cases: Iterable[MeasuredCase]) -> dict[str, str]:
    """Versions by name; where frameworks run in interpreters of their own, all that there are."""
    found: dict[str, dict[str, None]] = {}
    for case in cases:
        for versions in case.fact("versions"):
            if isinstance(versions, dict):
                for name, version in versions.items():
                    if name and version:
                        found.setdefault(str(name), {})[str(version)] = None
    return {name: ", ".join(sorted(versions)) for name, versions in sorted(found.items())}


def _moment(text: str | None) -> datetime | None:
    """In UTC, which it is taken to be in where it does not say."""
    try:
        moment = datetime.fromisoformat(text or "")
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _split(argument: str) -> tuple[Path, str | None]:
    """The file and the environment; a file may have a # in its own name."""
    file, mark, environment = argument.rpartition("#")
    if mark and not os.path.isfile(argument):
        return Path(file), environment
    return Path(argument), None


def _plain_fingerprint(machine_info: Mapping[str, Any]) -> dict[str, Any]:
    """What pytest-benchmark knows of a machine that makes it like another."""
    cpu = machine_info.get("cpu")
    cpu = cpu if isinstance(cpu, dict) else {}
    known = {
        "model": cpu.get("brand_raw", cpu.get("brand")),
        "count": cpu.get("count"),
        "machine": machine_info.get("machine"),
        "system": machine_info.get("system"),
    }
    return {"plain": {name: value if isinstance(value, str | int) else None for name, value in known.items()}}


def _plain_machine_id(machine_info: Mapping[str, Any]) -> str | None:
    node = machine_info.get("node")
    return hashed_machine_id(node) if isinstance(node, str) and node else None


def _plain_software(machine_info: Mapping[str, Any]) -> dict[str, str]:
    version = machine_info.get("python_version")
    return {"python": version} if isinstance(version, str) and version else {}
