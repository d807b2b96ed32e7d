"""Record live pairs of real steps, without any change and with more work on one side.

``record`` measures six small steps of PyTorch and TensorFlow over and over, each in a live pair of the suite's own
(``launch/pairs.py``, protocol ``quick``, one thread), and appends a line for each pair to a file. A round measures
every step four times as it is, and once with a slowdown: with a batch of 42, 44 or 52 images on one side against 40 on
the other, whose steps take as much longer as they have more work.

``judge`` draws runs from the recorded pairs of a state, at random and with exchanged sides, and lets the gate judge
them: how many runs have a false alarm, and how many slowdowns are found. One case of six is slowed, in turn, by adding
the slowdown to the logarithms of one side. The pairs that were really slowed show that it acts so.

    python benchmarks/pair_recordings.py record --state quiet --seconds 3600 pairs.jsonl
    python benchmarks/pair_recordings.py judge pairs.jsonl

``record`` can be interrupted, and continues where the file ends.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from gate_real_runs import STEPS, THREADS
from numpy.typing import NDArray

import dlworkloads
import pytest_throughput
from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS
from pytest_throughput.gate.decision import Decisions, decide_live_pairs
from pytest_throughput.gate.rules import Rules
from pytest_throughput.launch import pairs as live_pairs
from pytest_throughput.launch.interpreters import Interpreter
from pytest_throughput.launch.launcher import LauncherConfig, Placement
from pytest_throughput.launch.pairs import LEAST_BLOCKS
from pytest_throughput.launch.staging import StagedPath
from pytest_throughput.launch.workers import FreshWorkers
from pytest_throughput.measurement.plan import PLANS
from pytest_throughput.naming import DEFAULT_ENVIRONMENT
from pytest_throughput.worker.protocol import Outcome, Request

Floats = NDArray[np.float64]

SLOWDOWNS = (0.10, 0.05, 0.30)
"""The additional work of one side, as a share, in turn by round."""
UNCHANGED = 4
"""The pairs of each step in a round whose sides are equal."""


def record(file: Path, state: str, seconds: float, blocks: int) -> None:
    """Measure rounds of pairs of so many blocks, for so many seconds."""
    live_pairs.LEAST_BLOCKS, live_pairs.ENOUGH_SECONDS = blocks, 60.0
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
    outcomes = live_pairs.measure_in_turn(sides, group_id=f"{started_at:%s%f}")
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


# ---------------------------------------------------------------------------- judging

STATISTICS = {"median": 1, "minimum": 2, "10th percentile": 3, "mean": 4}
"""The position of each statistic in a recorded slice."""
JUDGED = "10th percentile"
RULES = Rules()
FOUND = (0.03, 0.04, 0.05, 0.10, 0.30)
"""The slowdowns to be found, as shares of the seconds."""


def log_ratio(pair: Mapping[str, Any], statistic: str, blocks: int) -> float:
    """Return log(speed of the second side ÷ speed of the first) after so many blocks."""
    first, second = ([one[STATISTICS[statistic]] for one in side[: 2 * blocks]] for side in pair["sides"])
    return statistics.median(math.log(a / b) for a, b in zip(first, second, strict=True))


def mean_log_ratio(pair: Mapping[str, Any], blocks: int) -> float:
    """Return the same by the means of the slices."""
    first, second = ([one[STATISTICS["mean"]] for one in side[: 2 * blocks]] for side in pair["sides"])
    return math.log(statistics.fmean(first) / statistics.fmean(second))


@dataclass(frozen=True)
class Recording:
    """The pairs of one state, by case and slowdown."""

    pairs: Mapping[tuple[str, float], list[dict[str, Any]]]

    @property
    def cases(self) -> tuple[str, ...]:
        return tuple(sorted({case for case, _ in self.pairs}))

    @property
    def most_blocks(self) -> int:
        return max(len(pair["sides"][0]) // 2 for pairs in self.pairs.values() for pair in pairs)

    def values(self, slowdown: float = 0.0, statistic: str = JUDGED, blocks: int = LEAST_BLOCKS) -> list[Floats]:
        """Return the values of each case's pairs that have so many blocks, and those by means: (pairs, 2)."""
        return [
            np.array(
                [
                    (log_ratio(pair, statistic, blocks), mean_log_ratio(pair, blocks))
                    for pair in self.pairs.get((case, slowdown), [])
                    if len(pair["sides"][0]) >= 2 * blocks
                ]
            ).reshape(-1, 2)
            for case in self.cases
        ]


def read(file: Path) -> dict[str, Recording]:
    """Return the recordings by state; the last line may be incomplete."""
    found: dict[str, dict[tuple[str, float], list[dict[str, Any]]]] = {}
    for line in file.read_text(encoding="ascii").splitlines():
        pair = json.loads(line) if line.endswith("}") else {}
        if "sides" in pair:
            found.setdefault(pair["state"], {}).setdefault((pair["case"], pair["slowdown"]), []).append(pair)
    return {state: Recording(pairs) for state, pairs in found.items()}


