"""The peak memory of an opened target: since its warm-up, and in all."""

from __future__ import annotations

from typing import Optional, Tuple

from pytest_throughput.measurement.forks import ending_forked_children
from pytest_throughput.measurement.memory import peak_resident_bytes, reset_peak_resident
from pytest_throughput.measurement.step import Opened
from pytest_throughput.worker.failure import result_or_none

__all__ = ["PeakMemory"]


class PeakMemory:
    """Counts the peak memory of the device if the target reads it, or else of the process.

    The first step tries out algorithms that need more memory than any step does later, so the count is restarted
    after the warm-up, and the peak before it is kept beside. The process is counted only if it measures this target
    alone: its peak may be that of an earlier case, and so may what its allocator holds.
    """

    def __init__(self, opened: Opened, own_process: bool) -> None:
        """Start the device's count, which may hold the peak of an earlier case."""
        self._opened = opened
        self._own_process = own_process
        self._process_restarted = False
        self._before: Optional[int] = None
        self._reset_device()

    def restart(self) -> None:
        """Count from now on; what was counted before belongs to the peak in all."""
        device = self._device()
        self._before = self._in_all(self._process() if device is None else device)
        self._reset_device()
        self._process_restarted = self._own_process and reset_peak_resident()

    def read(self) -> Tuple[Optional[int], Optional[int]]:
        """Return the peak since the restart and the peak in all, in bytes; None where unknown.

        The peak of a process is unknown if the kernel does not let the process restart the count.
        """
        device, process = self._device(), self._process()
        if device is None:
            return (process if self._process_restarted else None), self._in_all(process)
        return device, self._in_all(device)

    def _device(self) -> Optional[int]:
        read = self._opened.peak_memory_bytes
        return None if read is None else result_or_none(read)

    def _process(self) -> Optional[int]:
        return peak_resident_bytes() if self._own_process else None

    def _reset_device(self) -> None:
        reset = self._opened.reset_peak_memory
        if reset is not None:
            with ending_forked_children():
                reset()

    def _in_all(self, peak: Optional[int]) -> Optional[int]:
        # What a target of the user returns may be no number.
        return max((each for each in (self._before, peak) if isinstance(each, int)), default=None)
