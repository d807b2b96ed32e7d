"""The sentences that explain the verdict of a compared case: what was measured, what that decides, what to do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from pytest_throughput.gate.rules import Code, Design, Rules
from pytest_throughput.gate.uncompared import too_few_in_groups, too_few_runs, unseen_machine
from pytest_throughput.gate.wording import SPEED, Wording, percent
from pytest_throughput.text import count

__all__ = ["Evidence", "compared"]

_MOST_UNITS_WORTH_NAMING = 100
"""Messages do not recommend more units than this."""
_FEWEST_ADVISED = 5
"""Messages do not recommend fewer trials than this."""
_SURPLUS = 1.4
"""Factor on the width of the interval, since the noise and the difference are estimates."""
_INTERVAL = NormalDist().inv_cdf(0.975)
"""Half a 95 % interval, in standard errors of a normal distribution."""


@dataclass(frozen=True)
class Evidence:
    """The figures of one compared case. Differences are in logarithms, head minus base; worse is negative."""

    design: Design
    rules: Rules
    """The rules, with the threshold of this case."""
    difference: float
    margin: float
    half_interval: float
    units: int
    runs_base: int
    units_are_machines: bool
    """Whether the units of base are machines, of which at least one has several runs."""
    trials_base: int
    trials_head: int
    tail_head: int
    tail_base: int
    outliers: int
    detectable: float
    """Smallest slowdown that these data could have shown; infinite where they could have shown none."""
    separation_limit: float = 0.01
    """The largest probability with which two states of the process may separate the sides of an alarm."""
    mean_difference: float = math.nan
    """The difference of the means of live pairs; NaN where it is unknown."""
    words: Wording = SPEED
    """The words for the metric."""
    is_anchored: bool = False
    """Whether ratios to an anchor were compared."""
    own_error: float = 0.0
    """The standard error of the difference that the trials themselves give."""

    @property
    def low(self) -> float:
        return self.difference - self.half_interval

    @property
    def high(self) -> float:
        return self.difference + self.half_interval


def compared(code: Code, evidence: Evidence) -> str:
    """Return the sentence for a case that was compared."""
    sentence = _SENTENCES[code](evidence)
    if evidence.outliers:
        sentence += f" ({count(evidence.outliers, f'{evidence.words.bad} trial')} not counted)"
    return sentence


def _changed(evidence: Evidence) -> str:
    return f"{_changed_by(evidence)} ({_interval(evidence)})"


def _far_slower(evidence: Evidence) -> str:
    return (
        f"{_changed_by(evidence)}: {evidence.trials_base} trials of base and {evidence.trials_head} of head are "
        "few, but no noise in these runs comes near this"
    )


def _slower_at_times(evidence: Evidence) -> str:
    return (
        f"{evidence.tail_head} of {evidence.trials_head} trials are {evidence.words.far} than the others, against "
        f"{evidence.tail_base} of {evidence.trials_base} of base; {evidence.words.usual}: {_changed_by(evidence)}"
    )


def _slower_on_average(evidence: Evidence) -> str:
    on_average = evidence.words.change(evidence.mean_difference)
    return f"{on_average} on average, since some steps take far longer; a typical step: {_changed_by(evidence)}"


def _within_threshold(evidence: Evidence) -> str:
    return f"{_interval(evidence)}: {evidence.words.loss} of {percent(evidence.rules.threshold)} is ruled out"


def _too_few_runs(evidence: Evidence) -> str:
    if evidence.design.is_paired:
        return f"{count(evidence.units, 'pair')}, too few to distinguish noise from change; measure at least 5 pairs"
    if evidence.design is Design.GROUPS:
        return too_few_in_groups(evidence.units + 1)
    if evidence.units_are_machines:
        return unseen_machine(evidence.units)
    return too_few_runs(evidence.units, evidence.units)


def _too_few_trials(evidence: Evidence) -> str:
    words = evidence.words
    return (
        f"{_changed_by(evidence)}, but with {evidence.trials_base} trials of base and {evidence.trials_head} of head, "
        f"chance can put one side into a {words.good} state and the other into a {words.bad} one; "
        f"measure at least {_enough_trials(evidence.separation_limit)} of each"
    )


def _enough_trials(separation_limit: float) -> int:
    """Return the trials on each side that two states of the process separate with at most this probability."""
    return max(_FEWEST_ADVISED, math.ceil(math.log(separation_limit) / math.log(1 / 4)))


def _contention(evidence: Evidence) -> str:
    slowed = "slowed" if evidence.words.is_speed else "changed"
    return (
        f"{_changed_by(evidence)}, but other work on the machine may have {slowed} all {evidence.trials_head} "
        "trials of head; measure more trials, or on a quieter machine"
    )


def _slow_trials(evidence: Evidence) -> str:
    return (
        f"{evidence.tail_head} of {evidence.trials_head} trials are {evidence.words.far} than the others, against "
        f"{evidence.tail_base} of {evidence.trials_base} of base: {evidence.words.loss} that comes and goes, or other "
        "work on the machine; measure more trials"
    )


def _slow_steps(evidence: Evidence) -> str:
    on_average = evidence.words.change(evidence.mean_difference)
    return (
        f"a typical step: {_changed_by(evidence)}; on average: {on_average}; some steps of head take far longer, or "
        "other work on the machine held them up; measure more trials"
    )


def _maybe_faster(evidence: Evidence) -> str:
    return f"{_within_threshold(evidence)}, but {evidence.words.gain} is not certain; measure more trials"


def _near_threshold(evidence: Evidence) -> str:
    threshold = percent(evidence.rules.threshold)
    return f"{_interval(evidence)}, too close to the threshold of {threshold} to decide; {_remedy(evidence)}"


def _own_error(evidence: Evidence) -> str:
    return (
        f"{_interval(evidence)}; the figures' own standard errors keep it that wide with any number of trials; "
        "give a larger threshold, or test on more examples"
    )


def _noise(evidence: Evidence) -> str:
    if not math.isfinite(evidence.half_interval):
        return f"{_changed_by(evidence)}, and too few trials to estimate the noise; measure more trials"
    if math.isfinite(evidence.detectable):
        power = f"with this noise only {evidence.words.at_least(evidence.detectable)} is detectable"
    else:
        power = f"these data could not have shown {evidence.words.loss} of any size"
    return f"{_interval(evidence)}; {power}; {_remedy(evidence)}"


_SENTENCES = {
    Code.SLOWER: _changed,
    Code.FAR_SLOWER: _far_slower,
    Code.SLOWER_AT_TIMES: _slower_at_times,
    Code.SLOWER_ON_AVERAGE: _slower_on_average,
    Code.FASTER: _changed,
    Code.WITHIN_THRESHOLD: _within_threshold,
    Code.TOO_FEW_RUNS: _too_few_runs,
    Code.TOO_FEW_TRIALS: _too_few_trials,
    Code.CONTENTION: _contention,
    Code.SLOW_TRIALS: _slow_trials,
    Code.SLOW_STEPS: _slow_steps,
    Code.MAYBE_FASTER: _maybe_faster,
    Code.NEAR_THRESHOLD: _near_threshold,
    Code.OWN_ERROR: _own_error,
    Code.NOISE: _noise,
}


def _remedy(evidence: Evidence) -> str:
    """Return what would decide the case.

    A number is named where at least 80 % of simulated unchanged cases were decided by as many
    (``benchmarks/gate_blind_spots.py``): for pairs without slow trials, whose estimate is within the threshold.
    """
    if evidence.is_anchored:
        return "measure more trials (--throughput-confirm), or use an idle machine"
    if evidence.design is Design.HISTORY:
        return "more runs hardly help; use --throughput-order paired, --throughput-anchor or an idle machine"
    if evidence.design is Design.GROUPS:
        return "compare runs that were measured in turn (--paired), or on an idle machine"
    # The interval has to become so narrow that it no longer contains the threshold. Pairs reduce its part by noise.
    room = max(evidence.rules.log_threshold + min(evidence.difference, 0.0), 0.0) / _SURPLUS
    by_own_error = _INTERVAL * evidence.own_error
    needed = math.inf
    if room > by_own_error:
        needed = evidence.units * (evidence.half_interval**2 - by_own_error**2) / (room**2 - by_own_error**2)
    if needed <= _MOST_UNITS_WORTH_NAMING and not evidence.tail_base + evidence.tail_head:
        return f"about {count(math.ceil(needed), 'pair')} would decide, or fewer on an idle machine"
    return "no number of pairs is sure to decide; use an idle machine, or --throughput-threads 1"


def _interval(evidence: Evidence) -> str:
    return f"95 % interval {evidence.words.change(evidence.low)} to {evidence.words.change(evidence.high)}"


def _changed_by(evidence: Evidence) -> str:
    return evidence.words.change(evidence.difference)
