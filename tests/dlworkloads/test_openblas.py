"""What a process says of the OpenBLAS that it has loaded."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from dlworkloads.runtimes import openblas


class Library:
    """An OpenBLAS whose functions have a suffix."""

    def __init__(self, suffix: str) -> None:
        setattr(self, f"openblas_get_config{suffix}", Function(b"OpenBLAS 0.3.20 DYNAMIC_ARCH Zen"))
        setattr(self, f"openblas_get_num_threads{suffix}", Function(2))


class Function:
    """A function of a library."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def __call__(self) -> object:
        return self.answer


@pytest.mark.parametrize("suffix", ["", "64_", "_64", "_of_another_library"])
def test_names_build_and_threads_of_each_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    maps = tmp_path / "maps"
    mapped = "7f00-7f01 r-xp 00000000 08:01 1 "
    maps.write_text(f"7f02-7f03 rw-p 0 00:00 0\n{mapped}/a b/libopenblas.so\n{mapped}/openblas/libm.so\n" * 2)
    monkeypatch.setattr(openblas, "_MAPS", maps)
    monkeypatch.setattr(ctypes, "CDLL", lambda path: Library(suffix))
    known = {"/a b/libopenblas.so": ("OpenBLAS 0.3.20 DYNAMIC_ARCH Zen", 2)}
    assert openblas.libraries() == ({} if suffix == "_of_another_library" else known)
