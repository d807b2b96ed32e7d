"""Anchors in the gate: runs of any hour are compared by the ratios of their trials to one and the same anchor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pytest_throughput.gate.judged import JudgedCase, JudgedRun
from pytest_throughput.gate.verdict import CaseVerdict
from pytest_throughput.results.anchor import shown_anchor
from pytest_throughput.text import count, listed

__all__ = ["anchor_changed", "anchors_compared", "common_anchor", "relative_to"]

_MOST_VERSIONS_NAMED = 3


def common_anchor(cases: Sequence[JudgedCase]) -> str | None:
    """Return the digest of the anchor beside which all trials of these cases were measured; None if there is none.

    If a single trial has no anchor or another one, all are compared by their own speed, so that none is left out.
    """
    found = {None if trial.anchor is None else trial.anchor.digest for case in cases for trial in case.trials}
    return found.pop() if len(found) == 1 else None


def relative_to(case: JudgedCase, digest: str, *, by_mean: bool = False) -> JudgedCase:
    """Return the case with the trials that were measured beside this anchor, and their ratios to it as values.

    ``by_mean``: take the ratios of the means, and leave out the trials that have none.
    """
    beside = [(trial, trial.anchor) for trial in case.trials if trial.anchor and trial.anchor.digest == digest]
    ratios = [(trial, anchor.mean_ratio if by_mean else anchor.ratio) for trial, anchor in beside]
    trials = tuple(replace(trial, value=ratio) for trial, ratio in ratios if ratio is not None)
    # The ratio of speeds is higher where the trial is better, whatever the metric.
    return replace(case, trials=trials, metric=None)


def anchor_changed(before: Sequence[JudgedCase], now: JudgedCase, digest: str) -> str:
    """Return the sentence for a case whose accepted runs, ordered by time, have another anchor, or none."""
    beside = [(trial.anchor.digest, case) for case in before for trial in case.trials if trial.anchor is not None]
    if not beside:
        return (
            f"measured beside the anchor {shown_anchor(digest, now.anchor_versions)}, and the baseline beside none: "
            "its history begins anew; accept runs with this anchor, or leave out --throughput-anchor"
        )
    earlier, case = beside[-1]
    return (
        f"measured beside another anchor than the baseline (it was {earlier}, is {digest}"
        f"{_differences(case.anchor_versions, now.anchor_versions)}): its history begins anew; "
        "accept runs with this anchor, or use the earlier one"
    )


def _differences(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    differ = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    named = [f"; {name} was {before.get(name, 'none')}, is {now.get(name, 'none')}" for name in differ]
    more = f"; {len(differ) - _MOST_VERSIONS_NAMED} more" if len(differ) > _MOST_VERSIONS_NAMED else ""
    return "".join(named[:_MOST_VERSIONS_NAMED]) + more


def anchors_compared(verdicts: Sequence[CaseVerdict], head: Sequence[JudgedRun]) -> list[str]:
    """Return a note for each anchor relative to which cases were compared."""
    cases = {case.id: case for run in head for case in run.cases.values()}
    versions = {one.anchor: cases[one.id].anchor_versions for one in verdicts if one.anchor is not None}
    number = Counter(one.anchor for one in verdicts)
    return [
        f"compared by the speed relative to the anchor {shown_anchor(digest, versions[digest])}: "
        f"{count(number[digest], 'case')}"
        for digest in versions
    ] + _notes_on_lacking(head)


def _notes_on_lacking(head: Sequence[JudgedRun]) -> list[str]:
    """Return a note if some trials of a case have an anchor and some have not."""
    cases: dict[str, list[JudgedCase]] = {}
    for run in head:
        for case in run.cases.values():
            cases.setdefault(case.id, []).append(case)
    mixed = [
        case_id
        for case_id, found in cases.items()
        if common_anchor(found) is None and any(trial.anchor is not None for case in found for trial in case.trials)
    ]
    if not mixed:
        return []
    return [f"compared by their own speed, since a trial has no anchor or another one than the others: {listed(mixed)}"]
