"""Run trials with any launcher, and add telemetry and utilisation to their outcomes."""

from __future__ import annotations

import json
import re
import secrets
import statistics
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_throughput.launch.batch_search import search_largest
from pytest_throughput.launch.launcher import LaunchedTrial, Launcher, Placement
from pytest_throughput.launch.pairs import MeasuredApart, measure_pair, unpaired
from pytest_throughput.measurement.metadata import json_metadata
from pytest_throughput.measurement.plan import ONCE, Plan
from pytest_throughput.telemetry.utilisation import Utilisation
from pytest_throughput.telemetry.watch import Telemetry, Watch
from pytest_throughput.worker.protocol import Outcome, Request

__all__ = ["TrialRun", "Trials", "job_of"]


@dataclass(frozen=True)
class TrialRun:
    """A trial that has ended."""

    outcome: Outcome
    stderr: str
    """The text that its worker wrote to standard error meanwhile."""
    items: int
    """How many items one of its steps worked through; for phases see ``Outcome.items``."""
    error: Exception | None = None
    """The exception that ended a trial in this process, if a debugger needs it."""


def job_of(target: str, arguments: Mapping[str, Any], placement: Placement) -> Hashable:
    """Return what is measured; equal for the same function, arguments and placement."""
    return target, json.dumps(dict(arguments), sort_keys=True), placement


class Trials:
    """Runs trials, and adds to their outcomes the telemetry of the machine."""

    def __init__(self, launcher: Launcher, peak_tflops: float | None) -> None:
        """Use ``peak_tflops`` as the devices' peak, in 10^12 operations per second, if given."""
        self._launcher = launcher
        self._telemetry = Telemetry()
        self._utilisation = Utilisation(peak_tflops)
        self._apart: dict[Hashable, str] = {}
        """The reasons why the sides of a pair cannot be alive together, by what the pair measures."""

    def run(self, request: Request, placement: Placement, items: int) -> TrialRun:
        """Run one trial by the request's plan. ``items``: how many items a step works through."""
        if request.plan == ONCE:
            outcome, stderr = self._launcher.run(request, placement)
            return TrialRun(self._with_hint(outcome, request), stderr, items)
        with self._telemetry.watching(placement.device, isolated=self._launcher.uses_workers) as watch:
            outcome, stderr = self._launcher.run(request, placement)
        outcome = self._with_hint(outcome, request)
        return TrialRun(self._observed(outcome, items, watch), stderr, items)

    def run_pair(
        self, request: Request, placements: tuple[Placement, Placement], items: int
    ) -> tuple[TrialRun, TrialRun]:
        """Run a trial in each placement, both alive and in turn; one after the other if they cannot be alive together.

        The placements have the same device. Sides that could not be alive together are not tried again.
        """
        job = tuple(job_of(request.target, request.arguments, replace(each, trial=0)) for each in placements)
        if job not in self._apart:
            try:
                return self._run_in_turn(request, placements, items)
            except MeasuredApart as apart:
                self._apart[job] = str(apart)
        order = secrets.SystemRandom().sample((0, 1), 2)
        runs = {side: self.run(request, placements[side], items) for side in order}
        reason = self._apart[job]
        first, second = (replace(runs[side], outcome=unpaired(runs[side].outcome, reason)) for side in (0, 1))
        return first, second

    def _run_in_turn(
        self, request: Request, placements: tuple[Placement, Placement], items: int
    ) -> tuple[TrialRun, TrialRun]:
        trials = self._launcher.start(request, placements[0]), self._launcher.start(request, placements[1])
        with self._telemetry.watching(placements[0].device, isolated=True) as watch:
            outcomes = measure_pair(trials, pair_id=secrets.token_hex(8))

        def run(trial: LaunchedTrial, outcome: Outcome) -> TrialRun:
            outcome = self._observed(self._with_hint(outcome, request), items, watch)
            if outcome.metadata.get("images_per_joule") is not None:
                # The energy is that of both sides.
                outcome = replace(outcome, metadata={**outcome.metadata, "images_per_joule": None})
            return TrialRun(outcome, trial.stderr, items)

        return run(trials[0], outcomes[0]), run(trials[1], outcomes[1])

    def run_largest_batch(self, request: Request, placement: Placement, argument: str) -> TrialRun:
        """Run a trial with the largest value of an argument for which memory suffices; it is the number of items.

        The value is searched by running the step once in each of several workers.
        """
        stderr = ""

        def run(size: int, plan: Plan) -> Outcome:
            nonlocal stderr
            sized = replace(request, plan=plan, arguments={**request.arguments, argument: size})
            ended = self.run(sized, placement, size)
            outcome, stderr = ended.outcome, ended.stderr
            if outcome.phases:
                reason = f"expected a Step of {request.target}: the largest batch of a job of phases cannot be searched"
                return Outcome("unsupported", reason=reason)
            return outcome

        if request.plan == ONCE:
            return TrialRun(run(1, ONCE), stderr, 1)
        size, outcome = search_largest(run, request.plan)
        return TrialRun(outcome, stderr, size)

    def _with_hint(self, outcome: Outcome, request: Request) -> Outcome:
        """Return the outcome; if the module of the target was not found, with the folders that were searched.

        An argument may name the module of a function as well, as in ``"mynets:squeezenet"``.
        """
        missing = re.fullmatch(r"ModuleNotFoundError: No module named '([\w.]+)'", outcome.reason or "")
        texts = [text for text in (request.target, *request.arguments.values()) if isinstance(text, str)]
        if missing is None or not any(re.match(rf"{re.escape(missing[1])}[.:]", text) for text in texts):
            return outcome
        folders = ", ".join(map(str, self._launcher.config.pythonpath))
        hint = f"searched {folders} and what is installed; --throughput-pythonpath or pytest's pythonpath adds folders"
        return replace(outcome, reason=f"{outcome.reason} ({hint})")

    def _observed(self, outcome: Outcome, items: int, watch: Watch) -> Outcome:
        """Return the outcome, and each of its phases, with the telemetry of the machine."""
        if outcome.phases:
            phases = {name: self._observed(phase, phase.items or 1, watch) for name, phase in outcome.phases.items()}
            return replace(outcome, phases=phases)
        median = None if outcome.measurement is None else statistics.median(outcome.measurement.seconds_per_step)
        if outcome.measurement is None or not median:
            return outcome
        rate = items / median
        metadata = {
            **outcome.metadata,
            **watch.metadata(outcome.measurement, items),
            **self._utilisation.metadata(outcome.metadata, rate, watch.device),
        }
        return replace(outcome, metadata=json_metadata(metadata))

    def close(self) -> None:
        """Close the connections to the GPUs."""
        self._telemetry.close()
