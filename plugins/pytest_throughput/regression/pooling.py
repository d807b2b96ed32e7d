"""Variances of many cases, each known from few values: what a case can borrow from the others.

The empirical Bayes estimate of G. K. Smyth, *Linear models and empirical Bayes methods for assessing
differential expression in microarray experiments* (2004), section 6: the cases' true variances are
taken for draws from a scaled inverse chi-squared distribution, whose centre and width are read off
the variances themselves. Cases that are alike pool almost fully; where they differ, each is left
with little more than its own. Two additions: cases known from fewer values count for less (R.
DerSimonian and N. Laird, *Meta-analysis in clinical trials*, 1986), and a few cases far wilder than
all others neither lend nor borrow (after B. Phipson et al., *Robust hyperparameter estimation protects
against hypervariable genes*, 2016): one such case would keep all others from borrowing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["moderated_variances", "typical_variance"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_NEWTON_STEPS = 8
_LEAST_VARIANCE = 1e-10
"""Of logarithms, so 0.001 % of a figure: figures that agree better have been rounded."""
_LEAST_PRIOR = 0.01
"""Degrees of freedom of cases that have nothing in common."""
_WILDEST = 5
"""One case in so many may be apart from the others: more of them are part of the noise."""
_CHANCE_APART = 0.00001
"""That, where none is apart, the wildest of all cases is as wild as one that is called so."""


def moderated_variances(variances: Floats, degrees: Floats) -> tuple[Floats, Floats]:
    """Each case's variance and its degrees of freedom, after borrowing from the others.

    Both of shape (…, cases). A case without degrees of freedom takes over what the others have. The
    result is never below a case's own variance: the others may make it more careful, never less.
    """
    own = np.maximum(variances, _LEAST_VARIANCE)
    known = degrees > 0
    readings = _Readings.of(own, degrees)
    order = np.argsort(np.argsort(np.where(known, -readings.logs, np.inf), axis=-1), axis=-1)
    is_wildest = order < known.sum(axis=-1, keepdims=True) // _WILDEST
    prior, prior_variance = _prior(readings, known & ~is_wildest)
    chance = special.fdtrc(readings.degrees, prior, own / prior_variance)
    is_apart = is_wildest & (chance < _CHANCE_APART / own.shape[-1])

    prior, prior_variance = _prior(readings, known & ~is_apart)
    lent = np.where(is_apart, 0.0, prior)
    moderated = (lent * prior_variance + degrees * own) / (lent + degrees)
    return np.where(known, np.maximum(moderated, own), moderated), lent + degrees


def typical_variance(variances: Floats, degrees: Floats) -> Floats:
    """Of the cases, of shape (…, cases), with such degrees of freedom: their geometric mean, of shape (…, 1)."""
    readings = _Readings.of(np.maximum(variances, _LEAST_VARIANCE), degrees)
    return np.asarray(np.exp(readings.centre(degrees > 0)))


@dataclass(frozen=True)
class _Readings:
    """Of the logarithms of true variances, of shape (…, cases); of no meaning without degrees of freedom."""

    logs: Floats
    """log s², less what it is off on average."""
    errors: Floats
    """Their variances, by chance."""
    degrees: Floats

    @classmethod
    def of(cls, variances: Floats, degrees: Floats) -> _Readings:
        known = np.where(degrees > 0, degrees, 1.0)
        logs = np.log(variances) - special.digamma(known / 2) + np.log(known / 2)
        return cls(logs, special.polygamma(1, known / 2), known)

    def centre(self, used: Bools) -> Floats:
        weights = used / self.errors
        return np.asarray((weights * self.logs).sum(axis=-1, keepdims=True) / _sum(weights))


def _prior(readings: _Readings, used: Bools) -> tuple[Floats, Floats]:
    """Degrees of freedom and centre of what the cases' variances are draws from, of shape (…, 1)."""
    weights = used / readings.errors
    centre = readings.centre(used)
    count = np.maximum(used.sum(axis=-1, keepdims=True), 1)
    beyond_chance = (weights * (readings.logs - centre) ** 2).sum(axis=-1, keepdims=True) - (count - 1)
    scatter = beyond_chance / np.maximum(_sum(weights) - _sum(weights**2) / _sum(weights), 1e-9)
    prior = 2 * _inverse_trigamma(np.maximum(scatter, 1e-6))
    # What the others know is all that can be borrowed.
    others = (used * readings.degrees).sum(axis=-1, keepdims=True) * (1 - 1 / count)
    prior = np.clip(prior, _LEAST_PRIOR, np.maximum(others, _LEAST_PRIOR))
    return prior, np.exp(centre + special.digamma(prior / 2) - np.log(prior / 2))


def _sum(weights: Floats) -> Floats:
    return np.maximum(weights.sum(axis=-1, keepdims=True), 1e-9)


def _inverse_trigamma(values: Floats) -> Floats:
    """Where the trigamma function takes these positive values: Newton's steps on its reciprocal (Smyth, appendix)."""
    x: Floats = 0.5 + 1 / values
    for _ in range(_NEWTON_STEPS):
        trigamma = special.polygamma(1, x)
        x = x + trigamma * (1 - trigamma / values) / special.polygamma(2, x)
    return x
