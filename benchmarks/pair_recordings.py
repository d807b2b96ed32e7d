"""Record live pairs of real steps, without any change and with more work on one side.

``record`` measures six small steps of PyTorch and TensorFlow over and over, each in a live pair of the suite's own
(``launch/pairs.py``, protocol ``quick``, one thread), and appends a line for each pair to a file. A round measures
every step four times as it is, and once with a slowdown: with a batch of 42, 44 or 52 images on one side against 40 on
the other, whose steps take as much longer as they have more work.

    python benchmarks/pair_recordings.py record --state quiet --seconds 3600 pairs.jsonl

It can be interrupted, and continues where the file ends.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import dlworkloads
import pytest_throughput
from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS
from pytest_throughput.launch import pairs
from pytest_throughput.launch.interpreters import Interpreter
from pytest_throughput.launch.launcher import LauncherConfig, Placement
from pytest_throughput.launch.staging import StagedPath
from pytest_throughput.launch.workers import FreshWorkers
from pytest_throughput.measurement.plan import PLANS
from pytest_throughput.naming import DEFAULT_ENVIRONMENT
from pytest_throughput.worker.protocol import Outcome, Request

STEPS = (
    ("inference", "pytorch", "mnist_cnn", 40),
    ("training", "pytorch", "mnist_cnn", 40),
    ("inference", "pytorch", "cifar10_cnn", 20),
    ("training", "pytorch", "cifar10_cnn", 20),
    ("training", "tensorflow", "mnist_cnn", 40),
    ("inference", "tensorflow", "cifar10_cnn", 40),
)
SLOWDOWNS = (0.10, 0.05, 0.30)
"""The additional work of one side, as a share, in turn by round."""
UNCHANGED = 4
"""The pairs of each step in a round whose sides are equal."""
THREADS = 1


def record(file: Path, state: str, seconds: float, blocks: int) -> None:
    """Measure rounds of pairs of so many blocks, for so many seconds."""
    pairs.LEAST_BLOCKS, pairs.ENOUGH_SECONDS = blocks, 60.0
    deadline = time.monotonic() + seconds
    done = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    number = 1 + max((one["round"] for one in done if one["state"] == state), default=-1)
    packages = (Path(package.__file__ or "").parent for package in (pytest_throughput, dlworkloads))
    staged = StagedPath(packages)
    launcher = FreshWorkers(LauncherConfig(staged, threads=THREADS, timeout_seconds=120))
    try:
        with file.open("a", encoding="ascii") as lines:
            while time.monotonic() < deadline:
                for case, slowdown in in_order(number, state):
                    if time.monotonic() >= deadline:
                        break
                    line = {"state": state, "round": number, "case": case.id, "slowdown": slowdown}
                    line.update(pair(launcher, case, slowdown))
                    lines.write(json.dumps(line, separators=(",", ":")) + "\n")
                    lines.flush()
                number += 1
    finally:
        launcher.close()
        staged.remove()


def in_order(number: int, state: str) -> Iterator[tuple[Case, float]]:
    """Return the pairs of a round, in random order."""
    lot = random.Random(f"{state} {number}")
    slowdowns = [0.0] * UNCHANGED + [SLOWDOWNS[number % len(SLOWDOWNS)]]
    for slowdown in lot.sample(slowdowns, len(slowdowns)):
        for mode, framework, model, batch_size in lot.sample(STEPS, len(STEPS)):
            execution = FRAMEWORKS[framework].default_execution
            yield Case(mode, framework, "cpu", model, batch_size, "fp32", execution), slowdown


def pair(launcher: FreshWorkers, case: Case, slowdown: float) -> dict[str, Any]:
    """Measure one pair, the second side with more work."""
    placement = Placement(Interpreter(DEFAULT_ENVIRONMENT, case.framework, (sys.executable,)), trial=1)

    def start(images: int) -> Any:
        arguments = {**case.to_json(), "batch_size": images, "threads": THREADS}
        return launcher.start(Request("dlworkloads.opening:open_step", arguments, PLANS["quick"]), placement)

    started_at, began_at, load = datetime.now(UTC), time.monotonic(), os.getloadavg()[0]
    sides = start(case.batch_size), start(round(case.batch_size * (1 + slowdown)))
    outcomes = pairs.measure_pair(sides, pair_id=f"{started_at:%s%f}")
    known = {
        "started_at": started_at.isoformat(timespec="seconds"),
        "wall_seconds": round(time.monotonic() - began_at, 2),
        "load": round(load, 2),
    }
    if any("pair" not in each.metadata for each in outcomes):
        return {**known, "failed": [each.reason for each in outcomes]}
    return {
        **known,
        "order": outcomes[0].metadata["pair"]["order"],
        "open_seconds": [_open_seconds(each) for each in outcomes],
        "sides": [_slices(each) for each in outcomes],
    }


def _open_seconds(outcome: Outcome) -> float:
    return round(sum(outcome.metadata.get(name) or 0.0 for name in ("build_seconds", "first_step_seconds")), 3)


def _slices(outcome: Outcome) -> list[list[float]]:
    """Return the start of each slice, and of its seconds per step the median, minimum, 10th percentile and mean."""
    assert outcome.measurement is not None
    seconds = iter(outcome.measurement.seconds_per_step)
    found = []
    for one in outcome.metadata["slices"]:
        rounds = np.asarray([next(seconds) for _ in range(one["rounds"])])
        values = statistics.median(rounds), rounds.min(), np.quantile(rounds, 0.1), rounds.mean()
        found.append([one["started_at"], *(float(f"{value:.5g}") for value in values)])
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Record live pairs of real steps.")
    commands = parser.add_subparsers(required=True, dest="command")
    of_record = commands.add_parser("record", help="measure, and append to the file")
    of_record.add_argument("--state", required=True, help="what else the machine does, in a word, such as quiet")
    of_record.add_argument("--seconds", type=float, default=3600.0, help="default an hour")
    of_record.add_argument("--blocks", type=int, default=12, help="slices of each side ÷ 2; default 12")
    of_record.add_argument("file", type=Path, help="JSON, a line for each pair")
    options = parser.parse_args(arguments)
    record(options.file, options.state, options.seconds, options.blocks)


if __name__ == "__main__":
    main()
