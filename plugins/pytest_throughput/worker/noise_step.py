"""The step by which ``pytest-throughput doctor --noise`` measures a machine.

It computes and allocates as a framework's training step does: matrix products and a function of each element, each into
a block of memory of its own; all of them are kept until the step ends.
"""

from __future__ import annotations

import math
import sys
from typing import Any, List

from pytest_throughput.measurement.step import Step, Unsupported

__all__ = ["open_step"]

_ROWS, _NARROW, _WIDE = 256, 64, 3072
"""The sizes of the matrices. A wide one has 3 MiB: glibc maps it anew in each step unless it is told to keep memory,
and NumPy asks for huge pages from 4 MiB on, which frameworks do not."""
_LAYERS = 2


def open_step() -> Step:
    """Return the step. Raise Unsupported where NumPy cannot be imported."""
    try:
        import numpy as np
    except ImportError as error:
        reason = f"{sys.executable} cannot import numpy: {error}; name a Python that can by --interpreter NAME=COMMAND"
        raise Unsupported(reason) from None
    random = np.random.RandomState(0)
    batch, widening, narrowing = (
        random.standard_normal(shape).astype(np.float32)
        for shape in ((_ROWS, _NARROW), (_NARROW, _WIDE), (_WIDE, _NARROW))
    )
    # Values stay near 1 through the layers: tiny ones would be slow to compute with.
    widening /= math.sqrt(_NARROW)
    narrowing /= math.sqrt(_WIDE / 2)

    def run() -> List[Any]:
        kept, output = [], batch
        for _ in range(_LAYERS):
            wide = output @ widening
            active = np.maximum(wide, 0)
            output = active @ narrowing
            kept += [wide, active, output]
        return kept

    return Step(run, metadata={"versions": {"numpy": np.__version__}})
