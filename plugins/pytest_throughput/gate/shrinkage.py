"""Shrinkage: each case's variance, estimated from few values, is combined with the variances of the other cases.

This is the empirical Bayes estimate of G. K. Smyth, *Linear models and empirical Bayes methods for
assessing differential expression in microarray experiments* (2004), section 6: the true variances are
modelled as draws from a scaled inverse chi-squared distribution (the prior), whose centre and width
are estimated from the variances themselves. Where the cases are alike, each case's variance is close
to the common one and is known much more precisely; where they differ, each case keeps its own.

There are two additions to Smyth. The prior of a case is estimated from the other cases only, so that a
case that looks calm by chance does not make the cases look different. And cases with fewer values get
less weight (R. DerSimonian and N. Laird, *Meta-analysis in clinical trials*, 1986).
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
"""Fewest cases for which variances are pooled; fewer do not show how much the cases differ."""
_IMPLAUSIBLE = 0.001
"""A variance is not moderated if one as large has less than this probability under the prior."""
_NEWTON_STEPS = 8
_LEAST_VARIANCE = 1e-10
"""Smallest variance of logarithms: a deviation of 0.001 %. Figures that agree better have been rounded."""
_TINY = 1e-9
_LEAST_PRIOR = 0.01
"""Degrees of freedom of the prior where the cases have nothing in common."""


def moderated_variances(variances: Floats, degrees: Floats, is_typical: Bools) -> tuple[Floats, Floats]:
    """Return each case's variance and its degrees of freedom, after borrowing from the other cases.

    All arrays have shape (…, cases). Cases that are not typical are neither used for the prior nor
    changed by it, and nothing is pooled where too few cases are typical. A case without degrees of
    freedom gets the variance of the others. The result is never below a case's own variance, and a case
    that is far noisier than the others keeps its own: borrowing never makes a margin narrower than the
    case's own spread suggests.
    """
    own = np.maximum(variances, _LEAST_VARIANCE)
    known = degrees > 0
    estimates = _LogVariances.of(own, degrees)
    prior, prior_variance = _prior(estimates, known & is_typical)
    is_alike = is_typical & (special.fdtrc(estimates.degrees, prior, own / prior_variance) >= _IMPLAUSIBLE)
    pools = (known & is_typical).sum(axis=-1, keepdims=True) >= FEWEST_CASES_TO_POOL
    borrowed = np.where(pools & (is_alike | ~known), prior, 0.0)
    moderated = (borrowed * prior_variance + degrees * own) / np.maximum(borrowed + degrees, _TINY)
    return np.where(known, np.maximum(moderated, own), moderated), borrowed + degrees


def typical_variance(variances: Floats, degrees: Floats) -> Floats:
    """Return the weighted geometric mean over the cases: from shape (…, cases) to shape (…, 1)."""
    estimates = _LogVariances.of(np.maximum(variances, _LEAST_VARIANCE), degrees)
    weights = (degrees > 0) * estimates.weights
    total = np.maximum(weights.sum(axis=-1, keepdims=True), _TINY)
    return np.asarray(np.exp((weights * estimates.logs).sum(axis=-1, keepdims=True) / total))


@dataclass(frozen=True)
class _LogVariances:
    """Estimates of the logarithms of true variances, of shape (…, cases); meaningless without degrees of freedom."""

    logs: Floats
    """log s², corrected for its bias."""
    weights: Floats
    """Inverse sampling variances of ``logs``."""
    degrees: Floats

    @classmethod
    def of(cls, variances: Floats, degrees: Floats) -> _LogVariances:
        known = np.where(degrees > 0, degrees, 1.0)
        logs = np.log(variances) - special.digamma(known / 2) + np.log(known / 2)
        return cls(logs, 1 / special.polygamma(1, known / 2), known)


def _prior(estimates: _LogVariances, used: Bools) -> tuple[Floats, Floats]:
    """Return the degrees of freedom and the centre of each case's prior, estimated from the other cases in use."""
    logs, weights = estimates.logs, used * estimates.weights
    total = np.maximum(_sum_of_others(weights), _TINY)
    centre = _sum_of_others(weights * logs) / total
    count = np.maximum(_sum_of_others(used.astype(np.float64)), 1.0)
    beyond_chance = _sum_of_others(weights * logs**2) - total * centre**2 - (count - 1)
    scatter = beyond_chance / np.maximum(total - _sum_of_others(weights**2) / total, _TINY)
    prior = 2 * _inverse_trigamma(np.maximum(scatter, 1e-6))
    # The prior adds at most as many degrees of freedom to a case as the other cases have.
    prior = np.clip(prior, _LEAST_PRIOR, np.maximum(_sum_of_others(used * estimates.degrees), _LEAST_PRIOR))
    return prior, np.exp(centre + special.digamma(prior / 2) - np.log(prior / 2))


def _sum_of_others(values: Floats) -> Floats:
    """Return for each case the sum over all other cases."""
    return np.asarray(values.sum(axis=-1, keepdims=True) - values)


def _inverse_trigamma(values: Floats) -> Floats:
    """Return where the trigamma function has these positive values, by Newton's method (Smyth, appendix)."""
    x: Floats = 0.5 + 1 / values
    for _ in range(_NEWTON_STEPS):
        trigamma = special.polygamma(1, x)
        x = x + trigamma * (1 - trigamma / values) / special.polygamma(2, x)
    return x
