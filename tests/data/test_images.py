"""Folders of images: what is listed, and the messages for what is not there."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest

from dlworkloads.data import image_set
from dlworkloads.data.image_set import make_image_set
from dlworkloads.data.images import SPLITS, index


def make(folder: Path, files: Sequence[str]) -> Path:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    return folder


BOTH = ("train/cat/a.jpg", "train/dog/a.jpg", "validation/cat/a.jpg", "validation/dog/a.jpg")


def test_classes_are_sorted_folders_and_files_are_found_by_extension(tmp_path: Path) -> None:
    make(tmp_path, [*BOTH, "train/dog/b.JPEG", "train/dog/deeper/c.jpg", "train/dog/notes.txt", "train/.hidden/a.jpg"])
    found = index(str(tmp_path))
    assert found.classes == ("cat", "dog")
    assert [os.path.relpath(file, tmp_path) for file in found.train.files] == [
        "train/cat/a.jpg",
        "train/dog/a.jpg",
        "train/dog/b.JPEG",
        "train/dog/deeper/c.jpg",
    ]
    assert found.train.labels == (0, 1, 1, 1)
    assert (len(found.train), len(found.validation), len(found)) == (4, 2, 6)


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    make(tmp_path, BOTH)
    (tmp_path / "train/cat/circle").symlink_to(tmp_path / "train")
    (tmp_path / "train/nothing").symlink_to(tmp_path / "nowhere")
    (tmp_path / "train/cat/linked.jpg").symlink_to(tmp_path / "train/dog/a.jpg")
    (tmp_path / "train/cat/broken.jpg").symlink_to(tmp_path / "nowhere")
    train = index(str(tmp_path)).train
    assert train.classes == ("cat", "dog")
    assert [Path(file).name for file in train.files] == ["a.jpg", "linked.jpg", "a.jpg"]


@pytest.mark.parametrize(
    ("link", "target", "message"),
    [
        ("train/owl", "cat", "/train/owl is a symbolic link to a folder, and a class has to be a folder itself"),
        ("validation/cat/b.jpg", "b.jpg", "/validation/cat/b.jpg: Too many levels of symbolic links; expected an"),
    ],
)
def test_a_link_that_is_not_followed_is_named(tmp_path: Path, link: str, target: str, message: str) -> None:
    (make(tmp_path, BOTH) / link).symlink_to(target)
    with pytest.raises(ValueError) as raised:
        index(str(tmp_path))
    assert str(raised.value).startswith(f"--images: {tmp_path}{message}")


def test_what_is_no_regular_file_is_left_out(tmp_path: Path) -> None:
    """Opening a pipe would wait for a writer for ever. A folder may be called as an image is."""
    make(tmp_path, [*BOTH, "train/cat/folder.jpg/b.jpg"])
    os.mkfifo(tmp_path / "train/cat/pipe.jpg")
    (tmp_path / "train/cat/linked.jpg").symlink_to("pipe.jpg")
    (tmp_path / "train/cat/device.jpg").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as bound:
        descriptor = os.open(tmp_path / "train/cat", os.O_RDONLY)
        bound.bind(f"/proc/self/fd/{descriptor}/socket.jpg")  # The names of sockets are short.
        os.close(descriptor)
    train = index(str(tmp_path)).train
    assert [Path(file).name for file in train.files] == ["a.jpg", "b.jpg", "a.jpg"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, [*BOTH, "train/cat/secret/b.jpg"])
    scandir = os.scandir

    def refuse(folder: str) -> object:
        if folder.endswith("secret"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)  # The superuser may read everything.
    with pytest.raises(ValueError, match=rf"^--images: {tmp_path}/train/cat/secret: Permission denied; expected DIR"):
        index(str(tmp_path))


def test_names_need_not_be_text(tmp_path: Path) -> None:
    make(tmp_path, BOTH)
    Path(os.fsdecode(os.fsencode(tmp_path / "train/cat") + b"/\xff.jpg")).touch()
    assert os.fsencode(index(str(tmp_path)).train.files[1]).endswith(b"/\xff.jpg")


@pytest.mark.slow
def test_many_names_take_little_memory() -> None:
    """The list of a class is in memory once with what the system says of each name, and once as paths."""
    with tempfile.TemporaryDirectory() as folder:  # pytest would keep its own temporary folder.
        names = [f"{split}/{name}/{number:06}.jpg" for number in range(5_000) for split in SPLITS for name in "ab"]
        make(Path(folder), names)
        tracemalloc.start()
        try:
            found = index(folder)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert len(found) == 20_000
    assert peak < 6 * 2**20


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "/train: No such file or directory; expected DIR/train/CLASS and DIR/validation/CLASS"),
        (BOTH[:2], "/validation: No such file"),
        (["train/a.jpg"], "/train has no folder of a class; expected two classes or more"),
        (BOTH[:1], "/train has only the class cat; expected two"),
        ([*BOTH, "train/owl/a.png"], "train/owl has no image; expected files that end with .jpg or .jpeg"),
        ([*BOTH, "train/owl/a.jpg"], "train has the classes cat, dog, owl, and validation has cat, dog; expected"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, files: Sequence[str], message: str) -> None:
    with pytest.raises(ValueError) as raised:
        index(str(make(tmp_path, files)))
    assert message in str(raised.value)
    assert str(raised.value).startswith("--images")


def test_the_small_set_is_made_once_and_is_always_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = pytest.importorskip("PIL.Image")
    monkeypatch.setattr(image_set, "COUNTS", {"train": 3, "validation": 2})
    folder, is_new = make_image_set(str(tmp_path / "a"))
    assert is_new
    assert make_image_set(str(tmp_path / "a")) == (folder, False)
    other, _ = make_image_set(str(tmp_path / "b"))
    found = index(folder)
    assert (found.classes, len(found.train), len(found.validation)) == (("cool", "warm"), 6, 4)
    contents = [Path(file).read_bytes() for file in (*found.train.files, *found.validation.files)]
    assert contents == [Path(other, os.path.relpath(file, folder)).read_bytes() for file in found.train.files] + [
        Path(other, os.path.relpath(file, folder)).read_bytes() for file in found.validation.files
    ]
    assert len(set(contents)) == 10
    sizes = {image.open(file).size for file in found.train.files}
    assert len(sizes) > 1
    manifest = json.loads(Path(folder, "manifest.json").read_text())
    assert manifest["bytes"] == sum(map(len, contents))
    assert manifest["classes"] == ["cool", "warm"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["images-1"]


def test_a_set_that_cannot_be_finished_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("PIL")
    monkeypatch.setattr(image_set, "CLASSES", ("cool", "\0"))
    with pytest.raises(ValueError):
        make_image_set(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_sets_that_were_abandoned_are_removed_after_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("PIL")
    monkeypatch.setattr(image_set, "COUNTS", {"train": 1, "validation": 1})
    make(tmp_path, ["images-abc_0123/train/a.jpg", "images-new_0123/a.jpg", "images-0/a.jpg", "other/a.jpg"])
    for name in ("images-abc_0123", "images-0", "other"):
        os.utime(tmp_path / name, (0, 0))
    make_image_set(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"images-new_0123", "images-0", "other", "images-1"}
