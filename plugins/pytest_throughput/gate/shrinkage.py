"""Variances of many cases, each known from few values: what a case can borrow from the others.

The empirical Bayes estimate of G. K. Smyth, *Linear models and empirical Bayes methods for assessing
differential expression in microarray experiments* (2004), section 6: the cases' true variances are
taken for draws from a scaled inverse chi-squared distribution, whose centre and width are read off
the variances themselves. Cases that are alike pool almost fully; where they differ, each is left
with little more than its own. Two additions: a case is compared with the others alone, so that one
that looks calm by chance is no reason to think that cases differ; and cases known from fewer values
count for less (R. DerSimonian and N. Laird, *Meta-analysis in clinical trials*, 1986).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["FEWEST_CASES_TO_POOL", "moderated_variances", "typical_variance"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FEWEST_CASES_TO_POOL = 5
"""With fewer, what the cases have in common cannot be told from what each has of its own."""
_IMPLAUSIBLE = 0.001
"""Chance of a variance as large, by what the others have: such a case is of another kind than they are."""
_NEWTON_STEPS = 8
_LEAST_VARIANCE = 1e-10
"""Of logarithms, so 0.001 % of a figure: figures that agree better have been rounded."""
_TINY = 1e-9
_LEAST_PRIOR = 0.01
"""Degrees of freedom of cases that have nothing in common."""


def moderated_variances(variances: Floats, degrees: Floats, is_telling: Bools) -> tuple[Floats, Floats]:
    """Each case's variance and its degrees of freedom, after borrowing from the others.

    All of shape (…, cases). A case that is not telling neither lends nor borrows; nor does any where
    too few are telling. A case without degrees of freedom takes over what the others have. The result
    is never below a case's own variance, and a case far wilder than the others is left to itself: they
    may make it more careful, never less.
    """
    own = np.maximum(variances, _LEAST_VARIANCE)
    known = degrees > 0
    readings = _Readings.of(own, degrees)
    prior, prior_variance = _prior(readings, known & is_telling)
    is_alike = is_telling & (special.fdtrc(readings.degrees, prior, own / prior_variance) >= _IMPLAUSIBLE)
    pools = (known & is_telling).sum(axis=-1, keepdims=True) >= FEWEST_CASES_TO_POOL
    lent = np.where(pools & (is_alike | ~known), prior, 0.0)
    moderated = (lent * prior_variance + degrees * own) / np.maximum(lent + degrees, _TINY)
    return np.where(known, np.maximum(moderated, own), moderated), lent + degrees


def typical_variance(variances: Floats, degrees: Floats) -> Floats:
    """Of the cases, of shape (…, cases), with such degrees of freedom: their geometric mean, of shape (…, 1)."""
    readings = _Readings.of(np.maximum(variances, _LEAST_VARIANCE), degrees)
    weights = (degrees > 0) * readings.weights
    total = np.maximum(weights.sum(axis=-1, keepdims=True), _TINY)
    return np.asarray(np.exp((weights * readings.logs).sum(axis=-1, keepdims=True) / total))


@dataclass(frozen=True)
class _Readings:
    """Of the logarithms of true variances, of shape (…, cases); of no meaning without degrees of freedom."""

    logs: Floats
    """log s², less what it is off on average."""
    weights: Floats
    """The inverse of their variances, by chance."""
    degrees: Floats

    @classmethod
    def of(cls, variances: Floats, degrees: Floats) -> _Readings:
        known = np.where(degrees > 0, degrees, 1.0)
        logs = np.log(variances) - special.digamma(known / 2) + np.log(known / 2)
        return cls(logs, 1 / special.polygamma(1, known / 2), known)


def _prior(readings: _Readings, used: Bools) -> tuple[Floats, Floats]:
    """Degrees of freedom and centre of what each case's variance is a draw from, by the others that are used."""
    logs, weights = readings.logs, used * readings.weights
    total = np.maximum(_of_others(weights), _TINY)
    centre = _of_others(weights * logs) / total
    count = np.maximum(_of_others(used.astype(np.float64)), 1.0)
    beyond_chance = _of_others(weights * logs**2) - total * centre**2 - (count - 1)
    scatter = beyond_chance / np.maximum(total - _of_others(weights**2) / total, _TINY)
    prior = 2 * _inverse_trigamma(np.maximum(scatter, 1e-6))
    # What the others know is all that can be borrowed.
    prior = np.clip(prior, _LEAST_PRIOR, np.maximum(_of_others(used * readings.degrees), _LEAST_PRIOR))
    return prior, np.exp(centre + special.digamma(prior / 2) - np.log(prior / 2))


def _of_others(values: Floats) -> Floats:
    return np.asarray(values.sum(axis=-1, keepdims=True) - values)


def _inverse_trigamma(values: Floats) -> Floats:
    """Where the trigamma function takes these positive values: Newton's steps on its reciprocal (Smyth, appendix)."""
    x: Floats = 0.5 + 1 / values
    for _ in range(_NEWTON_STEPS):
        trigamma = special.polygamma(1, x)
        x = x + trigamma * (1 - trigamma / values) / special.polygamma(2, x)
    return x
