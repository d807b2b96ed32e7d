"""All trials of a run on one CPU have the same peak, in whatever order it became known."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.results.model import CaseResult, TrialResult
from pytest_throughput.results.shared_peak import with_cpu_peaks


def case(
    name: str, *trials: dict[str, Any], precision: str = "fp32", threads: int = 2, rate: float = 50.0
) -> CaseResult:
    """A case whose trials have this metadata, and a network of 10^9 operations."""
    own = {"device": "cpu", "flops_per_image": 1e9, "settings": {"threads": threads}, "peak": None}
    metrics = (Metric("images_per_second", "images/s", rate),)
    results = tuple(
        TrialResult(number, 1, 1 / rate, metrics, metadata={**own, **each}) for number, each in enumerate(trials)
    )
    return CaseResult(name, "default", {"framework": name, "precision": precision}, "ok", trials=results)


def found(*cases: CaseResult) -> list[tuple[Any, str]]:
    """The utilisation and the source of the peak of each trial."""
    trials = [trial.metadata for case in with_cpu_peaks(cases) for trial in case.trials]
    return [(each["model_flops_utilisation"], each["peak"]["source"]) for each in trials]


def test_trials_from_before_the_best_product_have_it_too() -> None:
    best = "a large product of matrices by B, 2 threads"
    early = case("a", {"product_flops": {"A": 1e11, "NumPy": 8e10}}, {})
    assert found(early) == [(pytest.approx(0.5), "a large product of matrices by A, 2 threads")] * 2
    late = case("b", {"product_flops": {"B": 2e11}}, rate=100.0)
    assert found(early, late) == [(pytest.approx(0.25), best)] * 2 + [(pytest.approx(0.5), best)]
    without = case("c", {"product_flops": {}})
    assert found(without, late) == [(pytest.approx(0.25), best), (pytest.approx(0.5), best)]


def test_the_peak_depends_on_precision_and_threads() -> None:
    alike = {"product_flops": {"A": 1e11}}, {"product_flops": {"A": 4e11}}
    shares = found(case("a", alike[0]), case("b", alike[1], precision="bf16"), case("c", alike[1], threads=1))
    assert [share for share, _ in shares] == pytest.approx([0.5, 0.125, 0.125])


def test_a_peak_that_was_given_stays() -> None:
    given = {"peak": {"tflops": 1.0, "method": "given", "source": "option"}, "model_flops_utilisation": 0.05}
    both = case("a", given), case("b", {"product_flops": {"B": 2e11}})
    assert found(*both) == [(0.05, "option"), (pytest.approx(0.25), "a large product of matrices by B, 2 threads")]


def test_a_library_that_takes_fewer_threads_than_asked_for_has_the_same_peak() -> None:
    asked = {"settings": {"threads_asked": 4, "threads": 2}}, {"settings": {"threads_asked": 4, "threads": 4}}
    best = "a large product of matrices by B, 4 threads"
    both = case("a", {"product_flops": {"A": 1e11}, **asked[0]}), case("b", {"product_flops": {"B": 2e11}, **asked[1]})
    assert found(*both) == [(pytest.approx(0.25), best)] * 2


@pytest.mark.parametrize("products", [None, "fast", {"A": "fast"}])
def test_without_a_product_there_is_no_peak(products: Any) -> None:
    (only,) = with_cpu_peaks([case("a", {"product_flops": products})])
    assert only.trials[0].metadata["peak"] is None
    assert "model_flops_utilisation" not in only.trials[0].metadata
