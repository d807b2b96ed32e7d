"""Loss and accuracy, against figures worked out by hand."""

from __future__ import annotations

from math import exp, log
from typing import Any, cast

import numpy as np
import pytest

from dlworkloads.base.workload import Workload
from dlworkloads.evaluation import Evaluation


class Reading:
    """A workload of which every output is its logits."""

    @staticmethod
    def read(output: Any) -> dict[str, np.ndarray]:
        return {"logits": np.array(output, np.float32)}


def evaluation(*, binary: bool) -> Evaluation:
    return Evaluation(cast("Workload", Reading()), binary)


def test_classes_are_the_largest_logits_and_padding_is_ignored() -> None:
    found = evaluation(binary=False)
    found.add([[1.0, 3.0], [2.0, 0.0]], np.array([1, 1]))
    found.add([[0.0, 0.0], [9.0, 9.0]], np.array([0]))
    assert len(found) == 3
    assert found.classes().tolist() == [1, 0, 0]
    assert found.accuracy() == pytest.approx(2 / 3)
    assert found.loss() == pytest.approx((log(1 + exp(-2)) + log(1 + exp(2)) + log(2)) / 3)


def test_one_logit_is_that_of_the_second_class() -> None:
    found = evaluation(binary=True)
    found.add([[2.0], [-1.0], [500.0]], np.array([1, 1, 0]))
    assert found.classes().tolist() == [1, 0, 1]
    assert found.accuracy() == pytest.approx(1 / 3)
    assert found.loss() == pytest.approx((log(1 + exp(-2)) + log(1 + exp(1)) + 500) / 3)
