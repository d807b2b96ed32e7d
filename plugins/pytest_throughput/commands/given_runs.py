"""The runs that a report or an export is given, and their verdicts."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_throughput.commands.gate import against_baseline
from pytest_throughput.commands.judging import judgement_of
from pytest_throughput.commands.output_file import refuse_inputs
from pytest_throughput.text import printable

if TYPE_CHECKING:
    from pytest_throughput.gate.verdict import Judgement
    from pytest_throughput.results.model import RunResult

__all__ = ["given_runs", "judgements_of"]


def given_runs(arguments: argparse.Namespace) -> dict[str, RunResult]:
    """Return the runs by the arguments that name them. Raise Unreadable, and ValueError for one given twice."""
    from pytest_throughput.gate.from_results import split_environment
    from pytest_throughput.results.reader import read_run
    from pytest_throughput.results.untrusted_json import Unreadable

    runs: dict[str, RunResult] = {}
    seen: dict[tuple[str, str | None], str] = {}
    for argument in arguments.files:
        file, environment = split_environment(argument)
        if seen.setdefault((os.path.realpath(file), environment), argument) in runs:
            raise ValueError(f"{printable(argument)} is given twice; expected each run once")
        run = read_run(file, arguments.items_param)
        kept = tuple(case for case in run.cases if environment in (None, case.environment))
        if environment is not None and not kept:
            raise Unreadable(file, f"has no environment {environment}")
        runs[argument] = replace(run, cases=kept)
    if arguments.output is not None:
        refuse_inputs(arguments.output, [split_environment(argument)[0] for argument in runs])
    return runs


def judgements_of(arguments: argparse.Namespace, runs: Mapping[str, RunResult]) -> list[Judgement]:
    """Return the verdicts of the runs of each hardware against its accepted runs; none without ``--baseline``."""
    if arguments.baseline is None:
        return []
    from pytest_throughput.report.combined import hardware_names

    by_hardware: dict[str, list[str]] = {}
    for argument, name in zip(runs, hardware_names(list(runs.values())), strict=True):
        by_hardware.setdefault(name, []).append(argument)
    return [_judgement(arguments, given) for given in by_hardware.values()]


def _judgement(arguments: argparse.Namespace, given: Sequence[str]) -> Judgement:
    return judgement_of(arguments, lambda: against_baseline(arguments, given), fail_on=())
