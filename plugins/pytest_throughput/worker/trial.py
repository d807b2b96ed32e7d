"""Run one trial in this process: open, warm up, measure, close. A worker and pytest's process use the same code."""

from __future__ import annotations

import gc
import importlib
import math
import os
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Callable, Iterator, List, Mapping, Optional, Type, TypeVar, Union

from pytest_throughput.measurement.allocator import allocator_in_use
from pytest_throughput.measurement.forks import ending_forked_children
from pytest_throughput.measurement.kernel import Profile
from pytest_throughput.measurement.plan import ONCE, Plan
from pytest_throughput.measurement.scenario import Once
from pytest_throughput.measurement.speed_variables import speed_variables
from pytest_throughput.measurement.step import Opened, Step
from pytest_throughput.worker.failure import describe_error, outcome_of_error, result_or_none
from pytest_throughput.worker.parts import KeptParts
from pytest_throughput.worker.product_rates import product_rates
from pytest_throughput.worker.profiling import profiled
from pytest_throughput.worker.protocol import Outcome, Progress, Request
from pytest_throughput.worker.running_trial import run_to_end
from pytest_throughput.worker.scenarios import Scenario, scenario_of

__all__ = ["OnError", "Trial", "run_opened_step"]

OnError = Callable[[Exception], None]

T = TypeVar("T", bound="Trial")


class Trial:
    """A trial in this process. See ``RunningTrial`` for its calls."""

    def __init__(
        self,
        open_target: Callable[[], Union[Step, Once]],
        plan: Plan,
        steps_per_round: Optional[int] = None,
        *,
        own_process: bool = False,
        measures_products: bool = False,
        environment: Optional[Mapping[str, str]] = None,
        profile: Optional[Profile] = None,
        kept_parts: Optional[KeptParts] = None,
        on_error: Optional[OnError] = None,
    ) -> None:
        """Prepare a trial.

        ``environment``: the variables that hold in it, by default those of this process now. ``on_error`` is called
        with the exception that ended it, for a debugger in this process. For the other arguments see ``Request``.
        """
        self._open_target = open_target
        self._plan = plan
        self._steps_per_round = steps_per_round
        self._own_process = own_process
        self._measures_products = measures_products
        self._variables = speed_variables(os.environ if environment is None else environment)
        self._on_error = on_error
        self._kept_parts = kept_parts
        self._profile = None if plan == ONCE else profile
        self._opened: Optional[Opened] = None
        self._scenario: Optional[Scenario] = None
        self._failure: Optional[Outcome] = None
        self._outcome: Optional[Outcome] = None
        self._ended_phases: List[Outcome] = []
        self._thread_errors: List[str] = []
        self._stack = ExitStack()

    @classmethod
    def of(
        cls: Type[T],
        request: Request,
        on_error: Optional[OnError] = None,
        environment: Optional[Mapping[str, str]] = None,
    ) -> T:
        """Return the trial that a request asks for.

        ``environment``: the variables with which this process was started, if it is a worker: earlier trials may have
        set others.
        """

        def open_target() -> Union[Step, Once]:
            os.environ.update(request.variables)
            return _open(request)

        return cls(
            open_target,
            request.plan,
            request.steps_per_round,
            own_process=request.own_process,
            measures_products=request.measures_products,
            environment={**(os.environ if environment is None else environment), **request.variables},
            profile=request.profile,
            kept_parts=request.kept_parts,
            on_error=on_error,
        )

    def open(self) -> Progress:
        self._stack.enter_context(_noting_thread_errors(self._thread_errors))
        return self._guarded(self._open)

    def warm_up(self) -> Progress:
        return self._guarded(lambda: self._running.warm_up())

    def measure(self, slice_seconds: float = math.inf) -> Progress:
        progress = self._guarded(lambda: self._running.measure(slice_seconds))
        if progress.ended_phase is not None:
            self._ended_phases.append(progress.ended_phase)
        return progress

    def outcome(self) -> Outcome:
        """Return the outcome of the trial, which measures nothing more. The target stays open."""
        if self._outcome is None:
            self._outcome = self._read_outcome()
        return self._outcome

    def profile(self) -> Outcome:
        """Return the outcome, with what a profiler says of further steps where that is asked for. It profiles once."""
        outcome, opened = self.outcome(), self._opened
        if opened is not None and self._profile is not None and outcome.measurement is not None:
            self._outcome = replace(outcome, metadata={**outcome.metadata, **profiled(opened, self._profile)})
            self._profile = None
        return self.outcome()

    def close(self) -> Outcome:
        outcome = self.profile()
        opened, self._opened, self._scenario = self._opened, None, None
        if opened is not None and self._measures_products and outcome.measurement is not None:
            outcome = replace(outcome, metadata={**outcome.metadata, "product_flops": product_rates(opened)})
        if opened is not None and opened.close is not None:
            # An error of closing must not lose the figures, and an earlier failure is the better reason.
            result_or_none(opened.close)
        del opened
        gc.collect()
        return outcome

    def _read_outcome(self) -> Outcome:
        self._stack.close()  # Errors of threads after the rounds do not fail the trial.
        outcome: Optional[Outcome] = None

        def ask() -> Progress:
            nonlocal outcome
            outcome = self._running.outcome(self._ended_phases)
            return Progress()

        self._guarded(ask)
        if outcome is None:
            assert self._failure is not None
            phases = () if self._scenario is None else self._scenario.phases
            outcome = Outcome.of_phases(phases, self._ended_phases, self._failure)
        return outcome

    @property
    def _running(self) -> Scenario:
        assert self._scenario is not None, "the trial is not open"
        return self._scenario

    def _open(self) -> Progress:
        settings = {"environment_variables": self._variables, "allocator": allocator_in_use()}
        start = time.perf_counter()
        with ending_forked_children():
            self._opened = opened = self._open_target()
        open_seconds = time.perf_counter() - start
        self._scenario = scenario_of(
            opened,
            self._plan,
            self._steps_per_round,
            open_seconds,
            settings,
            own_process=self._own_process,
            kept_parts=self._kept_parts,
        )
        return Progress(phases=self._scenario.phases)

    def _guarded(self, call: Callable[[], Progress]) -> Progress:
        """Return the progress of the call. An exception becomes the failure that ends the trial."""
        finished = Progress(is_finished=True)
        if self._failure is not None:
            return finished
        try:
            progress = call()
        except Exception as error:
            self._failure = outcome_of_error(error, self._opened)
            if self._on_error is not None:
                self._on_error(error)
            return finished
        except BaseException:
            self._stack.close()
            raise
        if self._thread_errors:
            # The rounds were timed without the work of the thread.
            self._failure = Outcome("failed", reason=f"in a thread: {self._thread_errors[0]}")
        elif progress.ended_phase is not None and progress.ended_phase.status != "ok":
            self._failure = progress.ended_phase
        return progress if self._failure is None else finished


