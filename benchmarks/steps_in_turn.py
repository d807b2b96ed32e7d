"""Compare the steps of two cases in one process, block by block in turn."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from typing import Any

from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS, resolve
from dlworkloads.opening import import_workload, open_step
from pytest_throughput import Step


def ratios(cases: Sequence[dict[str, Any]], threads: int, pairs: int, seconds: float, seed: int) -> list[float]:
    """Return the ratio of the second case's seconds per step to the first's, for each pair of blocks."""
    order = (0, 1) if seed % 2 == 0 else (1, 0)
    opened = {placement: _open(Case(**cases[placement]), threads) for placement in order}
    steps = [opened[0], opened[1]]
    for step in steps:
        _block(step, 3)
    counts = [max(1, round(seconds / statistics.median(_block(step, 1) for _ in range(3)))) for step in steps]
    generator = random.Random(seed)
    found = []
    for _ in range(pairs):
        taken = {
            placement: _block(steps[placement], counts[placement]) / counts[placement]
            for placement in generator.sample((0, 1), 2)
        }
        found.append(taken[1] / taken[0])
    return found


def _open(case: Case, threads: int) -> Step:
    if case.framework == "jax" and ":" in case.model:
        # The same variables and precision as with our translation; the rest is written by hand.
        import_workload(FRAMEWORKS[case.framework], case, threads).prepare(case, threads)
        step: Step = resolve(case.model)(case)
        return step
    return open_step(**case.to_json(), threads=threads)


def _block(step: Step, count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        step.wait(step.run())
    return time.perf_counter() - started
