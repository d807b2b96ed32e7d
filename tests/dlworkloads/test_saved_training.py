"""The file of an interrupted training: it is read as it was written, and no other file is."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from softmax_regression import SoftmaxRegression, points

from dlworkloads.convergence.phase import TrainingPhase
from dlworkloads.convergence.saved_training import SavedTraining, read_training, write_training
from dlworkloads.convergence.training import Epoch, Training
from pytest_throughput import Part

STATE = {
    "model/0.weight": np.arange(6.0).reshape(2, 3),
    "random/cpu": np.arange(5, dtype=np.uint8),
    "step": np.array(7),
}
EPOCHS = [Epoch(1.0, 0.5, 0.7, 0.5, 0.6, 0.75), Epoch(1.5, 0.5, float("nan"), 0.0, float("nan"), 1.0)]
IDENTITY = "0f" * 32


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = str(tmp_path / "training.state")
    write_training(path, SavedTraining(STATE, EPOCHS, 2.5, IDENTITY))
    return path


def arrays_of(path: str) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def test_it_is_read_as_it_was_written(path: str) -> None:
    saved = read_training(path, STATE, 3, IDENTITY)
    assert {name: values.tolist() for name, values in saved.state.items()} == {
        name: values.tolist() for name, values in STATE.items()
    }
    assert str(list(saved.epochs)) == str(EPOCHS)
    assert saved.first_batch_seconds == 2.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state/other": np.zeros(2)}, r"expected 6 arrays, got 7; not in both: state/other\.npy"),
        ({"state/step": None}, r"expected 6 arrays, got 5; not in both: state/step\.npy"),
        ({"state/step": np.zeros(2)}, r"expected state/step of type int64 and shape \(\), got float64 and \(2,\)"),
        ({"state/step": np.float32(1)}, "expected state/step of type int64"),
        ({"state/step": np.array("x", object)}, "expected state/step of type int64 and shape .*, got object"),
        ({"epochs": np.zeros((3, 6))}, r"expected epochs of type float64 and shape \(2, 6\), got float64 and \(3, 6\)"),
        ({"epochs": np.zeros((0, 6))}, "expected epochs"),
        ({"epochs": np.full((1, 6), -1.0)}, "expected seconds and accuracies of its epochs"),
        ({"epochs": np.full((1, 6), np.inf)}, "expected seconds and accuracies of its epochs"),
        ({"identity": np.zeros(32, np.uint8)}, "it was saved with another network, optimiser or data set, or other"),
        ({"identity": np.zeros(3, np.uint8)}, r"expected identity of type uint8 and shape \(32,\), got"),
    ],
)
def test_other_arrays_are_refused_with_what_was_expected(path: str, changes: Mapping[str, Any], message: str) -> None:
    arrays = {name: values for name, values in {**arrays_of(path), **changes}.items() if values is not None}
    with open(path, "wb") as file:
        np.savez(file, **arrays)
    with pytest.raises(ValueError, match=f"does not hold the state of this training .*{message}.*remove it to train"):
        read_training(path, STATE, 3, IDENTITY)


@pytest.mark.parametrize("content", [b"", b"PK", b"x" * 100, pickle.dumps([1])])
def test_what_is_no_such_file_is_refused(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)
    with pytest.raises(ValueError, match="does not hold the state of this training"):
        read_training(path, STATE, 3, IDENTITY)


def test_a_file_that_was_damaged_or_cut_is_refused(path: str) -> None:
    content = Path(path).read_bytes()
    for place in range(0, len(content), 97):
        for damaged in (content[:place], content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]):
            Path(path).write_bytes(damaged)
            try:
                saved = read_training(path, STATE, 3, IDENTITY)
            except ValueError:
                continue
            assert {name: values.shape for name, values in saved.state.items()} == {
                name: values.shape for name, values in STATE.items()
            }


def test_an_array_that_claims_to_be_huge_is_not_read(path: str) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<i8", "fortran_order": False, "shape": (2**40,)})
    arrays = arrays_of(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name, values in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, values)
            archive.writestr(f"{name}.npy", header.getvalue() if name == "state/step" else member.getvalue())
    with pytest.raises(ValueError, match=r"expected state/step of type int64 and shape \(\), got int64 and \(1099"):
        read_training(path, STATE, 3, IDENTITY)


class Saving(SoftmaxRegression):
    """A workload whose training can be saved."""

    def training_state(self) -> dict[str, np.ndarray]:
        return {"weights": self.weights.copy()}

    def set_training_state(self, state: Mapping[str, np.ndarray]) -> None:
        self.weights = state["weights"].copy()


def training_phase(workload: Saving, folds: int) -> TrainingPhase:
    def initial(fold: int) -> Mapping[str, np.ndarray]:
        return {"weight": np.random.default_rng(fold).standard_normal((3, 6))}

    training: Any = Training(workload, points(100, folds), initial, clock=lambda: 0.0)  # type: ignore[arg-type]
    return TrainingPhase(training, workload, 2, IDENTITY)  # type: ignore[arg-type]


def run(phase: TrainingPhase) -> tuple[list[Part], Any]:
    parts, running = [], phase.run()
    while True:
        try:
            parts.append(next(running))
        except StopIteration as ended:
            return parts, ended.value


@pytest.mark.parametrize("ended", [1, 2, 19])
def test_a_training_that_goes_on_equals_one_that_was_not_interrupted(tmp_path: Path, ended: int) -> None:
    """Also between two folds."""
    whole, parts = Saving(16, 3), [*range(20)]
    _, folds = run(training_phase(whole, 10))
    interrupted = training_phase(Saving(16, 3), 10).run()
    for _ in parts[:ended]:
        part = next(interrupted)
    assert part.save is not None
    part.save(str(tmp_path / "state"))

    later = Saving(16, 3)
    phase = training_phase(later, 10)
    phase.restore(str(tmp_path / "state"))
    remaining, found = run(phase)
    assert len(remaining) == 20 - ended
    assert found == folds
    assert np.array_equal(later.weights, whole.weights)
    assert len(later.begun_from) == 10 - (ended + 1) // 2


def test_parts_say_what_has_ended_and_the_last_one_is_not_saved() -> None:
    parts, _ = run(training_phase(Saving(16, 3), 10))
    assert parts[2].text.startswith("fold 2 of 10, epoch 1 of 2: accuracy ")
    assert parts[2].text.endswith(" %")
    assert [part.done for part in parts] == [number / 20 for number in range(1, 21)]
    assert [part.save is None for part in parts] == [False] * 19 + [True]
    (first, _), _ = run(training_phase(Saving(16, 3), 1))
    assert first.text.startswith("epoch 1 of 2: accuracy ")
