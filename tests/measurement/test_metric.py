"""Metrics: what is a figure, and what is refused."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from pytest_throughput import Metric
from pytest_throughput.worker.protocol import encode


@pytest.mark.parametrize("value", [np.float32(0.5), np.array(0.5), 0.5])
def test_numbers_of_other_types_can_be_sent_to_pytest(value: Any) -> None:
    metric = Metric("accuracy", "", value)
    assert (metric.value, type(metric.value)) == (0.5, float)
    encode(asdict(metric))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (
            {"name": "a b"},
            "name of a metric: expected an identifier such as 'seconds_per_epoch', got 'a b'",
        ),
        ({"name": None}, "name of a metric: expected an identifier such as 'seconds_per_epoch', got None"),
        ({"unit": None}, "unit of accuracy: expected a text such as 'images/s', got None"),
        ({"better": "more"}, "better: expected one of higher, lower, got 'more'"),
        ({"value": float("nan")}, "value of accuracy: expected a finite number, got nan"),
        ({"value": "0.5"}, "value of accuracy: expected a finite number, got '0.5'"),
        ({"value": 1j}, "value of accuracy: expected a finite number, got 1j"),
        ({"value": [1, 2]}, r"value of accuracy: expected a finite number, got [1, 2]"),
        ({"standard_error": -0.1}, "standard_error of accuracy: expected a finite number of at least 0, got -0.1"),
        ({"standard_error": "0.1"}, "standard_error of accuracy: expected a finite number of at least 0, got '0.1'"),
    ],
)
def test_what_is_no_figure_is_refused(fields: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError) as raised:
        Metric(**{"name": "accuracy", "unit": "", "value": 0.5, **fields})
    assert str(raised.value) == error


def test_an_integer_beyond_every_float_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a finite number"):
        Metric("accuracy", "", 10**400)
