# mypy: ignore-errors
# ruff: noqa: I001
# This program runs on the code of commit 14f5efd, whose modules have other names.
"""Measure a trial of each side of each case as commit 14f5efd does, and print them as a JSON object by case id.

PYTHONPATH=OLD/plugins:OLD/fixtures python trials_14f5efd.py SEED
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import time
from pathlib import Path

import dlworkloads
import pytest_throughput
from pytest_throughput.isolation.conductor import Conductor, Place
from pytest_throughput.isolation.interpreters import DEFAULT_ENVIRONMENT, Interpreter
from pytest_throughput.isolation.protocol import Request
from pytest_throughput.isolation.staging import StagedPath
from pytest_throughput.measurement.plan import PLANS


def main() -> None:
    lot = random.Random(sys.argv[1])
    cases = json.loads(os.environ["COST_CASES"])
    staged = StagedPath(Path(package.__file__).parent for package in (pytest_throughput, dlworkloads))
    conductor = Conductor(isolation="trial", staged=staged, pythonpath=(), threads=1, timeout_seconds=120)
    try:
        staged.folder()
        measured = {}
        for case_id in lot.sample(list(cases), len(cases)):
            order = lot.choice(("ab", "ba"))
            sides = {side: trial(conductor, cases[case_id]) for side in order}
            measured[case_id] = {"order": order, "sides": [sides["a"], sides["b"]]}
    finally:
        conductor.close()
        staged.remove()
    json.dump(measured, sys.stdout)


def trial(conductor: Conductor, arguments: dict[str, object]) -> dict[str, object]:
    place = Place(Interpreter(DEFAULT_ENVIRONMENT, arguments["framework"], (sys.executable,)), trial=1)
    request = Request("dlworkloads.opening:open_step", arguments, PLANS["quick"])
    began_at, before = time.monotonic(), processor_seconds()
    outcome, stderr = conductor.conduct(request, place)
    if outcome.measurement is None:
        raise SystemExit(f"{outcome.status}: {outcome.reason}\n{stderr}")
    return {
        "samples": [float(f"{seconds:.5g}") for seconds in outcome.measurement.seconds_per_step],
        "wall_seconds": round(time.monotonic() - began_at, 3),
        "cpu_seconds": round(processor_seconds() - before, 3),
    }


def processor_seconds() -> float:
    """Return the seconds that processes which have ended took of the processors."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
