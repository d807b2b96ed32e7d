"""From runs to verdicts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pytest_throughput.gate import sentences
from pytest_throughput.gate.decisions import CODES, decide
from pytest_throughput.gate.matching import Comparable, match
from pytest_throughput.gate.model import estimate
from pytest_throughput.gate.runs import Run
from pytest_throughput.gate.units import select_units
from pytest_throughput.gate.verdicts import CaseVerdict, Code, Design, Rules, Verdict

__all__ = ["judge", "software_changes"]

_VERDICTS = {Code.SLOWER: Verdict.REGRESSED, Code.FASTER: Verdict.IMPROVED, Code.WITHIN_THRESHOLD: Verdict.UNCHANGED}

_MOST_FIGURES = 5_000_000
"""The most figures of one side, every case having room for the most trials of a run; judging them takes some 1.5 GB."""


def judge(
    base: Sequence[Run],
    head: Sequence[Run],
    *,
    design: Design,
    rules: Rules,
    is_expected: Callable[[str], bool] = lambda case_id: True,
) -> tuple[CaseVerdict, ...]:
    """The verdict on every case of either side: those of head in its order, then those it lacks.

    Both sides are runs in the order of time. ``is_expected`` tells of a case of base that head lacks
    whether it was asked for and not deselected: only then is it missing, otherwise it is left out.

    Raises ValueError where the runs do not fit the design, or are of different hardware.
    """
    _check(base, head, design)
    selection = select_units(base, head, design)
    in_head = dict.fromkeys(case_id for run in head for case_id in run.cases)
    lacking = dict.fromkeys(case_id for run in base for case_id in run.cases if case_id not in in_head)
    ids = [*in_head, *(case_id for case_id in lacking if is_expected(case_id))]
    found = [match(case_id, base, head, selection, design) for case_id in ids]
    compared = iter(_compare([one for one in found if isinstance(one, Comparable)], design, rules))
    return tuple(next(compared) if isinstance(one, Comparable) else one for one in found)


def software_changes(base: Sequence[Run], head: Sequence[Run]) -> dict[str, tuple[str | None, str | None]]:
    """The versions that differ between the last runs of the two sides: by name, (of base, of head)."""
    before, after = base[-1].software, head[-1].software
    names = sorted({*before, *after})
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def _check(base: Sequence[Run], head: Sequence[Run], design: Design) -> None:
    if not base or not head:
        raise ValueError("expected at least one run on each side")
    if any(run.fingerprint != head[0].fingerprint for run in (*base, *head)):
        raise ValueError("the runs are of different hardware; expected one fingerprint")
    if design is Design.PAIRS and (len(base), len(head)) != (1, 1):
        raise ValueError(f"pairs of trials: expected one run in two environments, got {len(base)} and {len(head)}")
    if design is Design.PAIRED_RUNS and len(base) != len(head):
        raise ValueError(f"pairs of runs: expected as many of base as of head, got {len(base)} and {len(head)}")
    if design is Design.HISTORY and len(head) != 1:
        raise ValueError(f"history: expected one run to judge against accepted ones, got {len(head)}")


def _compare(cases: Sequence[Comparable], design: Design, rules: Rules) -> list[CaseVerdict]:
    if not cases:
        return []
    estimates = estimate(
        _as_array([case.base for case in cases]),
        _as_array([case.head for case in cases]),
        design=design,
        false_alarm_rate=rules.false_alarm_rate,
    )
    decisions = decide(estimates, rules)
    verdicts = []
    for index, case in enumerate(cases):
        code = CODES[decisions.codes[index]]
        difference, margin = float(estimates.difference[index]), float(estimates.margin[index])
        half_interval = float(estimates.half_interval[index])
        metadata = sentences.Facts(
            design=design,
            rules=rules,
            difference=difference,
            margin=margin,
            half_interval=half_interval,
            units=int(estimates.units[index]),
            runs_base=case.runs_base,
            units_are_machines=sum(map(bool, case.base)) < case.runs_base,
            trials_base=int(estimates.trials_base[index]),
            trials_head=int(estimates.trials_head[index]),
            tail_head=int(estimates.tail_head[index]),
            outliers=int(estimates.outliers[index]),
        )
        has_interval = math.isfinite(half_interval) and code is not Code.TOO_FEW_RUNS
        verdicts.append(
            CaseVerdict(
                id=case.id,
                verdict=_VERDICTS.get(code, Verdict.INCONCLUSIVE),
                code=code,
                reason=sentences.compared(code, metadata),
                ratio=_ratio(difference) if metadata.trials_base and metadata.trials_head else None,
                ratio_low=_ratio(difference - half_interval) if has_interval else None,
                ratio_high=_ratio(difference + half_interval) if has_interval else None,
                trials_base=metadata.trials_base,
                trials_head=metadata.trials_head,
                runs_base=case.runs_base,
                detectable_ratio=_ratio(-max(margin, rules.log_threshold)) if decisions.can_alarm[index] else None,
                noise_between=_share(estimates.noise_between[index]),
                noise_within=_share(estimates.noise_within[index]),
            )
        )
    return verdicts


def _as_array(cases: Sequence[tuple[tuple[float, ...], ...]]) -> NDArray[np.float64]:
    """Of shape (cases, units, trials), NaN where there is none."""
    units = max(len(case) for case in cases)
    trials = max(len(unit) for case in cases for unit in case)
    if len(cases) * units * trials > _MOST_FIGURES:
        raise ValueError(
            f"{len(cases):,} cases in {units:,} runs with up to {trials:,} trials are too many to be judged at once, "
            f"over {_MOST_FIGURES:,} figures; give fewer runs, or runs with fewer trials"
        )
    array = np.full((len(cases), units, max(trials, 1)), np.nan)
    for row, case in enumerate(cases):
        for column, unit in enumerate(case):
            array[row, column, : len(unit)] = unit
    return array


def _share(deviation_of_logs: float) -> float | None:
    return None if math.isnan(deviation_of_logs) else math.expm1(sentences.bounded(deviation_of_logs))


def _ratio(log_ratio: float) -> float:
    return math.exp(sentences.bounded(log_ratio))
