"""How often ``history`` shows changes that are none, and ``gate --trend`` drifts; which ones they find. By simulation.

    python benchmarks/history_errors.py [--histories N]

prints the tables of docs/history.md.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pytest_throughput.gate.change_points import change_points
from pytest_throughput.gate.correlation import correlation_of
from pytest_throughput.gate.drift import Line, drifts_of

Floats = NDArray[np.float64]
Noise = Callable[[np.random.Generator, int], Floats]

LENGTHS = (10, 30, 100)
FEWEST_BESIDE = 3
"""The fewest runs before and after a simulated change."""


def normal(random: np.random.Generator, length: int) -> Floats:
    return random.standard_normal(length)


def heavy_tailed(random: np.random.Generator, length: int) -> Floats:
    """Return values of Student's t with 3 degrees of freedom, with standard deviation 1."""
    return np.asarray(random.standard_t(3, length) / np.sqrt(3))


def contended(random: np.random.Generator, length: int) -> Floats:
    """Return normal values, of which one in ten is lower by 5 to 50 standard deviations."""
    return random.standard_normal(length) - (random.random(length) < 0.1) * random.uniform(5, 50, length)


def correlated(random: np.random.Generator, length: int) -> Floats:
    """Return normal values of which each is correlated with the next by 0.3."""
    values = random.standard_normal(length)
    for index in range(1, length):
        values[index] = 0.3 * values[index - 1] + np.sqrt(1 - 0.3**2) * values[index]
    return values


