"""Telemetry of a trial, from before its worker starts until after it ends. Its errors never fail a benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.telemetry.cpu_load import CpuReading, read_cpu, summarise_cpu
from pytest_throughput.telemetry.device import Device
from pytest_throughput.telemetry.gpu_summary import summarise
from pytest_throughput.telemetry.gpus import Gpu
from pytest_throughput.telemetry.probe import GpuProbe, Reading
from pytest_throughput.telemetry.rounds import Rounds
from pytest_throughput.telemetry.sampler import Sampler

__all__ = ["Telemetry", "Watch"]

_IN_THIS_PROCESS = "measured in the pytest process, which reading would disturb (--throughput-isolation none)"
_WHICH_GPU = "NVML sees no GPU, or not which of them it is (CUDA_VISIBLE_DEVICES by number): name it by its UUID"
_ANOTHER_CLOCK = "the worker's clock is not this machine's"


class Telemetry:
    """The telemetry of one run. The connection to a GPU stays open from its first trial on."""

    def __init__(self, probe: Callable[[Gpu], GpuProbe] = GpuProbe) -> None:
        self._probe = probe
        self._probes: dict[str, GpuProbe | None] = {}
        """The probe of each GPU by UUID; None for a GPU that no longer answers."""

    @contextmanager
    def watching(self, device: Device, *, isolated: bool) -> Iterator[Watch]:
        """Read the device until the end of the body."""
        watch = Watch(device)
        sampler = None
        gpu = device.gpu
        if not device.is_gpu:
            pass
        elif not isolated:
            watch.unknown = _IN_THIS_PROCESS
        elif gpu is None:
            watch.unknown = _WHICH_GPU
        else:
            with suppress(RuntimeError):  # Raised if no further thread can be started.
                sampler = self._start(gpu, watch)
        try:
            yield watch
        finally:
            watch.after = read_cpu()
            if sampler is not None and gpu is not None:
                watch.readings = sampler.stop()
                watch.ours = sampler.ours
                if sampler.hangs:
                    self._probes[gpu.uuid] = None

    def _start(self, gpu: Gpu, watch: Watch) -> Sampler | None:
        if gpu.uuid not in self._probes:
            self._probes[gpu.uuid] = self._probe(gpu)
        probe = self._probes[gpu.uuid]
        if probe is None:
            watch.unknown = "NVML did not answer any more"
            return None
        watch.reasons = probe.unknown
        if "gpu" in probe.unknown:
            watch.unknown = probe.unknown["gpu"]
            return None
        sampler = Sampler(probe)
        sampler.start()
        return sampler

    def close(self) -> None:
        """Close the connections to NVML."""
        for probe in self._probes.values():
            if probe is not None:
                probe.close()
        self._probes.clear()


class Watch:
    """The readings during one trial."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.before: CpuReading = read_cpu()
        self.after: CpuReading | None = None
        self.readings: list[Reading] = []
        self.ours: set[int] = set()
        self.reasons: dict[str, str] = {}
        self.unknown: str | None = None
        """The reason why nothing is known of the GPU; None if something is."""

    def metadata(self, measurement: Measurement, items: int | None) -> dict[str, Any]:
        """Return ``telemetry``, ``images_per_joule`` and ``disturbed_by`` of a trial whose steps have so many items.

        ``items``: None if they are not counted, and ``images_per_joule`` is null then.
        """
        cpu, unknown = summarise_cpu(self.before, self.after or read_cpu())
        found: dict[str, Any] = {"images_per_joule": None, "disturbed_by": None}
        gpu = None
        if self.device.is_gpu:
            reason = self.unknown or self._no_window(measurement)
            if reason is not None:
                unknown["gpu"] = reason
            else:
                assert measurement.window is not None
                items_per_round = (items or 1) * measurement.steps_per_round
                rounds = Rounds(measurement.window, measurement.round_seconds, items_per_round)
                summary = summarise(self.readings, rounds, self.ours, self.reasons)
                gpu = dict(summary.fields)
                unknown.update(summary.unknown)
                per_joule = None if items is None else summary.images_per_joule
                found = {"images_per_joule": per_joule, "disturbed_by": summary.disturbed_by}
        return {"telemetry": {"cpu": cpu, "gpu": gpu, "unknown": unknown}, **found}

    def _no_window(self, measurement: Measurement) -> str | None:
        """Return why the rounds cannot be placed in time, as with a container's own clock; None if they can."""
        if not self.readings or measurement.window is None:
            return "nothing was read"
        began_at, ended_at = measurement.window
        inside = self.readings[0].at <= began_at <= ended_at <= self.readings[-1].at
        return None if inside else _ANOTHER_CLOCK
