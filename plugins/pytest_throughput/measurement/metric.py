"""A named figure of a trial, with its unit and the direction that is better."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Dict, Optional

__all__ = ["BETTER", "Metric"]

BETTER = ("higher", "lower")


@dataclass(frozen=True)
class Metric:
    """One figure of a trial, such as ``Metric("images_per_second", "images/s", 812.5, "higher")``.

    Raise ValueError for a value that is no finite number, a name that is no identifier, a unit that is no text, a
    ``better`` that is neither ``"higher"`` nor ``"lower"``, or a standard error below 0.
    """

    name: str
    """An identifier in lower case that ends with its unit where it has one, as in ``peak_memory_bytes``."""
    unit: str
    """The unit as it is shown after the value: ``"images/s"``, ``"s"``, ``"bytes"``; empty for a share."""
    value: float
    """A finite number; numbers of NumPy and the like are converted."""
    better: str = "higher"
    standard_error: Optional[float] = None
    """The standard error of the value that the trial itself knows of, such as that of an accuracy by its number of test
    examples; None if there is none. The gate adds it to the noise between trials, and no number of trials makes it
    smaller, since all may be tested on the same examples."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ValueError(f"name of a metric: expected an identifier such as 'seconds_per_epoch', got {self.name!r}")
        if not isinstance(self.unit, str):
            raise ValueError(f"unit of {self.name}: expected a text such as 'images/s', got {self.unit!r}")
        if self.better not in BETTER:
            raise ValueError(f"better: expected one of {', '.join(BETTER)}, got {self.better!r}")
        if not _is_finite(self.value):
            raise ValueError(f"value of {self.name}: expected a finite number, got {self.value!r}")
        # JSON has no numbers of NumPy, such as the mean of float32 values.
        object.__setattr__(self, "value", float(self.value))
        error = self.standard_error
        if error is None:
            return
        if not _is_finite(error) or error < 0:
            raise ValueError(f"standard_error of {self.name}: expected a finite number of at least 0, got {error!r}")
        object.__setattr__(self, "standard_error", float(error))

    def to_json(self) -> Dict[str, Any]:
        """Return the metric as a JSON object, without a standard error that it does not have."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except (TypeError, OverflowError):  # It is no number, or an integer beyond any float.
        return False
