"""The optimisers in NumPy, by the formulas of `dlworkloads.optimisers`: the reference for every framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlworkloads.optimisers import Optimiser

Arrays = dict[str, Any]
"""Arrays by the path of their parameter."""


def updated(
    optimiser: Optimiser, step: int, weights: Mapping[str, np.ndarray], gradients: Arrays, state: dict[str, Arrays]
) -> Arrays:
    """Return the weights after update number ``step``, from 0; change the optimiser's state, which begins empty."""
    rate = optimiser.learning_rate / (1 + optimiser.decay * step)
    change = _ALGORITHMS[optimiser.algorithm]
    return {
        path: value + change(optimiser, step, rate, gradients[path], state.setdefault(path, {}))
        for path, value in weights.items()
    }


def _sgd(optimiser: Optimiser, step: int, rate: float, g: Any, state: Arrays) -> Any:
    v = state["v"] = optimiser.momentum * state.get("v", 0.0) - rate * g
    return optimiser.momentum * v - rate * g if optimiser.nesterov else v


def _rmsprop(optimiser: Optimiser, step: int, rate: float, g: Any, state: Arrays) -> Any:
    s = state["s"] = _mean(optimiser.rho, state.get("s", 0.0), g**2)
    return -rate * g / (np.sqrt(s) + optimiser.epsilon)


def _adadelta(optimiser: Optimiser, step: int, rate: float, g: Any, state: Arrays) -> Any:
    s = state["s"] = _mean(optimiser.rho, state.get("s", 0.0), g**2)
    u = state.get("u", 0.0)
    d = np.sqrt(u + optimiser.epsilon) / np.sqrt(s + optimiser.epsilon) * g
    state["u"] = _mean(optimiser.rho, u, d**2)
    return -rate * d


def _adam(optimiser: Optimiser, step: int, rate: float, g: Any, state: Arrays) -> Any:
    state["m"] = _mean(optimiser.beta_1, state.get("m", 0.0), g)
    state["s"] = _mean(optimiser.beta_2, state.get("s", 0.0), g**2)
    m = state["m"] / (1 - optimiser.beta_1 ** (step + 1))
    s = state["s"] / (1 - optimiser.beta_2 ** (step + 1))
    return -rate * m / (np.sqrt(s) + optimiser.epsilon)


def _mean(share: float, before: Any, now: Any) -> Any:
    return share * before + (1 - share) * now


_ALGORITHMS = {"sgd": _sgd, "rmsprop": _rmsprop, "adadelta": _adadelta, "adam": _adam}
