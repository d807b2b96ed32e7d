"""Runs with invented figures, as the reader of files gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.results.model import RATE, CaseResult, RunResult, TrialResult

AXES = {"mode": "training", "framework": "pytorch", "device": "cpu", "model": "vgg16", "batch_size": 8}
HOSTILE_NAMES = (
    "=cmd|' /C calc'!A0",
    "+1",
    "@everyone `x` | <img src=x> [a](https://example.org) #1 gh-2 :tada: *x*",
    'a "quoted", \\ name\nof {two} lines',
    "\x1b]0;owned\x07\u202e\x00\ufffe\r\n::error::x",
    "]]>&amp;</testcase>",
    "spaces  a",
    "spaces   a",
)
"""Names that mean something to a spreadsheet, Markdown, XML, a terminal or a CI system; two of them look alike."""


def a_case(
    name: str = "training-vgg16",
    values: Sequence[float] = (80.0, 82.0, 81.0),
    *,
    metric: Metric | None = None,
    further: Sequence[Metric] = (),
    axes: Mapping[str, Any] = AXES,
    environment: str = "default",
    status: str | None = "ok",
    metadata: Mapping[str, Any] | None = None,
    **more: Any,
) -> CaseResult:
    """Return a case with a trial for each value of its primary metric, of which ``metric`` is an example."""
    example = metric or Metric(RATE, "images/s", 1.0)
    trials = tuple(
        TrialResult(
            trial=number,
            items=8,
            median_seconds=8 / value,
            metrics=(Metric(example.name, example.unit, value, example.better), *further),
            rounds=20,
            rounds_disturbed=1,
            started_at="2026-01-01T00:00:00+00:00",
            metadata=metadata or {},
        )
        for number, value in enumerate(values, 1)
    )
    return CaseResult(name, environment, axes, status, trials=trials, settings={"isolation": "trial"}, **more)


def a_run(*cases: CaseResult, complete: bool = True) -> RunResult:
    """Return a run of these cases; by default of one that was measured and one that failed."""
    failed = a_case("training-broken", (), status="crashed", reason="the worker was killed by signal 9")
    return RunResult(cases or (a_case(), failed), complete=complete)


def a_hostile_run() -> RunResult:
    """Return a run in which every text is hostile."""
    cases = [
        a_case(
            name,
            metric=Metric(RATE, f"{name}/s", 1.0),
            axes={name: name, "model": name},
            environment=name,
            reason=name,
            implausible=name,
        )
        for name in HOSTILE_NAMES
    ]
    return RunResult((*cases, *(a_case(f"{name}?", (), status=None) for name in HOSTILE_NAMES)), complete=False)
