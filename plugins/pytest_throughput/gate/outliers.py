"""Trials that something else slowed: which to set aside, and whether contention alone could have fooled us.

Contention only ever slows, by any factor, and two trials that it hit agree by chance alone. So a
tail of trials far slower than all others of their case says more about the machine than about the
code. Such trials are set aside, counted and reported; no file ever loses them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Outliers", "chance_of_contention", "chance_of_separation", "flag_outliers"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_LEAST_GAP = 0.1
"""Before the tail, in logarithms. Nearer trials cannot be told from ordinary noise, and do less harm."""
_GAP_IN_DEVIATIONS = 4.0
"""Before the tail, in standard deviations of what is kept: ordinary noise of any size has no such gap."""
_FEWEST_BEFORE = 4
"""Trials before a tail that leaves too little, to know by their spread that it is one."""
_EXCEPTIONS = 5
"""One case in so many may be an exception: more of them tell of the noise of all."""
_LEAST_KEPT = 0.5
_LEAST_KEPT_OF_A_SIDE = 0.4


@dataclass(frozen=True)
class Outliers:
    """What was found: arrays of shape (…, cases, trials of base and then of head)."""

    logs: Floats
    is_head: Bools
    """Of shape (trials)."""
    tail: Bools
    """Trials far slower than all others of their case, of which enough is left without them."""
    kept: Bools
    is_exception: Bools
    """The few cases of a run that keep a tail, of shape (…, cases): their spread says nothing of the others'."""
    steps: Floats
    """Between neighbouring trials of a tail; NaN where there is none."""


def flag_outliers(base: Floats, head: Floats, *, base_alone_first: bool) -> Outliers:
    """Finds the tail of slow trials of each case, and which of them to set aside.

    ``base``, ``head``: logarithms of images/second, of shapes (…, cases, trials of a side), NaN where
    there is no trial. Both sides are looked at together, so that a side that is slower as a whole is
    never taken for a tail, and noise with two humps loses the same hump on both.
    ``base_alone_first``: a long history is cleared by itself before, so that its tail cannot hide
    the head's. Tails whose trials agree with each other, in this case and in this run, are a second
    hump of the noise and no contention: they are kept. So are those without which too little would be
    left. Where few cases of a run keep their tail, they are exceptions.
    """
    alone = np.zeros(base.shape, dtype=bool)
    if base_alone_first:
        alone, _ = _tails(base, np.zeros(base.shape[-1], dtype=bool))
    logs = np.concatenate([base, head], axis=-1)
    is_head = np.arange(logs.shape[-1]) >= base.shape[-1]
    tail = np.concatenate([alone, np.zeros(head.shape, dtype=bool)], axis=-1)
    more_of_it, too_long = _tails(np.where(tail, np.nan, logs), is_head)
    tail |= more_of_it

    steps = np.diff(np.sort(np.where(tail | too_long, logs, np.nan), axis=-1), axis=-1)
    small, count = (steps < _LEAST_GAP).sum(axis=-1), (~np.isnan(steps)).sum(axis=-1)
    everywhere = small.sum(axis=-1, keepdims=True) / np.maximum(count.sum(axis=-1, keepdims=True), 1)
    is_hump = (small + 2 * everywhere) / (count + 2) > 0.5
    kept = ~np.isnan(logs) & ~(tail & ~is_hump[..., None])
    has_kept_tail = too_long.any(axis=-1) | (tail.any(axis=-1) & is_hump)
    few = has_kept_tail.sum(axis=-1, keepdims=True) <= logs.shape[-2] // _EXCEPTIONS
    return Outliers(logs=logs, is_head=is_head, tail=tail, kept=kept, is_exception=has_kept_tail & few, steps=steps)


