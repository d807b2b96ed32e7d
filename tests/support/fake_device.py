"""A device with a virtual clock whose work finishes asynchronously, as a GPU's does.

Time passes only when something is done: a launch takes a little time of the host, and the device does the work later.
Code that reads the clock without having waited measures only the launch.
"""

from __future__ import annotations

from collections.abc import Callable

from pytest_throughput import DeviceClock, Step


class FakeDevice:
    """A device that counts launches and waits."""

    def __init__(self, launch_seconds: float = 0.001) -> None:
        self.now = 100.0
        self.launch_seconds = launch_seconds
        self.launches = 0
        self.waits = 0
        self._busy_until = self.now

    def clock(self) -> float:
        """Return the time of the host's clock."""
        return self.now

    def launch(self, work_seconds: float) -> None:
        """Give work to the device, and return before it is done."""
        self.launches += 1
        self.now += self.launch_seconds
        self._busy_until = max(self._busy_until, self.now) + work_seconds

    def synchronize(self, *_: object) -> None:
        """Return when the device has finished."""
        self.waits += 1
        self.now = max(self.now, self._busy_until)

    def mark(self) -> float:
        """Return the time at which the device will have done all work that it was given so far."""
        return max(self.now, self._busy_until)

    def step(self, work_seconds: Callable[[int], float] | float, *, asynchronous: bool = True) -> Step:
        """Return a step of so many seconds of device work; a function gets the number of the launch, from 0."""

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
