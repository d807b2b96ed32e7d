"""The trials that were asked for and those that have ended, from which the ``RunResult`` so far is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.results.model import CaseResult, RunResult
from pytest_throughput.results.plausibility import mark_implausible
from pytest_throughput.results.shared_peak import with_cpu_peaks
from pytest_throughput.worker.protocol import STATUSES

__all__ = ["Ledger"]


@dataclass
class _Case:
    axes: Mapping[str, Any]
    asked: dict[int, None] = field(default_factory=dict)
    ended: dict[int, EndedTrial] = field(default_factory=dict)


class Ledger:
    """All cases of a run, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._cases: dict[tuple[str, str], _Case] = {}

    def ask(self, case_id: str, environment: str, trial: int, axes: Mapping[str, Any]) -> None:
        """Note that a trial is to be run."""
        self._cases.setdefault((case_id, environment), _Case(axes)).asked[trial] = None

    def settle(self, ended: EndedTrial) -> None:
        """Note how a trial that was asked for has ended; a repeated trial replaces the earlier one."""
        case = self._cases[ended.case_id, ended.environment]
        case.ended.pop(ended.trial, None)
        case.ended[ended.trial] = ended

    def has_ended(self, case_id: str, environment: str, trial: int) -> bool:
        """Return whether a trial that was asked for has ended."""
        return trial in self._cases[case_id, environment].ended

    @property
    def is_complete(self) -> bool:
        """Whether every trial of every case has ended."""
        return all(case.ended.keys() >= case.asked.keys() for case in self._cases.values())

    @property
    def trials_asked(self) -> int:
        """How many trials were asked for, of all cases together."""
        return sum(len(case.asked) for case in self._cases.values())

    @property
    def trials_ended(self) -> int:
        """How many trials have ended, of all cases together."""
        return sum(len(case.ended) for case in self._cases.values())

    @property
    def statuses(self) -> set[str]:
        """The statuses of all trials that have ended."""
        return {ended.outcome.status for case in self._cases.values() for ended in case.ended.values()}

    def case(self, case_id: str, environment: str) -> CaseResult:
        """Return the result of one case so far, not yet checked for plausibility."""
        case = self._cases[case_id, environment]
        worst = max(case.ended.values(), key=lambda one: STATUSES.index(one.outcome.status), default=None)
        trials = tuple(ended.result for ended in case.ended.values() if ended.result is not None)
        measured = [trial for trial in trials if trial.primary is not None]
        network_hash = _first(trial.metadata.get("network_hash") for trial in measured)
        return CaseResult(
            id=case_id,
            environment=environment,
            axes=case.axes,
            status=None if worst is None else worst.outcome.status,
            reason="not run" if worst is None else worst.outcome.reason,
            trials=trials,
            settings=_first(trial.metadata.get("settings") for trial in measured),
            network_hash=None if network_hash is None else str(network_hash),
        )

    def result(
        self,
        *,
        fingerprint: Mapping[str, Any] | None = None,
        machine_id: str | None = None,
        deselected: Iterable[str] | None = None,
    ) -> RunResult:
        """Return the result of the run so far, with the peaks of CPUs, and implausible cases marked.

        See ``RunResult`` for the arguments.
        """
        return RunResult(
            cases=mark_implausible(with_cpu_peaks(self.case(*key) for key in self._cases)),
            complete=self.is_complete,
            fingerprint=fingerprint or {},
            machine_id=machine_id,
            deselected=None if deselected is None else tuple(deselected),
        )


def _first(values: Iterable[Any]) -> Any:
    return next((value for value in values if value is not None), None)
