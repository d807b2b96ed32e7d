"""Measure an opened target: repeat a step, or go once through phases."""

from __future__ import annotations

import math
import os
import platform
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import replace
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple, Union

from pytest_throughput.measurement.device import observe_device
from pytest_throughput.measurement.forks import ending_forked_children
from pytest_throughput.measurement.loop import MeasuringLoop, metadata_after_first_step, run_once
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.measurement.memory import swapped_bytes
from pytest_throughput.measurement.metadata import RESERVED, json_metadata
from pytest_throughput.measurement.metric import Metric
from pytest_throughput.measurement.plan import ONCE, Plan
from pytest_throughput.measurement.scenario import Once, Part, Phase, PhaseRun
from pytest_throughput.measurement.step import Opened, Step
from pytest_throughput.measurement.timing import finished_output
from pytest_throughput.worker.failure import result_or_none
from pytest_throughput.worker.parts import EndedPart, KeptParts
from pytest_throughput.worker.peak_memory import PeakMemory
from pytest_throughput.worker.protocol import Outcome, Progress

__all__ = ["Scenario", "scenario_of"]


class Scenario(ABC):
    """An opened target that is being measured. Exceptions of the target pass through."""

    phases: Tuple[str, ...] = ()
    """The names of its phases, if it has any."""

    @abstractmethod
    def warm_up(self) -> Progress:
        """Prepare the target for measuring."""

    @abstractmethod
    def measure(self, slice_seconds: float) -> Progress:
        """Measure a slice."""

    @abstractmethod
    def outcome(self, ended_phases: Sequence[Outcome]) -> Outcome:
        """Return the outcome when everything has been measured. Called once, before the target is closed."""


def scenario_of(
    opened: Union[Step, Once],
    plan: Plan,
    steps_per_round: Optional[int],
    open_seconds: float,
    settings: Mapping[str, Any],
    *,
    own_process: bool,
    kept_parts: Optional[KeptParts] = None,
) -> Scenario:
    """Return the scenario of an opened target: a step is repeated, a job of phases is run once.

    ``open_seconds``: how long opening took. ``settings``: settings of this process to record beside the target's own.
    ``own_process``: whether nothing else is measured in this process. ``kept_parts``: where parts of a phase are kept.
    """
    context = _Context(opened, open_seconds, settings, own_process)
    if isinstance(opened, Once):
        return _GoOnce(opened, context, kept_parts)
    if plan == ONCE:
        return _RunOnce(opened, context)
    return _Repeat(opened, context, plan, steps_per_round)


class _Context:
    """What a result says about the target and its process, beside its rounds."""

    def __init__(self, opened: Opened, open_seconds: float, settings: Mapping[str, Any], own_process: bool) -> None:
        self._opened = opened
        self._open_seconds = open_seconds
        self._settings = settings
        self._own_process = own_process
        self.peak_memory = PeakMemory(opened, own_process)
        self.first_step_metadata: Mapping[str, Any] = {}

    def measured(
        self,
        measurement: Measurement,
        metadata: Mapping[str, Any],
        items: Optional[int] = None,
        metrics: Tuple[Metric, ...] = (),
    ) -> Outcome:
        if not self._own_process:
            # In a shared process only the first case's first step imports modules, starts compilers and fills caches.
            measurement = replace(measurement, first_step_seconds=None)
        reserved = [name for name in RESERVED if name in metadata]
        if reserved:
            names = ", ".join(reserved)
            reason = f"the step's metadata have {names}, reserved for what pytest-throughput records; rename them"
            return Outcome("failed", reason=reason)
        try:
            metadata = json_metadata(metadata)
        except ValueError as error:
            return Outcome("failed", reason=f"the step's metadata are not JSON: {error}")
        return Outcome("ok", measurement=measurement, metadata=metadata, items=items, metrics=metrics)

    def metadata(self) -> Dict[str, Any]:
        opened = self._opened
        metadata = {**opened.metadata, **self.first_step_metadata}
        metadata["peak_memory_bytes"], metadata["peak_memory_bytes_in_all"] = self.peak_memory.read()
        # Memory of a fresh process is swapped out only if memory is short: its steps may have waited for the disk.
        metadata.setdefault("swapped_bytes", swapped_bytes())
        metadata.setdefault("implausible", None)
        # A target whose opening builds nothing says so by None in its metadata.
        metadata.setdefault(
            "build_seconds", self._open_seconds if opened.build_seconds is None else opened.build_seconds
        )
        if not self._own_process:
            # As with the first step, only the first case imports and starts the compiler.
            metadata["build_seconds"] = metadata["compile_seconds"] = None
        self._merge(metadata, "settings", {}, self._settings)
        self._merge(metadata, "versions", {"python": platform.python_version()}, {})
        return metadata

    def _merge(
        self, metadata: Dict[str, Any], name: str, defaults: Mapping[str, Any], readings: Mapping[str, Any]
    ) -> None:
        """Put the members of both metadata of the target together; leave what is no object to be refused later."""
        given = [each.get(name, {}) for each in (self._opened.metadata, self.first_step_metadata)]
        if all(isinstance(each, Mapping) for each in given):
            metadata[name] = {**defaults, **given[0], **given[1], **readings}


