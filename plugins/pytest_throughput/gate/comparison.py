"""Which runs are compared with which, and the result of their comparison.

``with_baseline`` or ``between`` builds a :class:`Comparison`. Its ``verdicts`` calls ``judge``, and its ``judgement``
turns the verdicts into an exit status (``verdict``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_

from pytest_throughput.gate.anchors import anchors_compared
from pytest_throughput.gate.baseline_store import Store
from pytest_throughput.gate.drift import FEWEST_VALUES
from pytest_throughput.gate.from_results import GivenRun
from pytest_throughput.gate.given_sides import check_distinct, check_pairs
from pytest_throughput.gate.judge import judge
from pytest_throughput.gate.judged import JudgedRun
from pytest_throughput.gate.judged_metrics import notes_on_rules
from pytest_throughput.gate.rules import FEWEST_UNITS, Design, Rules
from pytest_throughput.gate.scope import Scope, expected_of
from pytest_throughput.gate.store_place import Place
from pytest_throughput.gate.trend import trends
from pytest_throughput.gate.values import with_values
from pytest_throughput.gate.verdict import CaseVerdict, Changes, Incomparable, Judgement, exit_status
from pytest_throughput.text import count, printable

__all__ = ["Comparison", "between", "software_changes", "with_baseline"]

_DESIGNS = {
    Design.PAIRS: "in pairs of trials",
    Design.PAIRED_RUNS: "in pairs of runs",
    Design.GROUPS: "as two groups of runs",
}
_LIVE_PAIRS = "in live pairs (by the 10th percentile of the seconds per step)"


def with_baseline(head: Sequence[GivenRun], place: Place, how_to_accept: str) -> Comparison:
    """Return the comparison of ``head`` with the accepted runs of the same hardware.

    ``how_to_accept``: the command that starts a baseline, for the message. Raises Incomparable where no
    run is accepted for this hardware, StoreError where the baseline cannot be read, and ValueError where
    the runs of head were measured on different hardware, or one of them is given twice.
    """
    check_distinct(head)
    runs = tuple(one.run for one in head)
    _check_hardware(runs)
    baseline = Store(place).read(runs[0].fingerprint)
    accepted = tuple(run for run in baseline.runs if run not in runs)
    notes = [f"left out of the baseline: {printable(str(path))}: {printable(why)}" for path, why in baseline.damaged]
    if not accepted:
        where = printable(str(place))
        what = "only the run itself is accepted" if baseline.runs else "no run is accepted for this hardware"
        others = f" (but for {baseline.other_hardware} other hardware)" if baseline.other_hardware else ""
        todo = f"accept runs that are good, and judge later ones by them: {how_to_accept}"
        enough = f"verdicts need {FEWEST_UNITS} accepted runs"
        raise Incomparable("; ".join([f"{where}: {what}{others}", *notes, todo, enough]))
    return Comparison(
        title=f"{_names(head)} against {count(len(accepted), 'accepted run')} of {printable(str(place))}",
        base=accepted,
        head=runs,
        design=Design.HISTORY if len(runs) == 1 else Design.GROUPS,
        scope=_scope(head),
        notes=tuple(notes),
    )


def between(base: Sequence[GivenRun], head: Sequence[GivenRun], *, paired: bool) -> Comparison:
    """Return the comparison of two sides that the caller gives.

    Two environments of one file are compared in pairs of trials. Otherwise ``paired`` says that the first
    run of base was measured next to the first run of head, and so on. Raises Incomparable for different
    hardware, and for a side without cases; ValueError for a run that is given twice, and for pairs that
    were not measured in turn on one machine.
    """
    check_distinct((*base, *head))
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
    elif paired:
        check_pairs(base, head)
        design = Design.PAIRED_RUNS
    else:
        design = Design.GROUPS
    how = _LIVE_PAIRS if any(map(_has_live_pairs, runs_head)) and in_one_run else _DESIGNS[design]
    return Comparison(
        title=f"{_names(head)} against {_names(base)}, {how}",
        base=runs_base,
        head=runs_head,
        design=design,
        scope=_scope(head),
    )


@dataclass(frozen=True)
class Comparison:
    """The runs of both sides, ordered by time, and how they were measured."""

    title: str
    base: tuple[JudgedRun, ...]
    head: tuple[JudgedRun, ...]
    design: Design
    scope: Scope
    """What the runs of head were asked to measure."""
    notes: tuple[str, ...] = ()

    def verdicts(self, rules: Rules) -> tuple[CaseVerdict, ...]:
        """Return a verdict for every case and metric. Raises ValueError where the runs do not fit the design."""
        return judge(self.base, self.head, design=self.design, rules=rules, is_expected=self._is_expected)

    def judgement(self, verdicts: Sequence[CaseVerdict], fail_on: Collection[str], rules: Rules) -> Judgement:
        """Return the result of the comparison, given its verdicts. ``fail_on``: see ``exit_status``."""
        base, head = ({case_id for run in side for case_id in run.cases} for side in (self.base, self.head))
        left_out = len(base - head - {one.id for one in verdicts})
        notes = [*self.notes, *anchors_compared(verdicts, self.head)]
        if left_out:
            why = "not asked for" if self.scope.deselected is not None else "and whether they were asked for is unknown"
            notes.append(f"not in this run, {why}: {count(left_out, 'case')} of the baseline")
        notes += notes_on_rules(rules, verdicts, self.base, self.head)
        return Judgement(
            title=self.title,
            exit_status=exit_status(verdicts, fail_on, rules.metrics),
            verdicts=tuple(with_values(one, self.base, self.head) for one in verdicts),
            in_full=self.design is Design.PAIRS,
            software=software_changes(self.base, self.head),
            notes=tuple(notes),
        )

    def with_trends(self, judgement: Judgement, rules: Rules) -> Judgement:
        """Return the judgement with warnings of slow drifts over the runs of both sides."""
        found, tested = trends(self.base, self.head, design=self.design, rules=rules, verdicts=judgement.verdicts)
        note = (
            f"no drift in {count(tested, 'case')}"
            if tested
            else f"no drift was looked for, which takes {FEWEST_VALUES} runs of one machine"
        )
        notes = judgement.notes if found else (*judgement.notes, note)
        return replace(judgement, trends=found, notes=notes)

    @property
    def _is_expected(self) -> Callable[[str], bool]:
        if self.design is Design.PAIRS:  # One run measured both environments, and knows all cases asked for.
            return self.scope.asked.__contains__
        return expected_of(self.scope, self.base)


def _check_hardware(runs: Sequence[JudgedRun]) -> None:
    if any(run.fingerprint != runs[0].fingerprint for run in runs):
        raise ValueError("the runs are of different hardware, or were given different numbers of threads")


def _scope(runs: Sequence[GivenRun]) -> Scope:
    return reduce(or_, (one.scope for one in runs))


def _has_live_pairs(run: JudgedRun) -> bool:
    return any(trial.pair is not None for case in run.cases.values() for trial in case.trials)


def _names(runs: Sequence[GivenRun]) -> str:
    return runs[0].name if len(runs) == 1 else f"{len(runs)} runs ({runs[0].name}, …)"


def software_changes(base: Sequence[JudgedRun], head: Sequence[JudgedRun]) -> Changes:
    """Return the versions that differ between the last runs of the two sides: by name, (of base, of head)."""
    before, after = base[-1].software, head[-1].software
    names = sorted({*before, *after})
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}
