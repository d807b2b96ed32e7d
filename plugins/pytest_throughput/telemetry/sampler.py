"""Read a GPU ten times a second while a worker uses it.

A thread of the pytest process reads; the main thread sleeps meanwhile. A reading takes some milliseconds of a core that
the worker does not need, and nothing from the measured process.
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
"""NVML's energy counter advances about as often."""
_MOST_READINGS = 36_000
"""The readings of one hour; in a longer trial the oldest are dropped."""
_PATIENCE_SECONDS = 5.0
"""How long to wait for a reading, which takes milliseconds unless the driver hangs."""


class Sampler:
    """A thread that reads the GPU between ``start`` and ``stop``."""

    def __init__(self, probe: GpuProbe, clock: Callable[[], float] = time.monotonic) -> None:
        self._probe = probe
        self._clock = clock
        self._readings: deque[Reading] = deque(maxlen=_MOST_READINGS)
        self.ours: set[int] = set()
        """Ids of the processes on the GPU that descend from this process."""
        self.hangs = False
        """Whether NVML did not answer in time; it may never answer."""
        self._judged: set[int] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="pytest-throughput-telemetry", daemon=True)

    def start(self) -> None:
        """Take the first reading, then go on reading in the background."""
        self._read()
        self._thread.start()

    def stop(self) -> list[Reading]:
        """End the thread and return all readings; the last one is taken now, unless NVML hangs."""
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
        # Find out at once whose process it is: the worker may have ended by the end of the trial.
        for process in (reading.processes or frozenset()) - self._judged:
            self._judged.add(process)
            if _is_descendant(process):
                self.ours.add(process)


def _is_descendant(process: int) -> bool:
    try:
        return os.getpid() in {parent.pid for parent in psutil.Process(process).parents()}
    except (psutil.Error, ValueError, OverflowError):
        return False
