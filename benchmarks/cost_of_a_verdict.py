"""Find how many worker-seconds a verdict costs, here and with other tools, on the same steps.

``record`` measures the six steps of ``pair_recordings.py`` with other tools, with equal sides, and appends to a file.
It can be interrupted. Ten quiet minutes give about 15 units of each tool. ``judge`` draws runs from the recorded units,
slows one case of six in turn, and finds for each tool the fewest worker-seconds with which it finds a slowdown in 80 %
of runs with false alarms in 1 % of unchanged runs at most. With a slowdown of 0 it is the seconds until 80 % of cases
are ``unchanged``; a tool that has no such verdict passes what it does not flag, and has to flag 95 % of slowdowns of
5 %. The live pairs are those that ``pair_recordings.py record`` has measured.

    python -m venv --system-site-packages cost-env && cost-env/bin/pip install asv==0.6.5
    cost-env/bin/python benchmarks/cost_of_a_verdict.py record --tool asv --seconds 600 units.jsonl
    python benchmarks/cost_of_a_verdict.py judge --pairs pairs.jsonl units.jsonl

The environment of ``record`` needs this package, PyTorch, TensorFlow and, for ``--tool asv``, asv. The other tools are
``asv-careful``, ``pytest-benchmark``, ``pytest-benchmark-careful`` and ``14f5efd``, this project before it had live
pairs, whose code comes from the repository. Careful users make the C library keep its memory. Every choice is in favour
of the other tools: no seconds for discovering or installing, steps that are compiled before the measurement, and for
each slowdown the rule, limit and number of units that turn out to be the cheapest on these very figures.
"""

from __future__ import annotations

import argparse
import json
import math
import pickle
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from cost_judging import (
    SLOWDOWNS,
    Floats,
    Judge,
    Plan,
    Pool,
    Rates,
    asv_rules,
    cheapest,
    in_looks,
    limits_of_sessions,
    significance_of_sessions,
    with_rules,
)
from cost_recordings import OLD_COMMIT, RIVALS, TOOLS, old_code, record
from pair_recordings import JUDGED, log_ratio

from pytest_throughput.gate.confirmation import Look, planned_looks
from pytest_throughput.gate.decision import decide_live_pairs
from pytest_throughput.gate.rules import Rules
from pytest_throughput.launch.pairs import LEAST_BLOCKS

RULES = Rules()
FIRST_LOOKS, LAST_LOOK = (4, 5), 12
"""The pairs of the first look, and of the last."""
SHOWN = (0.0, *SLOWDOWNS)

Lines = Sequence[Mapping[str, Any]]


# ---------------------------------------------------------------------------- pools


def read(file: Path) -> list[dict[str, Any]]:
    """Return the lines of a recording; the last one may be incomplete."""
    return [json.loads(line) for line in file.read_text(encoding="ascii").splitlines() if line.endswith("}")]


def pool_of_units(lines: Lines, tool: str, values: Callable[[Sequence[float]], Sequence[float]]) -> Pool:
    """Return the units of a tool. ``values``: what the tool keeps of the seconds per step that a process measured."""
    units: dict[str, list[Mapping[str, Any]]] = {}
    for one in lines:
        if one["tool"] == tool:
            units.setdefault(one["case"], []).append(one)
    cases = sorted(units)
    processes = [[values(side["samples"]) for one in units[case] for side in one["sides"]] for case in cases]
    seconds = [[sum(side["wall_seconds"] for side in one["sides"]) for one in units[case]] for case in cases]
    return Pool(tuple(cases), tuple(map(_of_equal_length, processes)), tuple(map(np.array, seconds)))


def _of_equal_length(processes: Sequence[Sequence[float]]) -> Floats:
    """Return the values of processes as units of two; a slow process may have fewer samples than others."""
    count = min(map(len, processes))
    return np.array([each[:count] for each in processes]).reshape(-1, 2, count)


