"""The loaders of images: the same pixels in every framework, each file once an epoch, and real augmentation."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlworkloads.data.images import ImageFolder
from dlworkloads.data.loading import Loader, Loading, UnreadableImage
from dlworkloads.frameworks.registry import resolve

Image = pytest.importorskip("PIL.Image")

LOADERS = {
    "pytorch": ("torch", "dlworkloads.runtimes.pytorch_images:data_loader"),
    "tensorflow": ("tensorflow", "dlworkloads.frameworks.keras.tensorflow_images:data_set"),
    "threads": ("PIL", "dlworkloads.data.pillow_images:thread_loader"),
}
WORKERS = [0, pytest.param(2, marks=pytest.mark.slow)]
"""PyTorch's workers are forked, from a process that other tests have filled with frameworks and their threads."""


@pytest.fixture(params=LOADERS)
def make_loader(request: pytest.FixtureRequest) -> Callable[[Loading], Loader]:
    package, reference = LOADERS[request.param]
    pytest.importorskip(package)
    return resolve(reference)  # type: ignore[no-any-return]


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    """Seven files of different sizes, the n-th of which is grey of level 20 + 30 n on its left half, and white."""
    files = []
    for number in range(7):
        pixels = np.full((60 + number, 90, 3), 255, np.uint8)
        pixels[:, :45] = 20 + 30 * number
        files.append(str(tmp_path / f"{number}.jpg"))
        Image.fromarray(pixels).save(files[-1], quality=95)
    return ImageFolder(("a", "b"), tuple(files), (0, 0, 0, 1, 1, 1, 1))


def asking(folder: ImageFolder, training: bool, workers: int = 0) -> Loading:
    return Loading(folder, 32, batch_size=2, workers=workers, training=training, channels_last=True)


