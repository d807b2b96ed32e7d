"""Simulate how often the measuring loop's claim "the median is known to 1 %" is right, and what it costs.

Each scenario is a process whose median is known. The rule of the protocol ``adaptive`` sees its rounds one by one, in a
virtual time in which a round takes 20 ms, or 100 ms. The table gives for each scenario and length of a round, over all
repetitions, before the rule allowed for correlation (it took rounds for independent, and concluded from 10) and now:

- target: trials that stopped with the claim; stable: with ``stable_noise``; the rest stopped at the plan's bounds;
- covered: how many of those claims had the true median within their 95 % interval;
- within 1 %: how many of them were really within 1 % of the true median;
- wrong: all trials that made the claim although the true median was not in the interval;
- rounds and seconds that a trial took, in the mean.

``python benchmarks/stopping_rule.py`` takes half a minute on one core. ``--repetitions`` sets the trials of each
line, ``--only TEXT`` runs the scenarios whose name contains a text. All random numbers are seeded.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any
from unittest.mock import patch

from pytest_throughput.measurement import stopping
from pytest_throughput.measurement.correlation import independent_count
from pytest_throughput.measurement.plan import PLANS
from pytest_throughput.measurement.stopping import StoppingRule, median_interval

PLAN = PLANS["adaptive"]
ROUND_SECONDS = (0.02, 0.1)
Draw = Callable[[random.Random], Iterator[float]]
Worth = Callable[[Sequence[float]], float]
RULES: dict[str, dict[str, Any]] = {
    "before": {"independent_count": len, "_LEAST_ROUNDS": 6, "_LEAST_WORTH": 6},
    "now": {"independent_count": independent_count},
}
"""The values in the module of the rule, by the name of the rule."""


@dataclass(frozen=True)
class Scenario:
    """A process of rounds whose usual length is 1."""

    name: str
    draw: Draw
    """Yield the lengths of rounds without end."""
    median: float
    """The true median."""


@dataclass(frozen=True)
class Trial:
    """How one simulated trial ended."""

    reason: str
    rounds: int
    seconds: float
    covered: bool
    """Whether the interval of the median contains the true one."""
    within: bool
    """Whether the measured median is within the plan's target of the true one."""


def autoregressive(correlation: float, deviation: float) -> Scenario:
    """Return rounds that are normal, with this standard deviation and correlation of neighbours."""

    def draw(generator: random.Random) -> Iterator[float]:
        state, rest = generator.gauss(0, 1), math.sqrt(1 - correlation**2)
        while True:
            yield 1 + deviation * state
            state = correlation * state + rest * generator.gauss(0, 1)

    kind = f"AR({correlation:g})" if correlation else "independent"
    return Scenario(f"{kind}, {100 * deviation:g} %", draw, 1.0)


def two_states(low: int, high: int, slower: float = 1.3, noise: float = 0.005) -> Scenario:
    """Return rounds of a machine that is ``slower`` for a while, with the mean numbers of rounds in each state."""

    def draw(generator: random.Random) -> Iterator[float]:
        is_high = generator.random() < high / (low + high)
        while True:
            yield (slower if is_high else 1.0) * (1 + noise * generator.gauss(0, 1))
            if generator.random() < 1 / (high if is_high else low):
                is_high = not is_high

    def below(value: float) -> float:
        shares = (low, NormalDist(1, noise)), (high, NormalDist(slower, slower * noise))
        return sum(rounds * state.cdf(value) for rounds, state in shares) / (low + high)

    least, most = 0.5, 2.0
    for _ in range(60):
        middle = (least + most) / 2
        least, most = (middle, most) if below(middle) < 0.5 else (least, middle)
    return Scenario(f"two states x{slower:g}, {low} and {high} rounds", draw, least)


