"""How often the gate cries wolf, and what it finds: on real repeated runs, with slowdowns really injected.

``collect`` measures small training and inference steps of PyTorch and TensorFlow over and over, each
trial in a fresh worker, and appends a line a trial to a file. A round measures every case as it is,
twice, and with 5, 10 and 30 % more work: with a batch of 42, 44 and 52 images that goes for one of 40.
``judge`` reads such a file, makes of it the comparisons that a gate would see, and counts false
alarms and what is found, of our gate and of other tools' rules on the very same trials.

    python benchmarks/gate_real_runs.py collect --seconds 3600 trials.jsonl
    python benchmarks/gate_real_runs.py judge trials.jsonl

``collect`` can be interrupted, and goes on where the file ends. A round takes some two minutes.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from gate_operating_characteristics import OTHERS, RULES
from numpy.typing import NDArray
from scipy import special

import dlworkloads
import pytest_throughput
from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS
from pytest_throughput.gate.decision import decide
from pytest_throughput.gate.estimator import estimate
from pytest_throughput.gate.rules import Design
from pytest_throughput.launch.interpreters import Interpreter
from pytest_throughput.launch.launcher import Launcher, LauncherConfig, Placement
from pytest_throughput.launch.staging import StagedPath
from pytest_throughput.launch.workers import FreshWorkers
from pytest_throughput.measurement.plan import PLANS
from pytest_throughput.naming import DEFAULT_ENVIRONMENT
from pytest_throughput.worker.protocol import Request

Floats = NDArray[np.float64]

STEPS = (
    ("inference", "pytorch", "mnist_cnn", 40),
    ("training", "pytorch", "mnist_cnn", 40),
    ("inference", "pytorch", "cifar10_cnn", 20),
    ("training", "pytorch", "cifar10_cnn", 20),
    ("training", "tensorflow", "mnist_cnn", 40),
    ("inference", "tensorflow", "cifar10_cnn", 40),
)
VARIANTS = {"a": 0.0, "b": 0.0, "5": 0.05, "10": 0.10, "30": 0.30}
"""More work, as a share of it."""
SLOWDOWNS = {name: share for name, share in VARIANTS.items() if share}
PLAN = replace(PLANS["quick"], name="short", min_warm_up_seconds=0.2, min_seconds=0.3, max_seconds=0.5)
"""Fresh processes are the replication here: importing a framework takes several times as long as this."""
THREADS = 1
SEED = 5

PAIRS = (5, 7)
HISTORIES = (3, 5, 10)


# ---------------------------------------------------------------------------- collecting


def collect(file: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    done = {(one["round"], one["case"], one["variant"]) for one in read(file)} if file.exists() else set()
    packages = (Path(package.__file__ or "").parent for package in (pytest_throughput, dlworkloads))
    staged = StagedPath(packages)
    launcher = FreshWorkers(LauncherConfig(staged, threads=THREADS, timeout_seconds=120))
    try:
        with file.open("a", encoding="ascii") as lines:
            number = max((number for number, _, _ in done), default=0)
            while time.monotonic() < deadline:
                for case, variant in in_order(number):
                    if (number, case.id, variant) in done:
                        continue
                    if time.monotonic() >= deadline:
                        break
                    line = {"round": number, "case": case.id, "variant": variant, **trial(launcher, case, variant)}
                    lines.write(json.dumps(line, separators=(",", ":")) + "\n")
                    lines.flush()
                number += 1
    finally:
        launcher.close()
        staged.remove()


def in_order(number: int) -> Iterator[tuple[Case, str]]:
    """Case by case, as pairs are measured, and by lot within it."""
    generator = random.Random(f"{SEED} {number}")
    for mode, framework, model, batch_size in generator.sample(STEPS, len(STEPS)):
        execution = FRAMEWORKS[framework].default_execution
        for variant in generator.sample(list(VARIANTS), len(VARIANTS)):
            yield Case(mode, framework, "cpu", model, batch_size, "fp32", execution), variant


def trial(launcher: Launcher, case: Case, variant: str) -> dict[str, Any]:
    """One trial of the case with more work in it."""
    images = round(case.batch_size * (1 + VARIANTS[variant]))
    arguments = {**case.to_json(), "batch_size": images, "threads": THREADS}
    placement = Placement(Interpreter(DEFAULT_ENVIRONMENT, case.framework, (sys.executable,)), trial=1)
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    outcome, _ = launcher.run(Request("dlworkloads.opening:open_step", arguments, PLAN), placement)
    known = {"started_at": started_at, "status": outcome.status}
    if outcome.measurement is None:
        return {**known, "reason": outcome.reason}
    disturbed = [one for one in outcome.measurement.disturbed if one is not None]
    return {
        **known,
        "disturbed_share": statistics.fmean(disturbed) if disturbed else None,
        "seconds": [float(f"{seconds:.5g}") for seconds in outcome.measurement.seconds_per_step],
    }


def read(file: Path) -> list[dict[str, Any]]:
    """Return the trials of a collection; the last line may be incomplete."""
    lines = file.read_text(encoding="ascii").splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


# ---------------------------------------------------------------------------- comparisons


@dataclass(frozen=True)
class Collection:
    """Whole rounds."""

    cases: tuple[str, ...]
    seconds: Mapping[tuple[str, str, int], Floats]
    """Of the rounds of a trial, by case, variant and index of the round."""
    rounds: int

    def logs(self, variant: str, first: int, count: int, changed: Mapping[str, str] | None = None) -> Floats:
        """Logarithms of 1/median seconds, of shape (cases, trials); of some cases, of another variant."""
        found = np.full((len(self.cases), count), np.nan)
        for row, case in enumerate(self.cases):
            for column in range(count):
                seconds = self.seconds.get((case, (changed or {}).get(case, variant), first + column))
                if seconds is not None:
                    found[row, column] = -math.log(float(np.median(seconds)))
        return found

    def all_rounds(self, case: str, variant: str, first: int, count: int) -> Floats:
        found = [self.seconds.get((case, variant, first + index)) for index in range(count)]
        return np.concatenate([each for each in found if each is not None] or [np.empty(0)])


def collection(file: Path) -> Collection:
    trials = read(file)
    cases = tuple(dict.fromkeys(one["case"] for one in trials))
    everything = len(STEPS) * len(VARIANTS)
    numbers = sorted({one["round"] for one in trials})
    whole = [number for number in numbers if sum(one["round"] == number for one in trials) == everything]
    index = {number: position for position, number in enumerate(whole)}
    return Collection(
        cases,
        {
            (one["case"], one["variant"], index[one["round"]]): np.asarray(one["seconds"])
            for one in trials
            if one["round"] in index and one["status"] == "ok"
        },
        len(whole),
    )


@dataclass(frozen=True)
class Comparison:
    """Which rounds of a collection a gate looks at."""

    design: Design
    base: tuple[tuple[int, int], ...]
    """First round and number of rounds of each unit."""
    head: tuple[int, int]

    @property
    def span(self) -> int:
        """Rounds looked at."""
        return sum(self.head) - self.base[0][0]

    @property
    def latest(self) -> tuple[int, int]:
        """All pairs, or the last accepted run: what the other tools compare with."""
        return self.base[-1] if self.design is Design.HISTORY else (self.base[0][0], len(self.base))


def pairs(rounds: int, count: int) -> list[Comparison]:
    """Of consecutive rounds, from every round on."""
    return [
        Comparison(Design.PAIRS, tuple((first + index, 1) for index in range(count)), (first, count))
        for first in range(rounds - count + 1)
    ]


def histories(rounds: int, runs: int, trials: int) -> list[Comparison]:
    """One run of so many consecutive rounds against the runs just before it, from every round on."""
    return [
        Comparison(
            Design.HISTORY,
            tuple((first - (runs - index) * trials, trials) for index in range(runs)),
            (first, trials),
        )
        for first in range(runs * trials, rounds - trials + 1)
    ]


def our_gate(found: Collection, one: Comparison, base_of: str, head_of: str, changed: Mapping[str, str]) -> Any:
    """Return which cases are regressed, and which are unchanged."""
    base = np.stack([found.logs(base_of, *unit) for unit in one.base], axis=1)
    head = found.logs(head_of, *one.head, changed)
    head = head[:, :, None] if one.design is Design.PAIRS else head[:, None, :]
    decisions = decide(estimate(base, head, design=one.design, false_alarm_rate=RULES.false_alarm_rate), RULES)
    return decisions.regressed, decisions.unchanged


def other_rule(rule: Callable[[Floats, Floats], Any]) -> Callable[..., Any]:
    def judge(found: Collection, one: Comparison, base_of: str, head_of: str, changed: Mapping[str, str]) -> Any:
        regressed = []
        for case in found.cases:
            base = found.all_rounds(case, base_of, *one.latest)
            head = found.all_rounds(case, changed.get(case, head_of), *one.head)
            regressed.append(bool(len(base) and len(head) and rule(base, head)))
        return np.asarray(regressed), np.zeros(len(regressed), dtype=bool)

    return judge


@dataclass
class Count:
    """How often something happened, and how often at most it could have in comparisons that share no trial."""

    happened: int
    compared: int
    apart: float

    def __str__(self) -> str:
        if not self.compared:
            return "–"
        share = self.happened / self.compared
        low, high = interval(share * self.apart, self.apart)
        return f"{100 * share:.1f} ({100 * low:.0f}–{100 * high:.0f})"


def interval(happened: float, of: float) -> tuple[float, float]:
    """Clopper and Pearson's, of 95 %."""
    low = float(special.betaincinv(happened, of - happened + 1, 0.025)) if happened > 0 else 0.0
    high = float(special.betaincinv(happened + 1, of - happened, 0.975)) if happened < of else 1.0
    return low, high


