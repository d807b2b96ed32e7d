"""A device with a virtual clock whose work finishes asynchronously, as a GPU's does.

Time passes only when something is done: a launch costs the host a little, and the device works it
off later. Whoever reads the clock without having waited reads the launch alone.
"""

from __future__ import annotations

from collections.abc import Callable

from pytest_throughput import DeviceClock, Step


class FakeDevice:
    """Counts what was asked of it."""

    def __init__(self, launch_seconds: float = 0.001) -> None:
        self.now = 100.0
        self.launch_seconds = launch_seconds
        self.launches = 0
        self.waits = 0
        self._busy_until = self.now

    def clock(self) -> float:
        """The host's clock."""
        return self.now

    def launch(self, work_seconds: float) -> None:
        """Hands the device work; returns before it is done."""
        self.launches += 1
        self.now += self.launch_seconds
        self._busy_until = max(self._busy_until, self.now) + work_seconds

    def synchronize(self, *_: object) -> None:
        """Returns when the device has finished."""
        self.waits += 1
        self.now = max(self.now, self._busy_until)

    def mark(self) -> float:
        """When the device will have done what it was handed so far."""
        return max(self.now, self._busy_until)

    def step(self, work_seconds: Callable[[int], float] | float, *, asynchronous: bool = True) -> Step:
        """A step of so many seconds of device work; a function is given the number of the launch, from 0."""

        def run() -> object:
            seconds = work_seconds(self.launches) if callable(work_seconds) else work_seconds
            self.launch(seconds)
            return object()

        return Step(
            run,
            self.synchronize,
            asynchronous=asynchronous,
            device_clock=DeviceClock(self.mark, lambda before, after: after - before),
        )
