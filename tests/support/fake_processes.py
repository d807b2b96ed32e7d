"""Processes of equal steps whose figures are drawn, for what measures and describes the noise of a machine."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

from pytest_throughput.measurement.allocator import SYSTEM
from pytest_throughput.measurement.disturbance import Disturbance
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.worker.protocol import Outcome

__all__ = ["FakeProcesses"]

STEP_SECONDS = 0.006
ROUNDS = 10
SLICES = 4
PAIR_SECONDS, PROCESS_SECONDS = 6.0, 1.0


class FakeProcesses:
    """Stands for ``EqualWorkers``: draws the figures with given deviations, and moves a clock."""

    def __init__(
        self,
        *,
        process: float = 0.02,
        live: float = 0.01,
        slices: float = 0.01,
        waiting_share: float | None = 0.0,
        faults: int = 0,
        faults_of_system: int = 3000,
        system_ratio: float = 1.2,
    ) -> None:
        """``process``, ``live`` and ``slices`` are the deviations of the log ratios of two of them."""
        self._random = random.Random(1)
        self.process, self.live, self.slices = process, live, slices
        self.waiting_share, self.faults, self.faults_of_system = waiting_share, faults, faults_of_system
        self.system_ratio = system_ratio
        self.now = 0.0
        self.log: list[str] = []
        self.is_closed = False

    def clock(self) -> float:
        return self.now

    def live_pair(self) -> tuple[Outcome, Outcome]:
        self.now += PAIR_SECONDS
        self.log.append("pair")
        log_ratio = self._random.gauss(0.0, self.live)
        sides = []
        for side, sign in (("A", -1), ("B", 1)):
            seconds = STEP_SECONDS * math.exp(-sign * log_ratio / 2)
            medians = [seconds * math.exp(self._random.gauss(0.0, self.slices / math.sqrt(2))) for _ in range(SLICES)]
            metadata = {
                "pair": {"side": side, "ratio": math.exp(sign * log_ratio)},
                "slices": [{"p10_seconds": each} for each in medians],
            }
            sides.append(self._outcome(seconds, self.faults, metadata))
        return sides[0], sides[1]

    def alone(self, allocator: str) -> Outcome:
        self.now += PROCESS_SECONDS
        self.log.append(allocator)
        seconds = STEP_SECONDS * math.exp(self._random.gauss(0.0, self.process / math.sqrt(2)))
        if allocator == SYSTEM:
            return self._outcome(seconds * self.system_ratio, self.faults_of_system, {})
        return self._outcome(seconds, self.faults, {})

    def close(self) -> None:
        self.is_closed = True

    def _outcome(self, seconds: float, faults: int, metadata: Mapping[str, object]) -> Outcome:
        waited = None if self.waiting_share is None else self.waiting_share * seconds
        disturbance = Disturbance(waited, waited, 0, 0.0, 0.0)
        measurement = Measurement(
            (seconds,) * ROUNDS,
            1,
            seconds,
            5,
            "max_rounds",
            seconds,
            (disturbance,) * ROUNDS,
            page_faults=faults * ROUNDS,
        )
        return Outcome("ok", measurement=measurement, metadata=metadata)