def judged(found: Collection, comparisons: Sequence[Comparison], gate: Callable[..., Any]) -> list[Count]:
    """Count runs with false alarms, slowed cases that were found, and 5 % slowdowns called unchanged."""
    if not comparisons:
        return [Count(0, 0, 0)] * (len(SLOWDOWNS) + 2)
    # Windows that share rounds share their luck: the intervals count as many as share none.
    apart = max(len(comparisons) / comparisons[0].span, 1.0)
    both = [("a", "b"), ("b", "a")]
    alarms = sum(bool(gate(found, one, *sides, {})[0].any()) for one in comparisons for sides in both)
    counts = [Count(alarms, 2 * len(comparisons), apart)]
    unchanged = 0
    for variant in SLOWDOWNS:
        detected = 0
        for one in comparisons:
            for row, case in enumerate(found.cases):
                regressed, same = gate(found, one, "a", "b", {case: variant})
                detected += bool(regressed[row])
                unchanged += bool(same[row]) if variant == "5" else 0
        counts.append(Count(detected, len(comparisons) * len(found.cases), apart * len(found.cases)))
    return [*counts, Count(unchanged, counts[-1].compared, counts[-1].apart)]


# ---------------------------------------------------------------------------- reporting


def report_injected(found: Collection) -> None:
    """Whether more work takes as much longer as it should, and how noisy the cases are."""
    rows = []
    for case in found.cases:
        logs = {name: found.logs(name, 0, found.rounds)[found.cases.index(case)] for name in VARIANTS}
        calm = np.concatenate([logs["a"], logs["b"]])
        before = np.nanmedian(calm)
        deviation = 1.4826 * np.nanmedian(np.abs(calm - before))
        between = np.nanstd(logs["a"] - logs["b"]) / math.sqrt(2)
        centred = logs["a"] - np.nanmean(logs["a"])
        neighbours = np.nanmean(centred[:-1] * centred[1:]) / np.nanmean(centred**2)
        row = [case, f"{1000 * math.exp(-before):.1f}"]
        row += [f"{100 * math.expm1(before - np.nanmedian(logs[name])):.1f}" for name in SLOWDOWNS]
        row += [f"{100 * np.nanstd(calm):.1f}", f"{100 * deviation:.1f}", f"{100 * between:.1f}", f"{neighbours:.2f}"]
        rows.append(row)
    columns = ["case", "ms/step", *(f"{share:.0%} more" for share in SLOWDOWNS.values())]
    columns += ["CV %", "robust CV %", "within a round %", "lag-1 correlation"]
    table(f"{found.rounds} rounds. Measured slowdowns in per cent (ratio of medians), and noise", columns, rows)


