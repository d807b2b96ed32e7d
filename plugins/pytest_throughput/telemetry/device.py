"""A device of a trial, and the hardware that it is."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_throughput.telemetry.gpus import Gpu, find_gpu, is_gpu, visibility

__all__ = ["Device"]


@dataclass(frozen=True)
class Device:
    """A device as a case names it, the GPU that has this name, and the variables that show it to a worker."""

    name: str = "cpu"
    """``cpu``, ``cuda`` or ``cuda:N``."""
    gpu: Gpu | None = None
    """The GPU of this name; None for a CPU, or where it cannot be determined."""
    visibility: tuple[tuple[str, str], ...] = ()
    """Environment variables that make this device, and no other, visible to a worker."""

    @classmethod
    def find(cls, name: str, gpus: list[Gpu]) -> Device:
        """Return the device of this name among the GPUs of the machine."""
        return cls(name, find_gpu(name, gpus), tuple(visibility(name, gpus).items()))

    @property
    def is_gpu(self) -> bool:
        """Whether the device is a GPU, known or not."""
        return is_gpu(self.name)
