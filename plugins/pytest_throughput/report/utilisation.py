"""The utilisation of a device: the share of its peak that the network's operations reach, and what the peak is."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_throughput.report.values import median_of
from pytest_throughput.results.above_peak import is_above_peak
from pytest_throughput.results.model import CaseResult
from pytest_throughput.text import printable, share, significant

__all__ = ["legend", "shown_utilisation", "utilisation"]


def utilisation(case: CaseResult) -> float | None:
    """Return the median share of the peak over trials."""
    return median_of(case, "model_flops_utilisation")


def shown_utilisation(case: CaseResult) -> str:
    """Return the share as a text; ``*`` marks one above 100 %."""
    mark = "*" if any(map(is_above_peak, (trial.metadata for trial in case.measured))) else ""
    return share(utilisation(case)) + mark


def legend(cases: Sequence[CaseResult]) -> str:
    """Return the peaks with their sources; nothing if there are none."""
    peaks: dict[str, None] = {}
    for case in cases:
        precisions = [case.axes.get("precision"), *case.metadata_values("precision")]
        precision = next((f" in {one}" for one in precisions if one is not None), "")
        for peak in case.metadata_values("peak"):
            if isinstance(peak, dict) and type(peak.get("tflops")) in (int, float):
                peaks[f"{significant(peak['tflops'], 3)} TFLOP/s{precision} ({peak.get('source')})"] = None
    return f"peak: {' or '.join(map(printable, peaks))}" if peaks else ""
