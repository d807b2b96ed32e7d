"""Outliers: trials slowed by other work on the machine, and how likely such contention explains a difference.

Contention makes a trial slower, never faster, and by any factor; two contended trials agree only by
chance. So a tail of trials that are far slower than all others of their case, and that disagree with
each other, says more about the machine than about the code. Such trials are excluded from the
comparison, counted and reported. The result files keep them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["Outliers", "chance_of_contention", "chance_of_separation", "chance_of_tail", "flag_outliers"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_LEAST_GAP = 0.1
"""Smallest gap before a tail, in logarithms. A smaller gap cannot be distinguished from ordinary noise."""
_GAP_IN_DEVIATIONS = 4.0
"""Smallest gap before a tail, in standard deviations of the trials before it."""
_EXCEPTIONS = 5
"""At most one case in this many is an exception; if there are more, their noise is typical of the run."""
_LEAST_KEPT = 0.5
"""Smallest share of a case's trials that remains when a tail is excluded."""
_LEAST_KEPT_OF_A_SIDE = 0.4
"""Smallest share of one side's trials that remains."""


@dataclass(frozen=True)
class Outliers:
    """The outliers of a comparison: arrays of shape (…, cases, trials of base followed by those of head)."""

    logs: Floats
    is_head: Bools
    """Which trials belong to head; of shape (trials)."""
    tail: Bools
    """Trials far slower than all others of their case."""
    kept: Bools
    """Trials that are compared."""
    is_exception: Bools
    """Cases with bimodal noise (their tail is kept as the slow mode) while most cases of the run have none; of shape
    (…, cases)."""
    steps: Floats
    """Differences between neighbouring trials of a tail; NaN where there is no tail."""


def flag_outliers(base: Floats, head: Floats, *, base_alone_first: bool) -> Outliers:
    """Find the tail of slow trials of each case, and decide which trials are excluded.

    ``base``, ``head``: logarithms of speed, of shapes (…, cases, trials of a side), NaN where there is
    no trial. Both sides are searched together, so that a side that became slower as a whole is never
    taken for a tail. ``base_alone_first``: search a long history by itself first, so that its tail
    cannot fill the gap before the tail of head.

    A tail is kept if its trials agree with each other (judged from this case and from the whole run):
    then it is the slow mode of bimodal noise, not contention. Where only a few cases of the run have such noise,
    these cases are exceptions.
    """
    alone = np.zeros(base.shape, dtype=bool)
    if base_alone_first:
        alone = _tails(base, np.zeros(base.shape[-1], dtype=bool))
    logs = np.concatenate([base, head], axis=-1)
    is_head = np.arange(logs.shape[-1]) >= base.shape[-1]
    tail = np.concatenate([alone, np.zeros(head.shape, dtype=bool)], axis=-1)
    tail |= _tails(np.where(tail, np.nan, logs), is_head)

    steps = np.diff(np.sort(np.where(tail, logs, np.nan), axis=-1), axis=-1)
    small, count = (steps < _LEAST_GAP).sum(axis=-1), (~np.isnan(steps)).sum(axis=-1)
    everywhere = small.sum(axis=-1, keepdims=True) / np.maximum(count.sum(axis=-1, keepdims=True), 1)
    is_mode = (small + 2 * everywhere) / (count + 2) > 0.5
    kept = ~np.isnan(logs) & ~(tail & ~is_mode[..., None])
    has_modes = tail.any(axis=-1) & is_mode
    few = has_modes.sum(axis=-1, keepdims=True) <= logs.shape[-2] // _EXCEPTIONS
    return Outliers(logs=logs, is_head=is_head, tail=tail, kept=kept, is_exception=has_modes & few, steps=steps)


def _tails(logs: Floats, is_head: Bools) -> Bools:
    """Return the trials behind the first gap of each case that leaves enough trials of each side before it."""
    order = np.argsort(-logs, axis=-1, kind="stable")  # the fastest first, NaN last
    present = ~np.isnan(np.take_along_axis(logs, order, axis=-1))
    # Relative to the fastest trial: squares of large numbers would lose the small differences to rounding.
    fastest = np.max(np.where(np.isnan(logs), -np.inf, logs), axis=-1, keepdims=True)
    ordered = np.where(present, np.take_along_axis(logs, order, axis=-1) - fastest, 0.0)
    head = is_head[order]

    # For a cut behind each trial in turn: how many trials of each side remain, and their spread.
    squares = np.zeros_like(ordered)
    count = np.zeros_like(ordered)
    enough = np.ones(ordered.shape, dtype=bool)
    for side in (head & present, ~head & present):
        n = np.cumsum(side, axis=-1)
        total = np.cumsum(np.where(side, ordered, 0.0), axis=-1)
        squares += np.cumsum(np.where(side, ordered**2, 0.0), axis=-1) - total**2 / np.maximum(n, 1)
        count += n
        whole = n[..., -1:]
        enough &= n >= np.maximum(np.minimum(2, whole), _LEAST_KEPT_OF_A_SIDE * whole)
    enough &= count >= _LEAST_KEPT * count[..., -1:]
    deviation = np.sqrt(np.maximum(squares, 0.0) / np.maximum(count - 2, 1))
    gap = np.zeros_like(ordered)
    gap[..., :-1] = np.where(present[..., 1:], ordered[..., :-1] - ordered[..., 1:], 0.0)

    cuts = enough & (gap > np.maximum(_LEAST_GAP, _GAP_IN_DEVIATIONS * deviation))
    first = np.where(cuts.any(axis=-1), cuts.argmax(axis=-1), cuts.shape[-1])[..., None]
    behind = np.zeros(logs.shape, dtype=bool)
    np.put_along_axis(behind, order, np.arange(logs.shape[-1]) > first, axis=-1)
    return behind & ~np.isnan(logs)


