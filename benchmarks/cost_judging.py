"""Try plans of measuring and judging on runs that are drawn from recorded units, and find what they cost.

A plan says how many units a tool measures on each side and by which rule it decides. Its rates are those of runs whose
units are drawn without replacement and with exchanged sides; one case of a run is slowed, in turn, by more seconds on
one side. The cost is that of a case, in seconds of worker processes, one at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pytest_throughput.gate.confirmation import Look
from pytest_throughput.gate.rules import Rules

__all__ = ["SLOWDOWNS", "CaseRules", "Judge", "Plan", "Pool", "Rates", "asv_rules", "cheapest", "in_looks"]
__all__ += ["limits_of_sessions", "significance_of_sessions", "with_rules"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SLOWDOWNS = (0.05, 0.10, 0.30)
"""As shares of the seconds."""
_MISSED = 0.05
"""The slowdown that a case without a change is to be told from."""
_MOST_ALARMS, _LEAST_FOUND, _LEAST_CLEARED, _MOST_MISSED = 0.01, 0.80, 0.80, 0.05


@dataclass(frozen=True)
class Pool:
    """Recorded units of a tool, by case."""

    cases: tuple[str, ...]
    samples: tuple[Floats, ...]
    """For each case seconds per step, or statistics of them, of shape (units, 2 sides, samples)."""
    seconds: tuple[Floats, ...]
    """For each case the worker-seconds of each unit, of both sides together."""

    @property
    def units(self) -> int:
        return min(map(len, self.samples), default=0)

    @property
    def seconds_per_unit(self) -> Floats:
        """Return the mean worker-seconds of a unit of each case."""
        return np.array([each.mean() for each in self.seconds])

    def resampled(self, rng: np.random.Generator) -> Pool:
        chosen = [rng.integers(len(each), size=len(each)) for each in self.samples]
        return Pool(
            self.cases,
            tuple(each[index] for each, index in zip(self.samples, chosen, strict=True)),
            tuple(each[index] for each, index in zip(self.seconds, chosen, strict=True)),
        )

    def drawn(self, case: int, units: int, runs: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Return both sides of so many runs, each of shape (runs, units, samples)."""
        of_case = self.samples[case]
        numbers = np.argsort(rng.random((runs, len(of_case))), axis=1)[:, :units]
        side = rng.integers(2, size=numbers.shape)
        return of_case[numbers, side], of_case[numbers, 1 - side]


@dataclass(frozen=True)
class Rates:
    """How a plan fares; shares of runs or cases."""

    alarms: float
    """Runs of all cases without any change in which a case is called slower."""
    found: Mapping[float, float]
    """Slowed cases that are called slower, by slowdown."""
    cleared: float
    """Cases without a change for which the tool says so; 1 for a tool that passes whatever it does not flag."""
    missed: float
    """Cases that are slower by 5 % and pass: called unchanged, or not flagged by a tool that says nothing else."""
    seconds: Mapping[float, float]
    """Worker-seconds per case, by slowdown; 0 for a case without a change."""

    def seconds_to_decide(self, slowdown: float) -> float:
        """Return the worker-seconds per case, infinite if the plan does not do what is required."""
        if slowdown:
            is_good = self.found[slowdown] >= _LEAST_FOUND
        else:
            is_good = self.cleared >= _LEAST_CLEARED and self.missed <= _MOST_MISSED
        return self.seconds[slowdown] if is_good and self.alarms <= _MOST_ALARMS else math.inf


Plan = Callable[[Pool, int, np.random.Generator], Mapping[str, Rates]]
"""Return the rates by name of the rule, given the pool and the number of runs."""


def cheapest(rates: Mapping[str, Rates], slowdown: float) -> tuple[float, str]:
    """Return the fewest seconds with which a slowdown is found, or 0 proven, and the plan. Infinite if none does it."""
    seconds = {name: each.seconds_to_decide(slowdown) for name, each in rates.items()}
    name = min(seconds, key=seconds.__getitem__, default="")
    return seconds.get(name, math.inf), name


# ---------------------------------------------------------------------------- rules that judge each case by itself

CaseRules = Callable[[Floats, Floats, int], Mapping[str, Bools]]
"""Given both sides of shape (runs, units, samples) and the number of cases, return by each rule which are slower."""


