"""Measure how fast a library multiplies large matrices: the best of such rates is the peak of a CPU."""

from __future__ import annotations

import math
import time
from typing import Callable

__all__ = ["Product", "product_rate"]

Product = Callable[[int], Callable[[], object]]
"""A function of a size: it returns a function that multiplies two square matrices of that size, and waits for it."""

_LONGEST_SECONDS_BY_SIZE = {512: 0.1, 1024: 0.1, 2048: 0.02, 4096: 0.0}
"""The sizes, with the seconds of a product from which on larger sizes are not tried.

Short products find moments without other work: some ran at twice the rate of any that took 0.2 s. But where another
process keeps one of the processors busy, the threads of the shortest wait for each other most of the time. A processor
that multiplies 2048 × 2048 in less than 0.02 s has many cores, which 4096 × 4096 keeps busier."""
_SECONDS_OF_A_SIZE = 0.15
_LEAST_PRODUCTS = 2
"""The first one of a size may compile, and start threads."""


def product_rate(product: Product) -> float:
    """Return the rate of the fastest product in floating-point operations per second; a multiply-add counts as two.

    Slower products were disturbed by something. It takes about half a second on two cores.
    """
    best = 0.0
    for size, longest_seconds in _LONGEST_SECONDS_BY_SIZE.items():
        seconds = _fastest_seconds(product(size))
        best = max(best, 2 * size**3 / seconds)
        if seconds >= longest_seconds:
            break
    return best


def _fastest_seconds(multiply: Callable[[], object]) -> float:
    fastest, spent, products = math.inf, 0.0, 0
    while spent < _SECONDS_OF_A_SIZE or products < _LEAST_PRODUCTS:
        start = time.perf_counter()
        multiply()
        seconds = time.perf_counter() - start
        fastest, spent, products = min(fastest, seconds), spent + seconds, products + 1
    return fastest
