"""The options of the plugin, and the settings of a run that result from them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_throughput.launch.anchors import Anchors
from pytest_throughput.launch.interpreters import Interpreters, find_environments, parse_interpreter
from pytest_throughput.launch.isolation import ISOLATIONS
from pytest_throughput.launch.variables import WorkerVariables
from pytest_throughput.measurement.allocator import TUNED
from pytest_throughput.measurement.plan import PLANS, Plan
from pytest_throughput.options.anchor_option import ANCHOR, read_anchors
from pytest_throughput.options.gate_settings import GATE_OPTIONS, GateSettings
from pytest_throughput.options.option import Option
from pytest_throughput.options.readers import (
    MOST_TRIALS,
    read_byte_count,
    read_duration,
    read_positive,
    read_whole_number,
)
from pytest_throughput.options.table_options import COLUMNS_OPTION, SORT_OPTION
from pytest_throughput.options.values import OptionValues, add_to_pytest
from pytest_throughput.options.worker_options import WORKER_OPTIONS, read_allocator, read_variables
from pytest_throughput.telemetry.cpu import usable_physical_cores

__all__ = ["OPTIONS", "ORDERS", "Settings", "add_options"]

ORDERS = ("trials", "paired")

OPTIONS = (
    Option(
        name="trials",
        metavar="N",
        read=read_whole_number(1, MOST_TRIALS),
        default="1",
        help="The number of trials of each case, at most 1000: each trial measures the case anew, in a fresh process "
        "with isolation 'trial'.",
    ),
    Option(
        name="order",
        choices=ORDERS,
        default="trials",
        help="'trials': the first trial of every case, then the second of every case, and so on; within a trial, "
        "frameworks and environments in turn for each network and batch size, backwards in every second trial. "
        "'paired': trials that are compared are alive together and measured in turn, in slices of 0.2 s: with "
        "environments such as base and head the trials of each case, with one environment those of the frameworks, "
        "executions and layouts of each work; implies isolation 'trial'.",
    ),
    Option(
        name="protocol",
        choices=tuple(PLANS),
        default="adaptive",
        help="'adaptive': warm-up until steps no longer get faster, then rounds until the median is known to 1 %, or "
        "for 10 s. 'gpu': the same, with at least 5 s of rounds. 'paper': 10 warm-up steps, 20 rounds. 'quick': 0.3 s "
        "of warm-up, 0.5 to 3 s of rounds.",
    ),
    Option(
        name="steps-per-round",
        metavar="K",
        read=read_whole_number(1),
        default_help="the fewest that last 2 ms, on a GPU 0.2 s; 1 with protocol 'paper'",
        help="The number of steps that are timed together as one round. On a GPU they are launched before one wait.",
    ),
    Option(
        name="isolation",
        choices=tuple(ISOLATIONS),
        default="trial",
        help="'trial': a fresh process for each case and trial. 'framework': one process for the cases of a framework "
        "in one trial; those of several frameworks are alive together on a CPU, where memory suffices. 'none': in the "
        "pytest process.",
    ),
    Option(
        name="interpreter",
        metavar="[ENVIRONMENT/]NAME=COMMAND",
        read=parse_interpreter,
        repeatable=True,
        default_help=".nox/env-NAME/bin/python below the rootdir, where that exists; else the Python that runs pytest",
        help="The command that starts Python for the framework NAME, or for every framework if NAME is '*', in the "
        "environment ENVIRONMENT. Can be given several times.",
    ),
    ANCHOR,
    Option(
        name="pythonpath",
        metavar="DIR",
        read=Path,
        repeatable=True,
        default_help="the rootdir, after pytest's pythonpath",
        help="A folder that workers import from, relative to the rootdir; the folders of pytest's own pythonpath come "
        "after it. Can be given several times.",
    ),
    Option(
        name="threads",
        metavar="N",
        read=read_whole_number(1),
        default_help="the physical cores within CPU affinity and cgroup quota",
        help="The number of intra-op threads of a framework; the number of inter-op threads is its own default.",
    ),
    *WORKER_OPTIONS,
    Option(
        name="timeout",
        metavar="SECONDS",
        read=read_positive("a number of seconds"),
        default="600",
        help="The seconds after which a trial is ended, whole trainings included; its status is then timed_out.",
    ),
    Option(
        name="memory-limit",
        metavar="BYTES",
        read=read_byte_count,
        help="The most memory of a worker and the processes that it starts, in bytes, such as 8G or 500M. A worker "
        "that holds more is killed, and its case is out_of_memory.",
    ),
    Option(
        name="budget",
        metavar="TIME",
        read=read_duration,
        help="The time after which no further trial begins, and a job ends after the next part that it can go on from, "
        "such as an epoch: 20m, 1h30m or 90s. The rest can be measured with --throughput-resume.",
    ),
    Option(
        name="profile",
        metavar="N",
        read=read_whole_number(0, 100),
        default="0",
        help="The number of further steps to run under the framework's own profiler when a trial has been measured, at "
        "most 100. Its operators go into the results and a table, its Chrome trace into a folder beside the result "
        "file.",
    ),
    Option(
        name="peak-tflops",
        metavar="X",
        read=read_positive("a number"),
        default_help="a GPU's from a table, a CPU's measured by the frameworks' products of matrices",
        help="The device's peak in 10^12 operations per second, for its utilisation.",
    ),
    Option(
        name="lock",
        choices=("on", "off"),
        default="on",
        help="'on': wait while another run measures on the same GPU or the same processors. 'off': do not wait.",
    ),
    Option(
        name="resume",
        metavar="JOURNAL",
        read=Path,
        in_rootdir=True,
        help="Continue an interrupted run: repeat its command with the journal that it left.",
    ),
    SORT_OPTION,
    COLUMNS_OPTION,
    *GATE_OPTIONS,
)

_SETTINGS = pytest.StashKey["Settings"]()


@dataclass(frozen=True)
class Settings:
    """The settings with which this run measures."""

    trials: int
    order: str
    plan: Plan
    steps_per_round: int | None
    """The number of steps in a round; None to decide it for each case."""
    isolation: str
    interpreters: Interpreters
    pythonpath: tuple[Path, ...]
    threads: int
    """The number of intra-op threads."""
    timeout_seconds: float
    anchors: Anchors = field(default_factory=Anchors)
    """The interpreters beside which trials are measured."""
    variables: WorkerVariables = field(default_factory=WorkerVariables)
    """The environment variables of workers."""
    allocator: str = TUNED
    """``tuned``, ``system``, or the path of a library that workers preload."""
    memory_limit_bytes: int | None = None
    """The most memory of a worker and its descendants; None for no limit."""
    budget_seconds: float | None = None
    """The seconds after which no further trial begins; None for no limit."""
    resume: Path | None = None
    """The journal of the run to continue."""
    profiled_steps: int = 0
    """The number of steps to profile after each trial."""
    peak_tflops: float | None = None
    """The device's peak, for utilisation; None for the peak of its datasheet, or a measured one."""
    lock: bool = True
    """Whether to wait for other runs on the same GPU or processors."""
    sort: str = "run"
    """The order of the table's rows."""
    columns: tuple[str, ...] | None = None
    """The columns of the table; None for the usual ones."""
    gate: GateSettings = field(default_factory=GateSettings)
    """The settings of the gate."""
    interpreter_option: str = "--throughput-interpreter"
    """The option of the interpreters as the user wrote it, for messages."""
    anchor_option: str = "--throughput-anchor"
    """The option of the anchors as the user wrote it, for messages."""

    @classmethod
    def from_pytest_config(cls, config: pytest.Config) -> Settings:
        """Return the settings of this run, which are read once: the first call asks the suites for their defaults.

        Raise pytest.UsageError for options that contradict each other.
        """
        if _SETTINGS not in config.stash:
            values = OptionValues.from_pytest_config(config, OPTIONS)
            try:
                interpreters = Interpreters(values("interpreter"), find_environments(config.rootpath))
            except ValueError as error:
                raise pytest.UsageError(f"{values.spelled('interpreter')}: {error}") from None
            order, isolation = _order_and_isolation(values)
            anchors, isolation = read_anchors(values, interpreters.environments, isolation)
            if anchors:
                order = "trials"  # An order in the ini file does not apply to runs with an anchor.
            settings = cls(
                trials=values("trials"),
                order=order,
                plan=PLANS[values("protocol")],
                steps_per_round=values("steps-per-round"),
                isolation=isolation,
                interpreters=interpreters,
                pythonpath=_pythonpath(values),
                threads=values("threads") or usable_physical_cores(),
                timeout_seconds=values("timeout"),
                anchors=anchors,
                variables=read_variables(values, isolation),
                allocator=read_allocator(values),
                memory_limit_bytes=values("memory-limit"),
                budget_seconds=values("budget"),
                resume=values("resume"),
                profiled_steps=values("profile"),
                peak_tflops=values("peak-tflops"),
                lock=values("lock") == "on",
                sort=values("sort"),
                columns=values("columns"),
                gate=GateSettings.from_values(values, interpreters.environments),
                interpreter_option=values.spelled("interpreter"),
                anchor_option=values.spelled("anchor"),
            )
            if settings.most_trials > MOST_TRIALS:
                raise pytest.UsageError(
                    f"{values.spelled('trials')} {settings.trials} and {values.spelled('confirm')} "
                    f"{settings.gate.confirm_trials}: expected at most {MOST_TRIALS} trials of a case together"
                )
            if values.on_command_line("interpreter") or values.on_command_line("anchor"):
                settings.refuse_missing_interpreters()
            config.stash[_SETTINGS] = settings
        return config.stash[_SETTINGS]

    @property
    def most_trials(self) -> int:
        """The most trials of each case: those asked for, and those that may confirm its verdict."""
        return self.trials + self.gate.confirm_trials

    @property
    def of_measuring(self) -> dict[str, Any]:
        """The settings on which a figure depends, as JSON: trials with other values belong to another measurement."""
        return {
            "protocol": self.plan.name,
            "steps_per_round": self.steps_per_round,
            "isolation": self.isolation,
            "order": self.order,
            "threads": self.threads,
            "allocator": self.allocator,
            "environment_variables": self.variables.chosen(os.environ),
            "interpreters": self.interpreters.commands,
            "anchors": self.anchors.commands,
        }

    def refuse_missing_interpreters(self) -> None:
        """Raise pytest.UsageError if the command of an interpreter does not exist, or cannot be executed."""
        given = ((self.interpreter_option, self.interpreters.missing), (self.anchor_option, self.anchors.missing))
        for option, missing in given:
            if missing is not None:
                program = missing.command[0]
                raise pytest.UsageError(
                    f"{option}: the command of {missing.label} is {program!r}, "
                    f"which {'cannot be executed' if Path(program).exists() else 'does not exist'}; "
                    "expected the path of a program, or the name of one that PATH finds"
                )


