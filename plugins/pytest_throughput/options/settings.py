"""The plugin's options: what they accept, and what they come to."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_throughput.launch.interpreters import Interpreters, parse_interpreter
from pytest_throughput.launch.isolation import ISOLATIONS
from pytest_throughput.measurement.plan import PLANS, Plan
from pytest_throughput.options.argument_types import argparse_type
from pytest_throughput.options.gate_settings import GateSettings, add_gate_options, read_gate_settings
from pytest_throughput.options.given import Given, add_declared, read_given
from pytest_throughput.telemetry.cpu import usable_physical_cores

__all__ = ["ORDERS", "Settings", "add_options", "read_settings", "refuse_missing_interpreters"]

ORDERS = ("trials", "paired")


@dataclass(frozen=True)
class Settings:
    """How this run measures."""

    trials: int
    order: str
    plan: Plan
    steps_per_round: int | None
    """None: decided for each case."""
    isolation: str
    interpreters: Interpreters
    pythonpath: tuple[Path, ...]
    threads: int
    """Intra-op threads; inter-op is 1."""
    timeout_seconds: float
    memory_limit_bytes: int | None = None
    """Of a worker and all that it starts; None for no limit."""
    budget_seconds: float | None = None
    """No further trial is begun once the run has taken so long; None for no end."""
    resume: Path | None = None
    """The journal of the run to go on with."""
    peak_tflops: float | None = None
    """The device's peak, for utilisation; None for that of the table, or of a measurement."""
    lock: bool = True
    """Whether to wait for other runs on the same GPU or processors."""
    gate: GateSettings = field(default_factory=GateSettings)
    """Whether and how the run is judged."""

    @property
    def most_trials(self) -> int:
        """Trials of each case that may be run: those asked for, and those for a second look."""
        return self.trials + self.gate.confirm_trials

    @property
    def of_measuring(self) -> dict[str, Any]:
        """What a figure depends on, as JSON: trials measured with other values belong to another run."""
        return {
            "protocol": self.plan.name,
            "steps_per_round": self.steps_per_round,
            "isolation": self.isolation,
            "order": self.order,
            "threads": self.threads,
            "interpreters": self.interpreters.commands,
        }


def add_options(parser: pytest.Parser) -> None:
    """Add the ``--throughput-`` options, and the keys of the ini file."""
    add_declared(_declare, parser, parser.getgroup("throughput", "measuring steps (pytest-throughput)"))


def _declare(add: Callable[..., None]) -> None:
    """Call ``add`` for each option."""
    add("trials", metavar="N", type=_positive_integer, help="trials of each case, default 1")
    add("order", choices=ORDERS, help="'trials' (default): trial by trial over all cases. 'paired': "
        "case by case, environments in turn A B B A; implies isolation 'trial'")  # fmt: skip
    add("protocol", choices=tuple(PLANS), help="'adaptive' (default): until the median is known to 1%%, or for 10 s. "
        "'paper': 10 warm-up steps, 20 rounds. 'quick': 0.3 s of warm-up, 0.5 to 3 s of rounds")  # fmt: skip
    add("steps-per-round", metavar="K", type=_positive_integer, help="steps timed together as a round, on a GPU "
        "launched before one wait; default the fewest that last 2 ms, on a GPU 0.2 s; with 'paper', 1")  # fmt: skip
    add("isolation", choices=tuple(ISOLATIONS), help="'trial' (default): a fresh process for each case and trial. "
        "'framework': one for a framework and trial. 'none': in the pytest process")  # fmt: skip
    add("interpreter", metavar="[ENVIRONMENT/]NAME=COMMAND", action="append", type=_interpreter,
        help="the command that starts Python for a framework; repeatable; default the running Python")  # fmt: skip
    add("pythonpath", metavar="DIR", action="append", type=Path,
        help="a folder that workers may import from, relative to the rootdir; repeatable; default the rootdir; "
        "pytest's own pythonpath is added")  # fmt: skip
    add("threads", metavar="N", type=_positive_integer,
        help="intra-op threads; default the physical cores within affinity and cgroup quota")  # fmt: skip
    add("timeout", metavar="SECONDS", type=_positive_seconds, help="of one trial of a case, default 600")
    add("memory-limit", metavar="BYTES", type=_byte_count, help="of a worker and what it starts, such as 8G "
        "or 500M; one that holds more is killed, and its case is out_of_memory")  # fmt: skip
    add("budget", metavar="TIME", type=_duration, help="begin no further trial once the run has taken so long: "
        "20m, 1h30m, 90s; what is left can be resumed")  # fmt: skip
    add("peak-tflops", metavar="X", type=_positive_number, help="the device's peak in 10^12 operations per second, "
        "for utilisation; default by a table of GPUs, or of a CPU by a large matrix product")  # fmt: skip
    add("lock", choices=("on", "off"), help="'on' (default): wait while another run measures on the same GPU or the "
        "same processors. 'off': do not wait")  # fmt: skip
    add("resume", metavar="JOURNAL", type=Path, in_rootdir=True, help="go on with an interrupted run: repeat its "
        "command, with the journal that it left behind")  # fmt: skip
    add_gate_options(add, argparse_type)