def calmer(random: np.random.Generator, length: int) -> Floats:
    """Return normal values, with thrice the standard deviation in the first third."""
    return random.standard_normal(length) * np.where(np.arange(length) < length // 3, 3, 1)


NOISES: dict[str, Noise] = {
    "normal": normal,
    "heavy-tailed": heavy_tailed,
    "1 in 10 contended": contended,
    "correlated": correlated,
}


def false_changes(
    random: np.random.Generator, noise: Noise, length: int, histories: int, cases: int = 1, common: float = 0.0
) -> float:
    """Return the share of histories of so many cases without a change that show a change.

    ``common``: the share of the variance that all cases have in common, as that of the machine in a run.
    """
    shown = 0
    for _ in range(histories):
        of_run = math.sqrt(common) * noise(random, length) if common else 0.0
        shown += any(change_points([of_run + math.sqrt(1 - common) * noise(random, length) for _ in range(cases)]))
    return shown / histories


def changes_found(
    random: np.random.Generator, noise: Noise, length: int, size: float, histories: int
) -> tuple[float, float, float]:
    """Return the share of changes, of so many standard deviations, that are found within one run.

    Return also the share of histories that show more than one change, and the share of the changes found whose interval
    contains the size.
    """
    found = further = covered = 0
    for _ in range(histories):
        position = int(random.integers(FEWEST_BESIDE, length - FEWEST_BESIDE, endpoint=True))
        values = noise(random, length)
        true = size * random.choice((-1, 1))
        values[position:] += true
        (changes,) = change_points([values])
        near = [change for change in changes if abs(change.position - position) <= 1]
        found += bool(near)
        further += len(changes) > 1
        covered += any(change.low <= true <= change.high for change in near)
    return found / histories, further / histories, covered / max(found, 1)


def correlations_seen(random: np.random.Generator, noise: Noise, length: int, histories: int) -> tuple[float, float]:
    """Return the share of histories without a change whose correlation is seen, and of those that show a change."""
    seen: dict[bool, list[bool]] = {True: [], False: []}
    for _ in range(histories):
        values = noise(random, length)
        (changes,) = change_points([values])
        levels = np.split(values, [change.position for change in changes])
        seen[bool(changes)].append(correlation_of([levels]) is not None)
    return sum(map(sum, seen.values())) / histories, sum(seen[True]) / max(len(seen[True]), 1)


def passing_levels_found(random: np.random.Generator, length: int, histories: int, cases: int = 1) -> float:
    """Return the share of levels of which both ends are found.

    Of so many cases, one is 5 standard deviations lower for a third of the runs.
    """
    found = 0
    for _ in range(histories):
        ends = (length // 3, 2 * length // 3)
        values, *steady = (normal(random, length) for _ in range(cases))
        values[slice(*ends)] -= 5
        changes, *_ = change_points([values, *steady])
        found += all(any(abs(change.position - end) <= 1 for change in changes) for end in ends)
    return found / histories


def drifts_shown(
    random: np.random.Generator, noise: Noise, runs: int, cases: int, drift: float, repetitions: int
) -> float:
    """Return the share of runs that warn of a drift, of so many standard deviations a run in the first case."""
    warned = 0
    for _ in range(repetitions):
        values = np.stack([noise(random, runs) for _ in range(cases)])
        values[0] -= drift * np.arange(runs)
        # Of the threshold, which hides small drifts, nothing is simulated.
        lines = [Line(each.tolist(), [0] * runs, least=0.0) for each in values]
        warned += any(each is not None for each in drifts_of(lines, 0.01))
    return warned / repetitions


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=400, help="of each cell. Default: 400.")
    histories = parser.parse_args(arguments).histories
    random = np.random.default_rng(18)

    print("histories without a change that show a change")
    for name, noise in NOISES.items():
        print(
            f"  {name:18}",
            *(f"{length} runs: {false_changes(random, noise, length, histories):.1%}" for length in LENGTHS),
        )

    fewer = -(-histories // 10)
    share = false_changes(random, normal, 30, fewer, cases=30)
    print(f"  30 cases of 30 runs, normal: {share:.1%} (of {fewer})")

    print("changes: found within a run, histories with more than one, interval covers the size")
    for name in ("normal", "heavy-tailed"):
        for size in (3.0, 5.0):
            for length in LENGTHS:
                found, further, covered = changes_found(random, NOISES[name], length, size, histories)
                print(f"  {name:18} {size:.0f} SD, {length:3} runs: {found:.1%} {further:.1%} {covered:.1%}")

    print("both ends of a level that is left again, 5 SD, a third of the runs")
    for length in LENGTHS[1:]:
        print(f"  {length:3} runs: {passing_levels_found(random, length, histories):.1%}")

    print("runs that warn of a drift, where there is none")
    for name, noise in NOISES.items():
        for runs in (5, 10, 20):
            shown = [
                f"{cases} cases: {drifts_shown(random, noise, runs, cases, 0.0, 10 * histories):.2%}"
                for cases in (1, 10)
            ]
            print(f"  {name:18} {runs:3} runs:", *shown)
    print("runs that warn of a drift in one case of 10, in SD a run over 20 accepted runs and this one")
    for drift in (0.1, 0.2, 0.3, 0.5, 1.0):
        print(f"  {drift} SD: {drifts_shown(random, normal, 21, 10, drift, histories):.1%}")
    print_limits(np.random.default_rng(19), histories)


def print_limits(random: np.random.Generator, histories: int) -> None:
    """Print what happens with noise that changes or is correlated, with many cases, and with small changes."""
    print("histories without a change that show a change, with thrice the noise in the first third")
    for length in LENGTHS:
        print(f"  {length:3} runs: {false_changes(random, calmer, length, histories):.1%}")
    print("histories whose correlation is seen, of all without a change, and of those that show one")
    for name in ("normal", "correlated"):
        for length in LENGTHS:
            of_all, of_shown = correlations_seen(random, NOISES[name], length, histories)
            print(f"  {name:18} {length:3} runs: {of_all:.1%} {of_shown:.1%}")
    fewer = -(-histories // 10)
    share = false_changes(random, normal, 30, fewer, cases=30, common=0.8)
    print(f"  30 cases of 30 runs, with 80 % of the variance in common: {share:.1%} (of {fewer})")
    print("both ends of a level that is left again, in one case of several over 30 runs")
    for cases in (10, 30):
        print(f"  {cases} cases: {passing_levels_found(random, 30, fewer, cases):.1%} (of {fewer})")
    print("changes by 2 SD: found within a run, histories with more than one, interval covers the size")
    for length in LENGTHS:
        found, further, covered = changes_found(random, normal, length, 2.0, histories)
        print(f"  {length:3} runs: {found:.1%} {further:.1%} {covered:.1%}")


if __name__ == "__main__":
    main()