def chance_of_contention(found: Outliers) -> Floats:
    """Return the probability that contention slowed all trials of head by the same factor, of shape (…, cases).

    All n trials of one case are contended with probability ε^n, and in any of C cases with at most
    C·ε^n, where ε is the share of trials in tails: in the whole run, or in this case if that gives more.
    The probability that the kept trials then agree as well as they do is estimated from how often two
    contended trials of this run agree as well.
    """
    there = ~np.isnan(found.logs)
    n = there[..., found.is_head].sum(axis=-1)
    own = found.tail.sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
    everywhere = ((found.tail.sum(axis=(-1, -2)) + 1) / (there.sum(axis=(-1, -2)) + 2))[..., None]
    kept, logs = found.kept[..., found.is_head], found.logs[..., found.is_head]
    width = np.where(kept, logs, -np.inf).max(axis=-1) - np.where(kept, logs, np.inf).min(axis=-1)
    alike = _share_within(found.steps, width)
    so_alike = np.minimum(1.0, n * alike ** np.maximum(kept.sum(axis=-1) - 1, 0))
    return np.asarray(np.maximum(own**n, found.logs.shape[-2] * everywhere**n) * so_alike)


def _share_within(steps: Floats, widths: Floats) -> Floats:
    """Return the share of all steps between neighbouring contended trials that are at most each width."""
    flat_steps = steps.reshape(-1, steps.shape[-2] * steps.shape[-1])
    flat_widths = widths.reshape(-1, widths.shape[-1])
    shares = np.empty(flat_widths.shape)
    for row, (row_steps, row_widths) in enumerate(zip(flat_steps, flat_widths, strict=True)):
        known = np.sort(row_steps[~np.isnan(row_steps)])
        shares[row] = (np.searchsorted(known, row_widths, side="right") + 1) / (len(known) + 1)
    return shares.reshape(widths.shape)


def chance_of_separation(trials_base: NDArray[np.int_], trials_head: NDArray[np.int_]) -> Floats:
    """Return the probability that bimodal noise puts all of base into the fast mode and all of head into the slow one.

    That is p^m (1 - p)^n, maximal over the share p of the fast mode. So few trials cannot support an
    alarm that is rarer than this, whatever their figures.
    """
    m, n = np.maximum(trials_base, 1.0), np.maximum(trials_head, 1.0)
    return np.asarray(np.exp(m * np.log(m / (m + n)) + n * np.log(n / (m + n))))


def chance_of_tail(found: Outliers) -> Floats:
    """Return the probability that so much of a case's tail belongs to head, of shape (…, cases).

    This is Fisher's exact test: if both sides had slow trials equally often, the trials of the tail would
    be a random sample of all. The probability is 1 where head has none.
    """
    there = ~np.isnan(found.logs)
    m, n = there[..., ~found.is_head].sum(axis=-1), there[..., found.is_head].sum(axis=-1)
    of_base, of_head = found.tail[..., ~found.is_head].sum(axis=-1), found.tail[..., found.is_head].sum(axis=-1)
    tail = of_base + of_head
    chance = np.zeros(tail.shape)
    for fewer in range(int(of_base.max(initial=0)) + 1):
        possible = (fewer <= of_base) & (tail - fewer <= n)
        ways = _log_ways(m, fewer) + _log_ways(n, np.where(possible, tail - fewer, 0)) - _log_ways(m + n, tail)
        chance += np.where(possible, np.exp(ways), 0.0)
    return np.where(of_head > 0, np.minimum(chance, 1.0), 1.0)


def _log_ways(total: NDArray[np.int_], chosen: NDArray[np.int_] | int) -> Floats:
    """Return the logarithm of the binomial coefficient."""
    return np.asarray(special.gammaln(total + 1) - special.gammaln(chosen + 1) - special.gammaln(total - chosen + 1))
