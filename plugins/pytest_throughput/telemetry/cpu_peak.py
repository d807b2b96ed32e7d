"""Measure the CPU's peak rate in floating-point operations per second by a large matrix product.

The file is run as a program, so that the threads and the memory of the product end with it:
``python cpu_peak.py float32`` prints one number. The environment variables set the number of threads.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["THREAD_VARIABLES", "measured_cpu_flops"]

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Environment variables that set the threads of the libraries that frameworks compute with."""
_TIMEOUT_SECONDS = 60.0
_FIRST_SIZE, _LARGEST_SIZE = 512, 8192
_LONG_ENOUGH_SECONDS = 0.015
"""The least time of a product, which keeps all threads busy; much longer ones would seldom run undisturbed."""
_SECONDS = 0.6
_LEAST_PRODUCTS = 3


def measured_cpu_flops(threads: int, dtype: str) -> float | None:
    """Return the rate of NumPy's ``float32`` or ``float64`` products with that many threads; None if it fails."""
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
    try:
        # -P: modules beside this file must not hide other modules of the same names.
        answer = subprocess.run(
            [sys.executable, "-P", str(Path(__file__)), dtype],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=True,
        )
        flops = float(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return flops if 0 < flops < math.inf else None


def _measure(dtype: str) -> float:
    """Return the rate of the fastest of several products; slower ones were disturbed by something."""
    import numpy as np

    generator = np.random.default_rng(0)
    size, fastest, spent, products = _FIRST_SIZE, 0.0, 0.0, 0
    left, right = (generator.standard_normal((size, size)).astype(dtype) for _ in range(2))
    while spent < _SECONDS or products < _LEAST_PRODUCTS:
        start = time.perf_counter()
        left @ right
        seconds = time.perf_counter() - start
        if seconds < _LONG_ENOUGH_SECONDS and size < _LARGEST_SIZE:
            # The matrix is enlarged by copying: random numbers for a large one would take longer than its product.
            size *= 2
            left, right = np.tile(left, (2, 2)), np.tile(right, (2, 2))
            continue
        fastest = max(fastest, 2 * size**3 / seconds)
        spent, products = spent + seconds, products + 1
    return fastest


if __name__ == "__main__":
    print(_measure(sys.argv[1]))