def with_rules(rules: CaseRules, units: int) -> Plan:
    """Return a plan of so many units a side, judged by several rules."""

    def plan(pool: Pool, runs: int, rng: np.random.Generator) -> dict[str, Rates]:
        share: dict[str, dict[float, list[float]]] = {}
        for case in range(len(pool.cases)):
            base, head = pool.drawn(case, units, runs, rng)
            for slowdown in (0.0, *SLOWDOWNS):
                for name, slower in rules(base, head * (1 + slowdown), len(pool.cases)).items():
                    share.setdefault(name, {}).setdefault(slowdown, []).append(float(slower.mean()))
        seconds = dict.fromkeys((0.0, *SLOWDOWNS), units * float(pool.seconds_per_unit.mean()))
        return {
            f"{units} × {name}": Rates(
                alarms=1 - math.prod(1 - each for each in of_rule[0.0]),
                found={slowdown: float(np.mean(of_rule[slowdown])) for slowdown in SLOWDOWNS},
                cleared=1.0,
                missed=1 - float(np.mean(of_rule[_MISSED])),
                seconds=seconds,
            )
            for name, of_rule in share.items()
        }

    return plan


_ASV_FACTORS = (1.10, 1.05, 1.03, 1.02, 1.01)
"""The default of ``--factor``, and smaller ones, without which no slowdown below 10 % is ever reported."""
_ASV_P = 0.002


def asv_rules(base: Floats, head: Floats, cases: int) -> dict[str, Bools]:
    """Judge as ``asv continuous`` (0.6): the ratio of the medians above the factor, and the samples different.

    They are different if the 99 % intervals of the medians do not overlap, or with ``--record-samples`` by a two-sided
    U test at 0.2 %. All samples of a commit's rounds count as one sample each (``asv/_stats.py``, ``asv/runner.py``).
    """
    old, new = (np.sort(side.reshape(len(side), -1), axis=-1) for side in (base, head))
    count = old.shape[-1]
    ratio = np.median(new, axis=-1) / np.median(old, axis=-1)
    low, high = _ranks_of_interval(count)
    apart = (old[:, high] < new[:, low]) | (new[:, high] < old[:, low])
    u = _u_statistic(old, new)
    differs = np.minimum(u, count**2 - u) <= _critical_u(count, _ASV_P)
    return {
        f"{name}, factor {factor:.2f}": (ratio > factor) & different
        for factor in _ASV_FACTORS
        for name, different in (("interval", apart), ("U test", differs))
    }


@cache
def _ranks_of_interval(count: int) -> tuple[int, int]:
    """Return the ranks, from 0, of the ends of the 99 % interval of a median of so many samples, 8 at least."""
    below = special.bdtr(np.arange(count), count, 0.5)
    return int(np.flatnonzero(below <= 0.005)[-1]), int(np.flatnonzero(below >= 0.995)[0])


