"""A named figure of a trial, with its unit and the direction that is better."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["BETTER", "Metric"]

BETTER = ("higher", "lower")


@dataclass(frozen=True)
class Metric:
    """One figure of a trial, such as ``Metric("images_per_second", "images/s", 812.5, "higher")``.

    Raise ValueError for a value that is no finite number, a name that is no identifier, a unit that is no text, or a
    ``better`` that is neither ``"higher"`` nor ``"lower"``.
    """

    name: str
    """An identifier in lower case that ends with its unit where it has one, as in ``peak_memory_bytes``."""
    unit: str
    """The unit as it is shown after the value: ``"images/s"``, ``"s"``, ``"bytes"``; empty for a share."""
    value: float
    """A finite number; numbers of NumPy and the like are converted."""
    better: str = "higher"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ValueError(f"name of a metric: expected an identifier such as 'seconds_per_epoch', got {self.name!r}")
        if not isinstance(self.unit, str):
            raise ValueError(f"unit of {self.name}: expected a text such as 'images/s', got {self.unit!r}")
        if self.better not in BETTER:
            raise ValueError(f"better: expected one of {', '.join(BETTER)}, got {self.better!r}")
        try:
            is_finite = math.isfinite(self.value)
        except (TypeError, OverflowError):  # The value is no number, or an integer beyond any float.
            is_finite = False
        if not is_finite:
            raise ValueError(f"value of {self.name}: expected a finite number, got {self.value!r}")
        # JSON has no numbers of NumPy, such as the mean of float32 values.
        object.__setattr__(self, "value", float(self.value))