def run_opened_step(
    step: Step, plan: Plan, steps_per_round: Optional[int] = None, on_error: Optional[OnError] = None
) -> Outcome:
    """Measure a step that is already open. ``on_error``: see ``Trial``."""
    return run_to_end(Trial(lambda: step, plan, steps_per_round, on_error=on_error))


@contextmanager
def _noting_thread_errors(errors: List[str]) -> Iterator[None]:
    """Add the errors that end threads within the body to the list; they are also printed as usual."""
    before = threading.excepthook

    def note(ended: Any) -> None:
        if not issubclass(ended.exc_type, SystemExit):  # A thread may end itself by SystemExit.
            errors.append(describe_error(ended.exc_type, ended.exc_value))
        before(ended)

    threading.excepthook = note
    try:
        yield
    finally:
        threading.excepthook = before


def _open(request: Request) -> Union[Step, Once]:
    module_name, _, path = request.target.partition(":")
    if not module_name or not path:
        raise ValueError(f"cannot open {request.target!r}: expected 'module:function'")
    function: Any = importlib.import_module(module_name)
    for name in path.split("."):
        function = getattr(function, name)
    opened = function(**request.arguments)
    if not isinstance(opened, (Step, Once)):
        raise TypeError(
            f"{request.target} returned {type(opened).__name__}; expected a pytest_throughput.Step, or a "
            "pytest_throughput.Once"
        )
    return opened