def pool_of_pairs(lines: Lines, state: str, blocks: int) -> Pool:
    """Return live pairs with equal sides, as they would have been after so many blocks.

    Only the difference of a pair counts, so it is given in equal parts to both sides.
    """
    pairs: dict[str, list[Mapping[str, Any]]] = {}
    for one in lines:
        if one["state"] == state and not one["slowdown"] and "sides" in one:
            pairs.setdefault(one["case"], []).append(one)
    cases = sorted(pairs)
    halves = [np.array([log_ratio(pair, JUDGED, blocks) for pair in pairs[case]])[:, None] / 2 for case in cases]
    return Pool(
        tuple(cases),
        tuple(np.exp(np.stack([half, -half], axis=1)) for half in halves),
        tuple(np.array([seconds_of_pair(pair, blocks) for pair in pairs[case]]) for case in cases),
    )


_STARTED_AT = 0
"""The position in a recorded slice."""


def seconds_of_pair(pair: Mapping[str, Any], blocks: int) -> float:
    """Return the wall seconds of a pair that ends after so many blocks of those that were recorded."""
    starts, block = _blocks(pair)
    return float(pair["wall_seconds"]) - block * max(len(starts) - blocks, 0)


def _blocks(pair: Mapping[str, Any]) -> tuple[list[float], float]:
    """Return the start of each block, and the typical seconds of a block."""
    started_at = sorted(one[_STARTED_AT] for side in pair["sides"] for one in side)
    starts = started_at[::4]
    return starts, statistics.median(later - earlier for earlier, later in pairwise(starts))


# ---------------------------------------------------------------------------- tools


@dataclass(frozen=True)
class Contender:
    """A tool with what it has measured, and the plans by which it could decide."""

    name: str
    pool: Pool
    plans: tuple[Plan, ...]

    def rates(self, pool: Pool, runs: int, rng: np.random.Generator) -> dict[str, Rates]:
        found: dict[str, Rates] = {}
        for plan in self.plans:
            found.update(plan(pool, runs, rng))
        return found


def judge_pairs(base: Floats, head: Floats, rules: Rules) -> tuple[Any, Any, Any]:
    """Judge live pairs by the present gate, without their means."""
    decisions = decide_live_pairs(head - base, rules)
    return decisions.regressed, decisions.unchanged, decisions.worth_confirming & ~decisions.regressed


def ours(pool: Pool, blocks: int) -> Iterator[Contender]:
    """Yield live pairs of so many blocks, in planned looks and with a number of pairs that is known beforehand."""
    name, last = f"live pairs of {blocks} blocks", min(LAST_LOOK, pool.units)
    looks = (planned_looks(first, last - first, RULES) for first in FIRST_LOOKS if first <= last)
    yield Contender(f"{name}, in looks", pool, tuple(in_looks(judge_pairs, each) for each in looks))
    at_once = (in_looks(judge_pairs, [Look(1, units, RULES)]) for units in range(2, last + 1))
    yield Contender(f"{name}, at once", pool, tuple(at_once))


@contextmanager
def old_judge() -> Iterator[Judge]:
    """Yield the gate of the old commit, which runs in a process of its own."""
    with old_code() as checkout:
        command = [sys.executable, str(RIVALS / "gate_14f5efd.py")]
        environment = {"PYTHONPATH": str(checkout / "plugins")}
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
            questions, answers = process.stdin, process.stdout
            assert questions is not None and answers is not None

            def judge(base: Floats, head: Floats, rules: Rules) -> tuple[Any, Any, Any]:
                pickle.dump((base[..., None], head[..., None]), questions)
                questions.flush()
                regressed, unchanged, worth_confirming = pickle.load(answers)
                return regressed, unchanged, worth_confirming

            yield judge


def of_old(pool: Pool, judge: Judge) -> Contender:
    """Return the old commit's pairs of whole trials: a fixed number, or 5 and a second look with N more."""
    at_once = [in_looks(judge, [Look(1, units, RULES)]) for units in _counts(4, pool.units)]
    confirmed = [in_looks(judge, [Look(1, 5, RULES), Look(1, units, RULES)]) for units in _counts(6, pool.units)]
    return Contender(f"{OLD_COMMIT}, pairs of trials", pool, (*at_once, *confirmed))


