"""Odd JPEG files: Pillow, which decodes for PyTorch and JAX, and TensorFlow read the same pixels, or neither does."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlworkloads.data.loading import UnreadableImage

Image = pytest.importorskip("PIL.Image")

SIZE = 32


def picture(mode: str = "RGB", size: tuple[int, int] = (90, 70)) -> Any:
    """Return a picture of smooth noise."""
    random = np.random.default_rng(0)
    levels = [Image.fromarray(random.integers(0, 256, (14, 18), np.uint8)) for _ in mode]
    return Image.merge(mode, [each.resize(size, Image.BICUBIC) for each in levels])


def jpeg(image: Any = None, **options: Any) -> bytes:
    file = io.BytesIO()
    (image or picture()).save(file, options.pop("format", "JPEG"), quality=95, **options)
    return file.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # The orientation: to be turned by 90° when it is shown.
    return jpeg(exif=exif)


def in_cmyk(*, adobe: bool) -> bytes:
    """Return an image in CMYK; Pillow writes Adobe's marker and inverted values."""
    content = jpeg(picture("CMYK"))
    if adobe:
        return content
    begin = content.index(b"\xff\xee")
    end = begin + 2 + int.from_bytes(content[begin + 2 : begin + 4], "big")
    return content[:begin] + content[end:]


def changed(content: bytes, marker: bytes, offset: int, by: bytes) -> bytes:
    """Return the content with other bytes so far behind the marker."""
    begin = content.index(marker) + offset
    return content[:begin] + by + content[begin + len(by) :]


WHOLE = jpeg()
DECODED: dict[str, Callable[[], bytes]] = {
    "grey": lambda: jpeg(picture("L")),
    "CMYK": lambda: in_cmyk(adobe=True),
    "CMYK without Adobe's marker": lambda: in_cmyk(adobe=False),
    "progressive": lambda: jpeg(progressive=True),
    "turned by EXIF": turned,
    "one pixel": lambda: jpeg(picture(size=(1, 1))),
    "several pictures": lambda: jpeg(format="MPO", save_all=True, append_images=[picture("L").convert("RGB")]),
    "bytes behind its end": lambda: WHOLE + b"more" * 100,
    "damaged within": lambda: WHOLE[: len(WHOLE) // 2] + b"\xff\xd9\0\0" + WHOLE[len(WHOLE) // 2 + 4 :],
}
REFUSED: dict[str, Callable[[], bytes]] = {
    "empty": bytes,
    "text": lambda: b"no picture",
    "PNG": lambda: jpeg(format="PNG"),
    "GIF": lambda: jpeg(format="GIF"),
    "without its end": lambda: WHOLE[:-10],
    "the first half": lambda: WHOLE[: len(WHOLE) // 2],
    "the header": lambda: WHOLE[:100],
    "12 bits a channel": lambda: changed(WHOLE, b"\xff\xc0", 4, b"\x0c"),
    "65,000 by 65,000 pixels": lambda: changed(WHOLE, b"\xff\xc0", 5, (65_000).to_bytes(2, "big") * 2),
}


def pillow(file: str) -> np.ndarray:
    pixels: np.ndarray = import_module("dlworkloads.data.pillow_images").decode(file, SIZE) * 255
    return pixels


def tensorflow(file: str) -> np.ndarray:
    pytest.importorskip("tensorflow")
    images = import_module("dlworkloads.frameworks.keras.tensorflow_images")
    return np.asarray(images._decode(os.fsencode(file), SIZE))


@pytest.mark.parametrize("kind", DECODED)
def test_both_decode_the_same_pixels(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "odd.jpg"
    file.write_bytes(DECODED[kind]())
    assert float(np.abs(pillow(str(file)) - tensorflow(str(file))).max()) < 3


def test_the_orientation_of_exif_is_ignored(tmp_path: Path) -> None:
    files = [tmp_path / "turned.jpg", tmp_path / "plain.jpg"]
    for file, content in zip(files, (turned(), WHOLE), strict=True):
        file.write_bytes(content)
    shown, plain = (pillow(str(file)) for file in files)
    np.testing.assert_array_equal(shown, plain)


@pytest.mark.parametrize("kind", REFUSED)
def test_neither_decodes(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "odd.jpg"
    file.write_bytes(REFUSED[kind]())
    with pytest.raises(UnreadableImage) as raised:
        pillow(str(file))
    assert str(raised.value).startswith(f"--images: {file} cannot be decoded (")
    errors = pytest.importorskip("tensorflow").errors
    with pytest.raises(errors.InvalidArgumentError):
        tensorflow(str(file))