def epoch(loader: Loader) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the batches of images, and all labels."""
    batches = [(np.asarray(images), np.asarray(labels)) for images, labels in loader]
    assert {images.dtype.name for images, _ in batches} == {"float32"}
    assert {labels.dtype.name for _, labels in batches} == {"int64"}
    return [images for images, _ in batches], np.concatenate([labels for _, labels in batches])


def numbers(images: np.ndarray) -> list[int]:
    """Return which file each image is, by the darkest of the levels that are not outside of a rotated image."""
    centre = images[:, 8:24, 8:24].reshape(len(images), -1)
    return [round((float(values.min()) * 255 - 20) / 30) for values in centre]


@pytest.mark.parametrize("channels_last", [True, False])
def test_pixels_are_those_of_pillow(
    make_loader: Callable[[Loading], Loader], tmp_path: Path, channels_last: bool
) -> None:
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (4, 12, 16, 3), np.uint8)
    sizes = [(320, 240), (200, 301), (64, 64), (48, 40)]
    files = []
    for number, (pixels, size) in enumerate(zip(noise, sizes, strict=True)):
        files.append(str(tmp_path / f"{number}.jpg"))
        image = Image.fromarray(pixels).resize(size, Image.BICUBIC)
        (image if number else image.convert("L")).save(files[-1], quality=90)
    loading = Loading(ImageFolder(("a", "b"), tuple(files), (0, 0, 1, 1)), 64, 3, 0, False, channels_last)
    expected = [np.asarray(Image.open(file).convert("RGB").resize((64, 64), Image.BILINEAR)) for file in files]
    batches, labels = epoch(make_loader(loading))
    assert [len(batch) for batch in batches] == [3, 1]
    assert labels.tolist() == [0, 0, 1, 1]
    found = np.concatenate(batches)
    assert found.shape == ((4, 64, 64, 3) if channels_last else (4, 3, 64, 64))
    difference = np.abs((found if channels_last else found.transpose(0, 2, 3, 1)) * 255 - np.stack(expected))
    assert float(difference.mean()) < 0.5
    assert float(difference.max()) < 3


@pytest.mark.parametrize("workers", WORKERS)
def test_an_epoch_reads_each_file_once(
    make_loader: Callable[[Loading], Loader], folder: ImageFolder, workers: int
) -> None:
    """For training as well, where the last image of seven is dropped."""
    loader = make_loader(asking(folder, training=False, workers=workers))
    for _ in range(2):
        batches, labels = epoch(loader)
        assert numbers(np.concatenate(batches)) == list(range(7))
        assert labels.tolist() == list(folder.labels)
    loading = asking(folder, training=True, workers=workers)
    assert loading.batches == 3
    loader = make_loader(loading)
    orders = []
    for _ in range(4):
        batches, labels = epoch(loader)
        order = numbers(np.concatenate(batches))
        assert [len(batch) for batch in batches] == [2, 2, 2]
        assert len(set(order)) == 6
        assert labels.tolist() == [folder.labels[number] for number in order]
        orders.append(tuple(order))
    assert len(set(orders)) > 1


@pytest.mark.parametrize(("workers", "expected"), [(0, 2), (2, 7)])
def test_tensorflow_decodes_ahead_only_with_workers(
    folder: ImageFolder, monkeypatch: pytest.MonkeyPatch, workers: int, expected: int
) -> None:
    """Of seven images in batches of two, the first batch needs two."""
    tensorflow = pytest.importorskip("tensorflow")
    images = importlib.import_module("dlworkloads.frameworks.keras.tensorflow_images")
    decoded: list[object] = []

    def note(file: object) -> np.ndarray:
        decoded.append(file)
        return np.zeros((32, 32, 3))

    def decode(file: object, size: int) -> object:
        return tensorflow.ensure_shape(tensorflow.py_function(note, [file], "double"), (size, size, 3))

    monkeypatch.setattr(images, "_decode", decode)
    batches = iter(images.data_set(asking(folder, training=False, workers=workers)))
    next(batches)
    deadline = time.monotonic() + 10
    while len(decoded) < expected and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    assert len(decoded) == expected


def test_images_are_rotated_by_another_angle_in_each_epoch(
    make_loader: Callable[[Loading], Loader], folder: ImageFolder
) -> None:
    (plain,), _ = epoch(make_loader(replace(asking(folder, training=False), batch_size=7)))
    loader = make_loader(replace(asking(folder, training=True), batch_size=7))
    seen = []
    for _ in range(3):
        (images,), _ = epoch(loader)
        rotated = images[np.argsort(numbers(images))]
        # Around the centre: what is near to it stays, and is as dark as before on the average.
        assert np.allclose(rotated[:, 12:20, 12:20].mean((1, 2)), plain[:, 12:20, 12:20].mean((1, 2)), atol=0.06)
        seen.append(rotated)
    for first, second in ((plain, seen[0]), (seen[0], seen[1]), (seen[1], seen[2])):
        differ = [float(np.abs(one - other).max()) > 0.2 for one, other in zip(first[:4], second[:4], strict=True)]
        assert sum(differ) >= 2  # Two angles of one image may be nearly the same by chance.


@pytest.mark.parametrize("workers", WORKERS)
def test_a_file_that_cannot_be_decoded_is_named(
    make_loader: Callable[[Loading], Loader], folder: ImageFolder, workers: int
) -> None:
    file = Path(folder.files[4])
    whole = file.read_bytes()
    unreadable: list[Callable[[], object]] = [
        lambda: file.write_bytes(whole[: len(whole) // 2]),
        lambda: Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(file, "PNG"),
        file.unlink,
        lambda: file.symlink_to("/proc/self/mem"),  # Reading it is an error, for the superuser as well.
    ]
    for make_unreadable in unreadable:
        make_unreadable()
        with pytest.raises(UnreadableImage) as raised:
            epoch(make_loader(asking(folder, training=False, workers=workers)))
        assert str(raised.value).startswith(f"--images: {file} cannot be decoded (")
        assert str(raised.value).endswith("); remove the file, or replace it")
        assert "\n" not in str(raised.value) and "{" not in str(raised.value)


def test_a_name_that_is_no_text_is_read(make_loader: Callable[[Loading], Loader], folder: ImageFolder) -> None:
    renamed = os.fsdecode(os.fsencode(folder.files[0]) + b"\xff.jpg")
    os.rename(folder.files[0], renamed)
    batches, _ = epoch(make_loader(asking(replace(folder, files=(renamed, *folder.files[1:])), training=False)))
    assert numbers(np.concatenate(batches)) == list(range(7))
