"""The two sides of a comparison, and how they were measured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path

from pytest_throughput.gate.from_results import GivenRun
from pytest_throughput.gate.judge import judge, software_changes
from pytest_throughput.gate.judgement import Incomparable, Judgement, exit_status
from pytest_throughput.gate.runs import Run
from pytest_throughput.gate.scope import Scope, expected_of
from pytest_throughput.gate.store import Store
from pytest_throughput.gate.verdicts import FEWEST_UNITS, CaseVerdict, Design, Rules
from pytest_throughput.text import printable

__all__ = ["Comparison", "between", "with_baseline"]


@dataclass(frozen=True)
class Comparison:
    """Runs on both sides, in the order of time."""

    title: str
    base: tuple[Run, ...]
    head: tuple[Run, ...]
    design: Design
    scope: Scope
    notes: tuple[str, ...] = ()

    def verdicts(self, rules: Rules) -> tuple[CaseVerdict, ...]:
        """Raises ValueError where the runs do not fit the design."""
        return judge(self.base, self.head, design=self.design, rules=rules, is_expected=self._is_expected)

    def judgement(self, verdicts: Sequence[CaseVerdict], fail_on: Collection[str]) -> Judgement:
        """What these verdicts on it come to. ``fail_on``: see ``exit_status``."""
        base, head = ({case_id for run in side for case_id in run.cases} for side in (self.base, self.head))
        left_out = len(base - head - {one.id for one in verdicts})
        notes = list(self.notes)
        if left_out:
            why = "not asked for" if self.scope.deselected is not None else "and whether they were asked for is unknown"
            notes.append(f"not in this run, {why}: {_count(left_out, 'case')} of the baseline")
        return Judgement(
            title=self.title,
            exit_status=exit_status(verdicts, fail_on),
            verdicts=tuple(verdicts),
            software=software_changes(self.base, self.head),
            notes=tuple(notes),
        )

    @property
    def _is_expected(self) -> Callable[[str], bool]:
        if self.design is Design.PAIRS:  # Both environments are of one run, which knows what it was asked for.
            return self.scope.asked.__contains__
        return expected_of(self.scope, self.base)


def with_baseline(head: Sequence[GivenRun], directory: Path, how_to_accept: str) -> Comparison:
    """Against the accepted runs of the same hardware.

    ``how_to_accept``: the command that begins a baseline. Raises Incomparable where there is none, StoreError
    where it cannot be read, ValueError where head is of several machines' hardware.
    """
    runs = tuple(one.run for one in head)
    _check_hardware(runs)
    baseline = Store(directory).read(runs[0].fingerprint)
    accepted = tuple(run for run in baseline.runs if run not in runs)
    notes = [f"left out of the baseline: {printable(str(path))}: {printable(why)}" for path, why in baseline.damaged]
    if not accepted:
        where = printable(str(directory))
        what = "only the run itself is accepted" if baseline.runs else "no run is accepted for this hardware"
        others = f" (but for {baseline.other_hardware} other hardware)" if baseline.other_hardware else ""
        todo = f"accept runs that are good, and judge later ones by them: {how_to_accept}"
        enough = f"verdicts need {FEWEST_UNITS} accepted runs"
        raise Incomparable("; ".join([f"{where}: {what}{others}", *notes, todo, enough]))
    return Comparison(
        title=f"{_names(head)} against {_count(len(accepted), 'accepted run')} of {printable(str(directory))}",
        base=accepted,
        head=runs,
        design=Design.HISTORY if len(runs) == 1 else Design.GROUPS,
        scope=_scope(head),
        notes=tuple(notes),
    )


def between(base: Sequence[GivenRun], head: Sequence[GivenRun], *, paired: bool) -> Comparison:
    """Of two sides that were given.

    Two environments of one file are pairs of trials. Otherwise ``paired`` says that the first run of
    base belongs to the first of head, and so on. Raises Incomparable for different hardware.
    """
    runs_base, runs_head = (tuple(one.run for one in side) for side in (base, head))
    try:
        _check_hardware((*runs_base, *runs_head))
    except ValueError as error:
        raise Incomparable(f"{error}; compare runs of the same hardware") from None
    for side, runs in (("base", runs_base), ("head", runs_head)):
        if not any(run.cases for run in runs):
            raise Incomparable(f"{side} has no cases; compare runs that have measured something")
    in_one_run = len(base) == len(head) == 1 and base[0].file == head[0].file
    if in_one_run:
        design = Design.PAIRS
    else:
        design = Design.PAIRED_RUNS if paired else Design.GROUPS
    return Comparison(
        title=f"{_names(head)} against {_names(base)}, {_DESIGNS[design]}",
        base=runs_base,
        head=runs_head,
        design=design,
        scope=_scope(head),
    )


_DESIGNS = {
    Design.PAIRS: "in pairs of trials",
    Design.PAIRED_RUNS: "in pairs of runs",
    Design.GROUPS: "as two groups of runs",
}


def _check_hardware(runs: Sequence[Run]) -> None:
    if any(run.fingerprint != runs[0].fingerprint for run in runs):
        raise ValueError("the runs are of different hardware, or were given different numbers of threads")


def _scope(runs: Sequence[GivenRun]) -> Scope:
    return reduce(or_, (one.scope for one in runs))


def _names(runs: Sequence[GivenRun]) -> str:
    return runs[0].name if len(runs) == 1 else f"{len(runs)} runs ({runs[0].name}, …)"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
