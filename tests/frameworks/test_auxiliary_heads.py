"""Auxiliary heads add their losses and get gradients in training. Inference and predictions are without them.

That all frameworks compute the same is tested with the other layers (`networks.with_auxiliary_heads`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from networks import frameworks_to_test, open_workload, random_weights

from dlworkloads.data import synthetic
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.models.containers import Auxiliary, Sequential
from dlworkloads.models.layers import Dense, Dropout
from dlworkloads.models.network import Network
from dlworkloads.optimisers import Optimiser

BATCH_SIZE = 4
HEADS = (Auxiliary(Dense(3), 0.3), Auxiliary(Dense(3), 0.5))
LINEAR = Network("linear", (8,), Sequential(*HEADS, Dense(3)))
"""Three softmax regressions, of which two are auxiliary."""
PATHS = {"0.head": 0.3, "1.head": 0.5, "2": 1.0}
"""The factors of their losses."""
DROPPED = Network(
    "dropped", (8,), Sequential(Auxiliary(Sequential(Dense(400), Dropout(0.25), Dense(3)), 0.5), Dense(3))
)

EXECUTION = pytest.mark.parametrize(
    ("framework", "execution"),
    [
        pytest.param(name, execution, marks=pytest.mark.slow if execution == "compiled" and "torch" in name else ())
        for name in frameworks_to_test()
        for execution in FRAMEWORKS[name].executions
        if execution in ("eager", "graph", "compiled")
    ],
)


@EXECUTION
def test_losses_and_gradients_of_heads_are_added_by_weight(framework: str, execution: str) -> None:
    workload = open_workload(framework, LINEAR, "training", execution=execution, batch_size=BATCH_SIZE)
    weights = random_weights(LINEAR)
    workload.load(weights)
    loss, gradients = _regressions(weights)
    read = workload.read(workload.run())
    assert read.pop("loss") == pytest.approx(loss, rel=1e-5)
    assert list(read) == list(gradients)
    for path, values in gradients.items():
        np.testing.assert_allclose(read[path], values, rtol=1e-4, atol=1e-6, err_msg=path)


@pytest.mark.parametrize("framework", frameworks_to_test())
def test_losses_of_heads_are_float32_in_mixed_precision(framework: str) -> None:
    workload = open_workload(framework, LINEAR, "training", precision="bf16", batch_size=BATCH_SIZE)
    weights = random_weights(LINEAR)
    workload.load(weights)
    loss, _ = workload.run()
    assert str(loss.dtype) in ("float32", "torch.float32", "<dtype: 'float32'>")
    assert float(loss) == pytest.approx(_regressions(weights)[0], rel=0.02)


@EXECUTION
def test_updates_train_heads_and_predictions_leave_them_out(framework: str, execution: str) -> None:
    options: dict[str, Any] = {"execution": execution, "batch_size": BATCH_SIZE}
    workload = open_workload(framework, LINEAR, "training", optimiser=Optimiser("sgd", 0.1), **options)
    weights = random_weights(LINEAR)
    workload.restart(weights)
    loss, gradients = _regressions(weights)
    expected = _logits(weights, "2")
    predicted = workload.read(workload.predict(workload.batch[0]))["logits"]
    np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-5)
    read = workload.read(workload.run())
    assert read["loss"] == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(read["logits"], expected, rtol=1e-4, atol=1e-5)
    for path, values in workload.parameters().items():
        np.testing.assert_allclose(values, weights[path] - 0.1 * gradients[path], rtol=1e-4, atol=1e-5, err_msg=path)


@EXECUTION
def test_the_dropout_of_a_head_drops_in_training(framework: str, execution: str) -> None:
    workload = open_workload(framework, DROPPED, "training", execution=execution, batch_size=1)
    dropped = [(workload.read(workload.run())["0.head.2.weight"] == 0).all(0) for _ in range(2)]
    for each in dropped:
        assert each.mean() == pytest.approx(0.25, abs=0.08)
    assert (dropped[0] != dropped[1]).any()


@pytest.mark.parametrize("framework", frameworks_to_test())
def test_heads_are_not_there_in_inference(framework: str) -> None:
    workload = open_workload(framework, LINEAR, "inference", batch_size=BATCH_SIZE)
    weights = workload.parameters()
    assert list(weights) == ["0.weight", "0.bias"]
    np.testing.assert_allclose(workload.read(workload.run())["logits"], _logits(weights, "0"), rtol=1e-4, atol=1e-5)


@pytest.mark.skipif("pytorch" not in frameworks_to_test(), reason="another framework is tested in this process")
def test_pytorch_computes_no_head_in_predictions() -> None:
    workload: Any = open_workload("pytorch", LINEAR, "training", optimiser=Optimiser("sgd", 0.1))
    calls: list[str] = []
    for name, module in workload.model.named_modules():
        module.register_forward_hook(lambda *_, name=name: calls.append(name))
    workload.predict(workload.batch[0])
    assert calls == ["2", ""]
    workload.run()
    assert calls[2:] == ["0.head", "0", "1.head", "1", "2", ""]


def _logits(weights: dict[str, np.ndarray], path: str) -> np.ndarray:
    images = synthetic.images(BATCH_SIZE, LINEAR.input_shape)
    return np.asarray(images @ weights[f"{path}.weight"].T + weights[f"{path}.bias"])


def _regressions(weights: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
    """Return the loss and the gradients of the three regressions."""
    images, labels = synthetic.images(BATCH_SIZE, LINEAR.input_shape), synthetic.labels(BATCH_SIZE, 3)
    loss, gradients = 0.0, {}
    for path, factor in PATHS.items():
        likely = np.exp(_logits(weights, path))
        likely /= likely.sum(1, keepdims=True)
        loss -= factor * float(np.log(likely[np.arange(BATCH_SIZE), labels]).mean())
        error = factor * (likely - np.eye(3)[labels]) / BATCH_SIZE
        gradients[f"{path}.weight"], gradients[f"{path}.bias"] = error.T @ images, error.sum(0)
    return loss, gradients
