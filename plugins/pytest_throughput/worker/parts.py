"""The parts of a phase as the protocol and the journal have them, and the files with which a later trial goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional

from pytest_throughput.measurement.disturbance import Disturbance
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.measurement.scenario import MAX_ITEMS, Elapsed, Part

__all__ = ["EndedPart", "KeptParts"]


@dataclass(frozen=True)
class EndedPart:
    """A part of a phase that has ended, such as an epoch, and what the phase has taken so far."""

    number: int
    """Counted from 1."""
    text: str
    done: float
    """See ``Part`` for this share and the text."""
    elapsed: Elapsed
    is_saved: bool = False
    """Whether a file holds what the phase needs to go on after this part."""
    problem: Optional[str] = None
    """Why that file could not be written; None if it was, or if there is none."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EndedPart:
        """Read what ``asdict`` returned. Raise KeyError, TypeError or ValueError if it is something else."""
        fields = dict(value)
        elapsed = dict(fields["elapsed"])
        fields["elapsed"] = Elapsed(elapsed["seconds"], Disturbance(**elapsed["disturbance"]), elapsed["page_faults"])
        part = cls(**fields)
        # The figures are checked as those of a measured phase.
        each = part.elapsed
        measured = Measurement((each.seconds,), 1, None, 0, "", 0.0, (each.disturbance,), page_faults=each.page_faults)
        Measurement.from_json(measured.to_json())
        Part(part.text, part.done)  # Checks these two.
        if type(part.number) is not int or not 1 <= part.number <= MAX_ITEMS or type(part.is_saved) is not bool:
            raise ValueError("expected a number from 1, and true or false, of a part")
        if not isinstance(part.problem, (str, type(None))):
            raise TypeError("expected a text or null as the problem of a part")
        return part


@dataclass(frozen=True)
class KeptParts:
    """Where the worker keeps the ended parts of a phase, so that a later trial goes on after the last one."""

    phase: str
    prefix: str
    """The path of the files, but for the number of the part."""
    last: Optional[EndedPart] = None
    """The part after which this trial goes on; None to begin the phase."""

    def file_after(self, number: int) -> str:
        """Return the path of the file with what the phase needs to go on after this part."""
        return f"{self.prefix}{number}.state"

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> KeptParts:
        """Read what ``asdict`` returned. Raise KeyError, TypeError or ValueError if it is something else."""
        last = value["last"]
        return cls(value["phase"], value["prefix"], None if last is None else EndedPart.from_json(last))
