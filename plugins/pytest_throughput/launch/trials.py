"""One trial in a worker: watched from outside, and told what its figures mean on their device."""

from __future__ import annotations

import re
import statistics
from dataclasses import replace
from typing import NamedTuple

import pytest

from pytest_throughput.launch.batch_search import search_largest
from pytest_throughput.launch.launcher import Launcher, Placement
from pytest_throughput.measurement.metadata import json_metadata
from pytest_throughput.measurement.plan import ONCE, Plan
from pytest_throughput.telemetry.gpus import Gpu, find_gpu
from pytest_throughput.telemetry.utilisation import Utilisation
from pytest_throughput.telemetry.watch import Telemetry, Watch
from pytest_throughput.worker.protocol import Outcome, Request

__all__ = ["IsolatedTrials", "TrialRun", "refuse_endless_search"]


class TrialRun(NamedTuple):
    """A trial that has ended."""

    outcome: Outcome
    stderr: str
    """What its worker wrote meanwhile."""
    items: int
    """What one of its steps worked through."""


class IsolatedTrials:
    """All trials of a run that are measured in workers."""

    def __init__(self, launcher: Launcher, gpus: list[Gpu], peak_tflops: float | None) -> None:
        """``gpus``: those of the machine. ``peak_tflops``: the device's peak, in 10^12 operations per second."""
        self._launcher = launcher
        self._gpus = gpus
        self._telemetry = Telemetry()
        self._utilisation = Utilisation(peak_tflops)

    def run(self, request: Request, placement: Placement, items: int) -> TrialRun:
        """One trial by the request's plan."""
        if request.plan == ONCE:
            outcome, stderr = self._launcher.run(request, placement)
            return TrialRun(self._with_hint(outcome, request), stderr, items)
        gpu = find_gpu(placement.device, self._gpus)
        with self._telemetry.watching(placement.device, gpu, isolated=self._launcher.isolation != "none") as watch:
            outcome, stderr = self._launcher.run(request, placement)
        outcome = self._with_hint(outcome, request)
        return TrialRun(self._put_into_place(outcome, items, watch, gpu), stderr, items)

    def run_largest_batch(self, request: Request, placement: Placement, argument: str) -> TrialRun:
        """The same, with the largest value of an argument for which memory suffices; it is the number of items.

        It is searched by running the step once in each of several workers.
        """
        stderr = ""

        def run(size: int, plan: Plan) -> Outcome:
            nonlocal stderr
            sized = replace(request, plan=plan, arguments={**request.arguments, argument: size})
            outcome, stderr, _ = self.run(sized, placement, size)
            return outcome

        if request.plan == ONCE:
            return TrialRun(run(1, ONCE), stderr, 1)
        size, outcome = search_largest(run, request.plan)
        return TrialRun(outcome, stderr, size)

    def _with_hint(self, outcome: Outcome, request: Request) -> Outcome:
        """Return the outcome; where the module of the target was not found, with the folders that were searched.

        An argument may name the module of a function as well, as in ``"mynets:squeezenet"``.
        """
        missing = re.fullmatch(r"ModuleNotFoundError: No module named '([\w.]+)'", outcome.reason or "")
        texts = [text for text in (request.target, *request.arguments.values()) if isinstance(text, str)]
        if missing is None or not any(re.match(rf"{re.escape(missing[1])}[.:]", text) for text in texts):
            return outcome
        folders = ", ".join(map(str, self._launcher.pythonpath))
        hint = f"searched {folders} and what is installed; --throughput-pythonpath or pytest's pythonpath adds folders"
        return replace(outcome, reason=f"{outcome.reason} ({hint})")

    def _put_into_place(self, outcome: Outcome, items: int, watch: Watch, gpu: Gpu | None) -> Outcome:
        median = None if outcome.measurement is None else statistics.median(outcome.measurement.seconds_per_step)
        if outcome.measurement is None or not median:
            return outcome
        rate = items / median
        metadata = {
            **outcome.metadata,
            **watch.metadata(outcome.measurement, rate),
            **self._utilisation.metadata(outcome.metadata, rate, watch.device, gpu),
        }
        return replace(outcome, metadata=json_metadata(metadata))

    def close(self) -> None:
        """Lets the GPUs go."""
        self._telemetry.close()


def refuse_endless_search(isolation: str, memory_limit_bytes: int | None, device: str) -> None:
    """Raises pytest.UsageError where a search for the largest batch would have no end, or no fresh processes."""
    if isolation != "trial":
        raise pytest.UsageError(
            f"the largest batch is searched in fresh processes: --throughput-isolation trial, not {isolation}"
        )
    if device == "cpu" and memory_limit_bytes is None:
        raise pytest.UsageError(
            "the largest batch on a CPU is that of a limit, or it would fill this machine's memory: "
            "--throughput-memory-limit 8G"
        )
