"""A named figure of a trial, with its unit and the direction that is better."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["BETTER", "Metric"]

BETTER = ("higher", "lower")


@dataclass(frozen=True)
class Metric:
    """One figure of a trial, such as ``Metric("images_per_second", "images/s", 812.5, "higher")``.

    Raise ValueError for a value that is not finite, an empty name, or a ``better`` that is neither ``"higher"`` nor
    ``"lower"``.
    """

    name: str
    """An identifier in lower case that ends with its unit where it has one, as in ``peak_memory_bytes``."""
    unit: str
    """The unit as it is shown after the value: ``"images/s"``, ``"s"``, ``"bytes"``; empty for a share."""
    value: float
    better: str = "higher"

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"name of a metric: expected an identifier such as 'seconds_per_epoch', got {self.name!r}")
        if self.better not in BETTER:
            raise ValueError(f"better: expected one of {', '.join(BETTER)}, got {self.better!r}")
        if not math.isfinite(self.value):
            raise ValueError(f"value of {self.name}: expected a finite number, got {self.value!r}")
