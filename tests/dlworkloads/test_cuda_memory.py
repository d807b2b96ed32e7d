"""Whether the memory of a GPU was low, with a driver that is not there."""

from __future__ import annotations

import ctypes

import pytest

from dlworkloads import cuda_memory

GIB = 2**30


class Driver:
    """CUDA's driver: a device with so much free memory, and a function that fails."""

    def __init__(self, free: int, total: int, failing: str = "") -> None:
        self.free, self.total, self.failing = free, total, failing
        self.retained = self.entered = 0

    def _status(self, function: str) -> int:
        return 719 if function == self.failing else 0

    def cuInit(self, flags: int) -> int:
        return self._status("cuInit")

    def cuDeviceGet(self, device: object, ordinal: int) -> int:
        return self._status("cuDeviceGet")

    def cuDevicePrimaryCtxRetain(self, context: object, device: object) -> int:
        status = self._status("cuDevicePrimaryCtxRetain")
        self.retained += status == 0
        return status

    def cuDevicePrimaryCtxRelease_v2(self, device: object) -> int:
        self.retained -= 1
        return 0

    def cuCtxPushCurrent_v2(self, context: object) -> int:
        status = self._status("cuCtxPushCurrent_v2")
        self.entered += status == 0
        return status

    def cuCtxPopCurrent_v2(self, context: object) -> int:
        self.entered -= 1
        return 0

    def cuMemGetInfo_v2(self, free: object, total: object) -> int:
        assert self.entered == self.retained == 1
        free._obj.value, total._obj.value = self.free, self.total  # type: ignore[attr-defined]
        return self._status("cuMemGetInfo_v2")


@pytest.mark.parametrize(("free", "low"), [(0, True), (7 * GIB, True), (8 * GIB, False), (80 * GIB, False)])
def test_memory_is_low_below_a_tenth(monkeypatch: pytest.MonkeyPatch, free: int, low: bool) -> None:
    driver = Driver(free, 80 * GIB)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    assert cuda_memory.is_low() is low
    assert driver.entered == driver.retained == 0


@pytest.mark.parametrize(
    "failing", ["cuInit", "cuDeviceGet", "cuDevicePrimaryCtxRetain", "cuCtxPushCurrent_v2", "cuMemGetInfo_v2"]
)
def test_what_the_driver_does_not_say_is_not_low(monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    driver = Driver(0, 80 * GIB, failing)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    assert cuda_memory.is_low() is False
    assert driver.entered == driver.retained == 0


def test_without_a_driver_memory_is_not_low(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert cuda_memory.is_low() is False
