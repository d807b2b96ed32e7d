"""Which runs are units of replication: the rule of individuals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_throughput.gate import sentences
from pytest_throughput.gate.runs import Run
from pytest_throughput.gate.verdicts import FEWEST_UNITS, Code, Design

__all__ = ["Selection", "Unit", "select_units"]

Unit = tuple[Run, ...]
"""Runs that count as one: a single run, or all runs of one machine where machines are the units."""

_FEWEST_INDIVIDUALS = 3


@dataclass(frozen=True)
class Selection:
    """The units of each side; or why there can be no comparison."""

    base: tuple[Unit, ...] = ()
    head: tuple[Unit, ...] = ()
    refusal: tuple[Code, str] | None = None


def select_units(base: Sequence[Run], head: Sequence[Run], design: Design) -> Selection:
    """Individuals of one model of hardware differ by up to 8 %, so runs of another are no baseline by themselves.

    With enough runs of head's own machine, it is judged against those alone. Otherwise a machine
    counts as one unit, however many runs it has given, and there have to be three of them. An
    unknown individual is taken for one and the same.
    """
    single = tuple((run,) for run in base), tuple((run,) for run in head)
    if design.is_paired:
        return Selection(*single)
    machines_head = {run.machine_id for run in head}
    own = tuple((run,) for run in base if run.machine_id in machines_head)
    if own and len(machines_head) == 1 and len(own) + len(head) - 1 >= FEWEST_UNITS:
        return Selection(own, single[1])
    machines_base = {run.machine_id for run in base}
    if len(machines_base) >= _FEWEST_INDIVIDUALS:
        return Selection(_by_machine(base), _by_machine(head))
    if len(machines_head) > 1:
        return Selection(refusal=(Code.TOO_FEW_RUNS, sentences.too_few_machines(len(machines_base))))
    if machines_head <= machines_base:
        if design is Design.GROUPS:
            return Selection(refusal=(Code.TOO_FEW_RUNS, sentences.too_few_in_groups(len(own) + len(head))))
        return Selection(refusal=(Code.TOO_FEW_RUNS, sentences.too_few_runs(len(own), len(base))))
    return Selection(refusal=(Code.UNSEEN_INDIVIDUAL, sentences.unseen_individual(len(machines_base))))


def _by_machine(runs: Sequence[Run]) -> tuple[Unit, ...]:
    machines = dict.fromkeys(run.machine_id for run in runs)
    return tuple(tuple(run for run in runs if run.machine_id == machine) for machine in machines)