def report_gates(found: Collection, title: str, comparisons: Sequence[Comparison]) -> None:
    gates: dict[str, Callable[..., Any]] = {"this gate": our_gate}
    gates.update({name: other_rule(rule) for name, rule in OTHERS.items()})
    rows = []
    for name, gate in gates.items():
        *counts, unchanged = judged(found, comparisons, gate)
        rows.append([name, *map(str, counts), str(unchanged) if name == "this gate" else ""])
    columns = ["rule", "false alarms", *(f"{share:.0%} found" for share in SLOWDOWNS.values()), "5 % called unchanged"]
    table(f"{title}: {len(comparisons)} comparisons; per cent (95 % interval)", columns, rows)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print(f"\n{title}\n")
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def report(file: Path, trials: int) -> None:
    found = collection(file)
    times = sorted(one["started_at"] for one in read(file))
    failed = sum(one["status"] != "ok" for one in read(file))
    print(f"{len(times)} trials from {times[0]} to {times[-1]}, {failed} of them without a figure")
    report_injected(found)
    for count in dict.fromkeys((*PAIRS, found.rounds)):
        report_gates(found, f"{count} pairs", pairs(found.rounds, count))
    for runs in HISTORIES:
        title = f"one run of {trials} trials against {runs} accepted runs"
        report_gates(found, title, histories(found.rounds, runs, trials))


def main() -> None:
    parser = argparse.ArgumentParser(description="False alarms and detection of the gate, on real runs.")
    commands = parser.add_subparsers(required=True, dest="command")
    of_collect = commands.add_parser("collect", help="measure, and append to the file")
    of_collect.add_argument("--seconds", type=float, default=3600.0, help="default an hour")
    of_judge = commands.add_parser("judge", help="read the file, and count")
    of_judge.add_argument("--trials-per-run", type=int, default=3, help="of a run against accepted ones; default 3")
    for command in (of_collect, of_judge):
        command.add_argument("file", type=Path, help="JSON, a line a trial")
    options = parser.parse_args()
    if options.command == "collect":
        collect(options.file, options.seconds)
    else:
        report(options.file, options.trials_per_run)


if __name__ == "__main__":
    main()
