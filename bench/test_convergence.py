"""Convergence: how long a whole training takes, and how accurate the network is then."""

from __future__ import annotations

from dlworkloads.case import Case
from dlworkloads.matrix import MeasureCase


def test_convergence(convergence_case: Case, measure_training: MeasureCase) -> None:
    """Train a network on every fold of its data, with a test after each epoch."""
    measure_training(convergence_case)
