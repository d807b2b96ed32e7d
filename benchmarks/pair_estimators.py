"""Choose the robust mean of a live pair by a seeded simulation: slices in blocks A B B A or B A A B.

Each cell gives the root mean square error of a pair's log ratio, in per cent, over 4,000 pairs whose sides are equal.
The noise of the machine is common to both sides at a time and passes by; it never is a property of one side.

    python benchmarks/pair_estimators.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Estimator = Callable[[Floats], Floats]

SLICE_NOISE = 0.02
"""Standard deviation of the logarithm of a quiet slice."""
BLOCKS = (1, 2, 3, 6, 12, 24)


def quiet(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return np.zeros(shape)


def drifting(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Return a steady slowdown of 1 % a slice, and a random walk of 1 %."""
    return np.cumsum(0.01 + 0.01 * rng.standard_normal(shape), axis=1)


def single_hits(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Return one slice in ten that is slower by up to a factor of 3."""
    return np.where(rng.random(shape) < 0.1, np.log(rng.uniform(1.1, 3.0, shape)), 0.0)


def bursts(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Return other work that comes and goes: half of the time, about four slices long, a factor of 1.5 to 2.5."""
    busy = np.zeros(shape, dtype=bool)
    busy[:, 0] = rng.random(shape[0]) < 0.5
    for index in range(1, shape[1]):
        busy[:, index] = busy[:, index - 1] ^ (rng.random(shape[0]) < 0.25)
    return np.where(busy, np.log(rng.uniform(1.5, 2.5, shape)), 0.0)


NOISES = {"quiet": quiet, "drift": drifting, "single hits": single_hits, "bursts": bursts}


def halves(logs: Floats) -> Floats:
    """Return the log ratio of each two neighbouring slices, second side minus first; ``logs``: (pairs, blocks, 4)."""
    ratios = np.stack([logs[..., 1] - logs[..., 0], logs[..., 2] - logs[..., 3]], axis=-1)
    return np.asarray(ratios.reshape(len(logs), -1))


def blocks(logs: Floats) -> Floats:
    return np.asarray(halves(logs).reshape(len(logs), -1, 2).mean(axis=-1))


def huber(values: Floats, k: float) -> Floats:
    centre = np.median(values, axis=1)
    scale = np.maximum(1.4826 * np.median(abs(values - centre[:, None]), axis=1), 1e-9)
    for _ in range(50):
        distance = abs(values - centre[:, None]) / scale[:, None]
        weights = np.minimum(1.0, k / np.maximum(distance, 1e-12))
        centre = (weights * values).sum(axis=1) / weights.sum(axis=1)
    return np.asarray(centre)


def hodges_lehmann(values: Floats) -> Floats:
    first, second = np.triu_indices(values.shape[1])
    return np.asarray(np.median((values[:, first] + values[:, second]) / 2, axis=1))


ESTIMATORS: dict[str, Estimator] = {
    "mean": lambda logs: blocks(logs).mean(axis=1),
    "median of neighbours": lambda logs: np.median(halves(logs), axis=1),
    "median of blocks": lambda logs: np.median(blocks(logs), axis=1),
    "25 % trimmed, blocks": lambda logs: np.asarray(stats.trim_mean(blocks(logs), 0.25, axis=1)),
    "Huber 1.345, blocks": lambda logs: huber(blocks(logs), 1.345),
    "Huber 1.345, neighbours": lambda logs: huber(halves(logs), 1.345),
    "Hodges-Lehmann, neighbours": lambda logs: hodges_lehmann(halves(logs)),
    "Hodges-Lehmann, blocks": lambda logs: hodges_lehmann(blocks(logs)),
    "ratio of medians": lambda logs: (
        np.median(logs[..., 1:3].reshape(len(logs), -1), axis=1)
        - np.median(logs[..., [0, 3]].reshape(len(logs), -1), axis=1)
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for noise, of_machine in NOISES.items():
        print(f"\n{noise:28}" + "".join(f"{f'{count} blocks':>10}" for count in BLOCKS))
        for name, estimator in ESTIMATORS.items():
            errors = []
            for count in BLOCKS:
                rng = np.random.default_rng([arguments.seed, count])
                shape = arguments.pairs, 4 * count
                logs = of_machine(rng, shape) + SLICE_NOISE * rng.standard_normal(shape)
                estimates = estimator(logs.reshape(arguments.pairs, count, 4))
                errors.append(100 * float(np.sqrt((estimates**2).mean())))
            print(f"{name:28}" + "".join(f"{error:10.2f}" for error in errors))


if __name__ == "__main__":
    main()
