"""Run trials with any launcher, and add telemetry and utilisation to their outcomes."""

from __future__ import annotations

import json
import re
import secrets
import statistics
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_throughput.launch.batch_search import search_largest
from pytest_throughput.launch.launcher import Launcher, Placement
from pytest_throughput.launch.pairs import MeasuredApart, measure_in_turn, unpaired
from pytest_throughput.measurement.metadata import json_metadata
from pytest_throughput.measurement.plan import ONCE, Plan
from pytest_throughput.telemetry.product_peak import ProductTrials
from pytest_throughput.telemetry.utilisation import flops_rate, known_peak, utilisation
from pytest_throughput.telemetry.watch import Telemetry, Watch
from pytest_throughput.worker.protocol import Outcome, Request

__all__ = ["Side", "TrialRun", "Trials", "job_of"]


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


@dataclass(frozen=True)
class Side:
    """One of several trials that are measured in turn."""

    request: Request
    placement: Placement
    items: int
    """How many items one of its steps works through."""
    has_peak: bool = True
    """Whether its figures are compared with the device's peak. Those of an anchor are not."""

    @property
    def job(self) -> Hashable:
        """A key that is equal for the same function, arguments and placement."""
        return job_of(self.request.target, self.request.arguments, self.placement)

    @property
    def opened(self) -> Hashable:
        """A key that is equal for steps that bring the same products of matrices, as far as can be known before."""
        framework, precision = (str(self.request.arguments.get(name)) for name in ("framework", "precision"))
        return self.placement.interpreter, self.request.target, framework, precision


def job_of(target: str, arguments: Mapping[str, Any], placement: Placement) -> Hashable:
    """Return what is measured; equal for the same function, arguments and placement."""
    return target, json.dumps(dict(arguments), sort_keys=True), placement


class Trials:
    """Runs trials, and adds to their outcomes the telemetry of the machine."""

    def __init__(self, launcher: Launcher, peak_tflops: float | None) -> None:
        """Use ``peak_tflops`` as the devices' peak, in 10^12 operations per second, if given."""
        self._launcher = launcher
        self._telemetry = Telemetry()
        self._peak_tflops = peak_tflops
        self._product_trials = ProductTrials()
        self._apart: dict[Hashable, str] = {}
        """The reasons why the sides of a group cannot be alive together, by what they measure."""

    def run(self, request: Request, placement: Placement, items: int) -> TrialRun:
        """Run one trial by the request's plan. ``items``: how many items a step works through."""
        if request.plan == ONCE:
            outcome, stderr = self._launcher.run(request, placement)
            return TrialRun(self._with_hint(outcome, request), stderr, items)
        return self._run_alone(Side(request, placement, items))

    def _run_alone(self, side: Side) -> TrialRun:
        side = self._with_products(side)
        with self._telemetry.watching(side.placement.device, isolated=self._launcher.uses_workers) as watch:
            outcome, stderr = self._launcher.run(side.request, side.placement)
        return TrialRun(self._observed(self._with_hint(outcome, side.request), side, watch), stderr, side.items)

    def run_in_turn(self, sides: Sequence[Side]) -> list[TrialRun]:
        """Run the trials of all sides, all alive and in turn; one after the other if they cannot be alive together.

        The sides have the same device. Sides that could not be alive together are not tried again.
        """
        group = tuple(replace(side, placement=replace(side.placement, trial=0)).job for side in sides)
        if group not in self._apart:
            try:
                return self._run_in_turn(sides)
            except MeasuredApart as apart:
                self._apart[group] = str(apart)
        order = secrets.SystemRandom().sample(range(len(sides)), len(sides))
        runs = {index: self._run_alone(sides[index]) for index in order}
        return [replace(run, outcome=unpaired(run.outcome, self._apart[group])) for _, run in sorted(runs.items())]

    def _run_in_turn(self, sides: Sequence[Side]) -> list[TrialRun]:
        sides = [self._with_products(side) for side in sides]
        trials = [self._launcher.start(side.request, side.placement) for side in sides]
        with self._telemetry.watching(sides[0].placement.device, isolated=True) as watch:
            outcomes = measure_in_turn(trials, group_id=secrets.token_hex(8))
        runs = []
        for side, trial, outcome in zip(sides, trials, outcomes, strict=True):
            outcome = self._observed(self._with_hint(outcome, side.request), side, watch)
            if outcome.metadata.get("images_per_joule") is not None:
                # The energy is that of all sides.
                outcome = replace(outcome, metadata={**outcome.metadata, "images_per_joule": None})
            runs.append(TrialRun(outcome, trial.stderr, side.items))
        return runs

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

    def _with_products(self, side: Side) -> Side:
        """Return the side, whose trial measures products of matrices if a CPU's peak depends on it."""
        peak_is_measured = side.has_peak and self._peak_tflops is None and not side.placement.device.is_gpu
        needed = peak_is_measured and self._product_trials.needs(side.opened)
        return replace(side, request=replace(side.request, measures_products=needed))

    def _observed(self, outcome: Outcome, side: Side, watch: Watch) -> Outcome:
        """Return the outcome, and each of its phases, with the telemetry of the machine."""
        if outcome.phases:
            phases = {name: self._observed_part(each, side, watch, each.items) for name, each in outcome.phases.items()}
            return replace(outcome, phases=phases)
        return self._observed_part(outcome, side, watch, side.items)

    def _observed_part(self, outcome: Outcome, side: Side, watch: Watch, items: int | None) -> Outcome:
        """Return the outcome of a step or phase with the telemetry; without items, it has no utilisation."""
        median = None if outcome.measurement is None else statistics.median(outcome.measurement.seconds_per_step)
        if outcome.measurement is None or not median:
            return outcome
        rate = None if items is None else items / median
        peak = known_peak(outcome.metadata, watch.device, self._peak_tflops)
        if side.has_peak:
            self._product_trials.note(side.opened, outcome.metadata, rate, was_asked=side.request.measures_products)
        metadata = {
            **outcome.metadata,
            **watch.metadata(outcome.measurement, items),
            **utilisation(flops_rate(outcome.metadata, rate), peak),
        }
        return replace(outcome, metadata=json_metadata(metadata))

    def close(self) -> None:
        """Close the connections to the GPUs."""
        self._telemetry.close()