def _u_statistic(old: Floats, new: Floats) -> NDArray[np.int_]:
    """Return how many pairs of samples there are in which the new one is larger; both of shape (runs, samples)."""
    count = new.shape[-1]
    order = np.argsort(np.concatenate([old, new], axis=-1), axis=-1, kind="stable")
    ranks = np.where(order >= count, np.arange(2 * count), 0)
    return np.asarray(ranks.sum(axis=-1) - count * (count - 1) // 2)


@cache
def _critical_u(count: int, two_sided: float) -> int:
    """Return the largest U whose two-sided p is below the limit, -1 if none is; exact up to 20 samples a side."""
    if count > 20:
        z = float(special.ndtri(two_sided / 2))
        return math.ceil(count**2 / 2 + z * math.sqrt(count**2 * (2 * count + 1) / 12)) - 1
    orderings = [1]  # The coefficients of the Gaussian binomial.
    for number in range(1, count + 1):
        orderings += [0] * count
        for u in range(len(orderings) - 1, count + number - 1, -1):
            orderings[u] -= orderings[u - count - number]
        for u in range(number, len(orderings)):
            orderings[u] += orderings[u - number]
    p = 2 * np.cumsum(np.array(orderings, dtype=float)) / math.comb(2 * count, count)
    return int((p < two_sided).sum()) - 1


_PER_CENT = (3, 5, 10, 15, 20)
"""Limits of ``--benchmark-compare-fail``."""


def limits_of_sessions(base: Floats, head: Floats, cases: int) -> dict[str, Bools]:
    """Judge by ``--benchmark-compare-fail``, given the minimum, mean and median of each session of pytest-benchmark.

    Of several sessions the least minimum counts, and the mean of the means or medians.
    """
    found: dict[str, Bools] = {}
    for index, name in enumerate(("min", "mean", "median")):
        old, new = (side[..., index] for side in (base, head))
        old, new = (side.min(axis=-1) if name == "min" else side.mean(axis=-1) for side in (old, new))
        found.update({f"{name}:{limit}%": new / old > 1 + limit / 100 for limit in _PER_CENT})
    return found


def significance_of_sessions(base: Floats, head: Floats, cases: int) -> dict[str, Bools]:
    """Judge the minima of at least two sessions by tests, at the false-alarm rate of a run ÷ the number of cases."""
    units, rate = base.shape[1], _MOST_ALARMS / cases
    old, new = np.log(base[..., 0]), np.log(head[..., 0])
    of_groups = np.sqrt((old.var(axis=-1, ddof=1) + new.var(axis=-1, ddof=1)) / units)
    of_pairs = (new - old).std(axis=-1, ddof=1) / math.sqrt(units)
    difference = new.mean(axis=-1) - old.mean(axis=-1)
    return {
        "t-test": difference > -special.stdtrit(2 * units - 2, rate) * of_groups,
        "paired t-test": difference > -special.stdtrit(units - 1, rate) * of_pairs,
        "U test": units**2 - _u_statistic(old, new) <= _critical_u(units, 2 * rate),
    }


# ---------------------------------------------------------------------------- rules that judge all cases together

Judge = Callable[[Floats, Floats, Rules], tuple[Bools, Bools, Bools]]
"""Given the logarithms of speed of both sides, of shape (runs, cases, units), NaN where none is measured, and the rules
of the look, return which cases are slower, which are unchanged, and which would get further units."""


def in_looks(judge: Judge, looks: Sequence[Look]) -> Plan:
    """Return a plan that measures further units of the cases that a look has not decided, until the last look."""
    name = " → ".join(str(look.trials) for look in looks)

    def plan(pool: Pool, runs: int, rng: np.random.Generator) -> dict[str, Rates]:
        most, count = looks[-1].trials, len(pool.cases)
        slowed = np.arange(runs), np.arange(runs) % count

        def judged(slowdown: float) -> tuple[Bools, Bools, Floats]:
            sides = [pool.drawn(case, most, runs, rng) for case in range(count)]
            base, head = (-np.log(np.stack([pair[side][..., 0] for pair in sides], axis=1)) for side in (0, 1))
            head[slowed] -= math.log1p(slowdown)
            regressed, unchanged, units = _look_by_look(judge, base, head, looks)
            return regressed, unchanged, units * pool.seconds_per_unit

        regressed, unchanged, seconds = judged(0.0)
        cost, found, missed = {0.0: float(seconds.mean())}, {}, 0.0
        alarms, cleared = float(regressed.any(axis=-1).mean()), float(unchanged.mean())
        for slowdown in SLOWDOWNS:
            regressed, unchanged, seconds = judged(slowdown)
            found[slowdown], cost[slowdown] = float(regressed[slowed].mean()), float(seconds[slowed].mean())
            if slowdown == _MISSED:
                missed = float(unchanged[slowed].mean())
        return {name: Rates(alarms, found, cleared, missed, cost)}

    return plan


def _look_by_look(
    judge: Judge, base: Floats, head: Floats, looks: Iterable[Look]
) -> tuple[Bools, Bools, NDArray[np.int_]]:
    """Return which cases are slower, which are unchanged, and how many units each has got."""
    undecided = np.ones(base.shape[:2], dtype=bool)
    regressed, unchanged = ~undecided, ~undecided
    units = np.zeros(base.shape[:2], dtype=int)
    for look in looks:
        units = np.where(undecided, look.trials, units)
        measured = np.arange(base.shape[-1]) < units[..., None]
        old, new = (np.where(measured, side, np.nan)[..., : look.trials] for side in (base, head))
        now_regressed, now_unchanged, goes_on = judge(old, new, look.rules)
        regressed = np.where(undecided, now_regressed, regressed)
        unchanged = np.where(undecided, now_unchanged, unchanged)
        undecided = undecided & goes_on
        if not undecided.any():
            break
    return regressed, unchanged, units
