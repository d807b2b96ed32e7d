"""The protocol between the pytest process and a worker: JSON objects (RFC 8259), one per line.

The worker begins with ``{"hello": 5, "pid": 4711, "python": "3.11.7", ...}``; whatever comes before that line was
written by the program that started it, and is ignored. Then the pytest process asks, one question at a time, and the
worker answers each before the next one:

- ``{"id": ..., "do": "open", "folder": ..., "request": {...}}`` begins a trial,
- ``{"id": ..., "do": "warm_up"}``,
- ``{"id": ..., "do": "measure", "seconds": 0.25}``, any number of times; null for as long as the plan needs; for a
  job, until its next phase, or a part of it, has ended,
- ``{"id": ..., "do": "outcome"}``, before profiling or closing the target can end the worker,
- ``{"id": ..., "do": "profile"}``, only where it is asked for,
- ``{"id": ..., "do": "close"}`` ends the trial.

The first three are answered by ``{"id": ..., "pid": ..., "progress": {...}}``, ``outcome`` and ``profile`` by
``{"id": ..., "pid": ..., "outcome": {...}}``, and the last one by
``{"id": ..., "pid": ..., "outcome": {...}, "reusable": ...}``. ``reusable``: whether the worker is as it was before the
trial, and may run another. An answer has the id of its question, which cannot be guessed, and the pid of the hello, so
that no line that a forked process or a stray write puts on the pipe is taken for an answer. A worker ends when its
standard input does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, Optional, Sequence, Tuple

from pytest_throughput.measurement.kernel import Profile
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.measurement.metadata import json_metadata
from pytest_throughput.measurement.metric import Metric
from pytest_throughput.measurement.plan import Plan
from pytest_throughput.measurement.scenario import MAX_ITEMS, MAX_PHASES
from pytest_throughput.worker.parts import EndedPart, KeptParts

__all__ = ["PROTOCOL_VERSION", "STATUSES", "Outcome", "Progress", "Request", "decode", "encode"]

PROTOCOL_VERSION = 5

STATUSES = ("ok", "unsupported", "out_of_memory", "failed", "timed_out", "crashed")
"""The statuses of trials, from the best to the worst."""


@dataclass(frozen=True)
class Request:
    """One trial to run."""

    target: str
    """``module:function``; the function returns a ``Step`` or a ``Once``."""
    arguments: Mapping[str, Any]
    """Keyword arguments of the function, as JSON."""
    plan: Plan
    steps_per_round: Optional[int] = None
    """The number of steps in a round; None to let the measuring loop decide."""
    own_process: bool = False
    """Whether nothing else is ever measured in the process, so that its peak memory and its first step are this
    trial's."""
    profile: Optional[Profile] = None
    """What to profile when everything has been measured; None for nothing."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables to set before the target is imported: a wrapper may lose those of the process."""
    measures_products: bool = False
    """Whether the step's products of matrices are measured after its rounds."""
    kept_parts: Optional[KeptParts] = None
    """Where the parts of a phase are kept; None to keep none."""

    def to_json(self) -> Dict[str, Any]:
        """Return the request as a JSON object; ``from_json`` reads it back."""
        fields = asdict(self)
        if math.isinf(self.plan.max_seconds):
            fields["plan"]["max_seconds"] = None  # JSON has no infinity.
        return fields

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Request:
        """Read what ``to_json`` wrote. Raise KeyError or TypeError if it is something else."""
        fields = dict(value)
        plan = dict(fields["plan"])
        if plan["max_seconds"] is None:
            plan["max_seconds"] = math.inf
        fields["plan"] = Plan(**plan)
        fields["profile"] = None if fields["profile"] is None else Profile(**fields["profile"])
        if fields["kept_parts"] is not None:
            fields["kept_parts"] = KeptParts.from_json(fields["kept_parts"])
        return cls(**fields)


