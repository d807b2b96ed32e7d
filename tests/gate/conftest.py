"""Runs with figures made up, for what is judged."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

import pytest

from pytest_throughput.gate.judged import JudgedCase, JudgedRun, JudgedTrial

MakeRun = Callable[..., JudgedRun]


@pytest.fixture
def make_run() -> MakeRun:
    """``make_run(seed, cases=…, trials=…)``: a run of noisy figures around 100 images/second."""
    return noisy_run


def noisy_run(
    seed: int,
    *,
    cases: int | Sequence[str] = 6,
    trials: int = 5,
    deviation: float = 0.01,
    slower: Mapping[str, float] | None = None,
    machine_id: str | None = "a",
    network_hash: str | None = "n",
    settings_digest: str | None = "s",
    software: Mapping[str, str] | None = None,
) -> JudgedRun:
    """``slower``: shares of the seconds, by id: 0.05 is 5 % more of them."""
    generator = random.Random(seed)
    ids = [f"case-{index}" for index in range(cases)] if isinstance(cases, int) else cases
    results = {}
    for case_id in ids:
        rate = 100.0 / (1 + (slower or {}).get(case_id, 0.0))
        figures = tuple(
            JudgedTrial(number, rate * generator.lognormvariate(0.0, deviation)) for number in range(1, trials + 1)
        )
        results[case_id] = JudgedCase(case_id, "ok", figures, network_hash, settings_digest)
    return JudgedRun(
        started_at=f"2026-01-01T{seed // 60 % 24:02d}:{seed % 60:02d}:00+00:00",
        fingerprint={"cpu": {"model": "Any", "cores": 2}},
        machine_id=machine_id,
        software=software or {"torch": "2.12.0"},
        cases=results,
    )
