"""The readers of data sets, on small files: whole ones, truncated ones, and ones that are something else."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlworkloads.data import cifar, letter, mnist
from dlworkloads.data.cifar import CIFAR10, CIFAR100, Cifar, read_cifar
from dlworkloads.data.examples import Examples
from dlworkloads.data.letter import parse_letters, read_letters
from dlworkloads.data.mnist import read_idx, read_mnist
from dlworkloads.data.published import DataError, PublishedFile
from dlworkloads.data.sets import DATA_SETS, read_examples

LINE = "T,2,8,3,5,1,8,13,0,6,6,10,8,0,8,0,8"


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


def record_file(which: Cifar, count: int, label: int = 3) -> bytes:
    labels = bytes([1] * (which.labels - 1) + [label])
    return b"".join(labels + bytes([number]) * 3072 for number in range(count))


def short(which: Cifar, folder: Path, label: int = 3) -> Cifar:
    """Return a set whose files have two records each, and write its archive into the folder."""
    path = folder / which.archive.name
    with tarfile.open(path, "w:gz") as archive:
        for name in which.files:
            data = record_file(which, 2, label)
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    return replace(which, archive=replace(which.archive, digest=digest), files=dict.fromkeys(which.files, 2))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_an_idx_file_gives_its_values(tmp_path: Path, suffix: str) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    path = tmp_path / f"images{suffix}"
    path.write_bytes(gzip.compress(idx(values)) if suffix else idx(values))
    assert (read_idx(path, (2, 3, 4)) == values).all()


@given(data=st.binary(max_size=60), is_compressed=st.booleans())
def test_an_idx_file_of_any_other_content_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, is_compressed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / f"other{'.gz' * is_compressed}"
    path.write_bytes(data)
    with pytest.raises(DataError, match="other"):
        read_idx(path, (2, 3, 4))


@given(cut=st.integers(0, 39), at=st.integers(0, 15), dimension=st.integers(5, 2**32 - 1))
def test_a_cut_or_absurd_idx_file_is_refused_without_reading_it(
    tmp_path_factory: pytest.TempPathFactory, cut: int, at: int, dimension: int
) -> None:
    whole = idx(np.zeros((2, 3, 4), np.uint8))
    path = tmp_path_factory.getbasetemp() / "idx"
    place = 4 + at % 3 * 4
    absurd = whole[:place] + struct.pack(">I", dimension) + whole[place + 4 :]
    for data in (whole[:cut], absurd, whole + b"x", b"\1" + whole[1:]):
        path.write_bytes(data)
        with pytest.raises(DataError):
            read_idx(path, (2, 3, 4))


def test_a_compressed_file_that_never_ends_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(idx(np.zeros((2, 3, 4), np.uint8)) + bytes(10**7)))
    with pytest.raises(DataError, match="expected 24 bytes of data, found more"):
        read_idx(path, (2, 3, 4))


@pytest.mark.parametrize("cut", [1, 20, 30])
def test_a_truncated_compressed_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(idx(np.random.default_rng(0).integers(0, 255, (2, 3, 4), np.uint8)))[:-cut])
    with pytest.raises(DataError, match="cannot be decompressed"):
        read_idx(path, (2, 3, 4))


def test_mnist_says_which_file_is_missing_and_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--data-dir: .* has no train-images-idx3-ubyte\.gz; get it from https://"):
        read_mnist(tmp_path)


def test_a_file_that_is_not_the_published_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(np.zeros((60_000, 1, 1), np.uint8))))
    with pytest.raises(DataError, match=r"md5 checksum is .*, and that of the published file is f68b3c2d"):
        read_mnist(tmp_path)


def test_mnist_joins_both_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are complete here but for their pixels, which are all alike."""
    digests = {}
    for part, count, label in (("train", 60_000, 3), ("t10k", 10_000, 4)):
        for kind, values in (
            ("images-idx3", np.full((count, 28, 28), label, np.uint8)),
            ("labels-idx1", np.full(count, label, np.uint8)),
        ):
            name = f"{part}-{kind}-ubyte"
            data = gzip.compress(idx(values), 1)
            digests[name] = hashlib.md5(data).hexdigest()
            (tmp_path / f"{name}.gz").write_bytes(data)
    monkeypatch.setattr(mnist, "_DIGESTS", digests)
    found = read_examples("mnist", tmp_path, (1, 28, 28))
    assert (found.inputs.shape, found.inputs.dtype.name, found.divisor) == ((70_000, 1, 28, 28), "uint8", 255)
    assert (found.labels.dtype.name, found.labels[0], found.labels[-1]) == ("int64", 3, 4)
    assert found.inputs[-1, 0, 0, 0] == 4
    for name in digests:
        packed = tmp_path / f"{name}.gz"
        (tmp_path / name).write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    assert read_mnist(tmp_path).sha256() == found.sha256()


