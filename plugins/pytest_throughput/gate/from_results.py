"""Derive judged runs from results: of a run that has just ended, of our files, or of plain pytest-benchmark files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_throughput.gate.judged import (
    MOST_METRICS,
    MOST_SETTINGS,
    Axes,
    JudgedCase,
    JudgedMetric,
    JudgedRun,
    JudgedTrial,
    hashed_machine_id,
)
from pytest_throughput.gate.scope import Scope
from pytest_throughput.measurement.metric import Metric
from pytest_throughput.results.model import LEAST_FIGURE, MOST_FIGURE, RATE, CaseResult, RunResult, TrialResult
from pytest_throughput.results.reader import read_run
from pytest_throughput.results.untrusted_json import Unreadable
from pytest_throughput.text import printable

__all__ = ["GivenRun", "fingerprint_of", "given_run", "measured_run", "split_environment"]

_NOT_COMPARED = ("dtypes", "threads_asked", "warm_up_steps", "steps_per_round")
"""Settings that the framework or the measuring loop decides anew in each trial, or that others contain (`threads`)."""
_UNLESS_RECORDED: Mapping[str, Any] = {"allocator": "system", "environment_variables": {}, "frozen_weights": False}
"""The values that these settings had in runs from before they were recorded."""
_LONGEST_NAME, _LONGEST_VALUE = 200, 500
_RATES = (RATE, "calls_per_second", "items_per_second")
"""Primary metrics whose cases have digests without a metric, as in baselines from before other metrics existed."""
_OF_METADATA: Mapping[str, str] = {
    "first_step_seconds": "s",
    "compile_seconds": "s",
    "build_seconds": "s",
    "peak_memory_bytes": "bytes",
}
"""Figures beside the metrics of a trial by which a case can be judged, with their units; lower values are better."""
_MOST_TRIALS = 1_000


@dataclass(frozen=True)
class GivenRun:
    """A run on either side of a comparison, with where it comes from."""

    run: JudgedRun
    scope: Scope
    name: str
    """Printable name: the file and, where it has several, the environment."""
    file: Path | None = None
    complete: bool = True
    """Whether every trial that was asked for has ended."""
    implausible: tuple[str, ...] = ()
    """Cases whose figures cannot be right."""


def measured_run(result: RunResult, environment: str, name: str) -> GivenRun:
    """Return the cases of one environment of a run that has just ended."""
    cases = [case for case in result.cases if case.environment == environment]
    return _given(result, cases, name, written_at=datetime.now(UTC).isoformat())


def given_run(argument: str, items_param: str | None = None) -> GivenRun:
    """Return the run of ``RUN.json`` or ``RUN.json#ENVIRONMENT``.

    ``items_param``: see ``read_run``. Raise Unreadable, also where there is no such environment, and
    where there are several and none was named.
    """
    file, environment = split_environment(argument)
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
        return _given(result, cases, printable(argument), file=file, written_at=result.written_at)
    except ValueError as error:
        raise Unreadable(file, str(error)) from None


def fingerprint_of(result: RunResult) -> Mapping[str, Any]:
    """Return the description of the hardware; of a plain file what pytest-benchmark knows of it."""
    return result.fingerprint if result.is_ours else _plain_fingerprint(result.machine_info)


def _given(
    result: RunResult, cases: Sequence[CaseResult], name: str, *, file: Path | None = None, written_at: str | None
) -> GivenRun:
    """Return a run of these cases, without those that were never run.

    ``written_at``: used where no trial has a start time. Raise ValueError where neither gives a time.
    """
    ran = [case for case in cases if case.status is not None]
    moments = [_moment(trial.started_at) for case in ran for trial in case.measured]
    started_at = min((each for each in moments if each is not None), default=_moment(written_at))
    if started_at is None:
        raise ValueError("says nowhere when it was measured; expected an ISO 8601 datetime")
    machine_info = result.machine_info
    run = JudgedRun(
        started_at=started_at.isoformat(),
        fingerprint=fingerprint_of(result),
        machine_id=result.machine_id if result.is_ours else _plain_machine_id(machine_info),
        software=_software(ran) if result.is_ours else _plain_software(machine_info),
        cases={case.id: _case(case) for case in ran},
    )
    return GivenRun(
        run=run,
        scope=Scope.of(((case.id, _axes(case)) for case in cases), result.deselected),
        name=name,
        file=file,
        complete=result.complete,
        implausible=tuple(case.id for case in cases if case.implausible is not None),
    )


def _case(case: CaseResult) -> JudgedCase:
    metric, fixed = case.primary, _fixed_settings(case)
    further = _further_metrics(case)
    trials = []
    for position, trial in enumerate(case.measured, 1):
        number = trial.trial if 1 <= trial.trial <= _MOST_TRIALS else position
        disturbed = None
        if trial.rounds_disturbed is not None and trial.rounds:
            disturbed = min(trial.rounds_disturbed / trial.rounds, 1.0)
        if trial.primary is not None:
            values = {one.name: one.value for one in _further(trial) if further.get(one.name) == _judged(one)}
            named = {trial.primary.name, *values}
            errors = {
                one.name: one.standard_error
                for one in trial.metrics
                if one.name in named and one.standard_error and LEAST_FIGURE <= one.standard_error <= MOST_FIGURE
            }
            value = trial.primary.value
            trials.append(JudgedTrial(number, value, disturbed, trial.pair, trial.anchor, values, errors))
    return JudgedCase(
        id=case.id,
        status=case.status or "",
        trials=tuple(trials),
        network_hash=case.network_hash,
        settings_digest=None if fixed is None else _digest(fixed),
        axes=_axes(case),
        metric=None if metric is None else _judged(metric),
        settings={} if fixed is None else _texts(fixed),
        further_metrics=tuple(further.values()),
        anchor_versions=_anchor_versions(case),
    )


def _judged(metric: Metric) -> JudgedMetric:
    return JudgedMetric(metric.name, metric.unit, metric.better)


def _further_metrics(case: CaseResult) -> dict[str, JudgedMetric]:
    """Return the metrics beside the primary one by name, at most MOST_METRICS, as the first trial gives each."""
    found: dict[str, JudgedMetric] = {}
    for trial in case.measured:
        for metric in _further(trial):
            if len(found) < MOST_METRICS and case.primary is not None and metric.name != case.primary.name:
                found.setdefault(metric.name, _judged(metric))
    return found


def _further(trial: TrialResult) -> Iterator[Metric]:
    """Yield the further figures of a trial that can be judged: as with the primary one, those whose ratio is known."""
    figures = list(trial.metrics[1:])
    given = {metric.name for metric in trial.metrics}
    for name, unit in _OF_METADATA.items():
        value = trial.first_step_seconds if name == "first_step_seconds" else trial.metadata.get(name)
        if name not in given and value is not None:
            with suppress(ValueError):  # A step may give metadata of this name that are no number.
                figures.append(Metric(name, unit, value, "lower"))
    return (metric for metric in figures if LEAST_FIGURE <= metric.value <= MOST_FIGURE)


def _anchor_versions(case: CaseResult) -> dict[str, str]:
    beside = [trial.metadata["anchor"] for trial in case.measured if trial.anchor is not None]
    versions = beside[-1].get("versions", {}) if beside else {}
    return {
        printable(name, _LONGEST_NAME) or "?": printable(version, _LONGEST_VALUE) or "?"
        for name, version in list(versions.items())[:MOST_SETTINGS]
    }


def _axes(case: CaseResult) -> Axes:
    """Return axes as texts and whole numbers, equal for a run that has just ended and for the file that it gave."""
    return {
        str(name): value if value is None or type(value) is int else str(value) for name, value in case.axes.items()
    }


def _fixed_settings(case: CaseResult) -> dict[str, Any] | None:
    """Return the settings that a figure depends on and that the measuring did not decide itself; None if unknown."""
    settings = case.settings
    if settings is None:
        return None
    fixed: dict[str, Any] = {name: value for name, value in settings.items() if name not in _NOT_COMPARED}
    # Whole trials are the same with and without pairs. A trial that fell back to one does not change its case.
    if fixed.pop("pairing", None) is not None and any(trial.group is not None for trial in case.measured):
        fixed["pairing"] = "slices"
    # Whether steps were pipelined is a setting; how many shared a round is not. Old files give only the latter.
    fixed["pipelined"] = fixed.pop("pipelining", settings.get("steps_per_round") not in (None, 1))
    if case.primary is not None and case.primary.name not in _RATES:
        fixed["primary_metric"] = [case.primary.name, case.primary.unit, case.primary.better]
    return fixed


def _digest(fixed: Mapping[str, Any]) -> str:
    """Return a digest of settings.

    A setting that older runs did not record is left out if it has the value that those runs had (``_UNLESS_RECORDED``).
    """
    fixed = {
        name: value for name, value in fixed.items() if name not in _UNLESS_RECORDED or value != _UNLESS_RECORDED[name]
    }
    canonical = json.dumps(fixed, sort_keys=True, separators=(",", ":"), default=repr)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _texts(fixed: Mapping[str, Any]) -> dict[str, str]:
    """Return settings as JSON texts by name, such as ``environment_variables.OMP_PROC_BIND``, at most MOST_SETTINGS."""
    texts: dict[str, str] = {}
    for name, value in {**_UNLESS_RECORDED, **fixed}.items():
        members = (
            {f"{name}.{member}": each for member, each in value.items()} if isinstance(value, dict) else {name: value}
        )
        for full_name, each in list(members.items())[: MOST_SETTINGS - len(texts)]:
            texts[printable(full_name, _LONGEST_NAME) or "?"] = json.dumps(each, default=repr)[:_LONGEST_VALUE]
    return texts


def _software(cases: Iterable[CaseResult]) -> dict[str, str]:
    """Return versions by name; where interpreters have different versions of a package, all of them."""
    found: dict[str, dict[str, None]] = {}
    for case in cases:
        for versions in case.metadata_values("versions"):
            if isinstance(versions, dict):
                for name, version in versions.items():
                    if name and version:
                        found.setdefault(str(name), {})[str(version)] = None
    return {name: ", ".join(sorted(versions)) for name, versions in sorted(found.items())}


def _moment(text: str | None) -> datetime | None:
    """Return the moment in UTC, which is assumed where the text names no zone; None for a text that is no moment."""
    try:
        moment = datetime.fromisoformat(text or "")
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def split_environment(argument: str) -> tuple[Path, str | None]:
    """Return the file and the environment; a file may have a # in its own name."""
    file, mark, environment = argument.rpartition("#")
    if mark and not os.path.isfile(argument):
        return Path(file), environment
    return Path(argument), None


def _plain_fingerprint(machine_info: Mapping[str, Any]) -> dict[str, Any]:
    """Return what pytest-benchmark knows of a machine that makes it like another."""
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