@dataclass(frozen=True)
class Outcome:
    """How one trial ended, with its figures."""

    status: str
    """One of ``STATUSES``."""
    reason: Optional[str] = None
    """One sentence for a person; None if the trial is ok."""
    details: Optional[str] = None
    """A traceback, where there is one."""
    measurement: Optional[Measurement] = None
    """The figures of a step or of one phase; None unless the trial is ok."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Further data about the trial, which become parts of the benchmark's ``extra_info``."""
    items: Optional[int] = None
    """How many items a phase worked through; None if it does not count items, and for a step."""
    metrics: Tuple[Metric, ...] = ()
    """The metrics that the worker knows, the primary one first. A step has none: its rate follows from the rounds."""
    phases: Mapping[str, Outcome] = field(default_factory=dict)
    """The outcome of each phase by its name, in their order; empty for a step, and for a job that was not opened."""

    @classmethod
    def of_phases(cls, names: Sequence[str], ended: Sequence[Outcome], failure: Optional[Outcome] = None) -> Outcome:
        """Return the outcome of a job of phases.

        ``names``: the names of all phases. ``ended``: the outcomes of the first phases, which succeeded. ``failure``:
        the outcome of the next phase; the phases after it were not measured. If all phases have ended, it is a failure
        after them.
        """
        phases = dict(zip(names, ended))
        if failure is None:
            return cls("ok", phases=phases)
        for name in names[len(ended) : len(ended) + 1]:
            phases[name] = failure
            for later in names[len(phases) :]:
                phases[later] = cls(failure.status, reason=f"not measured, since phase {name} failed")
        return cls(failure.status, failure.reason, failure.details, phases=phases)

    def to_json(self) -> Dict[str, Any]:
        """Return the outcome as a JSON object; ``from_json`` reads it back. Members of phases may be missing."""
        fields = {name: getattr(self, name) for name in ("status", "reason", "details", "metadata")}
        fields["measurement"] = None if self.measurement is None else self.measurement.to_json()
        if self.items is not None:
            fields["items"] = self.items
        if self.metrics:
            fields["metrics"] = [metric.to_json() for metric in self.metrics]
        if self.phases:
            fields["phases"] = {name: outcome.to_json() for name, outcome in self.phases.items()}
        return fields

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Outcome:
        """Read what ``to_json`` wrote. Raise KeyError, TypeError or ValueError if it is something else."""
        fields = dict(value)
        if fields["status"] not in STATUSES:
            raise ValueError(f"unknown status {fields['status']!r}; expected one of {', '.join(STATUSES)}")
        fields["phases"] = _phases(fields.get("phases", {}))
        if fields["measurement"] is not None:
            fields["measurement"] = Measurement.from_json(fields["measurement"])
        is_ok, is_measured, has_phases = fields["status"] == "ok", fields["measurement"] is not None, fields["phases"]
        if is_measured and (has_phases or not is_ok):
            raise ValueError("expected a measurement only of a trial that is ok and has no phases")
        if is_ok and not (is_measured or has_phases):
            raise ValueError("expected a measurement or phases of a trial that is ok")
        for name in ("reason", "details"):
            if not isinstance(fields[name], (str, type(None))):
                raise TypeError(f"expected text or null as {name}, got {type(fields[name]).__name__}")
        if not isinstance(fields["metadata"], dict):
            raise TypeError(f"expected a JSON object as metadata, got {type(fields['metadata']).__name__}")
        fields["metadata"] = json_metadata(fields["metadata"])
        items = fields.get("items")
        if items is not None and not (type(items) is int and 1 <= items <= MAX_ITEMS):
            raise ValueError("expected a whole number of at least 1 as items")
        fields["metrics"] = _metrics(fields.get("metrics", []))
        return cls(**fields)


def _phases(value: Any) -> Dict[str, Outcome]:
    if not isinstance(value, dict) or len(value) > MAX_PHASES:
        raise TypeError(f"expected a JSON object of at most {MAX_PHASES} phases")
    phases = {}
    for name, outcome in value.items():
        if not name.isidentifier() or "phases" in outcome:
            raise ValueError("expected phases without phases, named by identifiers")
        phases[name] = Outcome.from_json(outcome)
    return phases


def _metrics(value: Any) -> Tuple[Metric, ...]:
    if not isinstance(value, list):
        raise TypeError(f"expected a list as metrics, got {type(value).__name__}")
    metrics = []
    for each in value:
        name, unit, figure, better = (each[key] for key in ("name", "unit", "value", "better"))
        if not all(isinstance(text, str) for text in (name, unit, better)) or type(figure) not in (int, float):
            raise TypeError("expected texts and a number in a metric")
        error = each.get("standard_error")
        if type(error) not in (int, float, type(None)):
            raise TypeError("expected a number or null as the standard error of a metric")
        metrics.append(Metric(name, unit, figure, better, error))
    if len({metric.name for metric in metrics}) < len(metrics):
        raise ValueError("expected metrics whose names differ")
    return tuple(metrics)


@dataclass(frozen=True)
class Progress:
    """The progress of a trial in one call."""

    is_finished: bool = False
    """Whether the trial has only to be closed: everything is measured, or it has failed."""
    rounds: int = 0
    """How many rounds were measured in this call."""
    phases: Tuple[str, ...] = ()
    """The names of the phases of a job, if this call has opened one."""
    ended_phase: Optional[Outcome] = None
    """The outcome of the phase that was measured in this call; None if it failed, or goes on."""
    ended_part: Optional[EndedPart] = None
    """The part of a phase that was measured in this call."""

    def to_json(self) -> Dict[str, Any]:
        """Return the progress as a JSON object; ``from_json`` reads it back."""
        return {
            "is_finished": self.is_finished,
            "rounds": self.rounds,
            "phases": list(self.phases),
            "ended_phase": None if self.ended_phase is None else self.ended_phase.to_json(),
            "ended_part": None if self.ended_part is None else asdict(self.ended_part),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Progress:
        """Read what ``to_json`` wrote. Raise KeyError, TypeError or ValueError if it is something else."""
        fields = dict(value)
        if type(fields["is_finished"]) is not bool or type(fields["rounds"]) is not int or fields["rounds"] < 0:
            raise TypeError("expected true or false as is_finished, and a count of rounds")
        names = fields["phases"]
        if not (isinstance(names, list) and all(isinstance(name, str) and name.isidentifier() for name in names)):
            raise TypeError("expected a list of identifiers as phases")
        if len(names) > MAX_PHASES or len(set(names)) < len(names):
            raise ValueError(f"expected at most {MAX_PHASES} phases whose names differ")
        fields["phases"] = tuple(names)
        if fields["ended_phase"] is not None:
            fields["ended_phase"] = Outcome.from_json(fields["ended_phase"])
        if fields["ended_part"] is not None:
            fields["ended_part"] = EndedPart.from_json(fields["ended_part"])
        return cls(**fields)


def encode(message: Mapping[str, Any]) -> bytes:
    """Return the message as one line. Raise TypeError or ValueError if it holds what JSON does not have."""
    try:
        return json.dumps(message, allow_nan=False).encode("ascii") + b"\n"
    except RecursionError:
        raise ValueError("nested too deeply") from None


def decode(line: bytes) -> Dict[str, Any]:
    """Return the object on one line. Raise ValueError if the line holds none."""
    try:
        message = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(message, dict):
        raise ValueError(f"expected a JSON object, got {type(message).__name__}")
    return message
