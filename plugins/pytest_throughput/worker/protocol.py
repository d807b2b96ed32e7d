"""What the pytest process and a worker say to each other: JSON objects (RFC 8259), one a line.

The worker says hello first: ``{"hello": 2, "pid": 4711, "python": "3.11.7", ...}``; everything before
that line is noise of whatever started it. Then each ``{"id": ..., "folder": ..., "request": {...}}``
is answered by one ``{"id": ..., "pid": ..., "outcome": {...}, "reusable": ...}`` with the same id, which
cannot be guessed, and the pid of the hello: a line that a forked process or a stray write put on the
pipe is never taken for an answer. ``reusable``: whether the worker is as it was before, and may be
asked again. The end of the requests is the end of the worker.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, Optional

from pytest_throughput.measurement.loop import Measurement
from pytest_throughput.measurement.metadata import json_metadata
from pytest_throughput.measurement.plan import Plan

__all__ = ["PROTOCOL_VERSION", "STATUSES", "Outcome", "Request", "decode", "encode"]

PROTOCOL_VERSION = 2

STATUSES = ("ok", "unsupported", "out_of_memory", "failed", "timed_out", "crashed")
"""From the best to the worst."""


@dataclass(frozen=True)
class Request:
    """One trial to run."""

    target: str
    """``module:function``; the function returns a ``Step``."""
    arguments: Mapping[str, Any]
    """Keyword arguments of the function, as JSON."""
    plan: Plan
    steps_per_round: Optional[int] = None
    """None: decided by the measuring loop."""
    own_process: bool = False
    """Whether nothing else is ever measured in the process, so that its peak memory is this trial's."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables to set before the target is imported; a wrapper may lose those of the process."""

    def to_json(self) -> Dict[str, Any]:
        """The request as a JSON object; ``from_json`` reads it back."""
        fields = asdict(self)
        if math.isinf(self.plan.max_seconds):
            fields["plan"]["max_seconds"] = None  # JSON has no infinity.
        return fields

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Request:
        """Reads what ``to_json`` wrote. Raises KeyError or TypeError if it is something else."""
        fields = dict(value)
        plan = dict(fields["plan"])
        if plan["max_seconds"] is None:
            plan["max_seconds"] = math.inf
        fields["plan"] = Plan(**plan)
        return cls(**fields)


@dataclass(frozen=True)
class Outcome:
    """How one trial ended."""

    status: str
    """One of ``STATUSES``."""
    reason: Optional[str] = None
    """One sentence for a person; None when all is well."""
    details: Optional[str] = None
    """A traceback, where there is one."""
    measurement: Optional[Measurement] = None
    """The figures; only of a trial that is ok."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What else is known of the trial; parts of the benchmark's ``extra_info``."""

    def to_json(self) -> Dict[str, Any]:
        """The outcome as a JSON object; ``from_json`` reads it back."""
        fields = {name: getattr(self, name) for name in ("status", "reason", "details", "metadata")}
        fields["measurement"] = None if self.measurement is None else self.measurement.to_json()
        return fields

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Outcome:
        """Reads what ``to_json`` wrote. Raises KeyError, TypeError or ValueError if it is something else."""
        fields = dict(value)
        if fields["status"] not in STATUSES:
            raise ValueError(f"unknown status {fields['status']!r}; expected one of {', '.join(STATUSES)}")
        if (fields["status"] == "ok") != (fields["measurement"] is not None):
            raise ValueError("expected a measurement of a trial that is ok, and of no other")
        if fields["measurement"] is not None:
            fields["measurement"] = Measurement.from_json(fields["measurement"])
        for name in ("reason", "details"):
            if not isinstance(fields[name], (str, type(None))):
                raise TypeError(f"expected text or null as {name}, got {type(fields[name]).__name__}")
        if not isinstance(fields["metadata"], dict):
            raise TypeError(f"expected a JSON object as metadata, got {type(fields['metadata']).__name__}")
        fields["metadata"] = json_metadata(fields["metadata"])
        return cls(**fields)


def encode(message: Mapping[str, Any]) -> bytes:
    """Return the message as one line. Raises TypeError or ValueError if it holds what JSON cannot say."""
    try:
        return json.dumps(message, allow_nan=False).encode("ascii") + b"\n"
    except RecursionError:
        raise ValueError("nested too deeply") from None


def decode(line: bytes) -> Dict[str, Any]:
    """The object on one line. Raises ValueError if it is none."""
    try:
        message = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(message, dict):
        raise ValueError(f"expected a JSON object, got {type(message).__name__}")
    return message
