"""Summarise the readings of a GPU during the rounds of one trial."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from pytest_throughput.telemetry.probe import CLOCK_REASONS, Reading
from pytest_throughput.telemetry.rounds import Rounds

__all__ = ["GpuSummary", "summarise"]

_DISTURBED_SHARE = 0.05
_LEAST_ENERGY_SECONDS = 1.5
"""NVML's energy counter advances about ten times a second; over 1.5 s its error is at most 7 %."""
_LEAST_ENERGY_STEPS = 10
_AT_FULL_LOAD = 0x4
"""The bit of the power limit, which a GPU at full load often reaches: it is recorded, but is no disturbance."""
_TOO_SHORT = "the rounds did not last long enough"
_LEAST_SHARE_OF_ROUNDS = 0.9
"""The least share of the window that rounds fill, for its energy to be theirs."""


@dataclass(frozen=True)
class GpuSummary:
    """The parts of a trial's ``extra_info`` that the GPU's readings give."""

    fields: Mapping[str, Any]
    """Fields of the ``telemetry.gpu`` object; null where unknown."""
    unknown: Mapping[str, str] = field(default_factory=dict)
    """The reason for each unknown field, by its name."""
    images_per_joule: float | None = None
    disturbed_by: str | None = None
    """What disturbed the trial, such as throttling or another process on the GPU; None if nothing did."""


def summarise(
    readings: Sequence[Reading],
    rounds: Rounds,
    ours: Set[int],
    reasons: Mapping[str, str],
) -> GpuSummary:
    """Summarise the readings of one trial.

    ``ours``: ids of this run's processes. ``reasons``: why fields could not be read, by name.
    """
    during = [reading for reading in readings if rounds.window[0] <= reading.at <= rounds.window[1]]
    unknown = dict(reasons)

    def values(name: str) -> list[float]:
        found = [reading.values[name] for reading in during if name in reading.values]
        if not found:
            unknown.setdefault(name, _TOO_SHORT)
        return found

    highest_clock = max(values("highest_sm_clock_mhz"), default=None)
    bits = [int(value) for value in values("clock_reasons")]
    shares = {name: share for bit, name in CLOCK_REASONS.items() if (share := _share(bits, bit))}
    power = _Power.of(during, unknown)
    # The peak over all readings and not over the rounds alone: a network needs most memory in its first step.
    memory = [int(reading.values["memory_used_bytes"]) for reading in readings if "memory_used_bytes" in reading.values]
    # A worker that has just ended may still be listed when the next one starts, but not during the rounds.
    foreign = _foreign_processes(during or readings, ours)
    disturbances = [
        f"{name} in {share:.0%} of the time"
        for bit, name in CLOCK_REASONS.items()
        if bit != _AT_FULL_LOAD and (share := _share(bits, bit)) > _DISTURBED_SHARE
    ]
    thermally_limited = _advance(during, "thermally_limited_seconds", unknown)
    if not disturbances and (thermally_limited or 0.0) > _DISTURBED_SHARE:
        disturbances.append(f"thermal limit in {thermally_limited:.0%} of the time")
    if foreign:
        disturbances.append(f"{foreign} other {'process' if foreign == 1 else 'processes'} on the GPU")
    return GpuSummary(
        fields={
            "readings": len(during),
            "sm_clock_mhz": {**_mean_and(min, values("sm_clock_mhz")), "highest_possible": highest_clock},
            "memory_clock_mhz": _mean_and(min, values("memory_clock_mhz")),
            "temperature_celsius": _mean_and(max, values("temperature_celsius")),
            "power_watts": None if power is None else power.watts,
            "power_method": None if power is None else power.method,
            "power_seconds": None if power is None else power.seconds,
            "throttled_share": _share(bits, sum(CLOCK_REASONS)) if bits else None,
            "throttle_reasons": shares if bits else None,
            "power_limited_share": _advance(during, "power_limited_seconds", unknown),
            "thermally_limited_share": thermally_limited,
            "utilisation_percent": _mean(values("utilisation_percent")),
            "memory_peak_bytes": max(memory, default=None),
            "memory_before_bytes": memory[0] if memory else None,
            "foreign_processes": foreign,
        },
        unknown=unknown,
        images_per_joule=None if power is None else _items_per_joule(rounds, power, unknown),
        disturbed_by=", ".join(disturbances) or None,
    )


@dataclass(frozen=True)
class _Power:
    watts: float
    method: str
    window: tuple[float, float]
    """The times of the first and of the last reading."""

    @property
    def seconds(self) -> float:
        """The length of the window."""
        return self.window[1] - self.window[0]

    @classmethod
    def of(cls, during: Sequence[Reading], unknown: dict[str, str]) -> _Power | None:
        """Return the mean power by the energy counter, else by the power sensor; None for a window below 1.5 s."""
        for name, method in (("energy_joules", "energy counter"), ("power_watts", "mean of the power sensor")):
            known = [reading for reading in during if name in reading.values]
            if not known:
                unknown.setdefault(name, _TOO_SHORT)
                continue
            window, values = (known[0].at, known[-1].at), [reading.values[name] for reading in known]
            seconds = window[1] - window[0]
            if seconds < _LEAST_ENERGY_SECONDS or len(known) < _LEAST_ENERGY_STEPS:
                unknown["power_watts"] = f"{_TOO_SHORT}: {seconds:.1f} s, and {_LEAST_ENERGY_SECONDS:g} s are needed"
                return None
            if name == "power_watts":
                return cls(statistics.fmean(values), method, window)
            if len(set(values)) >= _LEAST_ENERGY_STEPS and values == sorted(values):
                return cls((values[-1] - values[0]) / seconds, method, window)
            unknown[name] = "the counter did not advance steadily"
        return None


def _items_per_joule(rounds: Rounds, power: _Power, unknown: dict[str, str]) -> float | None:
    """Return the items between the first and the last reading of the power, per joule between the same two."""
    if rounds.share_of_window < _LEAST_SHARE_OF_ROUNDS:
        filled = f"{rounds.share_of_window:.0%}"
        unknown["images_per_joule"] = f"the rounds fill {filled} of their window, whose energy is not theirs alone"
        return None
    joules = power.watts * power.seconds
    return rounds.items_between(*power.window) / joules if joules > 0 else None


def _foreign_processes(readings: Iterable[Reading], ours: Set[int]) -> int | None:
    """Return the largest number of other processes that were on the GPU at one time.

    In a container NVML reports the process ids of the host, so that the worker is not recognised: one process is then
    taken for it, and all others are counted.
    """
    seen = [reading.processes for reading in readings if reading.processes is not None]
    if not seen:
        return None
    unknown = 0 if ours else 1
    return max(max(0, len(processes - ours) - unknown) for processes in seen)


def _share(bits: Sequence[int], mask: int) -> float:
    return sum(1 for each in bits if each & mask) / len(bits) if bits else 0.0


def _advance(during: Sequence[Reading], name: str, unknown: dict[str, str]) -> float | None:
    """Return the mean advance of a counter of seconds, per second."""
    known = [reading for reading in during if name in reading.values]
    seconds = known[-1].at - known[0].at if known else 0.0
    if seconds <= 0:
        unknown.setdefault(name, _TOO_SHORT)
        return None
    return max(0.0, (known[-1].values[name] - known[0].values[name]) / seconds)


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _mean_and(extreme: Callable[[Sequence[float]], float], values: Sequence[float]) -> dict[str, float | None]:
    return {"mean": _mean(values), extreme.__name__: extreme(values) if values else None}
