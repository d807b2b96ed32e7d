"""Digits, and the division of examples into those that train and those that test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlworkloads.data.examples import Examples
from dlworkloads.data.folds import EVALUATIONS, divide, read_folds, write_folds
from dlworkloads.data.scikit_learn import keeping_environment
from dlworkloads.data.sets import read_examples

with keeping_environment():
    pytest.importorskip("sklearn")


def some(count: int) -> Examples:
    return Examples(np.arange(count, dtype=np.uint8)[:, None], 255, np.zeros(count, np.int64))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_digits_fill_the_input_of_a_network(shape: tuple[int, int, int]) -> None:
    from sklearn.datasets import load_digits

    found, original = read_examples("digits", None, shape), load_digits()
    assert found.inputs.shape == (1797, *shape)
    assert (found.inputs.max(), found.divisor, found.inputs.dtype.name) == (16, 16, "uint8")
    assert (found.labels == original.target).all()
    factor = shape[1] // 8
    assert found.inputs.sum() == original.images.sum() * factor**2 * shape[0]
    border = (shape[1] - 8 * factor) // 2
    centre = found.inputs[:, -1, border + factor // 2 :: factor, border + factor // 2 :: factor][:, :8, :8]
    assert (centre == original.images).all()


def test_digits_of_16_features_are_means_of_their_pixels() -> None:
    from sklearn.datasets import load_digits

    found, original = read_examples("digits_4x4", None, (16,)), load_digits()
    features = found.inputs / found.divisor
    assert features.shape == (1797, 16)
    np.testing.assert_allclose(features[:, 5], original.images[:, 2:4, 2:4].mean((1, 2)))


def test_a_split_tests_three_tenths_and_ten_folds_test_every_example_once() -> None:
    (split,) = divide(some(101), "split").folds
    assert (len(split.train), len(split.test)) == (70, 31)
    folds = divide(some(101), "10-fold").folds
    assert [len(fold.test) for fold in folds] == [11] + [10] * 9
    assert sorted(np.concatenate([fold.test for fold in folds])) == [*range(101)]
    for fold in (split, *folds):
        assert sorted([*fold.train, *fold.test]) == [*range(101)]


@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_a_file_of_folds_is_read_without_pickle(tmp_path: Path, evaluation: str) -> None:
    path = tmp_path / "folds.npz"
    written = divide(some(30), evaluation)
    write_folds(path, written)
    found = read_folds(path)
    assert (found.tested_in == written.tested_in).all()
    assert (divide(some(30), evaluation).tested_in == written.tested_in).all()
    assert (found.examples.inputs == written.examples.inputs).all()
    assert (found.examples.divisor, found.examples.labels.dtype.name) == (255, "int64")
    with np.load(path, allow_pickle=False) as file:
        assert {*file} == {"inputs", "divisor", "labels", "tested_in"}


def test_a_file_of_folds_whose_writing_was_interrupted_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(file: Any, **arrays: Any) -> None:
        file.write(b"PK")
        raise KeyboardInterrupt

    path, folds = tmp_path / "folds.npz", divide(some(30), "split")
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_folds(path, folds)
    assert not path.exists()
    write_folds(path, folds)
    assert (read_folds(path).tested_in == folds.tested_in).all()
    assert [*tmp_path.iterdir()] == [path]
