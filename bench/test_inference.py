"""Inference: how many images per second go forward through a network."""

from __future__ import annotations

from dlworkloads.case import Case
from dlworkloads.matrix import MeasureCase


def test_inference(inference_case: Case, measure_case: MeasureCase) -> None:
    """Measure one forward pass over a batch that is on the device already; no gradient graph is built."""
    measure_case(inference_case)