def drawn(rng: np.random.Generator, values: Sequence[Floats], runs: int, pairs: int) -> Floats:
    """Return so many runs of pairs, drawn without replacement and with exchanged sides: (runs, cases, pairs, 2)."""
    cases = [
        np.stack([rng.permutation(of_case)[:pairs] for _ in range(runs)])
        * rng.choice((-1.0, 1.0), size=(runs, pairs, 1))
        for of_case in values
    ]
    return np.stack(cases, axis=1)


def decided(differences: Floats) -> Decisions:
    """Judge runs of live pairs, given log(speed of head ÷ speed of base) of shape (runs, cases, pairs, 2)."""
    return decide_live_pairs(differences[..., 0], RULES, differences[..., 1])


def rates(values: Sequence[Floats], pairs: int, runs: int, rng: np.random.Generator) -> dict[str, float]:
    """Return the shares of runs with a false alarm, and of cases found, cleared, and wrongly cleared."""
    calm = decided(drawn(rng, values, runs, pairs))
    found = {"alarm": float(calm.regressed.any(axis=-1).mean()), "cleared": float(calm.unchanged.mean())}
    for slowdown in FOUND:
        regressed, unchanged = [], []
        for slowed in range(len(values)):
            differences = drawn(rng, values, runs // len(values), pairs)
            differences[:, slowed] -= math.log1p(slowdown)
            decisions = decided(differences)
            regressed.append(decisions.regressed[:, slowed].mean())
            unchanged.append(decisions.unchanged[:, slowed].mean())
        found[f"{slowdown:.0%}"] = float(np.mean(regressed))
        if slowdown == 0.05:
            found["missed"] = float(np.mean(unchanged))
    return found


def with_intervals(values: Sequence[Floats], pairs: int, runs: int, resamplings: int) -> dict[str, str]:
    """Return the rates in per cent, with 95 % intervals by resampling the recorded pairs."""
    rng = np.random.default_rng(1)
    rate = rates(values, pairs, runs, rng)
    again = [
        rates([of_case[rng.integers(len(of_case), size=len(of_case))] for of_case in values], pairs, runs // 10, rng)
        for _ in range(resamplings)
    ]
    shown = {}
    for name, share in rate.items():
        low, high = np.quantile([one[name] for one in again], (0.025, 0.975))
        shown[name] = f"{100 * share:.1f} ({100 * low:.0f}–{100 * high:.0f})"
    return shown


def report(recording: Recording, runs: int, resamplings: int) -> None:
    """Print the spread of the pairs of each case, the effect of real slowdowns, and the rates."""
    counts = sorted({3, LEAST_BLOCKS, 9, recording.most_blocks} & set(range(recording.most_blocks + 1)))
    print("\nRoot mean square of a pair's log ratio, equal sides, in per cent\n")
    print("| case | pairs | statistic |" + "".join(f" {count} blocks |" for count in counts))
    print("|---|---|---|" + "---|" * len(counts))
    for statistic in STATISTICS:
        of_counts = [recording.values(statistic=statistic, blocks=count) for count in counts]
        for index, case in enumerate(recording.cases):
            spreads = "".join(f" {100 * np.sqrt(np.mean(values[index][:, 0] ** 2)):.2f} |" for values in of_counts)
            print(f"| {case} | {len(of_counts[0][index])} | {statistic} |{spreads}")
    print("\nMeasured slowdowns in per cent: mean ± standard error (pairs)\n")
    for slowdown in SLOWDOWNS:
        shown = []
        for values in recording.values(slowdown):
            slower = 100 * np.expm1(-values[:, 0])
            error = slower.std(ddof=1) / math.sqrt(len(slower)) if len(slower) > 1 else math.nan
            shown.append(f"{slower.mean():.1f} ± {error:.1f} ({len(slower)})" if len(slower) else "–")
        print(f"{slowdown:.0%}: {', '.join(shown)}")
    for statistic in ("median", JUDGED):
        print(f"\nRates in per cent, by the {statistic}\n")
        columns = ["pairs", "blocks", "false alarms", "unchanged", *(f"{one:.0%} found" for one in FOUND), "5 % missed"]
        print("| " + " | ".join(columns) + " |")
        print("|" + "---|" * len(columns))
        for count in counts[1:]:
            most = min(map(len, recording.values(blocks=count)))
            for pairs in (count for count in (5, 8, 12) if count <= most):
                rate = with_intervals(recording.values(statistic=statistic, blocks=count), pairs, runs, resamplings)
                order = ["alarm", "cleared", *(f"{one:.0%}" for one in FOUND), "missed"]
                print(f"| {pairs} | {count} | " + " | ".join(rate[name] for name in order) + " |", flush=True)


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
    of_judge = commands.add_parser("judge", help="read the file, and count")
    of_judge.add_argument("--runs", type=int, default=6000, help="simulated for each rate; default 6000")
    of_judge.add_argument("--resamplings", type=int, default=100, help="for the intervals; default 100")
    of_judge.add_argument("file", type=Path, help="recorded pairs")
    options = parser.parse_args(arguments)
    if options.command == "record":
        record(options.file, options.state, options.seconds, options.blocks)
        return
    for state, recording in read(options.file).items():
        print(f"\n{state}: {sum(map(len, recording.pairs.values()))} pairs")
        report(recording, options.runs, options.resamplings)


if __name__ == "__main__":
    main()
