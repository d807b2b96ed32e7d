"""What people read: one sentence for a verdict, and for an open one what would decide it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pytest_throughput.gate.verdicts import FEWEST_UNITS, Code, Design, Rules

__all__ = [
    "NETWORK_CHANGED",
    "SETTINGS_CHANGED",
    "Facts",
    "bounded",
    "compared",
    "missing",
    "new",
    "no_figures",
    "too_few_in_groups",
    "too_few_machines",
    "too_few_runs",
    "unseen_individual",
    "worse_status",
]

NETWORK_CHANGED = "the network is another than in the baseline; accept a run of the new one"
SETTINGS_CHANGED = "it was measured with other settings than the baseline; use the same, or accept a run with these"

_MOST_UNITS_WORTH_NAMING = 100
_LARGEST_LOG = 700.0
_SURPLUS = 1.2
"""On what would just decide, since the noise is an estimate."""


@dataclass(frozen=True)
class Facts:
    """Of one compared case. Differences are in logarithms, head less base."""

    design: Design
    rules: Rules
    difference: float
    margin: float
    half_interval: float
    units: int
    runs_base: int
    units_are_machines: bool
    """Whether the units of base are machines with several runs."""
    trials_base: int
    trials_head: int
    tail_head: int
    outliers: int

    @property
    def low(self) -> float:
        return self.difference - self.half_interval

    @property
    def high(self) -> float:
        return self.difference + self.half_interval


def missing(runs: int) -> str:
    return f"in {_count(runs, 'run')} of the baseline, but not in this one, though it was asked for"


def new(status_before: str | None, status_now: str) -> str:
    if status_before is not None:
        return f"measured now, and {status_before} in the baseline; judged as soon as that has it"
    if status_now != "ok":
        return f"not in the baseline, and {status_now} now"
    return "not in the baseline; judged as soon as that has it"


def worse_status(status_before: str, status_now: str) -> str:
    return f"{status_now} now, and {'measured' if status_before == 'ok' else status_before} in the baseline"


def no_figures(status: str) -> str:
    return f"no figures to compare: {status}, now as in the baseline"


def too_few_runs(own: int, all_runs: int) -> str:
    of_them = "" if own == all_runs else f", {own} of them of this machine"
    return (
        f"how far runs lie apart cannot be known from {_count(all_runs, 'accepted run')}{of_them}; "
        f"accept {_count(max(FEWEST_UNITS - own, 1), 'more run')} of this machine, or compare interleaved pairs"
    )


def too_few_in_groups(runs: int) -> str:
    """``runs``: of both sides together."""
    return (
        f"how far runs lie apart cannot be known from {_count(runs, 'run')} in all; "
        f"measure {_count(max(FEWEST_UNITS + 1 - runs, 1), 'more run')} of this machine, or compare interleaved pairs"
    )


def too_few_machines(machines: int) -> str:
    return (
        f"runs of several machines against those of {_count(machines, 'machine')}: machines alike differ by up to 8 %; "
        "compare runs of one machine, or accept runs of at least three"
    )


def unseen_individual(machines: int) -> str:
    return (
        f"this machine is not in the baseline, which has {_count(machines, 'machine')} of its kind: machines alike "
        "differ by up to 8 %; accept runs of this one, or of at least three"
    )


def compared(code: Code, facts: Facts) -> str:
    """The sentence for a case that was compared."""
    sentence = _SENTENCES[code](facts)
    if facts.outliers:
        sentence += f" ({_count(facts.outliers, 'contended trial')} set aside)"
    return sentence


def _slower(facts: Facts) -> str:
    return f"{_change(facts.difference)} ({_interval(facts)})"


def _faster(facts: Facts) -> str:
    return f"{_change(facts.difference)} ({_interval(facts)})"


def _within_threshold(facts: Facts) -> str:
    return f"{_interval(facts)}: a slowdown of {_percent(facts.rules.threshold)} is ruled out"


def _too_few_runs(facts: Facts) -> str:
    if facts.design.is_paired:
        return f"{_count(facts.units, 'pair')} cannot tell noise from change; measure at least 5 pairs"
    if facts.design is Design.GROUPS:
        return too_few_in_groups(facts.units + 1)
    if facts.units_are_machines:
        return unseen_individual(facts.units)
    return too_few_runs(facts.units, facts.units)


def _too_few_trials(facts: Facts) -> str:
    trials = f"{facts.trials_base} trials of base and {facts.trials_head} of head"
    return (
        f"{_change(facts.difference)}, but {trials} may fall into the fast and the slow hump of the noise by chance; "
        "measure at least 5 of each"
    )


def _contention(facts: Facts) -> str:
    return (
        f"{_change(facts.difference)}, but all {facts.trials_head} trials of head may have been contended by chance; "
        "measure more trials, or on a quieter machine"
    )


def _slow_trials(facts: Facts) -> str:
    return (
        f"{facts.tail_head} of {facts.trials_head} trials are far slower than the others, and hardly any of the "
        "baseline's; measure more trials"
    )


def _near_threshold(facts: Facts) -> str:
    return f"{_interval(facts)}, astride the threshold of {_percent(facts.rules.threshold)}; {_remedy(facts)}"


def _noise(facts: Facts) -> str:
    if not math.isfinite(facts.half_interval):
        return f"{_change(facts.difference)}, and nothing to know the noise from; measure more trials"
    detectable = _change(-max(facts.margin, facts.rules.log_threshold))
    return f"{_interval(facts)}; only {detectable} or more could have been told; {_remedy(facts)}"


_SENTENCES = {
    Code.SLOWER: _slower,
    Code.FASTER: _faster,
    Code.WITHIN_THRESHOLD: _within_threshold,
    Code.TOO_FEW_RUNS: _too_few_runs,
    Code.TOO_FEW_TRIALS: _too_few_trials,
    Code.CONTENTION: _contention,
    Code.SLOW_TRIALS: _slow_trials,
    Code.NEAR_THRESHOLD: _near_threshold,
    Code.NOISE: _noise,
}


def _remedy(facts: Facts) -> str:
    """What would decide the case, were the estimate right: how many more units, if any number would."""
    threshold = facts.rules.log_threshold
    if facts.difference > -threshold:
        # The interval has to shrink until it leaves the threshold out.
        shrink = (facts.difference + threshold) / facts.half_interval
    else:
        shrink = -facts.difference / facts.margin
    fewer_variance = shrink**2 / _SURPLUS
    if facts.design in (Design.PAIRS, Design.PAIRED_RUNS, Design.GROUPS):
        needed = math.ceil(facts.units / fewer_variance) if fewer_variance > 0 else math.inf
        what = "run" if facts.design is Design.GROUPS else "pair"
        if needed <= _MOST_UNITS_WORTH_NAMING:
            return f"about {_count(int(needed), what)} would decide"
        return f"no affordable number of {what}s would decide"
    # One unit against R varies by 1 + 1/R: accepting more helps only down to the noise of the one.
    left = (1 + 1 / facts.units) * fewer_variance - 1
    needed = math.ceil(1 / left) if left > 0 else math.inf
    if needed <= _MOST_UNITS_WORTH_NAMING:
        return f"about {_count(int(needed), 'machine' if facts.units_are_machines else 'accepted run')} would decide"
    return "interleaved pairs could decide, accepted runs hardly"


def _interval(facts: Facts) -> str:
    return f"95 % interval {_change(facts.low)} to {_change(facts.high)}"


def bounded(log_ratio: float) -> float:
    """One whose exponential is a number: files may come from strangers."""
    return min(max(log_ratio, -_LARGEST_LOG), _LARGEST_LOG)


def _change(log_ratio: float) -> str:
    """Of images/second as a change of seconds: what ``5 % slower`` means to whoever waits for a step."""
    log_ratio = bounded(log_ratio)
    seconds = math.expm1(-log_ratio)
    if abs(seconds) < 0.0005:
        return "no change"
    if seconds > 0:
        return f"{_percent(seconds)} slower"
    return f"{_percent(math.expm1(log_ratio))} faster"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
