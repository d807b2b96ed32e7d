"""What a user says of a gate, on either command line. Light to import: nothing here judges."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pytest_throughput.gate.rules import Rules
from pytest_throughput.gate.verdict import FAILABLE, Verdict

__all__ = ["FAIL_ON", "read_baseline", "read_fail_on", "read_false_alarm_rate", "read_threshold"]

FAIL_ON = (str(Verdict.REGRESSED), str(Verdict.MISSING), str(Verdict.FAILED))
"""By default. Inconclusive is neither a pass nor a failure."""


def read_threshold(text: str) -> float:
    """A share of the seconds. Raises ValueError."""
    return Rules(threshold=_share(text)).threshold


def read_false_alarm_rate(text: str) -> float:
    """A share of whole runs. Raises ValueError."""
    return Rules(false_alarm_rate=_share(text)).false_alarm_rate


def _share(text: str) -> float:
    """``3%`` or ``0.03``; a bare 3 might be either 3 % or 300 %."""
    parts = re.fullmatch(r"(\d{1,9}(?:\.\d{1,12})?|\.\d{1,12}) ?(%?)", text.strip(), re.ASCII)
    value = 0.0 if parts is None else float(parts[1]) / (100 if parts[2] else 1)
    if parts is None or value <= 0 or (not parts[2] and value >= 1):
        raise ValueError(f"expected a share such as 3% or 0.03, got {text!r}")
    return value


def read_fail_on(text: str) -> tuple[str, ...]:
    """A comma-separated list of verdicts. Raises ValueError."""
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        if name not in FAILABLE:
            raise ValueError(f"unknown verdict {name!r}; expected some of: {', '.join(FAILABLE)}")
    return names


def read_baseline(text: str) -> Path:
    """A folder, which need not exist before the first run is accepted. Raises ValueError."""
    if "://" in text:
        raise ValueError(f"expected a folder, got {text!r}; URLs are not read: fetch the folder first")
    path = Path(text)
    # Functions that do not raise: a folder that cannot be looked at is told when it is read or written.
    if os.path.exists(path) and not os.path.isdir(path):
        raise ValueError(f"expected a folder, and {text!r} is a file; `pytest-throughput accept` makes folders of runs")
    return path
