"""The rate of a product of matrices is that of the fastest one, whatever slowed down the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat

import pytest
import virtual_clock

from pytest_throughput.measurement.product import product_rate


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.perf_counter", virtual_clock.read)


class Library:
    """A library that multiplies at a rate, slowed down by the given factors in turn."""

    def __init__(self, flops: float, slowness: Iterator[float]) -> None:
        self._flops = flops
        self._slowness = slowness
        self.sizes: list[int] = []

    def product(self, size: int) -> Callable[[], object]:
        self.sizes.append(size)
        return lambda: virtual_clock.move(2 * size**3 / self._flops * next(self._slowness))


@pytest.mark.parametrize(
    ("flops", "sizes"),
    [
        (1e9, [512]),
        (1e10, [512, 1024]),
        (1e11, [512, 1024, 2048]),
        (3e12, [512, 1024, 2048, 4096]),
    ],
)
def test_larger_matrices_are_tried_where_they_may_be_faster(flops: float, sizes: list[int]) -> None:
    library = Library(flops, repeat(1.0))
    before = virtual_clock.now_seconds
    assert product_rate(library.product) == pytest.approx(flops)
    assert library.sizes == sizes
    assert virtual_clock.now_seconds - before < 1.0


def test_slow_products_do_not_count() -> None:
    """The first one compiles, and other work holds up most of the others."""
    library = Library(1e11, iter([50.0, 3.0, 1.0, *[2.0] * 1000]))
    assert product_rate(library.product) == pytest.approx(1e11)
