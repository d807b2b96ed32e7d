"""Training: how many images per second go forward and back through a network."""

from __future__ import annotations

from dlworkloads.case import Case
from dlworkloads.matrix import MeasureCase


def test_training(training_case: Case, measure_case: MeasureCase) -> None:
    """Measure one forward pass, the loss, one backward pass; every gradient is computed, no weight is updated."""
    measure_case(training_case)
