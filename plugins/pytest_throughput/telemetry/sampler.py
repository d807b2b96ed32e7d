"""Reads a GPU ten times a second while a worker is busy with it.

A thread of the pytest process, which sleeps meanwhile: a reading takes some milliseconds of one of
the processors that the worker does not need, and nothing of the measured process.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable

import psutil

from pytest_throughput.telemetry.probe import GpuProbe, Reading

__all__ = ["Sampler"]

_PERIOD_SECONDS = 0.1
"""As often as NVML's counter of energy advances."""
_MOST_READINGS = 36_000
"""An hour of them; of a longer trial the first are dropped."""
_PATIENCE_SECONDS = 5.0
"""A reading takes milliseconds, unless the driver is in trouble."""


class Sampler:
    """The readings between ``start`` and ``stop``."""

    def __init__(self, probe: GpuProbe, clock: Callable[[], float] = time.monotonic) -> None:
        self._probe = probe
        self._clock = clock
        self._readings: deque[Reading] = deque(maxlen=_MOST_READINGS)
        self.ours: set[int] = set()
        """Those processes on the GPU that this one has started."""
        self.hangs = False
        """Whether NVML did not answer in time, and may never."""
        self._judged: set[int] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="pytest-throughput-telemetry", daemon=True)

    def start(self) -> None:
        """Takes the first reading, before anything runs, and goes on in the background."""
        self._read()
        self._thread.start()

    def stop(self) -> list[Reading]:
        """All readings, the last of them taken now; the thread has ended, unless NVML hangs."""
        self._stopped.set()
        self._thread.join(_PATIENCE_SECONDS)
        self.hangs = self._thread.is_alive()
        if not self.hangs:
            self._read()
        return list(self._readings)

    def _sample(self) -> None:
        while not self._stopped.wait(_PERIOD_SECONDS):
            self._read()

    def _read(self) -> None:
        reading = self._probe.read(self._clock())
        self._readings.append(reading)
        # Now: the worker may have ended when the trial has.
        for process in (reading.processes or frozenset()) - self._judged:
            self._judged.add(process)
            if _is_descendant(process):
                self.ours.add(process)


def _is_descendant(process: int) -> bool:
    try:
        return os.getpid() in {parent.pid for parent in psutil.Process(process).parents()}
    except (psutil.Error, ValueError, OverflowError):
        return False
