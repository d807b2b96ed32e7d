"""A step that updates weights: what it keeps from step to step, how often it is compiled, what it tells of itself."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import frameworks_to_test, open_workload

from dlworkloads.base.workload import Workload
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import BatchNorm, Dense, Dropout, ReLU
from dlworkloads.models.network import Network
from dlworkloads.optimisers import OPTIMISERS, Optimiser
from pytest_throughput import Unsupported

BODY = Sequential(Dense(200), BatchNorm(), ReLU(), Dropout(0.5), Dense(3))
NETWORK = Network("normalised_and_dropped", (8,), BODY)
STANDING_STILL = Optimiser("sgd", 0.0)

FRAMEWORK = pytest.mark.parametrize("framework", frameworks_to_test())
EXECUTION = pytest.mark.parametrize(
    ("framework", "execution"),
    [
        pytest.param(name, execution, marks=pytest.mark.slow if (name, execution) == ("jax", "eager") else ())
        for name in frameworks_to_test()
        for execution in FRAMEWORKS[name].executions
        if execution in ("eager", "graph") or name in ("jax", "keras-jax")
    ],
)


@EXECUTION
def test_each_update_drops_others_and_is_compiled_once(framework: str, execution: str) -> None:
    workload = _opened(framework, STANDING_STILL, execution=execution)
    read = [workload.read(workload.run())]
    compiled = workload.compilations()
    read += [workload.read(workload.run()) for _ in range(2)]
    assert not np.array_equal(read[0]["logits"], read[1]["logits"])
    assert not np.array_equal(read[1]["logits"], read[2]["logits"])
    weights = workload.parameters()
    workload.restart(weights)
    for _ in range(2):
        assert workload.is_finite(workload.run())
    assert workload.compilations() == compiled


@FRAMEWORK
def test_what_is_done_beside_the_update_does_not_compile_it_again(framework: str, tmp_path: Path) -> None:
    """Predict, profile, and load weights, here one that is no number."""
    workload = _opened(framework, OPTIMISERS["adam"])
    workload.run()
    compiled = workload.compilations()
    assert workload.read(workload.predict(workload.batch[0]))["logits"].shape == (4, 3)
    assert workload.profile(2, str(tmp_path / "trace.json"))
    weights = workload.parameters()
    weights["4.weight"][0, 0] = np.nan
    workload.load(weights)
    output = workload.run()
    assert not workload.is_finite(output)
    assert not Workload.is_finite(workload, output)
    assert workload.compilations() == compiled
    step = workload.run
    model = weakref.ref(workload.model)
    workload.close()
    assert model() is None, "closing frees the network even if the step is kept"
    del step


@pytest.mark.skipif("jax" not in frameworks_to_test(), reason="another framework is tested in this process")
def test_jax_refuses_float16() -> None:
    with pytest.raises(Unsupported, match=r"JAX brings no loss scaling.*ask for bf16"):
        _opened("jax", OPTIMISERS["sgd"], precision="fp16")


@pytest.mark.parametrize("framework", [name for name in frameworks_to_test() if name in ("tensorflow", "keras-jax")])
def test_keras_scales_the_loss_in_float16(framework: str) -> None:
    """It halves the scale and leaves the weights alone if a gradient is infinite, and restarts with the first scale."""
    workload: Any = _opened(framework, OPTIMISERS["adam"], precision="fp16")
    weights = {path: values for path, values in workload.parameters().items() if "running" not in path}
    largest = {**weights, "4.weight": np.full_like(weights["4.weight"], 6e4)}
    workload.load(largest)
    workload.run()
    for path, values in largest.items():
        np.testing.assert_array_equal(workload.parameters()[path], values, err_msg=path)
    assert _scale(workload) == 2.0**14
    workload.restart(weights)
    assert _scale(workload) == 2.0**15
    workload.run()
    assert not np.array_equal(workload.parameters()["4.weight"], weights["4.weight"])


def _opened(framework: str, optimiser: Optimiser, **options: Any) -> Workload:
    return open_workload(framework, NETWORK, "training", batch_size=4, optimiser=optimiser, **options)


def _scale(workload: Any) -> float:
    workload.parameters()  # Keras on JAX then gives the optimiser's variables their values.
    return float(workload._optimiser.dynamic_scale)
