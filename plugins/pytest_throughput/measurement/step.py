"""A step that is measured repeatedly, and how to wait for the device that executes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional, Sequence

from pytest_throughput.measurement.kernel import Kernel
from pytest_throughput.measurement.product import Product

__all__ = ["DeviceClock", "Opened", "OutOfMemory", "Step", "Unsupported", "nothing_to_wait_for"]


class Unsupported(Exception):
    """This device, framework or interpreter cannot do what was asked; the message says why."""


class OutOfMemory(Exception):
    """The memory of the device or the host did not suffice; the message gives the bytes, where known."""


def nothing_to_wait_for(output: object) -> None:
    """Return at once: the work is done when ``run`` returns."""


def _raised_by_the_host(error: BaseException) -> bool:
    return isinstance(error, MemoryError)


@dataclass(frozen=True)
class DeviceClock:
    """A clock on the device, which shows when the device has finished the work that it was given."""

    mark: Callable[[], Any]
    """Put a mark into the device's queue, at which it notes the time. Return the mark at once."""

    seconds_between: Callable[[Any, Any], float]
    """Return the seconds between two marks, the earlier one first, once the device has passed both."""


@dataclass(frozen=True)
class Opened:
    """The properties of every opened target, whether it is a ``Step`` or goes through phases (``Once``)."""

    build_seconds: Optional[float] = None
    """Seconds it took to build the network; None to have the whole opening timed instead. ``build_seconds`` among the
    ``metadata`` wins: there, None means that opening builds nothing."""

    metadata: Mapping[str, Any] = field(default_factory=dict)
    """JSON values recorded with the result; ``settings`` and ``versions`` are merged, not replaced.

    A number that is not finite is recorded as null. A value that JSON does not have fails the case, as do the names
    ``pair``, ``slices``, ``unpaired``, ``anchor``, ``kernels`` and ``profile``.
    """

    reset_peak_memory: Optional[Callable[[], object]] = None
    """Make ``peak_memory_bytes`` count from now on."""

    peak_memory_bytes: Optional[Callable[[], Optional[int]]] = None
    """Return the device's peak memory in bytes. Without this function the peak of the process is recorded, if nothing
    else is measured in the process."""

    is_out_of_memory: Callable[[BaseException], bool] = _raised_by_the_host
    """Return whether an error that ``run`` or ``wait`` raised is the framework's way to say that memory ran out."""

    close: Optional[Callable[[], object]] = None
    """Free what the target holds, before the next case is opened in the same process."""


@dataclass(frozen=True)
class _Repeated:
    """The work of a step. This is a base class so that ``run`` and ``wait`` are the first arguments of ``Step``."""

    run: Callable[[], Any]
    """Do the work once, or give it to the device. What it returns is kept until the wait is over."""

    wait: Callable[[Any], object] = nothing_to_wait_for
    """Return when the device has finished; called with what the last ``run`` returned."""

    asynchronous: bool = False
    """True if ``run`` may return before the work is done, so that steps can be pipelined."""

    device_clock: Optional[DeviceClock] = None
    """The device's own clock, where it has one."""

    least_warm_up_steps: int = 0
    """Steps after the first in which the framework still prepares itself: it tries kernels out, or records what it will
    replay. They belong to the warm-up, whatever the plan says."""


@dataclass(frozen=True)
class Step(Opened, _Repeated):
    """One opened case: the work that a round repeats, and what is known about it.

    A function that ``measure_isolated`` names (``"module:function"``) returns one of these, or a ``Once``.
    """

    profile: Optional[Callable[[int, str], Sequence[Kernel]]] = None
    """Run so many steps under the framework's profiler, write its Chrome trace to the file, and return the operators,
    or on a GPU the kernels, of all these steps. Called when the rounds have ended, with ``--throughput-profile`` only;
    an error does not fail the trial."""

    check: Optional[Callable[[Any], Optional[str]]] = None
    """Return why the output of one more ``run`` after the rounds cannot be right, such as values that are not finite,
    or None. Where the step runs only once, it is that output. The check belongs on the device; only its answer need
    come to the host."""

    products: Mapping[str, Product] = field(default_factory=dict)
    """Products of matrices on the CPU, in the precision of the step, by the names of the libraries that compute them.

    Each is a function of a size: it returns a function that multiplies two random square matrices of that size, and
    waits for the product. The best rate of all steps of a run is the CPU's peak, so give the fastest product that the
    framework has. They are called after the rounds of some steps, and not on a GPU."""

    after_first_step: Optional[Callable[[Any], Mapping[str, Any]]] = None
    """Return metadata that only show after the first step, given what it returned. Called once, when the clock has
    stopped; an exception fails the trial. The metadata are merged with those of the step."""

    compilations: Optional[Callable[[], int]] = None
    """Return how often the step has been compiled so far. Called before the first round and after the last one, and
    after each slice; if the number has grown, rounds include compiling, and the case gets a warning."""

    @property
    def run_another(self) -> Callable[[], Any]:
        """The function that runs each step of a round except the last one, whose output is waited for.

        It is ``run`` if steps can be pipelined or have nothing to wait for, else ``run`` and ``wait``.
        """
        if self.asynchronous or self.wait is nothing_to_wait_for:
            return self.run
        return self._run_and_wait

    def _run_and_wait(self) -> None:
        self.wait(self.run())
