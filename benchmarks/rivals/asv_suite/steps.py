"""The steps as a suite of asv: one process for each step, round and commit."""

from __future__ import annotations

from rivals.opened import CASES, opened


class Steps:
    """asv's attributes as they are: 2 rounds, 0.1 s of warm-up, 5 samples of at least 0.01 s in a process."""

    params = tuple(CASES)
    param_names = ("case",)

    def setup(self, case: str) -> None:
        self.run = opened(case)

    def time_step(self, case: str) -> None:
        self.run()


class CarefulSteps(Steps):
    """The attributes of a careful user: a longer warm-up, and 10 samples of at least 0.1 s in a process."""

    warmup_time = 0.5
    sample_time = 0.1
    repeat = 10
