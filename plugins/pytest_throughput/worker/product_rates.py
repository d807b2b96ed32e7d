"""Measure the products of matrices that an opened target brings, when everything else has been measured."""

from __future__ import annotations

from functools import partial
from typing import Dict

from pytest_throughput.measurement.product import product_rate
from pytest_throughput.measurement.step import Opened, Step
from pytest_throughput.worker.failure import result_or_none

__all__ = ["product_rates"]


def product_rates(opened: Opened) -> Dict[str, float]:
    """Return the rates of the products in operations per second, by library, without those that fail."""
    products = opened.products if isinstance(opened, Step) else {}
    rates = {library: result_or_none(partial(product_rate, product)) for library, product in products.items()}
    return {library: rate for library, rate in rates.items() if rate is not None}
