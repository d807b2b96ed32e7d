"""Names of trials, environments, axes, and columns of the table.

The node id ``test[a]`` is the first trial of its case, ``test[a-t2]`` the second. If a run has several environments,
the name of the environment is last: ``test[a-t2-head]``.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

__all__ = [
    "ALL_COLUMNS",
    "COLUMNS",
    "CONTENDERS",
    "DEFAULT_ENVIRONMENT",
    "ENVIRONMENT",
    "FIGURES",
    "SORT_KEYS",
    "TRIAL",
    "trial_id",
    "without_environment",
    "without_trial",
    "work_of",
]

TRIAL, ENVIRONMENT = "throughput_trial", "throughput_environment"
"""Names of the fixtures, and so of the parameters in pytest-benchmark's JSON, that hold trial and environment."""
DEFAULT_ENVIRONMENT = "default"
"""The environment of interpreters that are given without one."""
CONTENDERS = ("framework", "execution", "layout")
"""The axes of a case that say how its work is done. Its other axes are the work, which is compared between these."""

FIGURES = (
    "largest_batch",
    "images_per_second",
    "accuracy",
    "ratio",
    "spread",
    "seconds",
    "median_per_item",
    "mean_per_item",
    "p50",
    "p90",
    "p99",
    "rounds",
    "latency",
    "utilisation",
    "images_per_joule",
    "watts",
    "first_step",
    "compile",
    "build",
    "memory",
    "disturbed",
)
"""The words for the figures of the table of a run, in the order of its columns."""
ALL_COLUMNS = "all"
"""The word for every column that a case fills."""
COLUMNS = (*FIGURES, "status")
"""The words that choose columns."""
SORT_KEYS = ("run", "name", *FIGURES)
"""The words that choose the order of the rows: as they were run, by name, or by a figure."""


def work_of(case_id: str, axes: Mapping[str, Any]) -> Hashable:
    """Return the axes of a case that are its work; the case's id if it has no such axes."""
    return tuple((name, str(value)) for name, value in axes.items() if name not in CONTENDERS) or case_id


def trial_id(trial: int) -> str:
    """Return the suffix of the node id of a trial after the first, such as ``t2``."""
    return f"t{trial}"


def without_trial(node_id: str, trial: int, environment: str | None = None) -> str:
    """Return the node id of the first trial of the same case.

    ``environment``: the environment at the end of the id; None if the id has none.
    """
    head = node_id.removesuffix(f"{trial_id(trial)}-{environment}]" if environment else f"{trial_id(trial)}]")
    if trial == 1 or head == node_id:
        return node_id
    return f"{head}{environment}]" if environment else _closed(head)


def without_environment(node_id: str, environment: str) -> str:
    """Return the node id without the environment at its end."""
    head = node_id.removesuffix(f"{environment}]")
    return node_id if head == node_id else _closed(head)


def _closed(head: str) -> str:
    """Close ``test[a-`` to ``test[a]``, and ``test[`` to ``test``."""
    return head[:-1] if head.endswith("[") else f"{head[:-1]}]"
