"""A CPU's peak: the best rate of a product of matrices among the libraries of a run.

The steps of a run bring the products. They are measured in the workers, where the library is imported and the number
of threads is set, after the rounds of a few trials. The peak is known at the end of the run, from all of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any

from pytest_throughput.telemetry.peaks import Peak
from pytest_throughput.telemetry.utilisation import flops_rate

__all__ = ["ProductTrials", "peak_by_products", "peak_key"]

_AT_MOST = 3


class ProductTrials:
    """Chooses the trials that measure products: the first one of each framework and precision.

    Up to two more do while a trial with the same setting is faster than the peak so far: something may have held up the
    products.
    """

    def __init__(self) -> None:
        self._times: Counter[Hashable] = Counter()
        self._peaks: dict[Hashable, float] = {}
        self._fastest: dict[Hashable, float] = {}

    def needs(self, opened: Hashable) -> bool:
        """Return whether the next trial of what ``opened`` names has to measure its products."""
        is_exceeded = any(self._fastest.get(key, 0.0) > peak for key, peak in self._peaks.items())
        return self._times[opened] < (_AT_MOST if is_exceeded else 1)

    def note(
        self, opened: Hashable, metadata: Mapping[str, Any], images_per_second: float | None, *, was_asked: bool
    ) -> None:
        """Note a trial that has ended.

        ``images_per_second``: None if it counts no items. ``was_asked``: whether it was asked to measure its products.
        Memory may not have sufficed for them.
        """
        key, peak = peak_key(metadata), peak_by_products(metadata)
        self._times[opened] += was_asked
        self._fastest[key] = max(self._fastest.get(key, 0.0), flops_rate(metadata, images_per_second) or 0.0)
        if peak is not None:
            self._peaks[key] = max(self._peaks.get(key, 0.0), peak.flops)


def peak_key(metadata: Mapping[str, Any]) -> Hashable:
    """Return what a CPU's peak depends on: the device, the precision and the number of threads."""
    return str(metadata.get("device")), str(metadata.get("precision")), str(_threads(metadata))


def _threads(metadata: Mapping[str, Any]) -> Any:
    """Return the number of threads that a step was asked to use, or, if it does not tell that, the number it has.

    A library may take fewer threads than it is asked for, and others that were asked for as many show what it could
    have reached.
    """
    settings = metadata.get("settings")
    if not isinstance(settings, dict):
        return None
    asked = settings.get("threads_asked")
    return settings.get("threads") if asked is None else asked


def peak_by_products(metadata: Mapping[str, Any]) -> Peak | None:
    """Return the best of the products that a trial has measured; None if it has measured none."""
    products = metadata.get("product_flops")
    rates = {name: rate for name, rate in products.items() if _is_rate(rate)} if isinstance(products, dict) else {}
    if not rates:
        return None
    library, threads = max(rates, key=lambda name: rates[name]), _threads(metadata)
    where = f", {threads} thread{'' if threads == 1 else 's'}" if isinstance(threads, int) else ""
    return Peak(rates[library], "measured", f"a large product of matrices by {library}{where}")


def _is_rate(value: Any) -> bool:
    return isinstance(value, (int, float)) and 0 < value < math.inf
