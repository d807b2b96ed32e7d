"""Variances of many cases, each known from few values: what a case can borrow from the others.

The empirical Bayes estimate of G. K. Smyth, *Linear models and empirical Bayes methods for assessing
differential expression in microarray experiments* (2004), section 6: the cases' true variances are
taken for draws from a scaled inverse chi-squared distribution, whose centre and width are read off
the variances themselves. Cases that are alike pool almost fully; where they differ, each is left
with little more than its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["moderated_variances"]

Floats = NDArray[np.float64]

_NEWTON_STEPS = 8
_LEAST_VARIANCE = 1e-10
"""Of logarithms, so 0.001 % of a figure: figures that agree better have been rounded."""


def moderated_variances(variances: Floats, degrees: Floats) -> tuple[Floats, Floats]:
    """Each case's variance and its degrees of freedom, after borrowing from the others.

    Both of shape (…, cases). A case without degrees of freedom takes over what the others have. The
    result is never below a case's own variance: the others may make it more careful, never less.
    """
    own = np.maximum(variances, _LEAST_VARIANCE)
    known = degrees > 0
    count = np.maximum(known.sum(axis=-1, keepdims=True), 1)
    safe = np.where(known, degrees, 1.0)

    # log s², less what it is off on average: an unbiased reading of the logarithm of each variance.
    readings = np.where(known, np.log(own) - special.digamma(safe / 2) + np.log(safe / 2), 0.0)
    centre = readings.sum(axis=-1, keepdims=True) / count
    scatter = np.where(known, (readings - centre) ** 2, 0.0).sum(axis=-1, keepdims=True) / np.maximum(count - 1, 1)
    by_chance = np.where(known, special.polygamma(1, safe / 2), 0.0).sum(axis=-1, keepdims=True) / count
    prior = 2 * _inverse_trigamma(np.maximum(scatter - by_chance, 1e-6))
    # What the others know is all that can be borrowed.
    others = degrees.sum(axis=-1, keepdims=True) * (1 - 1 / count)
    prior = np.clip(prior, 1e-3, np.maximum(others, 1e-3))
    prior_variance = np.exp(centre + special.digamma(prior / 2) - np.log(prior / 2))

    moderated = (prior * prior_variance + degrees * own) / (prior + degrees)
    return np.where(known, np.maximum(moderated, own), moderated), prior + degrees


def _inverse_trigamma(values: Floats) -> Floats:
    """Where the trigamma function takes these positive values: Newton's steps on its reciprocal (Smyth, appendix)."""
    x: Floats = 0.5 + 1 / values
    for _ in range(_NEWTON_STEPS):
        trigamma = special.polygamma(1, x)
        x = x + trigamma * (1 - trigamma / values) / special.polygamma(2, x)
    return x
