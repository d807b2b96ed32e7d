"""What a job reports is kept for the test of the phase that has ended."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pytest_throughput.measurement.disturbance import Disturbance
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.run.job_progress import JobProgress
from pytest_throughput.worker.protocol import Outcome, Progress

PHASES = ("load", "train", "save")
MEASURED = Measurement((1.0,), 1, None, 0, "once", 1.0, (Disturbance(None, None, 0, None, None),))


def test_a_job_that_is_opened_once_more_begins_with_its_first_phase() -> None:
    """As one that ran out of memory beside other workers, which is then run alone."""
    kept: list[str] = []

    def test_of(name: str) -> Any:
        return SimpleNamespace(ended=lambda started_at, items, outcome: outcome)

    session: Any = SimpleNamespace(
        observer=None,
        was_measured=lambda found: False,
        trial_store=SimpleNamespace(keep_phase=lambda outcome: kept.append(outcome.metadata["phase"])),
    )
    found: Any = SimpleNamespace(case_id="job")
    progress = JobProgress(session, found, "2026", test_of=test_of, with_settings=lambda outcome: outcome)
    ended = Progress(rounds=1, ended_phase=Outcome("ok", measurement=MEASURED))
    for _ in range(2):
        progress(Progress(phases=PHASES))
        progress(ended)
    progress(ended)
    assert kept == ["load", "load", "train"]