def read_settings(config: pytest.Config) -> Settings:
    """Return the settings of this run. Raise pytest.UsageError for options that contradict each other."""
    given = read_given(_declare, config)
    try:
        interpreters = Interpreters(given("interpreter", []))
    except ValueError as error:
        raise pytest.UsageError(f"{given.spelled('interpreter')}: {error}") from None
    if given.on_command_line("interpreter"):
        refuse_missing_interpreters(config, interpreters)
    order = given("order", "trials")
    isolation = given("isolation", "trial")
    if order == "paired" and len(interpreters.environments) < 2:
        if given.on_command_line("order"):
            raise pytest.UsageError(
                "--throughput-order paired measures two environments in turn, and this run has one; give two, as in "
                "--throughput-interpreter base/NAME=COMMAND --throughput-interpreter head/NAME=COMMAND"
            )
        order = "trials"  # In the ini file, it waits for a run with two.
    if order == "paired" and isolation != "trial":
        raise pytest.UsageError(
            f"{given.spelled('order')}: paired needs fresh processes, --throughput-isolation trial, not {isolation}"
        )
    return Settings(
        trials=given("trials", 1),
        order=order,
        plan=PLANS[given("protocol", "adaptive")],
        steps_per_round=given("steps-per-round", None),
        isolation=isolation,
        interpreters=interpreters,
        pythonpath=_pythonpath(given),
        threads=given("threads", None) or usable_physical_cores(),
        timeout_seconds=given("timeout", 600.0),
        memory_limit_bytes=given("memory-limit", None),
        budget_seconds=given("budget", None),
        resume=given("resume", None),
        peak_tflops=given("peak-tflops", None),
        lock=given("lock", "on") == "on",
        gate=read_gate_settings(given, interpreters.environments),
    )


def refuse_missing_interpreters(config: pytest.Config, interpreters: Interpreters) -> None:
    """Raise pytest.UsageError if the command of an interpreter does not exist, or cannot be executed."""
    missing = interpreters.missing
    if missing is not None:
        program = missing.command[0]
        raise pytest.UsageError(
            f"{read_given(_declare, config).spelled('interpreter')}: the command of {missing.label} is {program!r}, "
            f"which {'cannot be executed' if Path(program).exists() else 'does not exist'}; "
            "expected the path of a program, or the name of one that PATH finds"
        )


def _pythonpath(given: Given) -> tuple[Path, ...]:
    """Return the folders that workers import from: those of the option, pytest's own, and by default the rootdir."""
    rootdir = given.config.rootpath
    asked = [rootdir / folder for folder in given("pythonpath", [])]
    for folder in asked:
        if not folder.is_dir():
            raise pytest.UsageError(
                f"{given.spelled('pythonpath')}: expected an existing folder, got '{folder}'; "
                f"a relative one is relative to the rootdir, {rootdir}"
            )
    of_pytest: list[Path] = given.config.getini("pythonpath")
    return tuple(dict.fromkeys([*asked, *of_pytest, *([] if asked else [rootdir])]))


def _typed(expected: str, read: Callable[[str], Any]) -> Callable[[str], Any]:
    """An argparse type whose message says what was given and what was expected."""

    def convert(text: str) -> Any:
        try:
            return read(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}") from None

    return convert


def _read_positive_integer(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _read_positive_number(text: str) -> float:
    value = float(text)
    if not (0 < value < math.inf):
        raise ValueError
    return value


def _read_byte_count(text: str) -> int:
    parts = re.fullmatch(r"(\d{1,18})([KMGT]?)(?:i?B)?", text, re.ASCII | re.IGNORECASE)
    if parts is None:
        raise ValueError
    return _read_positive_integer(parts.group(1)) << 10 * " KMGT".index(parts.group(2).upper() or " ")


def _read_duration(text: str) -> float:
    parts = re.fullmatch(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s?)?", text, re.ASCII)
    if parts is None:
        raise ValueError
    hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return _read_positive_number(str(3600 * hours + 60 * minutes + seconds))


_interpreter = argparse_type(parse_interpreter)
_positive_integer = _typed("a whole number of at least 1", _read_positive_integer)
_positive_seconds = _typed("a number of seconds above 0", _read_positive_number)
_positive_number = _typed("a number above 0", _read_positive_number)
_byte_count = _typed("a number of bytes such as 8G, 500M or 1000000", _read_byte_count)
_duration = _typed("a time above 0 such as 90s, 20m or 1h30m", _read_duration)
