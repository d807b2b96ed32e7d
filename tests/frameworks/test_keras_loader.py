"""Keras' own loader does less work than the suite's, which is why it is not the suite's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")
tensorflow = pytest.importorskip("tensorflow")

ROOT = Path(__file__).parents[2]
SIZE = 32


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the program that compares both loaders."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import keras_loader

    return keras_loader


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return folders of one noisy image for each class, several times as large as they are asked for."""
    random = np.random.default_rng(0)
    for split in ("train", "validation"):
        for name in ("cat", "dog"):
            (tmp_path / split / name).mkdir(parents=True)
            pixels = random.integers(0, 256, (25, 30, 3), np.uint8)
            Image.fromarray(pixels).resize((200, 250), Image.BICUBIC).save(tmp_path / split / name / "0.jpg")
    return tmp_path


def test_both_are_pipelines_of_tf_data_but_keras_resizes_without_antialiasing(program: Any, folder: Path) -> None:
    """Keras has no option for it, nor for the method of the decoder."""
    ours, theirs = program.loaders(str(folder), SIZE, 2, workers=2)
    (steps, operations), (keras_steps, keras_operations) = map(program.pipeline_of, (ours, theirs))
    assert steps == ["TensorSliceDataset", "ParallelMapDatasetV2", "BatchDatasetV2", "PrefetchDataset"]
    # Names and labels are put together, and the test divides by 255 in a step of its own.
    assert keras_steps == ["TensorSliceDataset", "TensorSliceDataset", "ZipDataset", *steps[1:], "MapDataset"]
    assert {"ReadFile", "DecodeJpeg", "ScaleAndTranslate"} < {*operations}
    assert {"ReadFile", "DecodeImage", "ResizeBilinear"} < {*keras_operations}
    files = sorted(map(str, (folder / "train").glob("*/*.jpg")))
    exact = program.pillow_pixels(files, SIZE)
    found = program.pixels(theirs)
    assert np.abs(program.pixels(ours) - exact).max() < 3
    assert np.abs(found - exact).max() > 10
    decoded = [tensorflow.io.decode_jpeg(tensorflow.io.read_file(file), channels=3) for file in files]
    alike = [tensorflow.image.resize(each, (SIZE, SIZE)) for each in decoded]
    np.testing.assert_allclose(found, np.stack(alike), atol=0.01)
