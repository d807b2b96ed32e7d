"""The variance of a case is moderated by those of the other cases."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from pytest_throughput.gate import shrinkage
from pytest_throughput.gate.shrinkage import _inverse_trigamma, typical_variance

Floats = NDArray[np.float64]


def moderated_variances(variances: Floats, degrees: Floats, exception: int | None = None) -> tuple[Floats, Floats]:
    """Where all cases but one, at most, say something about the noise."""
    return shrinkage.moderated_variances(variances, degrees, np.arange(variances.shape[-1]) != exception)


@pytest.mark.parametrize("value", [1e-4, 0.01, 0.5, 1.0, 5.0, 1e3])
def test_the_inverse_of_trigamma(value: float) -> None:
    assert special.polygamma(1, _inverse_trigamma(np.array([value])))[0] == pytest.approx(value, rel=1e-6)


def test_cases_that_are_alike_pool() -> None:
    generator = np.random.default_rng(1)
    variances = generator.chisquare(4, (200, 50)) / 4
    moderated, degrees = moderated_variances(variances, np.full(variances.shape, 4.0))
    assert np.median(degrees) > 40
    assert np.median(moderated) == pytest.approx(1.0, abs=0.2)


def test_the_moderated_statistic_is_students() -> None:
    """With variances drawn as the model has it, differences beyond the quantile are as rare as it says, or rarer."""
    generator = np.random.default_rng(2)
    shape = (1000, 100)
    true = 5 / generator.chisquare(5, shape)
    variances = true * generator.chisquare(4, shape) / 4
    moderated, degrees = moderated_variances(variances, np.full(shape, 4.0))
    statistic = generator.standard_normal(shape) * np.sqrt(true / moderated)
    for tail in (0.05, 0.01, 0.001):
        beyond = float((statistic > special.stdtrit(degrees, 1 - tail)).mean())
        assert tail / 4 < beyond < tail * 1.15


def test_cases_that_differ_keep_to_themselves() -> None:
    generator = np.random.default_rng(3)
    true = np.array([1e-5, 1e-4, 1e-3, 1e-2] * 10)
    variances = true * generator.chisquare(8, true.shape) / 8
    moderated, degrees = moderated_variances(variances, np.full(true.shape, 8.0))
    assert degrees.max() < 11
    assert np.median(moderated / variances) < 1.1
    assert np.all(moderated / variances < 6)


def test_nobody_gets_less_than_his_own() -> None:
    variances = np.array([1.0, 1.0, 1.0, 1.0, 9.0, 0.01])
    moderated, _ = moderated_variances(variances, np.full(6, 4.0))
    assert np.all(moderated >= variances)
    assert moderated[5] > 0.01


def test_equal_figures_are_no_certainty() -> None:
    moderated, degrees = moderated_variances(np.array([0.0, 1.0, 1.0, 1.0, 1.0]), np.full(5, 4.0))
    assert moderated[0] > 0
    assert np.isfinite(degrees).all()


def test_a_case_without_degrees_of_freedom_takes_what_the_others_have() -> None:
    moderated, degrees = moderated_variances(
        np.array([0.0, 1.1, 0.9, 1.0, 1.2, 0.8]), np.array([0.0, 4.0, 4.0, 4.0, 4.0, 4.0])
    )
    assert moderated[0] == pytest.approx(1.0, rel=0.3)
    assert degrees[0] > 0


def test_nothing_to_know_anything_from() -> None:
    moderated, degrees = moderated_variances(np.zeros(5), np.zeros(5))
    assert np.isfinite(moderated).all()
    assert np.all(degrees < 0.02)


def test_an_exception_neither_lends_nor_borrows() -> None:
    variances = np.random.default_rng(4).chisquare(8, 10) / 8
    calm, of_calm = moderated_variances(variances, np.full(10, 8.0))
    variances[3] = 1e4
    spoilt, of_spoilt = moderated_variances(variances, np.full(10, 8.0))
    moderated, degrees = moderated_variances(variances, np.full(10, 8.0), exception=3)
    others = np.arange(10) != 3
    assert (moderated[3], degrees[3]) == (1e4, 8)
    assert np.median(degrees[others] / of_calm[others]) > 0.6
    assert np.median(degrees[others] / of_spoilt[others]) > 2
    assert np.all(np.abs(np.log(moderated / calm))[others] < 0.3)
    assert np.isfinite(spoilt).all()


def test_a_case_known_from_little_says_little() -> None:
    """Of nine cases that agree and one of a single degree of freedom that by chance is very calm, the nine decide."""
    variances = np.ones(10)
    variances[0] = 1e-4
    degrees_of_own = np.full(10, 8.0)
    degrees_of_own[0] = 1.0
    moderated, degrees = moderated_variances(variances, degrees_of_own)
    assert moderated[0] > 0.5
    assert degrees.min() > 8


@pytest.mark.parametrize("degrees", [1.0, 2.0, 8.0])
def test_what_is_typical_does_not_depend_on_how_much_is_known(degrees: float) -> None:
    variances = 3.0 * np.random.default_rng(6).chisquare(degrees, (50, 400)) / degrees
    typical = typical_variance(variances, np.full(variances.shape, degrees))
    assert typical.shape == (50, 1)
    assert np.median(typical) == pytest.approx(3.0, rel=0.05)
    assert typical_variance(variances[0], np.full(400, degrees)) == pytest.approx(typical[0])


def test_a_case_calm_by_chance_is_no_reason_to_think_that_cases_differ() -> None:
    """Such as one whose trials all fell into the same hump."""
    variances = np.random.default_rng(7).chisquare(8, 10) / 8
    variances[2] = 0.005
    moderated, degrees = moderated_variances(variances, np.full(10, 8.0))
    assert moderated[2] > 0.5 * np.median(variances)
    assert degrees[2] > 60


def test_a_case_far_wilder_than_the_others_is_left_to_itself() -> None:
    """What it jitters by is not known any better for their being known well."""
    variances = np.random.default_rng(8).chisquare(8, 10) / 8
    variances[6] = 40.0
    moderated, degrees = moderated_variances(variances, np.full(10, 8.0))
    assert (moderated[6], degrees[6]) == (40.0, 8.0)
    assert np.all(np.delete(degrees, 6) > 8.0)


def test_four_cases_do_not_pool() -> None:
    variances = np.array([1.0, 1.1, 0.9, 1.2, 5.0])
    degrees = np.array([4.0, 4.0, 4.0, 4.0, 0.0])
    moderated, after = moderated_variances(variances, degrees)
    assert moderated[:4].tolist() == variances[:4].tolist()
    assert after.tolist() == degrees.tolist()