class _Repeat(Scenario):
    """Repeat a step by a plan."""

    def __init__(self, step: Step, context: _Context, plan: Plan, steps_per_round: Optional[int]) -> None:
        self._step = step
        self._context = context
        self._loop = MeasuringLoop(step, plan, steps_per_round=steps_per_round)
        self._measurement: Optional[Measurement] = None
        self._compilations: Optional[int] = None
        """The number of compilations before the first round."""
        self._recompilations: Optional[int] = None

    def warm_up(self) -> Progress:
        self._loop.warm_up()
        self._context.first_step_metadata = self._loop.first_step_metadata
        self._compilations = self._count_compilations()
        self._context.peak_memory.restart()
        return Progress()

    def measure(self, slice_seconds: float) -> Progress:
        rounds = self._loop.measure(slice_seconds)
        self._recompilations = self._count_recompilations()
        if self._loop.is_finished and math.isinf(slice_seconds):  # Further slices may follow a finite one.
            self._measurement = self._loop.measurement()
        return Progress(self._loop.is_finished, rounds=rounds)

    def outcome(self, ended_phases: Sequence[Outcome]) -> Outcome:
        step, measurement = self._step, self._measurement or self._loop.measurement()
        metadata = self._context.metadata()
        if self._recompilations is not None:
            metadata["recompilations"] = self._recompilations
        metadata.update(result_or_none(lambda: observe_device(step, measurement.steps_per_round)) or {})
        check = step.check
        implausible = None if check is None else result_or_none(lambda: check(finished_output(step)))
        if metadata["implausible"] is None:
            metadata["implausible"] = implausible
        return self._context.measured(measurement, metadata)

    def _count_compilations(self) -> Optional[int]:
        """Return how often the step has been compiled so far; None where it does not tell."""
        return None if self._step.compilations is None else result_or_none(self._step.compilations)

    def _count_recompilations(self) -> Optional[int]:
        """Return how often the step has been compiled since the warm-up; None where it does not tell."""
        count = self._count_compilations()
        return None if count is None or self._compilations is None else count - self._compilations


class _RunOnce(Scenario):
    """Run a step a single time, and keep no figure."""

    def __init__(self, step: Step, context: _Context) -> None:
        self._step = step
        self._context = context
        self._measurement: Optional[Measurement] = None
        self._implausible: Optional[str] = None

    def warm_up(self) -> Progress:
        self._context.peak_memory.restart()
        return Progress()

    def measure(self, slice_seconds: float) -> Progress:
        self._measurement, output = run_once(self._step)
        self._context.first_step_metadata = metadata_after_first_step(self._step, output)
        check = self._step.check
        self._implausible = None if check is None else result_or_none(lambda: check(output))
        return Progress(is_finished=True, rounds=1)

    def outcome(self, ended_phases: Sequence[Outcome]) -> Outcome:
        assert self._measurement is not None
        metadata = self._context.metadata()
        if metadata["implausible"] is None:
            metadata["implausible"] = self._implausible
        return self._context.measured(self._measurement, metadata)


class _GoOnce(Scenario):
    """Go once through the phases of a job, in each of them part after part."""

    def __init__(self, job: Once, context: _Context, kept_parts: Optional[KeptParts]) -> None:
        self.phases = tuple(phase.name for phase in job.phases)
        self._context = context
        self._next = iter(job.phases)
        self._kept_parts = kept_parts
        self._phase: Optional[Phase] = None
        """The phase that has begun; None between phases."""
        self._run: Optional[PhaseRun] = None
        self._number = 0
        """The number of the last part of the phase that has ended."""

    def warm_up(self) -> Progress:
        return Progress()

    def measure(self, slice_seconds: float) -> Progress:
        if self._run is None or self._phase is None:
            self._phase = next(self._next)
            self._run = self._begin(self._phase)
        part = self._run.advance()
        if part is not None:
            return Progress(ended_part=self._ended(part, self._run))
        measurement, items, metrics = self._run.measured()
        outcome = self._context.measured(measurement, self._context.metadata(), items, metrics)
        phase, self._phase, self._run = self._phase, None, None
        return Progress(phase.name == self.phases[-1], rounds=1, ended_phase=outcome)

    def _begin(self, phase: Phase) -> PhaseRun:
        """Return the run of a phase; it goes on after the last kept part where there is one."""
        kept = self._kept_parts
        last = None if kept is None or kept.phase != phase.name else kept.last
        self._number = 0 if last is None else last.number
        if kept is not None and last is not None:
            restore = _restore_of(phase)
            with ending_forked_children():
                restore(kept.file_after(last.number))
        self._context.peak_memory.restart()
        return PhaseRun(phase, None if last is None else last.elapsed)

    def _ended(self, part: Part, run: PhaseRun) -> EndedPart:
        assert self._phase is not None and run.elapsed is not None
        self._number += 1
        ended = EndedPart(self._number, part.text, part.done, run.elapsed)
        if part.save is None:
            return ended
        _restore_of(self._phase)  # Refused now, and not when it is needed.
        kept = self._kept_parts
        if kept is None or kept.phase != self._phase.name:
            return ended
        try:
            _save(part.save, kept.file_after(self._number))
        except (OSError, NotImplementedError) as error:
            return replace(ended, problem=str(error) or type(error).__name__)
        return replace(ended, is_saved=True)

    def outcome(self, ended_phases: Sequence[Outcome]) -> Outcome:
        return Outcome.of_phases(self.phases, ended_phases)


def _restore_of(phase: Phase) -> Callable[[str], object]:
    if phase.restore is None:
        raise TypeError(f"restore of the phase {phase.name}: expected a function, since its parts have save")
    return phase.restore


def _save(save: Callable[[str], object], path: str) -> None:
    """Write a file that is whole under its name, or not there at all."""
    unfinished = f"{path}.unfinished"
    try:
        with ending_forked_children():
            save(unfinished)
        descriptor = os.open(unfinished, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):  # On a full disk it would take the place of the results.
            os.unlink(unfinished)
        raise
