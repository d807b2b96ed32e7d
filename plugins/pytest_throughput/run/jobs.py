"""Jobs with several phases: each job runs once, and each test that names one of its phases takes that outcome."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace

from pytest_throughput.launch.trials import TrialRun
from pytest_throughput.worker.protocol import Outcome

__all__ = ["Jobs", "of_phase", "part_of"]


@dataclass
class _Job:
    run: TrialRun
    taken: set[str] = field(default_factory=set)
    """The phases whose outcomes tests have taken."""


class Jobs:
    """The jobs of this run that have ended."""

    def __init__(self) -> None:
        self._jobs: dict[Hashable, _Job] = {}

    @property
    def have_phases_left(self) -> bool:
        """Whether a test that is still to come may take its phase from a job that has ended."""
        # All phases of a job that could not be opened have its outcome, whatever they are called.
        jobs = [(job.run.outcome.phases.keys(), job.taken) for job in self._jobs.values()]
        return any(not phases or phases - taken for phases, taken in jobs)

    def has(self, key: Hashable, phase: str) -> bool:
        """Return whether ``take`` returns the phase without running the job."""
        job = self._jobs.get(key)
        return job is not None and phase not in job.taken

    def take(self, key: Hashable, phase: str, target: str, run: Callable[[], TrialRun]) -> TrialRun:
        """Return one phase of a job.

        ``key``: equal for the same job. ``run`` runs the job. It is called if the job has not run yet, or if the phase
        has been taken before: a test that is repeated measures again.
        """
        if not self.has(key, phase):
            self._jobs[key] = _Job(run())
        job = self._jobs[key]
        job.taken.add(phase)
        outcome = part_of(job.run.outcome, phase, target)
        # The error belongs to the phase that raised it, whose outcome has the traceback.
        error = job.run.error if outcome.details is not None else None
        return replace(job.run, outcome=of_phase(outcome, phase), items=outcome.items or 1, error=error)


def of_phase(outcome: Outcome, phase: str) -> Outcome:
    """Return the outcome of a phase with its name, if it was measured."""
    if outcome.measurement is None:
        return outcome
    return replace(outcome, metadata={**outcome.metadata, "phase": phase})


def part_of(outcome: Outcome, phase: str | None, target: str) -> Outcome:
    """Return the outcome of a phase, or, if ``phase`` is None, the outcome of a target without phases.

    All phases of a job that could not be opened have the same outcome. ``target``: its name, for failure reasons.
    """
    names = ", ".join(outcome.phases)
    if outcome.phases:
        if phase is None:
            return Outcome("failed", reason=f"{target} goes through phases: name one by phase=NAME: {names}")
        if phase not in outcome.phases:
            return Outcome("failed", reason=f"{target} has no phase {phase!r}; its phases are: {names}")
        return outcome.phases[phase]
    if phase is not None and outcome.status == "ok":
        return Outcome("failed", reason=f"{target} returned a Step, which has no phase {phase!r}; leave phase out")
    return outcome
