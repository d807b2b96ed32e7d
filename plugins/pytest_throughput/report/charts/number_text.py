"""Numbers as texts of axes, labels and tables, whatever their magnitude."""

from __future__ import annotations

import math

from pytest_throughput.text import significant

__all__ = ["number_text", "power_of_ten", "scientific", "short_number", "with_interval"]

_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def number_text(value: float, digits: int = 4) -> str:
    """Format as ``text.significant`` does, but numbers with many zeros with a power of ten: ``1.234×10⁻¹⁸``."""
    if value == 0:
        return "0"
    if not math.isfinite(value) or 1e-5 <= abs(value) < 1e10:
        return significant(value, digits)
    return scientific(value, digits - 1)


def short_number(value: float) -> str:
    """Format with up to six significant digits, none of them a zero at the end: ``128``, ``0.25``, ``5×10⁻⁷``."""
    if not math.isfinite(value) or value == 0 or 1e-4 <= abs(value) < 1e7:
        text = significant(value, 6)
        return text.rstrip("0").rstrip(".") if "." in text else text
    return power_of_ten(value)


def power_of_ten(value: float) -> str:
    """Format with a power of ten and no more digits before it than needed: ``10¹²``, ``5×10⁻⁷``; one is ``1``."""
    mantissa, power = scientific(value, 5).split("×")
    mantissa = mantissa.rstrip("0").rstrip(".")
    if power == "10⁰":
        return mantissa
    return power if mantissa == "1" else f"{mantissa}×{power}"


def scientific(value: float, decimals: int, power: int | None = None) -> str:
    """Format with a power of ten, the value's own or a given one: ``1.5×10¹⁸``, ``0.5×10¹⁸``."""
    mantissa, exponent = f"{value:.{decimals}e}".split("e")
    if power is not None and power != int(exponent):
        mantissa, exponent = f"{value / float(f'1e{power}'):.{decimals}f}", str(power)
    return f"{mantissa}×10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def with_interval(value: float, low: float | None, high: float | None, digits: int = 4) -> str:
    """Return the number, with the ends of its interval if it has any: ``81.20 (79.95 to 82.47)``."""
    if low is None and high is None:
        return number_text(value, digits)
    ends = [number_text(value if end is None else end, digits) for end in (low, high)]
    return f"{number_text(value, digits)} ({ends[0]} to {ends[1]})"