def _tails(logs: Floats, is_head: Bools) -> tuple[Bools, Bools]:
    """The trials behind the first gap of each case: those that leave enough, and those that leave too little.

    A case has one or the other, or neither. Even the latter leave something of each side, since a side
    that is slower as a whole is no tail.
    """
    order = np.argsort(-logs, axis=-1, kind="stable")  # the fastest first, NaN last
    present = ~np.isnan(np.take_along_axis(logs, order, axis=-1))
    # Counted from the fastest: squares of large numbers would swallow their small differences.
    fastest = np.max(np.where(np.isnan(logs), -np.inf, logs), axis=-1, keepdims=True)
    ordered = np.where(present, np.take_along_axis(logs, order, axis=-1) - fastest, 0.0)
    head = is_head[order]

    # What would be kept by a cut behind each trial in turn: how many of each side, and their spread.
    squares = np.zeros_like(ordered)
    count = np.zeros_like(ordered)
    enough, some = np.ones(ordered.shape, dtype=bool), np.ones(ordered.shape, dtype=bool)
    for side in (head & present, ~head & present):
        n = np.cumsum(side, axis=-1)
        total = np.cumsum(np.where(side, ordered, 0.0), axis=-1)
        squares += np.cumsum(np.where(side, ordered**2, 0.0), axis=-1) - total**2 / np.maximum(n, 1)
        count += n
        whole = n[..., -1:]
        enough &= n >= np.maximum(np.minimum(2, whole), _LEAST_KEPT_OF_A_SIDE * whole)
        some &= n >= np.minimum(1, whole)
    enough &= count >= _LEAST_KEPT * count[..., -1:]
    deviation = np.sqrt(np.maximum(squares, 0.0) / np.maximum(count - 2, 1))
    gap = np.zeros_like(ordered)
    gap[..., :-1] = np.where(present[..., 1:], ordered[..., :-1] - ordered[..., 1:], 0.0)

    is_gap = gap > np.maximum(_LEAST_GAP, _GAP_IN_DEVIATIONS * deviation)
    tail = enough & is_gap
    too_long = some & is_gap & (count >= _FEWEST_BEFORE) & ~tail.any(axis=-1, keepdims=True)
    return _behind_the_first(tail, order) & ~np.isnan(logs), _behind_the_first(too_long, order) & ~np.isnan(logs)


def _behind_the_first(cuts: Bools, order: NDArray[np.intp]) -> Bools:
    """Of cuts behind the trials in that order, those behind the first of each case, in their own order."""
    first = np.where(cuts.any(axis=-1), cuts.argmax(axis=-1), cuts.shape[-1])[..., None]
    behind = np.zeros(cuts.shape, dtype=bool)
    np.put_along_axis(behind, order, np.arange(cuts.shape[-1]) > first, axis=-1)
    return behind


def chance_of_contention(found: Outliers, side: Bools) -> Floats:
    """How likely contention alone slows all of some case's trials of a side, and so alike: of shape (…, cases).

    ``side``: which trials are of that side, of shape (trials). All n of a case are contended with
    probability ε^n, in any of the cases with at most that times their number; ε is the share of
    trials in tails, in the whole run or in the case, whichever says more. That the trials which are
    kept agree as well as they do is as likely as that two contended trials of this very run do.
    """
    there = ~np.isnan(found.logs)
    n = there[..., side].sum(axis=-1)
    own = found.tail.sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
    everywhere = ((found.tail.sum(axis=(-1, -2)) + 1) / (there.sum(axis=(-1, -2)) + 2))[..., None]
    kept, logs = found.kept[..., side], found.logs[..., side]
    width = np.where(kept, logs, -np.inf).max(axis=-1) - np.where(kept, logs, np.inf).min(axis=-1)
    alike = _share_within(found.steps, width)
    so_alike = np.minimum(1.0, n * alike ** np.maximum(kept.sum(axis=-1) - 1, 0))
    return np.asarray(np.maximum(own**n, found.logs.shape[-2] * everywhere**n) * so_alike)


def _share_within(steps: Floats, widths: Floats) -> Floats:
    """Of the steps between neighbouring contended trials of a case, in all cases, the share within each width."""
    flat_steps = steps.reshape(-1, steps.shape[-2] * steps.shape[-1])
    flat_widths = widths.reshape(-1, widths.shape[-1])
    shares = np.empty(flat_widths.shape)
    for row, (row_steps, row_widths) in enumerate(zip(flat_steps, flat_widths, strict=True)):
        known = np.sort(row_steps[~np.isnan(row_steps)])
        shares[row] = (np.searchsorted(known, row_widths, side="right") + 1) / (len(known) + 1)
    return shares.reshape(widths.shape)


def chance_of_separation(trials_base: NDArray[np.int_], trials_head: NDArray[np.int_]) -> Floats:
    """How likely noise with two humps puts all of base into the fast one and all of head into the slow one.

    That is p^m (1 - p)^n, at its largest over the share p of the fast hump: whatever the figures, no
    alarm of these few trials can be rarer.
    """
    m, n = np.maximum(trials_base, 1.0), np.maximum(trials_head, 1.0)
    return np.asarray(np.exp(m * np.log(m / (m + n)) + n * np.log(n / (m + n))))
