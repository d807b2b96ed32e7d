"""Simulate the gate on live pairs: processes that differ, and other work on the machine that comes and goes.

A pair has 6 blocks of four slices. The logarithm of a slice's seconds is the sum of its process, the machine at that
time (``pair_estimators.NOISES``: common to both sides, and passing by) and the noise of the slice. Processes are
Gaussian, heavy-tailed (Student's t, 3 degrees of freedom) or two-humped (fast or slow by chance). The table gives, in
per cent: runs with a false alarm, slowdowns of 5, 10 and 30 % found in one case, real slowdowns of 5 % called
unchanged, and unchanged cases that are left undecided. The means of the slices are not simulated.

    python benchmarks/gate_live_pairs.py
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from pair_estimators import NOISES, SLICE_NOISE, halves

from pytest_throughput.gate.decision import decide_live_pairs
from pytest_throughput.gate.rules import Rules
from pytest_throughput.launch.pairs import LEAST_BLOCKS

Floats = NDArray[np.float64]

RULES = Rules()
SLOWDOWNS = (0.05, 0.10, 0.30)
SPREADS = (0.003, 0.01, 0.03)
"""Standard deviations of the logarithm of a process's speed."""
PAIRS = (5, 8)
CASES = (1, 10)


def gaussian(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.standard_normal(shape)


def heavy_tailed(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.standard_t(3, shape) / math.sqrt(3)


def two_humped(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Return two states that lie two standard deviations apart, each with a tenth of the spread."""
    return rng.choice((-1.0, 1.0), shape) + 0.1 * rng.standard_normal(shape)


PROCESSES: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Floats]] = {
    "gaussian": gaussian,
    "heavy-tailed": heavy_tailed,
    "two-humped": two_humped,
}


def differences(
    rng: np.random.Generator, process: str, spread: float, noise: str, runs: int, cases: int, pairs: int
) -> Floats:
    """Return log(speed of head ÷ speed of base) of live pairs with equal sides, of shape (runs, cases, pairs)."""
    count = runs * cases * pairs
    shape = count, 4 * LEAST_BLOCKS
    slices = NOISES[noise](rng, shape) + SLICE_NOISE * rng.standard_normal(shape)
    measured = np.median(halves(slices.reshape(count, LEAST_BLOCKS, 4)), axis=1)
    of_processes = spread * (PROCESSES[process](rng, (count,)) - PROCESSES[process](rng, (count,)))
    return -(measured + of_processes).reshape(runs, cases, pairs)


def rates(process: str, spread: float, noise: str, runs: int, cases: int, pairs: int) -> Iterator[float]:
    """Return the rates of the table's row, as shares."""
    rng = np.random.default_rng([runs, cases, pairs, round(1e4 * spread), *noise.encode(), *process.encode()])
    calm = decide_live_pairs(differences(rng, process, spread, noise, runs, cases, pairs), RULES)
    yield float(calm.regressed.any(axis=-1).mean())
    missed = 0.0
    for slowdown in SLOWDOWNS:
        slowed = differences(rng, process, spread, noise, runs, cases, pairs)
        slowed[:, 0] -= math.log1p(slowdown)
        decisions = decide_live_pairs(slowed, RULES)
        yield float(decisions.regressed[:, 0].mean())
        missed = missed if slowdown != 0.05 else float(decisions.unchanged[:, 0].mean())
    yield missed
    yield 1 - float((calm.unchanged | calm.regressed | calm.improved).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="for each cell; default 1,000")
    runs = parser.parse_args().runs
    columns = ["processes", "SD", "machine", "cases", "pairs", "false alarms"]
    columns += [*(f"{slowdown:.0%} found" for slowdown in SLOWDOWNS), "5% missed", "undecided"]
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for process in PROCESSES:
        for spread in SPREADS:
            for noise in NOISES:
                for cases in CASES:
                    for pairs in PAIRS:
                        row = rates(process, spread, noise, runs, cases, pairs)
                        cells = [process, f"{spread:.1%}", noise, str(cases), str(pairs)]
                        print("| " + " | ".join([*cells, *(f"{100 * rate:.1f}" for rate in row)]) + " |", flush=True)


if __name__ == "__main__":
    main()
