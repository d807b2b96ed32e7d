"""What a comparison comes to: verdicts, what else changed, and an exit status."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from pytest_throughput.exit_code import ExitCode
from pytest_throughput.gate.rules import Code

__all__ = [
    "FAILABLE",
    "SCHEMA",
    "CaseVerdict",
    "Incomparable",
    "Judgement",
    "Verdict",
    "exit_status",
    "nothing_comparable",
]

SCHEMA = 1


class Verdict(StrEnum):
    """Of a case."""

    REGRESSED = "regressed"
    IMPROVED = "improved"
    UNCHANGED = "unchanged"
    INCONCLUSIVE = "inconclusive"
    NEW = "new"
    MISSING = "missing"
    FAILED = "failed"
    INCOMPARABLE = "incomparable"


_STATUSES = {
    Verdict.REGRESSED: ExitCode.REGRESSED,
    Verdict.MISSING: ExitCode.MISSING_OR_FAILED,
    Verdict.FAILED: ExitCode.MISSING_OR_FAILED,
    Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
}
"""The first that applies is the exit status."""
FAILABLE = tuple(str(verdict) for verdict in _STATUSES)
"""What a gate can be asked to fail on."""
_WITHOUT_COMPARISON = (Verdict.NEW, Verdict.INCOMPARABLE)


@dataclass(frozen=True)
class CaseVerdict:
    """The verdict on one case. Ratios are images/second of head over base: below 1 is slower."""

    id: str
    verdict: Verdict
    code: Code
    reason: str
    ratio: float | None = None
    ratio_low: float | None = None
    """Lower end of the 95 % interval."""
    ratio_high: float | None = None
    trials_base: int = 0
    trials_head: int = 0
    runs_base: int = 0
    detectable_ratio: float | None = None
    """From this ratio down these data would have shown a regression; None where they could show none."""
    noise_between: float | None = None
    """Standard deviation of units (runs, or pairs' trials), as a share."""
    noise_within: float | None = None
    """Standard deviation of the trials of one unit, as a share."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Incomparable(Exception):
    """Nothing can be compared; the message says why, and what to do."""


@dataclass(frozen=True)
class Judgement:
    """Of one comparison."""

    title: str
    exit_status: int
    verdicts: tuple[CaseVerdict, ...] = ()
    software: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    """Versions that differ: by name, (of base, of head)."""
    notes: tuple[str, ...] = ()
    """Sentences, fit to be shown."""

    def of(self, verdict: Verdict) -> list[CaseVerdict]:
        """The cases with that verdict; regressions the worst first."""
        found = [one for one in self.verdicts if one.verdict is verdict]
        return sorted(found, key=lambda one: one.ratio or 0.0) if verdict is Verdict.REGRESSED else found

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "exit_status": self.exit_status,
            "title": self.title,
            "software_changes": {name: {"base": base, "head": head} for name, (base, head) in self.software.items()},
            "notes": list(self.notes),
            "cases": [one.to_json() for one in self.verdicts],
        }


def exit_status(verdicts: Sequence[CaseVerdict], fail_on: Collection[str]) -> int:
    """``fail_on``: of :data:`FAILABLE`. Whatever it says, nothing to compare is never a success."""
    there = {one.verdict for one in verdicts}
    for verdict, status in _STATUSES.items():
        if verdict in there and verdict in fail_on:
            return status
    return ExitCode.NOTHING_COMPARABLE if there <= {*_WITHOUT_COMPARISON} else 0


def nothing_comparable(why: str) -> Judgement:
    """Where there is no comparison at all."""
    return Judgement("nothing to compare", ExitCode.NOTHING_COMPARABLE, notes=(why,))
