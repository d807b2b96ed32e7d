"""The devices of a run, and the locks by which other runs wait for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property

import pytest

from pytest_throughput.launch.lock import Locks, cpu_names
from pytest_throughput.telemetry.device import Device
from pytest_throughput.telemetry.gpus import Gpu, list_gpus

__all__ = ["Devices"]


class Devices:
    """The devices of the trials that were asked for, each once, in order."""

    def __init__(self, *, lock: bool, waiting: Callable[[str, int | None], object]) -> None:
        """Wait for other runs, and make them wait, if ``lock`` is true. ``waiting``: see ``Locks``."""
        self._names: dict[str, None] = {}
        self._lock = lock
        self._locks = Locks(waiting)

    def __iter__(self) -> Iterator[Device]:
        return map(self.find, self._names)

    def add(self, device: str) -> None:
        """Note that a trial asks for a device."""
        self._names[device] = None

    def find(self, name: str) -> Device:
        """Return the device of a name on this machine."""
        return Device.find(name, self._gpus)

    @cached_property
    def _gpus(self) -> list[Gpu]:
        return list_gpus()

    def hold(self, give_up: Callable[[], bool] | None) -> None:
        """Wait for other runs on the same devices, and keep others from them until ``release``.

        ``give_up``: called once a second while waiting; if it returns true, no lock is held. Fail the test if devices
        cannot be locked.
        """
        if not self._lock:
            return
        try:
            self._locks.hold(self._lock_names(), give_up)
        except TimeoutError:
            self._locks.release()
        except OSError as error:
            pytest.fail(f"--throughput-lock: {error}; --throughput-lock=off neither waits nor locks", pytrace=False)

    def refuse_locks_that_cannot_be_had(self) -> None:
        """Raise pytest.UsageError if locks are impossible, before the first case and not in each of them."""
        if not self._lock:
            return
        try:
            # The device of a test that names none in its parameters is known only when the test measures.
            self._locks.check(self._lock_names() if self._names else ())
        except OSError as error:
            raise pytest.UsageError(
                f"--throughput-lock: {error}; --throughput-lock=off waits for no other run, whose work may then "
                "slow this one"
            ) from None

    def release(self) -> None:
        """Release the devices for other runs."""
        self._locks.release()

    def _lock_names(self) -> list[str]:
        names: list[str] = []
        for device in list(self) or [Device()]:
            if device.gpu is not None:
                names.append(device.gpu.uuid)
            elif not device.is_gpu:
                names += cpu_names()
            else:
                # NVML does not list some devices, such as a MIG instance.
                shown = dict(device.visibility)["CUDA_VISIBLE_DEVICES"] or device.name
                names.append("cuda-" + re.sub(r"[^A-Za-z0-9-]", "-", shown))
        return names
