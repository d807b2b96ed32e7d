"""The settings of the gate: whether and by which rules a run is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from pytest_throughput.gate.rules import Rules
from pytest_throughput.gate.store_place import Place
from pytest_throughput.options.gate_options import BASELINE, FAIL_ON, FALSE_ALARM_RATE, JUDGE, THRESHOLD, THRESHOLDS
from pytest_throughput.options.option import Option
from pytest_throughput.options.readers import MOST_TRIALS, read_whole_number
from pytest_throughput.options.thresholds_file import project_thresholds
from pytest_throughput.options.values import OptionValues

__all__ = ["BASE", "GATE_OPTIONS", "HEAD", "GateSettings"]

BASE, HEAD = "base", "head"
"""The names of the environments that are compared in pairs."""

GATE_OPTIONS = (
    BASELINE,
    Option(
        name="gate",
        choices=("fail", "warn", "off"),
        default_help="fail with a baseline, else off",
        help="'fail': judge the run; regressions and the like end it with an exit status of their own. 'warn': judge "
        "it, and leave the exit status alone. 'off': do not judge it. The environments base and head are compared "
        "in pairs, with or without a baseline.",
    ),
    JUDGE,
    THRESHOLD,
    THRESHOLDS,
    FALSE_ALARM_RATE,
    Option(
        name="confirm",
        metavar="N",
        read=read_whole_number(0, MOST_TRIALS),
        default="0",
        help="The number of further trials that an undecided case gets at most; at most 1000. They come in planned "
        "steps, after each of which the run is judged.",
    ),
    FAIL_ON,
)
_RULES = ("confirm", "judge", "threshold", "thresholds", "false-alarm-rate", "fail-on")
_JUDGE_BY = (
    "give --throughput-baseline=DIR, or --throughput-gate=fail and two environments, "
    f"--throughput-interpreter {BASE}/NAME=COMMAND and {HEAD}/NAME=COMMAND"
)


@dataclass(frozen=True)
class GateSettings:
    """The settings of the gate in this run."""

    mode: str = "off"
    """The effect of the verdicts: ``fail``, ``warn`` or ``off``."""
    baseline: Place | None = None
    """Where the accepted runs are; None if the environments base and head are compared."""
    rules: Rules = field(default_factory=Rules)
    fail_on: tuple[str, ...] = FAIL_ON.default_value
    """The verdicts with which the gate fails."""
    confirm_trials: int = 0
    """The most further trials of an undecided case."""

    @classmethod
    def from_values(cls, values: OptionValues, environments: Sequence[str]) -> GateSettings:
        """Return the settings of the gate. Raise pytest.UsageError for options that contradict each other."""
        baseline, asked = values("baseline"), values("gate")
        mode = asked or ("off" if baseline is None else "fail")
        if mode == "off":
            if asked is None:
                _refuse_rules_without_a_gate(values)
            return cls()
        if {BASE, HEAD} <= set(environments):
            baseline = None
        elif baseline is None:
            raise pytest.UsageError(f"{values.spelled('gate')}={mode}: nothing to judge by; {_JUDGE_BY}")
        elif len(environments) > 1:
            raise pytest.UsageError(
                f"{values.spelled('baseline')} judges one environment, and this run has {', '.join(environments)}; "
                f"call them {BASE} and {HEAD} to compare them with each other"
            )
        return cls(mode, baseline, _rules(values), values("fail-on"), values("confirm"))


def _rules(values: OptionValues) -> Rules:
    """Return the rules. Raise pytest.UsageError for a pyproject.toml whose thresholds cannot be read."""
    thresholds = values("thresholds")
    if thresholds is None:
        try:
            thresholds = project_thresholds(values.config.rootpath)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from None
    return Rules(values("threshold"), values("false-alarm-rate"), values("judge") or (), thresholds)


def _refuse_rules_without_a_gate(values: OptionValues) -> None:
    """Raise pytest.UsageError for a rule on the command line. A rule in the ini file is for other runs."""
    for name in _RULES:
        if values.on_command_line(name) and values(name) != 0:
            raise pytest.UsageError(
                f"--throughput-{name}: nothing is judged; {_JUDGE_BY}. A rule for every run that is judged may stand "
                f"in the ini file, as throughput_{name.replace('-', '_')}"
            )
