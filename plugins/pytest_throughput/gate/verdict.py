"""The verdict on a case, and the judgement of a comparison: verdicts, changes of software, exit status."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from pytest_throughput.exit_code import ExitCode
from pytest_throughput.gate.rules import Code, Rules
from pytest_throughput.results.model import RATE

__all__ = [
    "FAILABLE",
    "SCHEMA",
    "UNDERPOWERED",
    "CaseVerdict",
    "Changes",
    "Differences",
    "Incomparable",
    "Judgement",
    "Trend",
    "Verdict",
    "exit_status",
    "nothing_comparable",
]

SCHEMA = 1


class Verdict(StrEnum):
    """The possible verdicts on a case."""

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
    Verdict.INCOMPARABLE: ExitCode.INCONCLUSIVE,
}
"""Exit statuses of the verdicts that a gate can fail on, by priority."""
UNDERPOWERED = "underpowered"
"""What a gate can fail on beside verdicts: a case in which a doubling of the seconds could not have been shown."""
FAILABLE = (*(str(verdict) for verdict in _STATUSES), UNDERPOWERED)
"""What a gate can be asked to fail on."""
_DOUBLING = 0.5
"""The ratio of speeds of a step that takes twice as long."""
_COMPARED = (Verdict.IMPROVED, Verdict.UNCHANGED, Verdict.INCONCLUSIVE)


@dataclass(frozen=True)
class CaseVerdict:
    """The verdict on one case by one metric. Ratios below 1 are worse, whether higher or lower values are better.

    A verdict on a case as a whole, such as missing, has the case's primary metric.
    """

    id: str
    verdict: Verdict
    code: Code
    reason: str
    ratio: float | None = None
    ratio_low: float | None = None
    """Lower end of the 95 % interval."""
    ratio_high: float | None = None
    """Upper end of the 95 % interval."""
    trials_base: int = 0
    trials_head: int = 0
    runs_base: int = 0
    detectable_ratio: float | None = None
    """Ratio from which on these data would have shown a regression; None where no ratio would have."""
    noise_between: float | None = None
    """Standard deviation between units (runs, or the trials of pairs), as a share."""
    noise_within: float | None = None
    """Standard deviation of the trials within one unit, as a share."""
    look: int = 1
    """The number of the planned look that gave the verdict; 1 if the run was judged once."""
    is_decidable: bool = False
    """Whether any figures, of as many runs and trials, would have led to a verdict. It is not in the JSON."""
    metric: str = RATE
    value_base: float | None = None
    """Geometric mean of the metric over the trials of base; None if there are none."""
    value_head: float | None = None
    unit: str | None = None
    """Unit of these two; None where it is unknown."""
    threshold: float = Rules.threshold
    """Smallest slowdown that matters in this case, as a share."""
    anchor: str | None = None
    """The digest of the anchor, if ratios to an anchor were compared."""
    shows_metric: bool = False
    """Whether the metric has to be named beside the case: several are judged, or one that is not the primary one. It is
    not in the JSON."""

    @property
    def is_underpowered(self) -> bool:
        """Whether these data could not have shown that the seconds doubled."""
        return self.verdict in _COMPARED and (self.detectable_ratio is None or self.detectable_ratio < _DOUBLING)

    @property
    def could_be_decided(self) -> bool:
        """Whether the case has a verdict, or could have had one with other figures."""
        if self.verdict is Verdict.INCONCLUSIVE:
            return self.is_decidable
        return self.verdict not in (Verdict.NEW, Verdict.INCOMPARABLE)

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name not in ("is_decidable", "shows_metric")}


@dataclass(frozen=True)
class Trend:
    """A warning that a case drifts to the worse, by one metric. Ratios below 1 are worse."""

    id: str
    metric: str
    reason: str
    """The sentence for people."""
    runs: int
    """Number of runs, this one included."""
    since: str
    """When the first of them started."""
    ratio: float
    """The last run ÷ the first, by the line through all of them."""
    ratio_per_run: float
    ratio_per_run_low: float
    """Lower end of the 95 % interval."""
    ratio_per_run_high: float
    """Upper end of the 95 % interval."""
    shows_metric: bool = False
    """See ``CaseVerdict``."""

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "shows_metric"}


class Incomparable(Exception):
    """Raised where nothing can be compared; the message says why, and what to do."""


Changes = dict[str, tuple[str | None, str | None]]
"""Texts that differ, by name: (of base, of head); None where that side has none."""


@dataclass(frozen=True)
class Differences:
    """What differs between the environments of base and head."""

    software: Changes = field(default_factory=dict)
    """Versions of Python and of packages."""
    variables: Changes = field(default_factory=dict)
    """Environment variables that change speed."""
    note: str = ""
    """What does not differ, or why that is unknown, in words."""


@dataclass(frozen=True)
class Judgement:
    """The result of one comparison."""

    title: str
    exit_status: int
    verdicts: tuple[CaseVerdict, ...] = ()
    software: Changes = field(default_factory=dict)
    """Versions that differ."""
    notes: tuple[str, ...] = ()
    """Sentences for the terminal, without control characters."""
    variables: Changes = field(default_factory=dict)
    """Environment variables that differ."""
    trends: tuple[Trend, ...] | None = None
    """The slow drifts; None if they were not looked for."""
    in_full: bool = False
    """Whether every case is shown with its figures, and not only one that fails. It is not in the JSON."""

    def with_differences(self, found: Differences) -> Judgement:
        """Return the judgement with what the environments were found to have, which steps need not have reported."""
        software = dict(sorted((self.software | found.software).items()))
        return replace(self, software=software, variables=found.variables, notes=(*self.notes, found.note))

    def of(self, verdict: Verdict) -> list[CaseVerdict]:
        """Return the cases with that verdict; regressions in order of size, the largest first."""
        found = [one for one in self.verdicts if one.verdict is verdict]
        return sorted(found, key=lambda one: one.ratio or 0.0) if verdict is Verdict.REGRESSED else found

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "exit_status": self.exit_status,
            "title": self.title,
            "software_changes": _as_json(self.software),
            "variable_changes": _as_json(self.variables),
            "notes": list(self.notes),
            "cases": [one.to_json() for one in self.verdicts],
            **({} if self.trends is None else {"trends": [one.to_json() for one in self.trends]}),
        }


def _as_json(changes: Changes) -> dict[str, dict[str, str | None]]:
    return {name: {"base": base, "head": head} for name, (base, head) in changes.items()}


def exit_status(verdicts: Sequence[CaseVerdict], fail_on: Collection[str], metrics: Collection[str] = ()) -> int:
    """Return the exit status of these verdicts.

    ``fail_on``: names from :data:`FAILABLE`. ``metrics``: those that were asked for. If no case could have been
    decided, be it by one of them alone, the status is never 0.
    """
    there = {one.verdict for one in verdicts}
    for verdict, status in _STATUSES.items():
        if verdict in there and verdict in fail_on:
            return status
    if UNDERPOWERED in fail_on and any(one.is_underpowered for one in verdicts):
        return ExitCode.INCONCLUSIVE
    decidable = {one.metric for one in verdicts if one.could_be_decided}
    # The name of the rate stands for other rates, too.
    is_blind = any(name not in decidable and (name != RATE or decidable <= {*metrics}) for name in metrics)
    return ExitCode.NOTHING_COMPARABLE if is_blind or not decidable else ExitCode.OK


def nothing_comparable(why: str) -> Judgement:
    """Return the judgement for the case that no comparison is possible, with the reason."""
    return Judgement("nothing to compare", ExitCode.NOTHING_COMPARABLE, notes=(why,))
