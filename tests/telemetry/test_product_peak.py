"""Which trials measure products of matrices, and what a CPU's peak is by them."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_throughput.telemetry.product_peak import ProductTrials, peak_by_products, peak_key

CASE = {"device": "cpu", "precision": "fp32", "settings": {"threads": 2}, "flops_per_image": 1e9}
MEASURED = {**CASE, "product_flops": {"A": 1e11}}


def test_the_first_trial_of_each_framework_measures() -> None:
    trials = ProductTrials()
    assert trials.needs("a")
    trials.note("a", MEASURED, 50.0, was_asked=True)
    assert (trials.needs("a"), trials.needs("b")) == (False, True)


def test_a_trial_that_was_not_asked_is_followed_by_one_that_is() -> None:
    trials = ProductTrials()
    trials.note("a", CASE, 50.0, was_asked=False)
    assert trials.needs("a")


@pytest.mark.parametrize("found", [{"product_flops": {}}, {}])
def test_a_step_without_products_or_without_memory_for_them_is_not_asked_again(found: dict[str, Any]) -> None:
    trials = ProductTrials()
    trials.note("a", {**CASE, **found}, 50.0, was_asked=True)
    assert not trials.needs("a")


def test_it_is_measured_again_while_a_case_is_faster_but_not_for_ever() -> None:
    trials = ProductTrials()
    trials.note("a", MEASURED, 150.0, was_asked=True)
    assert trials.needs("a")
    trials.note("a", {**CASE, "product_flops": {"A": 2e11}}, 50.0, was_asked=True)
    assert not trials.needs("a")
    for _ in range(2):
        trials.note("b", MEASURED, 250.0, was_asked=True)
        assert trials.needs("b")
    trials.note("b", MEASURED, 250.0, was_asked=True)
    assert (trials.needs("b"), trials.needs("a")) == (False, True)


def test_other_precisions_and_threads_have_peaks_of_their_own() -> None:
    trials = ProductTrials()
    trials.note("a", {**MEASURED, "product_flops": {"A": 2e11}, "precision": "bf16"}, 150.0, was_asked=True)
    trials.note("b", {**MEASURED, "settings": {"threads": 1}}, 50.0, was_asked=True)
    assert not trials.needs("a")
    trials.note("b", {**MEASURED, "settings": {"threads": 1}}, 150.0, was_asked=True)
    assert trials.needs("a")


def test_who_was_asked_for_as_many_threads_shares_a_peak() -> None:
    """Asked for four on two cores, OpenVINO takes two, and others four."""
    four, two = ({"threads_asked": 4, "threads": threads} for threads in (4, 2))
    assert peak_key({**CASE, "settings": two}) == peak_key({**CASE, "settings": four})
    assert peak_key({**CASE, "settings": two}) != peak_key(CASE)
    assert peak_key({**CASE, "settings": {"threads_asked": None, "threads": 2}}) == peak_key(CASE)
    peak = peak_by_products({**MEASURED, "settings": two})
    assert peak is not None and peak.source.endswith("by A, 4 threads")


def test_the_peak_is_that_of_the_fastest_library_and_names_it() -> None:
    peak = peak_by_products({**CASE, "product_flops": {"NumPy": 1e11, "PyTorch": 1.2e11, "Other": 9e10}})
    assert peak is not None
    assert (peak.flops, peak.method) == (1.2e11, "measured")
    assert peak.source == "a large product of matrices by PyTorch, 2 threads"


@pytest.mark.parametrize("settings", [None, "many", {}, {"threads": "two"}])
def test_threads_that_are_not_known_are_not_named(settings: Any) -> None:
    peak = peak_by_products({"settings": settings, "product_flops": {"A": 1.0}})
    assert peak is not None and peak.source == "a large product of matrices by A"


@pytest.mark.parametrize("products", [None, {}, "many", {"A": None}, {"A": "fast"}, {"A": -1.0}, {"A": float("inf")}])
def test_products_that_failed_or_are_none_are_no_peak(products: Any) -> None:
    assert peak_by_products({**CASE, "product_flops": products}) is None
