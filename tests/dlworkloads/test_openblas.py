"""What a process says of the OpenBLAS that it has loaded."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from dlworkloads.runtimes import openblas


class Library:
    """An OpenBLAS whose functions have a suffix."""

    def __init__(self, suffix: str) -> None:
        self.threads = 2
        setattr(self, f"openblas_get_config{suffix}", Function(lambda: b"OpenBLAS 0.3.20 DYNAMIC_ARCH Zen"))
        setattr(self, f"openblas_get_num_threads{suffix}", Function(lambda: self.threads))
        setattr(self, f"openblas_set_num_threads{suffix}", Function(lambda number: setattr(self, "threads", number)))


class Function:
    """A function of a library, which takes attributes."""

    def __init__(self, function: object) -> None:
        self.function = function

    def __call__(self, *arguments: object) -> object:
        return self.function(*arguments)  # type: ignore[operator]


@pytest.mark.parametrize("suffix", ["", "64_", "_64", "_of_another_library"])
def test_names_build_and_threads_of_each_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    maps = tmp_path / "maps"
    mapped = "7f00-7f01 r-xp 00000000 08:01 1 "
    maps.write_text(f"7f02-7f03 rw-p 0 00:00 0\n{mapped}/a b/libopenblas.so\n{mapped}/openblas/libm.so\n" * 2)
    monkeypatch.setattr(openblas, "_MAPS", maps)
    monkeypatch.setattr(ctypes, "CDLL", lambda path: Library(suffix))
    found = openblas.loaded()
    assert list(found) == ([] if suffix == "_of_another_library" else ["/a b/libopenblas.so"])
    for library in found.values():
        assert (library.configuration, library.threads) == ("OpenBLAS 0.3.20 DYNAMIC_ARCH Zen", 2)
        library.threads = 1
        assert library.threads == 1


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="there is no /proc")
def test_a_function_is_found_in_the_file_it_was_loaded_from() -> None:
    assert Path(openblas.file_of(ctypes.CDLL(None).getpid)).name.startswith(("libc", "ld-musl"))
    with pytest.raises(LookupError, match="no file is mapped at 0x1"):
        openblas.file_of(ctypes.c_void_p(1))
