"""The options of the gate: what a run is judged against, and by which rules."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_throughput.gate.rules import Rules
from pytest_throughput.options.gate_options import (
    FAIL_ON,
    read_baseline,
    read_fail_on,
    read_false_alarm_rate,
    read_threshold,
)
from pytest_throughput.options.given import Given

__all__ = ["BASE", "HEAD", "GateSettings", "add_gate_options", "read_gate_settings"]

BASE, HEAD = "base", "head"
"""The environments that are compared in pairs."""


@dataclass(frozen=True)
class GateSettings:
    """Whether and how this run is judged."""

    mode: str = "off"
    """``fail``, ``warn`` or ``off``."""
    baseline: Path | None = None
    """The folder of accepted runs; None where the environments base and head are compared."""
    rules: Rules = field(default_factory=Rules)
    fail_on: tuple[str, ...] = FAIL_ON
    confirm_trials: int = 0
    """Of each case, for a second look."""


def add_gate_options(add: Callable[..., None], typed: Callable[[Callable[[str], Any]], Any]) -> None:
    """Adds them. ``typed`` makes an argparse type of a function that raises ValueError."""
    add("baseline", metavar="DIR", type=typed(read_baseline), in_rootdir=True, help="judge the run against "
        "the accepted runs in this folder (pytest-throughput accept)")  # fmt: skip
    add("gate", choices=("fail", "warn", "off"), help="'fail' (default with a baseline): regressions and the like end "
        "the run with a status of their own. 'warn': verdicts, and no status. 'off': no verdicts. Without a baseline, "
        "the environments base and head are compared in pairs")  # fmt: skip
    add(
        "threshold",
        metavar="SHARE",
        type=typed(read_threshold),
        help="the slowdown that matters, as a share of the seconds per step; default 3%%",
    )
    add("false-alarm-rate", metavar="SHARE", type=typed(read_false_alarm_rate),
        help="the share of runs that may have a case called regressed although nothing changed; default "
        "1%%")  # fmt: skip
    add("confirm", metavar="N", type=typed(_read_count), help="up to N more trials of cases that are flagged or "
        "undecided, before the verdict; default 0")  # fmt: skip
    add("fail-on", metavar="LIST", type=typed(read_fail_on), help="of regressed (exit status 10), missing, failed "
        f"(11), inconclusive (13); default {','.join(FAIL_ON)}")  # fmt: skip


def read_gate_settings(given: Given, environments: Sequence[str]) -> GateSettings:
    """Return how the run is judged. Raise pytest.UsageError for options that contradict each other."""
    baseline, asked, confirm_trials = given("baseline", None), given("gate", None), given("confirm", 0)
    mode = asked or ("off" if baseline is None else "fail")
    if mode == "off":
        if asked is None:
            _refuse_rules_without_a_gate(given)
        return GateSettings()
    if {BASE, HEAD} <= set(environments):
        baseline = None
    elif baseline is None:
        raise pytest.UsageError(f"{given.spelled('gate')}={mode}: nothing to judge by; {_JUDGE_BY}")
    elif len(environments) > 1:
        raise pytest.UsageError(
            f"{given.spelled('baseline')} judges one environment, and this run has {', '.join(environments)}; "
            f"call them {BASE} and {HEAD} to compare them with each other"
        )
    elif not _can_be_read(baseline):
        raise pytest.UsageError(f"{given.spelled('baseline')}: cannot read {baseline}; expected a readable folder")
    rules = Rules(given("threshold", Rules.threshold), given("false-alarm-rate", Rules.false_alarm_rate))
    return GateSettings(mode, baseline, rules, given("fail-on", FAIL_ON), confirm_trials)


def _can_be_read(folder: Path) -> bool:
    """Whether a folder can be read, or is not there yet."""
    try:
        folder.stat()
    except FileNotFoundError:
        return True
    except OSError:  # As where a folder above is closed to this user.
        return False
    return os.access(folder, os.R_OK | os.X_OK)


def _refuse_rules_without_a_gate(given: Given) -> None:
    """Raise pytest.UsageError for a rule on the command line. In the ini file it stands for runs that are judged."""
    for name in _RULES:
        if given.on_command_line(name) and given(name, None) != 0:
            raise pytest.UsageError(
                f"--throughput-{name}: nothing is judged; {_JUDGE_BY}. A rule for every run that is judged may stand "
                f"in the ini file, as throughput_{name.replace('-', '_')}"
            )


_RULES = ("confirm", "threshold", "false-alarm-rate", "fail-on")
_JUDGE_BY = (
    "give --throughput-baseline=DIR, or --throughput-gate=fail and two environments, "
    f"--throughput-interpreter {BASE}/NAME=COMMAND and {HEAD}/NAME=COMMAND"
)


def _read_count(text: str) -> int:
    if not (text.isdecimal() and text.isascii()):
        raise ValueError(f"expected a whole number of trials, got {text!r}")
    return int(text)
