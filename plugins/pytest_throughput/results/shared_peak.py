"""Give the trials of a run on a CPU their peak, which is known when all of them have ended."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace
from typing import Any

from pytest_throughput.results.model import CaseResult, TrialResult
from pytest_throughput.telemetry.peaks import Peak
from pytest_throughput.telemetry.product_peak import peak_by_products, peak_key
from pytest_throughput.telemetry.utilisation import flops_rate, utilisation

__all__ = ["with_cpu_peaks"]


def with_cpu_peaks(cases: Iterable[CaseResult]) -> tuple[CaseResult, ...]:
    """Return the cases; trials without a peak get the best product of matrices of the trials with the same setting.

    All trials with the same device, precision and number of threads so have the same peak, whichever library gave it.
    """
    cases = tuple(cases)
    best: dict[Hashable, Peak] = {}
    for metadata in (_metadata(case, trial) for case in cases for trial in case.trials):
        key, peak = peak_key(metadata), peak_by_products(metadata)
        if peak is not None and (key not in best or best[key].flops < peak.flops):
            best[key] = peak
    return tuple(
        replace(case, trials=tuple(_with_peak(trial, _metadata(case, trial), best) for trial in case.trials))
        for case in cases
    )


def _with_peak(trial: TrialResult, metadata: dict[str, Any], best: dict[Hashable, Peak]) -> TrialResult:
    if metadata.get("peak") is not None:
        return trial
    rate = flops_rate(metadata, trial.images_per_second)
    return replace(trial, metadata={**trial.metadata, **utilisation(rate, best.get(peak_key(metadata)))})


def _metadata(case: CaseResult, trial: TrialResult) -> dict[str, Any]:
    return {**trial.metadata, **case.axes}
