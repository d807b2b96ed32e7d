"""Phases: how long each part of a whole job takes, from folders of JPEG files to a trained network."""

from __future__ import annotations

from dlworkloads.case import Case
from dlworkloads.matrix import MeasureCase


def test_phases(phases_case: Case, measure_case: MeasureCase) -> None:
    """Measure one phase; the job runs once, with the test of its first phase, and the others take their part."""
    measure_case(phases_case)
