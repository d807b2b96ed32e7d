"""Explain a utilisation above 100 %, if it can be right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_throughput.text import share

__all__ = ["explanation", "is_above_peak"]

_MEASURED_TOO_LOW = 1.5
"""The largest utilisation that an underestimated measured peak explains. Other processes may have slowed down every
product that was measured; and a 3×3 convolution of oneDNN ran at up to 1.11 times the rate of the best product."""
_WINOGRAD_SAVES = 4
"""The ratio of the counted multiplications of a 3×3 convolution to those of Winograd's method F(4×4, 3×3), which takes
36 for a tile of 4×4 results instead of 144; F(2×2, 3×3) takes 16 instead of 36, the ratio 2.25: Lavin and Gray 2015,
https://arxiv.org/abs/1509.09308."""


def is_above_peak(metadata: Mapping[str, Any]) -> bool:
    """Return whether a trial did more operations per second, with convolutions as direct ones, than its peak."""
    utilisation = metadata.get("model_flops_utilisation")
    return isinstance(utilisation, float) and utilisation > 1 and isinstance(metadata.get("peak"), dict)


def explanation(metadata: Mapping[str, Any]) -> str | None:
    """Return why a trial above its peak may be right; None if nothing explains so much."""
    utilisation, largest, reasons = metadata["model_flops_utilisation"], _largest_by_winograd(metadata), []
    if utilisation <= largest:
        reasons.append(
            "Winograd's method computes a 3×3 convolution by 2.25 to 4 times fewer multiplications than are counted "
            f"(for this network at most {share(largest)})"
        )
    if metadata["peak"].get("method") == "measured" and utilisation <= _MEASURED_TOO_LOW:
        reasons.append(
            "the peak was measured: other work may have slowed down the products, and a convolution may be faster"
        )
    return "; ".join(reasons) or None


def _largest_by_winograd(metadata: Mapping[str, Any]) -> float:
    """Return the largest utilisation if all convolutions that suit Winograd's method were done by it.

    A share of null is that of a network whose convolutions are not known: all of them may suit it.
    """
    suited = metadata.get("winograd_flops_share", 0.0)
    if suited is None:
        return float(_WINOGRAD_SAVES)
    if not isinstance(suited, (int, float)) or not 0.0 <= suited <= 1.0:
        return 1.0
    return 1 / (1 - suited + suited / _WINOGRAD_SAVES)
