"""Update: how many images per second a network is trained with, weight update included."""

from __future__ import annotations

from dlworkloads.case import Case
from dlworkloads.matrix import MeasureCase


def test_update(update_case: Case, measure_case: MeasureCase) -> None:
    """Measure one forward pass, the loss, one backward pass, and the optimiser's update of every weight."""
    measure_case(update_case)
