"""Measure a trial beside the anchor: both are alive, in turn, and the trial's metadata hold the ratio of their speeds.

The anchor is no test of its own. Its versions and slices are stored in the trial that was measured beside it.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_throughput.launch.anchors import Anchors
from pytest_throughput.launch.trials import Side, TrialRun, Trials
from pytest_throughput.results.anchor import digest_of, versions_of
from pytest_throughput.run.jobs import part_of
from pytest_throughput.run.live_pairs import reason_to_be_alone
from pytest_throughput.worker.protocol import Outcome

__all__ = ["described", "run_beside_anchor"]


def run_beside_anchor(trials: Trials, anchors: Anchors, side: Side) -> TrialRun:
    """Run a trial, and the same in the anchor's interpreter. The metadata of the trial get ``anchor``.

    The trial is measured alone if its framework has no anchor.
    """
    name = side.placement.interpreter.name
    interpreter = anchors.find(name)
    if interpreter is None:
        run = trials.run(side.request, side.placement, side.items)
        reason = f"--throughput-anchor names none for {name}"
        return replace(run, outcome=_with_anchor(run.outcome, {"reason": reason}))
    request = replace(side.request, profile=None)
    placement = replace(side.placement, interpreter=interpreter)
    of_anchor = replace(side, request=request, placement=placement, has_peak=False)
    run, anchor = trials.run_in_turn([side, of_anchor])
    outcome = part_of(anchor.outcome, None, side.request.target)
    return replace(run, outcome=_beside(run.outcome, outcome, side.items))


def described(outcome: Outcome, anchors: Anchors) -> Outcome:
    """Return the outcome of a measured trial; with the reason if this run has an anchor and the trial has none."""
    if not anchors or "anchor" in outcome.metadata:
        return outcome
    return _with_anchor(outcome, {"reason": reason_to_be_alone(outcome.metadata)})


def _beside(outcome: Outcome, anchor: Outcome, items: int) -> Outcome:
    """Return the trial's outcome with that of the anchor, or with the reason why the anchor has no figures."""
    if outcome.measurement is None:
        return outcome
    if anchor.measurement is None:
        alone = {name: value for name, value in outcome.metadata.items() if name != "unpaired"}
        reason = f"the anchor is {anchor.status}: {anchor.reason}"
        return _with_anchor(replace(outcome, metadata=alone), {"reason": reason})
    rounds, rounds_anchor = outcome.measurement.seconds_per_step, anchor.measurement.seconds_per_step
    pair, versions = outcome.metadata.get("pair"), versions_of(anchor.metadata)
    median_anchor = statistics.median(rounds_anchor)
    own = {
        "digest": digest_of(versions),
        "versions": versions,
        "ratio": pair["ratio"] if pair else _ratio(median_anchor, statistics.median(rounds)),
        "mean_ratio": pair["mean_ratio"] if pair else _ratio(statistics.fmean(rounds_anchor), statistics.fmean(rounds)),
        "images_per_second": _ratio(items, median_anchor),
        "slices": anchor.metadata.get("slices"),
    }
    return _with_anchor(outcome, own)


def _ratio(dividend: float, divisor: float) -> float | None:
    """Return the quotient; None if the clock could not resolve one of the two."""
    return dividend / divisor if dividend and divisor else None


def _with_anchor(outcome: Outcome, anchor: Mapping[str, Any]) -> Outcome:
    return replace(outcome, metadata={**outcome.metadata, "anchor": dict(anchor)})
