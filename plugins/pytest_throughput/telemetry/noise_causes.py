"""Name the causes of noise that a measurement shows, and what helps against each. Nothing is changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_throughput.telemetry.cgroup import PROC, SYS, read_text, throttled_seconds
from pytest_throughput.telemetry.cpu import cores_of_processors
from pytest_throughput.telemetry.cpu_load import read_cpu, summarise_cpu
from pytest_throughput.text import share, significant

__all__ = ["MachineFigures", "MachineWatch", "StepFigures", "name_causes"]

_BUSY_SHARE = 0.05
_WAITING_SHARE = 0.01
_STOLEN_SHARE = 0.01
_THROTTLED_SHARE = 0.001
_FREQUENCY_RATIO = 1.03
_MANY_FAULTS = 100
"""Page faults of a step, at a quarter to one microsecond each, that are worth a sentence."""
_MUCH_NOISIER = 2.0
_NOISY = 0.03
"""The deviation from which noise without a visible cause is explained by the host of a virtual machine: the gate's
threshold."""


@dataclass(frozen=True)
class MachineFigures:
    """Figures of the machine during a measurement; None where they are unknown."""

    processors: int
    others_processors: float | None
    """The processors that processes other than ours kept busy, on average."""
    steal_share: float | None
    """The share of the processors' time that the hypervisor gave to other virtual machines."""
    throttled_share: float | None
    """The share of the time in which a cgroup's CPU quota was used up."""
    frequencies_ghz: tuple[float, ...]
    """The frequency of the fastest processor, each time that a process had been measured; empty if unknown."""
    is_virtual: bool
    shares_cores: bool
    """Whether two of the processors that may be used are hardware threads of one core."""


@dataclass(frozen=True)
class StepFigures:
    """Figures of the processes that ran the step."""

    deviation: float
    """The larger deviation of log ratios of equal processes, measured in sequence or in live pairs."""
    waiting_share: float | None
    """The share of the measured time in which the step could have run and had no processor."""
    faults: float
    """The page faults of a step while the C library keeps its memory."""
    faults_of_system: float
    """The page faults of a step with the C library as it is."""
    ratio_of_system: float
    """Seconds of a step with the C library as it is ÷ seconds while it keeps its memory."""
    noise_of_system: float
    """The deviation between processes with the C library as it is."""
    noise: float
    """The same while it keeps its memory."""


class MachineWatch:
    """Reads what the machine does, from its making until ``figures``."""

    def __init__(self, proc: Path = PROC, sys: Path = SYS) -> None:
        self._proc, self._sys = proc, sys
        self._frequencies: list[float] = []
        self._before = read_cpu(proc, sys)
        self._own_before, self._throttled_before = _own_seconds(), throttled_seconds(proc, sys)

    def look(self) -> None:
        """Note the frequency. Called when a process has just been measured: an idle processor lowers it."""
        found = list(_frequencies_ghz(self._sys))
        if found:
            self._frequencies.append(max(found))

    def figures(self) -> MachineFigures:
        """Return what happened since the beginning. Processes of ours that have ended count as ours."""
        after, processors = read_cpu(self._proc, self._sys), os.cpu_count() or 1
        load, _ = summarise_cpu(self._before, after)
        seconds = after.at - self._before.at
        throttled = throttled_seconds(self._proc, self._sys)
        busy = load["busy_share"]
        return MachineFigures(
            processors=processors,
            others_processors=None
            if busy is None
            else max(0.0, busy * processors - (_own_seconds() - self._own_before) / seconds),
            steal_share=load["steal_share"],
            throttled_share=None
            if throttled is None or self._throttled_before is None
            else (throttled - self._throttled_before) / seconds,
            frequencies_ghz=tuple(self._frequencies),
            is_virtual=" hypervisor" in (read_text(self._proc / "cpuinfo") or ""),
            shares_cores=any(len(numbers) > 1 for numbers in cores_of_processors(self._sys).values()),
        )


def _own_seconds() -> float:
    """Return the processor time of this process and of its children that have ended."""
    return sum(os.times()[:4])


