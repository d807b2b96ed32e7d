"""The name and compute capability of a CUDA device, with a driver that is not there."""

from __future__ import annotations

import ctypes

import pytest

from dlworkloads import cuda_device


class Driver:
    """CUDA's driver: an H200, and a function that fails."""

    def __init__(self, failing: str = "") -> None:
        self.failing = failing

    def _status(self, function: str) -> int:
        return 100 if function == self.failing else 0

    def cuInit(self, flags: int) -> int:
        return self._status("cuInit")

    def cuDeviceGet(self, device: object, ordinal: int) -> int:
        return self._status("cuDeviceGet")

    def cuDeviceGetName(self, name: object, length: int, device: object) -> int:
        name.value = b"NVIDIA H200"  # type: ignore[attr-defined]
        return self._status("cuDeviceGetName")

    def cuDeviceGetAttribute(self, number: object, attribute: int, device: object) -> int:
        number._obj.value = {75: 9, 76: 0}[attribute]  # type: ignore[attr-defined]
        return self._status("cuDeviceGetAttribute")


def test_the_driver_describes_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver())
    assert cuda_device.first() == ("NVIDIA H200", (9, 0))


@pytest.mark.parametrize("failing", ["cuInit", "cuDeviceGet", "cuDeviceGetName", "cuDeviceGetAttribute"])
def test_a_driver_that_fails_has_no_device(monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(failing))
    assert cuda_device.first() is None


def test_without_a_driver_there_is_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert cuda_device.first() is None
