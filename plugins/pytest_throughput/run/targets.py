"""The arguments of ``measure_isolated``, which the marker ``throughput_target`` takes as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_throughput.run.arguments import check_target, whole_number_of_items

__all__ = ["Target", "read_target", "target_of"]


@dataclass(frozen=True)
class Target:
    """The arguments of the fixture ``measure_isolated``, which explains them; they have been checked."""

    target: str
    arguments: Mapping[str, Any]
    items: int
    device: str
    interpreter: str
    largest: str | None
    phase: str | None
    variables: Mapping[str, str]

    @property
    def has_slices(self) -> bool:
        """Whether it can be measured slice by slice, as neither a phase can nor a search for the largest batch."""
        return self.phase is None and self.largest is None


def read_target(
    target: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    items: int = 1,
    device: str = "cpu",
    interpreter: str = "python",
    largest: str | None = None,
    phase: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> Target:
    """Return the arguments of ``measure_isolated``. Raise ValueError or TypeError for wrong ones."""
    __tracebackhide__ = True
    arguments, variables = arguments or {}, variables or {}
    check_target(target, arguments, device, variables)
    items = whole_number_of_items(items)
    if phase is not None and (items != 1 or largest is not None):
        raise ValueError("phase: leave out items and largest, since a phase itself counts its items")
    return Target(target, arguments, items, device, interpreter, largest, phase, variables)


def target_of(item: pytest.Item) -> Target | None:
    """Return what the test's marker says that it will measure; None without one.

    Raise pytest.UsageError for a marker with wrong arguments.
    """
    marker = item.get_closest_marker("throughput_target")
    if marker is None:
        return None
    try:
        return read_target(*marker.args, **marker.kwargs)
    except (TypeError, ValueError) as error:
        raise pytest.UsageError(
            f"{item.nodeid}: throughput_target takes the arguments of measure_isolated: {error}"
        ) from None