def _frequencies_ghz(sys: Path) -> Iterator[float]:
    for file in sys.glob("devices/system/cpu/cpu*/cpufreq/scaling_cur_freq"):
        text = read_text(file) or ""
        if text.isdecimal():
            yield int(text) / 1e6


def name_causes(machine: MachineFigures, step: StepFigures, who: str = "") -> list[str]:
    """Return a sentence for each cause that the figures show: what was seen, and what helps.

    ``who``: the processes that compute just now, such as ``: cc1 (4711)``.
    """
    of_machine = list(_of_machine(machine, step, who))
    found = [*of_machine, *_of_allocator(step)]
    if step.deviation >= _NOISY and not of_machine:
        found.append(
            "virtual machine: nothing else was seen from inside; other guests of the host share its caches, memory and "
            "clocks; measure in live pairs, or on a machine of its own"
            if machine.is_virtual
            else "nothing was seen that explains this noise; measure in live pairs"
        )
    unknown = {
        "frequency": not machine.frequencies_ghz,
        "steal": machine.steal_share is None,
        "waiting for a processor": step.waiting_share is None,
    }
    unread = [name for name, is_unknown in unknown.items() if is_unknown]
    return [*(found or ["none was seen"]), *([f"cannot be read here: {', '.join(unread)}"] if unread else [])]


def _of_machine(machine: MachineFigures, step: StepFigures, who: str) -> Iterator[str]:
    others = machine.others_processors or 0.0
    are_busy = others > _BUSY_SHARE * machine.processors
    is_throttled = (machine.throttled_share or 0.0) > _THROTTLED_SHARE
    # A process whose cgroup is held up waits for a processor as well.
    seen = step.waiting_share
    waited = "" if seen is None else f"the step waited for a processor in {share(seen)} of its time; "
    if are_busy or ((step.waiting_share or 0.0) > _WAITING_SHARE and not is_throttled):
        yield (
            f"other programs: they kept {others:.1f} of {machine.processors} processors busy{who}; {waited}"
            "measure when they have ended, or keep processors free for the run (taskset)"
        )
    if are_busy and machine.shares_cores:
        yield (
            "hardware threads: two processors are one core here, so that programs on the other one slow a step; give "
            "the run one of each core (taskset), or switch SMT off"
        )
    if (machine.steal_share or 0.0) > _STOLEN_SHARE:
        yield (
            f"hypervisor: it gave {share(machine.steal_share)} of the processors' time to other machines (steal); "
            "measure on a machine of its own"
        )
    if is_throttled:
        yield (
            f"CPU quota: a cgroup held its processes up for {share(machine.throttled_share)} of the time; raise the "
            "quota (such as docker run --cpus), or lower --throughput-threads"
        )
    if machine.frequencies_ghz and max(machine.frequencies_ghz) > _FREQUENCY_RATIO * min(machine.frequencies_ghz):
        low, high = min(machine.frequencies_ghz), max(machine.frequencies_ghz)
        yield (
            f"frequency: between {low:.2f} and {high:.2f} GHz; sudo cpupower frequency-set -g performance, and turn "
            "turbo off"
        )


def _of_allocator(step: StepFigures) -> Iterator[str]:
    if step.faults > _MANY_FAULTS:
        yield (
            f"allocator: the C library keeps no freed memory here, and a step takes {step.faults:,.0f} page faults; "
            "preload another one (--throughput-allocator LIBRARY, such as jemalloc)"
        )
    elif step.faults_of_system > step.faults + _MANY_FAULTS:
        longer = f"{significant(step.ratio_of_system, 2)} times as long, with " if step.ratio_of_system > 1 else ""
        differ = ""
        if step.noise_of_system > _MUCH_NOISIER * step.noise:
            differ = f", and its processes differ by {share(step.noise_of_system)} instead of {share(step.noise)}"
        yield (
            f"allocator: with --throughput-allocator system a step takes {longer}{step.faults_of_system:,.0f} page "
            f"faults instead of {step.faults:,.0f}{differ}; the figures above are with tuned, the default"
        )