def rivals(lines: Lines) -> Iterator[Contender]:
    """Yield the other tools that were recorded."""
    for tool in ("asv", "asv-careful"):
        pool = pool_of_units(lines, tool, list)
        yield Contender(tool, pool, tuple(with_rules(asv_rules, units) for units in _counts(2, pool.units)))
    for tool in ("pytest-benchmark", "pytest-benchmark-careful"):
        pool = pool_of_units(lines, tool, _statistics)
        for name, rules, least in (("limits", limits_of_sessions, 1), ("tests", significance_of_sessions, 2)):
            plans = tuple(with_rules(rules, units) for units in _counts(least, pool.units))
            yield Contender(f"{tool}, {name}", pool, plans)


def _statistics(rounds: Sequence[float]) -> list[float]:
    return [min(rounds), statistics.fmean(rounds), statistics.median(rounds)]


def _counts(least: int, most: int) -> list[int]:
    return [count for count in (*range(1, 11), 12, 15, 20, 25, 30, 40) if least <= count <= most]


# ---------------------------------------------------------------------------- reporting


def report(contenders: Iterable[Contender], runs: int, resamplings: int) -> None:
    """Print for each tool the seconds until decided and the rates of its cheapest plans."""
    table, details = [], []
    for one in contenders:
        if not (one.pool.units and one.plans):
            continue
        rng = np.random.default_rng(1)
        rates = one.rates(one.pool, runs, rng)
        again = [one.rates(one.pool.resampled(rng), runs // 5, rng) for _ in range(resamplings)]
        row = [one.name, f"{one.pool.units}", f"{one.pool.seconds_per_unit.mean():.1f}"]
        for slowdown in SHOWN:
            seconds, name = cheapest(rates, slowdown)
            interval = [cheapest(each, slowdown)[0] for each in again]
            row.append(f"{_seconds(seconds)}{_interval(interval)}")
            if math.isinf(seconds):
                name = _nearest(rates, slowdown)
            details.append(_detail(one.name, slowdown, name, rates))
        table.append(row)
    _print_table(
        "Worker-seconds per case until decided (95 % interval); – where no number of units that was recorded suffices",
        ["tool", "recorded units", "seconds per unit", *(f"{slowdown:.0%} slower" for slowdown in SHOWN)],
        table,
    )
    _print_table(
        "The cheapest plans, units a side × rule, or the pairs of each look; rates in per cent",
        ["tool", "slowdown", "plan", "false alarms", "5 % / 10 % / 30 % found", "unchanged", "5 % passed", "seconds"],
        details,
    )


def _nearest(rates: Mapping[str, Rates], slowdown: float) -> str:
    """Return the plan with the most found, of those with few enough false alarms if there are any."""

    def merit(name: str) -> tuple[bool, float]:
        one = rates[name]
        return one.alarms <= 0.01, one.found[slowdown] if slowdown else one.cleared - one.missed

    return max(rates, key=merit)


def _detail(tool: str, slowdown: float, name: str, rates: Mapping[str, Rates]) -> list[str]:
    one = rates[name]
    found = " / ".join(f"{100 * one.found[each]:.0f}" for each in SLOWDOWNS)
    rest = [f"{100 * one.alarms:.1f}", found, f"{100 * one.cleared:.0f}", f"{100 * one.missed:.1f}"]
    return [tool, f"{slowdown:.0%}", name, *rest, f"{one.seconds[slowdown]:.0f}"]


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds < math.inf else "–"


def _interval(seconds: Sequence[float]) -> str:
    if not seconds:
        return ""
    ordered = sorted(seconds)
    low, high = (ordered[round(share * (len(ordered) - 1))] for share in (0.025, 0.975))
    return f" ({_seconds(low)} to {_seconds(high)})"


def report_real_slowdowns(lines: Lines, state: str) -> None:
    """Print what the pairs with more work on one side measured, which shows that a slowdown acts as a factor."""
    slower: dict[tuple[str, float], list[float]] = {}
    for one in lines:
        if one["state"] == state and one["slowdown"] and "sides" in one:
            blocks = len(one["sides"][0]) // 2
            slower.setdefault((one["case"], one["slowdown"]), []).append(
                100 * math.expm1(-log_ratio(one, JUDGED, blocks))
            )
    rows = []
    for case in sorted({case for case, _ in slower}):
        found = [slower.get((case, slowdown), []) for slowdown in SLOWDOWNS]
        rows.append([case, *(f"{statistics.fmean(each):.1f} ({len(each)})" if each else "–" for each in found)])
    columns = ["case", *(f"{slowdown:.0%} more work" for slowdown in SLOWDOWNS)]
    _print_table("Measured slowdowns in per cent, mean (pairs)", columns, rows)


def report_parts(lines: Lines, state: str) -> None:
    """Print where the seconds of a live pair go."""
    parts: dict[str, list[tuple[float, float]]] = {}
    for one in lines:
        if one["state"] == state and "sides" in one:
            starts, block = _blocks(one)
            parts.setdefault(one["case"], []).append((one["wall_seconds"] - block * len(starts), block))
    rows = []
    for case, of_case in sorted(parts.items()):
        around, block = (statistics.median(each) for each in zip(*of_case, strict=True))
        rows.append([case, f"{around:.2f}", f"{block:.2f}", f"{around + LEAST_BLOCKS * block:.2f}"])
    columns = ["case", "start, import, open, warm-up, close", "a block of 4 slices", f"a pair of {LEAST_BLOCKS} blocks"]
    _print_table("Seconds of a live pair, median", columns, rows)


def _print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print(f"\n{title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def judge(
    units: Path | None, pairs: Path | None, state: str, blocks: Sequence[int], runs: int, resamplings: int
) -> None:
    """Print all tables that the recordings allow."""
    of_tools, of_pairs = ([] if file is None else read(file) for file in (units, pairs))
    contenders = [one for count in blocks for one in ours(pool_of_pairs(of_pairs, state, count), count)]
    contenders += rivals(of_tools)
    old = pool_of_units(of_tools, OLD_COMMIT, lambda rounds: [statistics.median(rounds)])
    with ExitStack() as stack:
        if old.units:
            contenders.append(of_old(old, stack.enter_context(old_judge())))
        report(contenders, runs, resamplings)
    if of_pairs:
        report_real_slowdowns(of_pairs, state)
        report_parts(of_pairs, state)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Worker-seconds until a verdict, here and with other tools.")
    commands = parser.add_subparsers(required=True, dest="command")
    of_record = commands.add_parser("record", help="measure with another tool, and append to the file")
    of_record.add_argument("--tool", required=True, choices=sorted(TOOLS))
    of_record.add_argument(
        "--seconds", type=float, default=600.0, help="default 10 minutes; the last unit is completed"
    )
    of_record.add_argument("file", type=Path, help="JSON, a line for each unit and case")
    of_judge = commands.add_parser("judge", help="read the files, and print the tables")
    of_judge.add_argument("--pairs", type=Path, help="the live pairs that pair_recordings.py has recorded")
    of_judge.add_argument("--state", default="quiet", help="of the recorded pairs; default quiet")
    help_of_blocks = f"of a live pair; repeatable; default {LEAST_BLOCKS}"
    of_judge.add_argument("--blocks", type=int, action="append", help=help_of_blocks)
    of_judge.add_argument("--runs", type=int, default=4000, help="simulated for each rate; default 4000")
    of_judge.add_argument("--resamplings", type=int, default=40, help="for the intervals; default 40")
    of_judge.add_argument("file", type=Path, nargs="?", help="recorded units of other tools")
    options = parser.parse_args(arguments)
    if options.command == "record":
        record(options.tool, options.file, options.seconds)
        return
    blocks = options.blocks or [LEAST_BLOCKS]
    judge(options.file, options.pairs, options.state, blocks, options.runs, options.resamplings)


if __name__ == "__main__":
    main()
