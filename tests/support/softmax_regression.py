"""A workload that stands for a framework: softmax regression by gradient descent, in NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from dlworkloads.data.examples import Examples
from dlworkloads.data.folds import Folds


@dataclass
class SoftmaxRegression:
    """Has of a `Workload` what a training uses, and writes down what it was given."""

    batch_size: int
    classes: int
    learning_rate: float = 0.5
    features: int = 6
    begun_from: list[Any] = field(default_factory=list)
    """The weights of each restart."""

    trained: list[list[Any]] = field(default_factory=list)
    """The labels of each batch."""

    def __post_init__(self) -> None:
        self.weights = np.zeros((self.classes, self.features))

    @property
    def case(self) -> Any:
        return SimpleNamespace(batch_size=self.batch_size)

    def arrange(self, images: np.ndarray) -> np.ndarray:
        return images

    def upload(self, values: np.ndarray) -> np.ndarray:
        assert len(values) == self.batch_size
        return values.copy()

    def restart(self, parameters: Mapping[str, np.ndarray]) -> None:
        self.weights = parameters["weight"].copy()
        self.begun_from.append(self.weights.copy())

    def update(self, images: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
        self.trained.append(labels.tolist())
        logits = self.predict(images)
        likely = np.exp(logits - logits.max(1, keepdims=True))
        likely /= likely.sum(1, keepdims=True)
        loss = float(-np.log(likely[np.arange(len(labels)), labels]).mean())
        likely[np.arange(len(labels)), labels] -= 1
        self.weights = self.weights - self.learning_rate * likely.T @ images.reshape(len(images), -1) / len(images)
        return loss, logits

    def predict(self, images: np.ndarray) -> np.ndarray:
        logits: np.ndarray = images.reshape(len(images), -1) @ self.weights.T
        return logits

    def wait(self, output: object) -> None:
        pass

    def read(self, output: Any) -> dict[str, Any]:
        return {"logits": output} if isinstance(output, np.ndarray) else {"loss": output[0], "logits": output[1]}


def points(examples: int, folds: int, *, can_be_learned: bool = True) -> Folds:
    """Return points whose first features say their class, or say nothing."""
    random = np.random.default_rng(0)
    labels = random.integers(3, size=examples)
    told = labels if can_be_learned else random.integers(3, size=examples)
    inputs = np.stack([np.eye(3)[told] * 200, random.integers(0, 50, (examples, 3))], 2).reshape(examples, 6)
    tested_in = np.arange(examples) % folds if folds > 1 else np.where(np.arange(examples) % 3 == 0, 0, -1)
    return Folds(Examples(inputs.astype(np.uint8), 200, labels), tested_in)
