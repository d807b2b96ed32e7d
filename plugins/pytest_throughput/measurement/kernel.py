"""What a profiler says about a step: its operators, or on a GPU its kernels, and how long each took."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence

__all__ = ["KINDS", "LONGEST_NAME", "MOST_KERNELS", "Kernel", "Profile", "kernels_to_json"]

KINDS = ("convolution", "matrix product", "normalisation", "pooling", "element-wise", "copy", "other")
"""The classes of operators, the same for every framework and device."""
MOST_KERNELS = 200
"""The most operators that are recorded one by one."""
LONGEST_NAME = 300
"""The most characters of a recorded name: kernels that are instances of C++ templates have names of thousands."""


@dataclass(frozen=True)
class Profile:
    """What ``--throughput-profile`` asks of a trial."""

    steps: int
    """The number of steps to run under the profiler."""
    trace_file: str
    """The absolute path of the compressed Chrome trace; it ends with ``.json.gz``."""
    shown_as: str
    """What the results record as ``profile.trace``: the path of the trace relative to the folder of the result file."""


@dataclass(frozen=True)
class Kernel:
    """One operator or kernel, with all its calls in the profiled steps.

    Raise ValueError for a name that is no text, calls that are no whole number of at least 0, seconds that are no
    finite number of at least 0, or a ``kind`` that is not one of KINDS.
    """

    name: str
    """The name that the framework gives it, such as ``aten::addmm``."""
    calls: int
    seconds: float
    """The seconds on the compute device, without those of the operators that it has called."""
    kind: str = "other"
    """The class of its work: one of KINDS."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name of a kernel: expected a text, got {self.name!r}")
        if self.kind not in KINDS:
            raise ValueError(f"kind of the kernel {self.name}: expected one of {', '.join(KINDS)}, got {self.kind!r}")
        try:
            calls, seconds = int(self.calls), float(self.seconds)
            is_valid = calls == self.calls and calls >= 0 and math.isfinite(seconds) and seconds >= 0.0
        except (TypeError, ValueError, OverflowError):
            is_valid = False
        if not is_valid:
            raise ValueError(
                f"the kernel {self.name}: expected calls and seconds of at least 0, got {self.calls!r} and "
                f"{self.seconds!r}"
            )
        # JSON has no numbers of NumPy.
        object.__setattr__(self, "calls", calls)
        object.__setattr__(self, "seconds", seconds)


def kernels_to_json(kernels: Sequence[Kernel]) -> List[Dict[str, Any]]:
    """Return the rows of ``kernels`` in the results, those of the most seconds first.

    Kernels of the same name and class are one row. Beyond MOST_KERNELS rows, the rest is one row, of the class
    ``other``.
    """
    merged: Dict[Any, List[float]] = {}
    for kernel in kernels:
        name = kernel.name if len(kernel.name) <= LONGEST_NAME else kernel.name[: LONGEST_NAME - 1] + "…"
        sums = merged.setdefault((name, kernel.kind), [0, 0.0])
        sums[0] += kernel.calls
        sums[1] += kernel.seconds
    rows = [(name, kind, int(calls), seconds) for (name, kind), (calls, seconds) in merged.items()]
    rows.sort(key=lambda row: (-row[3], row[0], row[1]))
    rest = rows[MOST_KERNELS:]
    if rest:
        sums_of_rest = sum(row[2] for row in rest), math.fsum(row[3] for row in rest)
        rows[MOST_KERNELS:] = [(f"({len(rest)} others)", "other", *sums_of_rest)]
    total = math.fsum(row[3] for row in rows)
    return [
        {"name": name, "calls": calls, "seconds": seconds, "share": seconds / total if total else 0.0, "class": kind}
        for name, kind, calls, seconds in rows
    ]