def test_unpacked_files_of_other_data_are_told_apart_by_their_digest() -> None:
    """Fashion-MNIST has the names and shapes of MNIST."""
    inputs, labels = np.arange(32, dtype=np.uint8).reshape(2, 1, 4, 4), np.array([0, 1])
    digest = Examples(inputs, 255, labels).sha256()
    assert digest == Examples(np.asfortranarray(inputs), 255, labels).sha256()
    others = [(inputs + 1, 255, labels), (inputs, 16, labels), (inputs, 255, labels + 1), (inputs[:, 0], 255, labels)]
    assert len({digest, *(Examples(*other).sha256() for other in others)}) == 5


@pytest.mark.parametrize("which", [CIFAR10, CIFAR100])
def test_cifar_is_read_from_the_archive_and_from_its_files(tmp_path: Path, which: Cifar) -> None:
    small = short(which, tmp_path)
    found = read_cifar(tmp_path, small)
    assert found.inputs.shape == (2 * len(which.files), 3, 32, 32)
    assert (found.inputs[1] == 1).all()
    assert (found.labels == 3).all()
    with tarfile.open(tmp_path / which.archive.name) as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / which.archive.name).unlink()
    inside = tmp_path / Path(next(iter(which.files))).parent
    for folder in (tmp_path, inside):
        assert (read_cifar(folder, small).inputs == found.inputs).all()
    (inside / Path([*which.files][-1]).name).unlink()
    with pytest.raises(DataError, match=r"--data-dir: there is no .*get cifar-"):
        read_cifar(tmp_path, small)


@given(length=st.integers(0, 2 * 2 * 3073))
def test_a_cifar_file_of_another_length_is_refused(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = record_file(CIFAR10, 4)
    data = whole[:length] if length != 2 * 3073 else whole
    (folder / "data_batch_1.bin").write_bytes(data)
    with pytest.raises(DataError, match="expected 6,146 bytes of data, found"):
        read_cifar(folder, replace(CIFAR10, files=dict.fromkeys(CIFAR10.files, 2)))


def test_cifar_refuses_other_archives_and_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has neither cifar-10-binary\.tar\.gz nor cifar-10-batches-bin/data_batch_1"):
        read_cifar(tmp_path, CIFAR10)
    small = short(CIFAR10, tmp_path, label=10)
    with pytest.raises(DataError, match="a record has the class 10, expected 0 to 9"):
        read_cifar(tmp_path, small)
    with pytest.raises(DataError, match="checksum"):
        read_cifar(tmp_path, CIFAR10)
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes(path.read_bytes()[:40])
    cut = replace(small, archive=replace(small.archive, digest=hashlib.md5(path.read_bytes()).hexdigest()))
    with pytest.raises(DataError, match="cannot be read"):
        read_cifar(tmp_path, cut)


def test_letters_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "letter-recognition.data"
    with pytest.raises(DataError, match=r"has no letter-recognition\.data; get it from https://archive\.ics\.uci\.edu"):
        read_letters(tmp_path)
    path.write_text(f"{LINE}\n{LINE.replace('T', 'A')}\n")
    with pytest.raises(DataError, match="sha256 checksum"):
        read_letters(tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(letter, "_FILE", PublishedFile(path.name, "https://example.org", digest))
    found = read_letters(tmp_path)
    assert (found.inputs.shape, found.divisor, [*found.labels]) == ((2, 16), 1, [19, 0])
    assert [*found.inputs[0, :3]] == [2, 8, 3]


@given(st.text(max_size=50))
def test_other_lines_are_no_letters(text: str) -> None:
    with pytest.raises(DataError):
        parse_letters(text, "letters")


@pytest.mark.parametrize(
    "line", [f"{LINE},1", LINE[:-2], LINE.replace("13", "16"), LINE.replace("13", "-1"), LINE.lower(), f"{LINE}\n\n"]
)
def test_a_wrong_line_is_named(line: str) -> None:
    with pytest.raises(DataError, match=r"letters: line [23] is .*expected a letter from A to Z and 16 whole numbers"):
        parse_letters(f"{LINE}\n{line}", "letters")


def test_every_set_of_a_folder_says_that_it_needs_one() -> None:
    for name, known in DATA_SETS.items():
        if known.is_in_folder:
            with pytest.raises(DataError, match=f"--data {name}: --data-dir DIR has to name the folder"):
                read_examples(name, None, known.shapes[0])


def test_a_set_that_does_not_fit_names_those_that_do() -> None:
    with pytest.raises(DataError, match=r"--data digits: .* input of \(16,\); those that do: letter, digits_4x4"):
        read_examples("digits", None, (16,))


def test_the_published_sizes_are_those_of_the_documents() -> None:
    for which in (CIFAR10, CIFAR100):
        assert sum(which.files.values()) == 60_000
    assert cifar._PIXELS == 3072