def add_options(parser: pytest.Parser) -> None:
    """Add the ``--throughput-`` options, and the keys of the ini file."""
    add_to_pytest(OPTIONS, parser, parser.getgroup("throughput", "measuring steps (pytest-throughput)"))


def _order_and_isolation(values: OptionValues) -> tuple[str, str]:
    """Return order and isolation, which depend on each other. Raise pytest.UsageError."""
    order, isolation = values("order"), values("isolation")
    if order == "paired" and "isolation" not in values.given:
        isolation = "trial"
    if order == "paired" and isolation != "trial":
        raise pytest.UsageError(
            f"{values.spelled('order')}: paired needs fresh processes, --throughput-isolation trial, not {isolation}"
        )
    return order, isolation


def _pythonpath(values: OptionValues) -> tuple[Path, ...]:
    """Return the folders that workers import from: those of the option, pytest's own, and by default the rootdir."""
    rootdir = values.config.rootpath
    asked = [rootdir / folder for folder in values("pythonpath")]
    for folder in asked:
        if not folder.is_dir():
            raise pytest.UsageError(
                f"{values.spelled('pythonpath')}: expected an existing folder, got '{folder}'; "
                f"a relative one is relative to the rootdir, {rootdir}"
            )
    of_pytest: list[Path] = values.config.getini("pythonpath")
    return tuple(dict.fromkeys([*asked, *of_pytest, *([] if asked else [rootdir])]))
