"""Check the arguments of the fixtures ``measure_step`` and ``measure_isolated``."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from pytest_throughput.measurement.step import Step
from pytest_throughput.telemetry.gpus import is_device

__all__ = ["check_target", "step_here", "whole_number_of_items"]


def check_target(target: object, arguments: object, device: object, variables: object) -> None:
    """Raise ValueError or TypeError for arguments that cannot be sent to a worker."""
    __tracebackhide__ = True
    if not isinstance(target, str) or not all(target.partition(":")):
        raise ValueError(f"target: expected 'module:function', which a worker imports, got {target!r}")
    if not isinstance(device, str) or not is_device(device):
        raise ValueError(f"device: expected 'cpu', 'cuda' or 'cuda:N', got {device!r}")
    if not isinstance(arguments, Mapping):
        raise TypeError(f"arguments: expected names and JSON values, as in {{'batch_size': 8}}, got {arguments!r}")
    try:
        json.dumps(dict(arguments))
    except (TypeError, ValueError) as error:
        raise TypeError(f"arguments: expected names and JSON values, which a worker can be sent: {error}") from None
    if not isinstance(variables, Mapping) or not all(
        isinstance(text, str) and "\0" not in text for pair in variables.items() for text in pair
    ):
        raise TypeError(f"variables: expected texts by name, as in {{'KERAS_BACKEND': 'jax'}}, got {variables!r}")
    if any(not name or "=" in name for name in variables):
        raise ValueError(f"variables: expected names of environment variables, got {', '.join(map(repr, variables))}")


def step_here(step: Callable[[], Any], synchronize: Callable[[], object] | None) -> Step:
    """Return a step of these functions. Raise TypeError if one cannot be called."""
    __tracebackhide__ = True
    if not callable(step):
        raise TypeError(f"step: expected a function without arguments, got {step!r}")
    if synchronize is None:
        return Step(step)
    if not callable(synchronize):
        raise TypeError(
            f"synchronize: expected a function such as torch.cuda.synchronize, without (), got {synchronize!r}"
        )
    return Step(step, lambda _: synchronize(), asynchronous=True)


def whole_number_of_items(items: int) -> int:
    """Return the number of items as an int of Python: JSON does not accept NumPy's integers."""
    __tracebackhide__ = True
    with suppress(TypeError):
        if (number := operator.index(items)) >= 1:
            return number
    raise ValueError(f"items: expected a whole number of at least 1, got {items!r}")
