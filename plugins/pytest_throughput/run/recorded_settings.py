"""Record the settings with which a trial was measured. The gate compares only trials with equal settings."""

from __future__ import annotations

import os
from dataclasses import replace

from pytest_throughput.launch.isolation import ISOLATIONS
from pytest_throughput.options.settings import Settings
from pytest_throughput.worker.protocol import Outcome

__all__ = ["with_settings"]


def with_settings(outcome: Outcome, isolation: str, settings: Settings) -> Outcome:
    """Return the outcome of a measured trial with its settings in the metadata; any other outcome as it is."""
    if outcome.measurement is None:
        return outcome
    uses_workers = ISOLATIONS[isolation].uses_workers
    recorded = {
        "isolation": isolation,
        "protocol": settings.plan.name,
        # In this process the step itself sets the number of threads, and reports it.
        "threads": settings.threads if uses_workers else None,
        "steps_per_round": outcome.measurement.steps_per_round,
        "pipelining": outcome.measurement.pipelining,
        "warm_up_steps": outcome.measurement.warm_up_steps,
        **outcome.metadata.get("settings", {}),
    }
    removed: list[str] = []
    allocator = None
    if uses_workers:
        # A library is recorded by the name of its file, as that of the one which holds.
        allocator = os.path.basename(os.path.realpath(settings.allocator))
        removed = settings.variables.removed(os.environ)
        reported = recorded["environment_variables"]
        recorded["environment_variables"] = settings.variables.recorded(reported, os.environ)
    own = {"settings": recorded, "removed_variables": removed, "allocator_asked": allocator}
    return replace(outcome, metadata={**outcome.metadata, **own})
