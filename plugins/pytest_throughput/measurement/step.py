"""What is measured: a step, and how to wait for the device that it keeps busy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional

__all__ = ["DeviceClock", "OutOfMemory", "Step", "Unsupported"]


class Unsupported(Exception):
    """This device, framework or interpreter cannot do what was asked; the message says why."""


class OutOfMemory(Exception):
    """The memory of the device or the host did not suffice; the message gives the bytes, where known."""


def _nothing_to_wait_for(output: object) -> None:
    """Wait for a step whose work is done when it returns."""


def _raised_by_the_host(error: BaseException) -> bool:
    return isinstance(error, MemoryError)


@dataclass(frozen=True)
class DeviceClock:
    """A clock on the device, which tells when it has worked through what it was handed."""

    mark: Callable[[], Any]
    """Hands the device a mark to note the time at, and returns at once."""

    seconds_between: Callable[[Any, Any], float]
    """Of two marks in their order, once they have been waited for."""


@dataclass(frozen=True)
class Step:
    """One opened case: what a round repeats, and what is known about it.

    A function that ``measure_isolated`` names (``"module:function"``) returns one of these.
    """

    run: Callable[[], Any]
    """Does the work once, or hands it to the device; what it returns is kept until the wait is over."""

    wait: Callable[[Any], object] = _nothing_to_wait_for
    """Returns when the device has finished; called with what the last ``run`` returned."""

    asynchronous: bool = False
    """True if ``run`` may return before the work is done, so that steps can be pipelined."""

    device_clock: Optional[DeviceClock] = None
    """The device's own clock, where it has one."""

    least_warm_up_steps: int = 0
    """Steps after the first in which it still prepares itself: tries kernels out, or records what it will replay.
    They belong to the warm-up, whatever the plan says."""

    build_seconds: Optional[float] = None
    """Seconds it took to build the network; None to have the whole opening timed instead."""

    metadata: Mapping[str, Any] = field(default_factory=dict)
    """JSON values recorded with the result; ``settings`` and ``versions`` are merged, not replaced.

    A number that is not finite is recorded as null; what is no JSON value fails the case.
    """

    reset_peak_memory: Optional[Callable[[], object]] = None
    """Makes ``peak_memory_bytes`` count from now on."""

    peak_memory_bytes: Optional[Callable[[], Optional[int]]] = None
    """The device's peak memory in bytes. Without one, that of the process is recorded, if the process is its own."""

    is_out_of_memory: Callable[[BaseException], bool] = _raised_by_the_host
    """Tells the framework's out-of-memory errors, raised by ``run`` or ``wait``, from other errors."""

    check: Optional[Callable[[Any], Optional[str]]] = None
    """Called once after the rounds with what one more ``run`` returned (or, where the step runs only once, that one):
    why it cannot be right, such as values that are not finite, or None. It belongs on the device; only its answer need
    come to the host."""

    close: Optional[Callable[[], object]] = None
    """Frees what the step holds, before the next case is opened in the same process."""

    @property
    def run_another(self) -> Callable[[], Any]:
        """What is repeated in a round of several steps, but for the last one, whose output is waited for.

        That is ``run`` where steps can be pipelined or have nothing to wait for, else ``run`` and ``wait``.
        """
        if self.asynchronous or self.wait is _nothing_to_wait_for:
            return self.run
        return self._run_and_wait

    def _run_and_wait(self) -> None:
        self.wait(self.run())
