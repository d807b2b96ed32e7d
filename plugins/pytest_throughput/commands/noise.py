"""The part of ``pytest-throughput doctor`` that measures the noise of this machine, and says what the gate finds in it.

The figures are those of one step of some milliseconds, with one thread. Other steps may be noisier.
"""

from __future__ import annotations

import math
import statistics
import textwrap
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing

from pytest_throughput.commands.answer import Answer, note
from pytest_throughput.exit_code import ExitCode
from pytest_throughput.gate.power import LARGEST_SLOWDOWN, MOST_PAIRS, pairs_needed, smallest_found
from pytest_throughput.gate.rules import Rules
from pytest_throughput.launch.equal_processes import (
    EqualProcesses,
    EqualWorkers,
    NotMeasured,
    measure_equal_processes,
    measurement_of,
    step_seconds,
)
from pytest_throughput.launch.interpreters import Interpreter
from pytest_throughput.launch.lock import Locks, cpu_names
from pytest_throughput.results.statistics import Deviation, deviation_about_zero
from pytest_throughput.telemetry.doctor import who_computes
from pytest_throughput.telemetry.noise_causes import MachineFigures, MachineWatch, StepFigures, name_causes
from pytest_throughput.text import count, duration, printable, share, significant
from pytest_throughput.worker.protocol import Outcome

__all__ = ["SECONDS", "describe", "measure_noise"]

SECONDS = 60.0
"""The time to measure, in seconds."""
_PAIRS = 5
_SLOWDOWN = 0.05
_CASES = (1, 10)
_WIDTH = 80


def measure_noise(interpreter: Interpreter) -> Answer:
    """Measure for a minute, and return the noise, its causes and what the gate would find."""
    holders: list[int | None] = []
    locks = Locks(lambda _, holder: holders.append(holder))
    with ExitStack() as stack:
        stack.callback(locks.release)
        try:
            locks.hold(cpu_names(), give_up=lambda: True)
        except TimeoutError:
            who = "another run" if holders[0] is None else f"the run of process {holders[0]}"
            return _nothing(f"{who} measures on these processors; repeat this when it has ended")
        except OSError as error:
            return _nothing(f"the processors cannot be locked: {error}")
        note(f"measuring for {SECONDS:.0f} s; leave the machine alone meanwhile")
        watch = MachineWatch()
        try:
            with closing(EqualWorkers(interpreter)) as workers:
                found = measure_equal_processes(workers, SECONDS, watch.look)
        except (NotMeasured, OSError) as error:
            return _nothing(str(error))
        return Answer(describe(found, watch.figures(), who_computes()))


def _nothing(reason: str) -> Answer:
    problem = f"pytest-throughput: the noise was not measured: {printable(reason)}"
    return Answer(status=ExitCode.NOTHING_MEASURED, problem=problem)


def describe(found: EqualProcesses, machine: MachineFigures, who: str = "") -> str:
    """Return the text for a terminal, of lines of at most 80 characters."""
    slices, sequence, live = map(deviation_about_zero, (found.slice_ratios, found.sequence_ratios, found.pair_ratios))
    step = _step_figures(found, max(sequence.value, live.value))
    seconds = statistics.median(map(step_seconds, found.kept_memory))
    rules = Rules()
    title = f"Noise: equal processes, {len(found.processes)} of them, with one thread and a step of {duration(seconds)}"
    return "\n".join(
        [
            title,
            "    standard deviation of the log ratio of         95 % interval    ratios",
            _row("two slices of one process", slices),
            _row("two processes, one after the other", sequence),
            _row("the two processes of a live pair", live),
            "Causes",
            *_wrapped(name_causes(machine, step, who)),
            f"What live pairs find in 8 of 10 runs (threshold {100 * rules.threshold:g} %, false alarms at most "
            f"{100 * rules.false_alarm_rate:g} %)",
            *_predictions(live, rules),
        ]
    )


def _row(name: str, found: Deviation) -> str:
    interval = f"{_number(found.low)} to {_number(found.high)} %"
    return f"    {name:34} {_number(found.value):>6} %  {interval:>16}  {found.count:>8}"


def _number(value: float) -> str:
    return significant(100 * value, 2)


def _wrapped(sentences: Sequence[str]) -> list[str]:
    wrapper = textwrap.TextWrapper(_WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 8, break_on_hyphens=False)
    return [line for sentence in sentences for line in wrapper.wrap(sentence)]


def _predictions(live: Deviation, rules: Rules) -> list[str]:
    """Return a table of what follows from a deviation, and in parentheses from both ends of its interval."""

    def row(title: str, shown: Callable[[float, int], str]) -> str:
        cells = []
        for cases in _CASES:
            best, low, high = (shown(deviation, cases) for deviation in (live.value, live.low, live.high))
            cells.append(best if low == high else f"{best} ({low} to {high})")
        return _prediction(title, cells)

    return [
        _prediction("", [f"runs of {count(cases, 'case')}" for cases in _CASES]),
        row(
            f"slowdown that {_PAIRS} pairs find",
            lambda deviation, cases: _slowdown(smallest_found(deviation, _PAIRS, cases, rules)),
        ),
        row(
            f"pairs that find one of {100 * _SLOWDOWN:g} %",
            lambda deviation, cases: _pairs(pairs_needed(deviation, _SLOWDOWN, cases, rules)),
        ),
    ]


def _prediction(title: str, cells: Sequence[str]) -> str:
    return f"    {title:28}" + "".join(f"{cell:24}" for cell in cells).rstrip()


def _slowdown(found: float | None) -> str:
    if found is None:
        return f">×{1 + LARGEST_SLOWDOWN:.0f}"
    return share(found) if found <= 1 else f"×{significant(1 + found, 2)}"


def _pairs(needed: int | None) -> str:
    return f">{MOST_PAIRS}" if needed is None else str(needed)


def _step_figures(found: EqualProcesses, deviation: float) -> StepFigures:
    kept, system = found.kept_memory, found.with_system_allocator

    def faults(processes: Sequence[Outcome]) -> float:
        return statistics.median(measurement_of(each).page_faults_per_step or 0.0 for each in processes)

    def noise(processes: Sequence[Outcome]) -> float:
        return math.sqrt(2) * statistics.stdev(math.log(step_seconds(each)) for each in processes)

    return StepFigures(
        deviation=deviation,
        waiting_share=found.waiting_share,
        faults=faults(kept),
        faults_of_system=faults(system),
        ratio_of_system=statistics.median(map(step_seconds, system)) / statistics.median(map(step_seconds, kept)),
        noise_of_system=noise(system),
        noise=noise(kept),
    )
