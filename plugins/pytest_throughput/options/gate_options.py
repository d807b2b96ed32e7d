"""The options of the gate that pytest and the command line share. This module is quick to import."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_throughput.gate.rules import Rules
from pytest_throughput.gate.store_place import Place, place_of
from pytest_throughput.gate.verdict import FAILABLE, Verdict
from pytest_throughput.options.option import Option
from pytest_throughput.options.readers import read_share
from pytest_throughput.options.thresholds_file import read_threshold, read_thresholds

__all__ = [
    "BASELINE",
    "FAIL_ON",
    "FALSE_ALARM_RATE",
    "JUDGE",
    "THRESHOLD",
    "THRESHOLDS",
    "read_baseline",
    "read_fail_on",
    "read_false_alarm_rate",
    "read_judge",
    "read_threshold",
]


def read_false_alarm_rate(text: str) -> float:
    """Return the false-alarm rate, as a share of whole runs. Raise ValueError."""
    return Rules(false_alarm_rate=read_share(text)).false_alarm_rate


def read_judge(text: str) -> tuple[str, ...]:
    """Return the names of a comma-separated list of metrics. Raise ValueError."""
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        if not name.isidentifier():
            raise ValueError(
                f"expected names of metrics with commas, such as images_per_second,peak_memory_bytes, got {text!r}"
            )
        if names.count(name) > 1:
            raise ValueError(f"{name} is named twice; expected each metric once")
    return names


def read_fail_on(text: str) -> tuple[str, ...]:
    """Return the names of a comma-separated list of what to fail on. Raise ValueError."""
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        if name not in FAILABLE:
            raise ValueError(f"cannot fail on {name!r}; expected some of: {', '.join(FAILABLE)}")
    return names


def read_baseline(text: str) -> Place:
    """Return the folder or the URL, which need not exist before the first run is accepted. Raise ValueError."""
    place = place_of(text)
    # These functions do not raise: a folder without access is reported when it is read or written.
    if isinstance(place, Path) and os.path.exists(place) and not os.path.isdir(place):
        raise ValueError(
            f"expected a folder, and {str(place)!r} is a file; `pytest-throughput accept` makes folders of runs"
        )
    return place


BASELINE = Option(
    name="baseline",
    metavar="DIR",
    read=read_baseline,
    in_rootdir=True,
    help="The folder of accepted runs to judge by, or its URL (s3, gs, https or file); `pytest-throughput accept` "
    "fills it.",
)
THRESHOLD = Option(
    name="threshold",
    metavar="SHARE",
    read=read_threshold,
    default="3%",
    help="The smallest slowdown that matters, as a share of the seconds per step, such as 3% or 0.03.",
)
THRESHOLDS = Option(
    name="thresholds",
    metavar="FILE.toml",
    read=read_thresholds,
    in_rootdir=True,
    default_help="[tool.pytest-throughput.thresholds] of pyproject.toml",
    help="The thresholds of single cases and metrics: a TOML file with the table [thresholds], which has patterns of "
    "case ids and of metrics; the first that matches counts. All others have the one of the option threshold.",
)
JUDGE = Option(
    name="judge",
    metavar="LIST",
    read=read_judge,
    default_help="the primary metric of each case",
    help="The metrics to judge, as a comma-separated list, such as "
    "images_per_second,first_step_seconds,peak_memory_bytes; each by its own noise. They share the false-alarm rate.",
)
FALSE_ALARM_RATE = Option(
    name="false-alarm-rate",
    metavar="SHARE",
    read=read_false_alarm_rate,
    default="1%",
    help="The share of runs without any change in which a case may be called regressed, such as 1% or 0.01; "
    "at most 50%.",
)
FAIL_ON = Option(
    name="fail-on",
    metavar="LIST",
    read=read_fail_on,
    default=",".join((Verdict.REGRESSED, Verdict.MISSING, Verdict.FAILED)),
    help="What the gate fails on, as a comma-separated list of the verdicts regressed (exit status 10), missing, "
    "failed (11), inconclusive and incomparable (13), and underpowered (13): a case in which a doubling of the "
    "seconds could not have been shown.",
)