def drifting(share: float, noise: float = 0.005) -> Scenario:
    """Return rounds that get longer by this share over the plan's most rounds; the median is theirs."""

    def draw(generator: random.Random) -> Iterator[float]:
        rounds = 0
        while True:
            yield (1 + share * rounds / PLAN.max_rounds) * (1 + noise * generator.gauss(0, 1))
            rounds += 1

    return Scenario(f"drift of {100 * share:g} % in {PLAN.max_rounds} rounds", draw, 1 + share / 2)


def stalling(probability: float, noise: float = 0.005) -> Scenario:
    """Return rounds of which few are longer by twice their length, in the mean."""

    def draw(generator: random.Random) -> Iterator[float]:
        while True:
            stall = generator.expovariate(0.5) if generator.random() < probability else 0.0
            yield (1 + noise * generator.gauss(0, 1)) * (1 + stall)

    median = 1 + noise * NormalDist().inv_cdf(0.5 / (1 - probability))
    return Scenario(f"stalls in {100 * probability:g} % of rounds", draw, median)


SCENARIOS = (
    *(autoregressive(0.0, deviation) for deviation in (0.005, 0.02, 0.05)),
    *(autoregressive(correlation, deviation) for correlation in (0.5, 0.9, 0.97) for deviation in (0.005, 0.02)),
    *(two_states(rounds, rounds) for rounds in (1, 3, 10, 30, 100, 300)),
    *(two_states(4 * rounds, rounds) for rounds in (3, 10, 30)),
    drifting(0.02),
    drifting(0.1),
    stalling(0.02),
)


def trial(scenario: Scenario, seed: str, round_seconds: float, worth: Worth) -> Trial:
    """Simulate one trial until the rule stops it. ``worth``: how the rule counts independent rounds."""
    rule, rounds, seconds, reason = StoppingRule(PLAN), list[float](), 0.0, None
    lengths = scenario.draw(random.Random(seed))
    while reason is None:
        rounds.append(round_seconds * next(lengths))
        seconds += rounds[-1]
        reason = rule.reason_to_stop(rounds, seconds)
    median = round_seconds * scenario.median
    low, high = median_interval(rounds, worth=worth(rounds)) or (0.0, math.inf)
    assert PLAN.target is not None
    within = abs(statistics.median(rounds) / median - 1) <= PLAN.target
    return Trial(reason, len(rounds), seconds, low <= median <= high, within)


def line(trials: list[Trial]) -> str:
    """Return the figures of one scenario."""
    claims = [each for each in trials if each.reason == "target"]
    wrong = sum(not each.covered for each in claims) / len(trials)

    def share(found: int) -> str:
        return f"{found / len(claims):7.0%}" if claims else f"{'-':>7}"

    stable = sum(each.reason == "stable_noise" for each in trials) / len(trials)
    rounds, seconds = (statistics.mean(getattr(each, name) for each in trials) for name in ("rounds", "seconds"))
    claimed = f"{len(claims) / len(trials):7.0%} {stable:7.0%}"
    right = f"{share(sum(each.covered for each in claims))} {share(sum(each.within for each in claims)):>9}"
    return f"{claimed} {right} {wrong:7.1%} {rounds:7.0f} {seconds:8.1f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Simulate the coverage of the claim that ends a trial.")
    parser.add_argument("--repetitions", type=int, default=500)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    columns = ("target", "stable", "covered", "within 1%", "wrong", "rounds", "seconds")
    heading = " ".join(f"{name:>{width}}" for name, width in zip(columns, (7, 7, 7, 9, 7, 7, 8), strict=True))
    for round_seconds in ROUND_SECONDS:
        print(f"\n{f'rounds of {1000 * round_seconds:g} ms':35} {'rule':6} {heading}")
        for scenario in SCENARIOS:
            if given.only not in scenario.name:
                continue
            for name, values in RULES.items():
                with patch.multiple(stopping, **values):
                    seeds = (f"{scenario.name} {number}" for number in range(given.repetitions))
                    trials = [trial(scenario, seed, round_seconds, values["independent_count"]) for seed in seeds]
                print(f"{scenario.name if name == 'before' else '':35} {name:6} {line(trials)}", flush=True)


if __name__ == "__main__":
    main()
