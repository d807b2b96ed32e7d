"""What the gate says of few trials, of slowdowns that come and go, and of how much more to measure: by simulation.

Four tables, in per cent:

- slowdowns that come and go: some trials of head are 30 to 140 % slower, and none of base;
- few trials: false alarms, and large slowdowns found, below 4 trials against 4;
- one trial of head: slowdowns of 5 % called unchanged where each process is in one of two states;
- promises: of the unchanged cases of which the gate says that a number of pairs would decide, how many
  that number decides.

``python benchmarks/gate_blind_spots.py`` takes some five minutes on one core. Seeded; ``--runs 4000``
simulates four times as much.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

import numpy as np
from gate_operating_characteristics import RULES, Cell, Floats, both_sides, our_gate, table

from pytest_throughput.gate.judge import judge
from pytest_throughput.gate.judged import JudgedCase, JudgedRun, JudgedTrial
from pytest_throughput.gate.rules import Design
from pytest_throughput.gate.verdict import CaseVerdict, Verdict

_MOST_PAIRS = 100
_PROMISE = re.compile(r"about (\d+) pairs would decide")


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def that_come_and_go(runs: int) -> None:
    """Print how often a case of ten whose head is slower at times is called unchanged or regressed."""
    rows = []
    for history, trials in ((0, 5), (0, 10), (0, 25), (5, 5), (5, 10)):
        for size in (0.003, 0.03):
            for share in (0.2, 0.4):
                cell = Cell("gaussian", 0.0, size, 10, trials, history)
                random = cell.generator(f"come and go {share}")
                base, head = both_sides(cell, random, runs)
                slow = random.random(head[:, 0].shape) < share
                head[:, 0] -= np.where(slow, np.log1p(random.uniform(0.3, 1.4, slow.shape)), 0.0)
                decisions = our_gate(cell, base, head)
                seen = slow.any(axis=(-1, -2))
                unchanged, regressed = decisions.unchanged[:, 0], decisions.regressed[:, 0]
                against = f"{history} runs" if history else "pairs"
                shares = (unchanged.mean(), unchanged[seen].mean(), regressed.mean())
                rows.append([against, str(trials), f"{size:.1%}", f"{share:.0%}", *map(percent, shares)])
    columns = ["design", "trials", "CV", "slow trials of head", "unchanged", "unchanged where one is slow", "regressed"]
    table(f"A slowdown that comes and goes, in one case of ten ({runs} runs)", columns, rows)


def few_trials(runs: int) -> None:
    rows = []
    for family in ("gaussian", "heavy-tailed", "two-humped", "contended"):
        for size in (0.003, 0.03, 0.3):
            for cases in (1, 10):
                for history, trials in ((0, 2), (0, 3), (2, 1), (2, 3), (3, 1), (20, 1)):
                    cell = Cell(family, 0.0, size, cases, trials, history)
                    base, head = both_sides(cell, cell.generator("few"), runs)
                    alarms = our_gate(cell, base, head).regressed.any(axis=-1).mean()
                    found = []
                    for factor in (2.0, 3.0, 10.0, 100.0):
                        slowed = head.copy()
                        slowed[:, 0] -= np.log(factor)
                        found.append(f"{100 * our_gate(cell, base, slowed).regressed[:, 0].mean():.0f}")
                    against = f"{history} runs" if history else "pairs"
                    rows.append([family, f"{size:.1%}", str(cases), against, str(trials), percent(alarms)])
                    rows[-1].append(" / ".join(found))
    columns = ["noise", "CV", "cases", "design", "trials", "false alarms", "found ×2 / ×3 / ×10 / ×100"]
    table(f"Few trials ({runs} runs)", columns, rows)


def one_trial_of_head(runs: int) -> None:
    """Print how often a slowdown of 5 % is called unchanged, by the share of processes in the slow state."""
    rows = []
    for size in (0.01, 0.03, 0.1):
        for history, trials in ((3, 1), (3, 3), (3, 5), (5, 1), (10, 1), (20, 1)):
            for cases in (1, 10):
                missed = []
                for slow in (0.5, 0.7, 0.875):
                    cell = Cell("two-humped", 0.0, size, cases, trials, history)
                    random = cell.generator(f"one trial {slow}")

                    def humps(
                        units: int,
                        count: int,
                        cell: Cell = cell,
                        random: np.random.Generator = random,
                        slow: float = slow,
                    ) -> Floats:
                        shape = (runs, cell.cases, units, count)
                        states = np.where(random.random(shape) < slow, -1.0, 1.0)
                        return np.asarray(cell.size * (states + 0.1 * random.standard_normal(shape)))

                    decisions = our_gate(cell, humps(history, trials), humps(1, 1) - np.log(1.05))
                    missed.append(percent(decisions.unchanged.mean()))
                rows.append([f"{size:.0%}", str(history), str(trials), str(cases), " / ".join(missed)])
    columns = ["CV", "accepted runs", "trials of each", "cases", "5 % missed; 50 / 70 / 87.5 % of processes slow"]
    table(f"One trial of head, processes in two states ({runs} runs)", columns, rows)


def promises(runs: int) -> None:
    rows = []
    for family in ("gaussian", "heavy-tailed", "two-humped", "contended"):
        for cases, size in ((1, 0.02), (10, 0.02), (10, 0.04)):
            cell = Cell(family, 0.0, size, cases, _MOST_PAIRS, 0)
            random = cell.generator("promises")
            made = kept = 0
            for _ in range(runs):
                base, head = both_sides(cell, random, 1)
                first = verdicts(base[0], head[0], 5)[0]
                promise = _PROMISE.search(first.reason)
                if promise is not None and 5 < int(promise[1]) <= _MOST_PAIRS:
                    made += 1
                    kept += verdicts(base[0], head[0], int(promise[1]))[0].verdict is not Verdict.INCONCLUSIVE
            rows.append([family, f"{size:.0%}", str(cases), str(made), percent(kept / max(made, 1))])
    table("Promises of unchanged cases by 5 pairs", ["noise", "CV", "cases", "promises", "kept"], rows)


def verdicts(base: Floats, head: Floats, pairs: int) -> tuple[CaseVerdict, ...]:
    """Return the verdicts on the first pairs; arrays of shape (cases, pairs, 1)."""
    sides = []
    for side in (base, head):
        cases = {}
        for number, figures in enumerate(np.exp(side[:, :pairs, 0])):
            trials = tuple(JudgedTrial(index, float(value)) for index, value in enumerate(figures, 1))
            cases[f"case-{number}"] = JudgedCase(f"case-{number}", "ok", trials)
        sides.append([JudgedRun("2026-01-01T00:00:00+00:00", {"cpu": "any"}, cases=cases)])
    return judge(*sides, design=Design.PAIRS, rules=RULES)


TABLES: dict[str, Callable[[int], None]] = {
    "come-and-go": that_come_and_go,
    "few": few_trials,
    "one": one_trial_of_head,
    "promises": promises,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Blind spots of the gate, by simulation.")
    parser.add_argument("--runs", type=int, default=1000, help="simulated for each row; default 1000")
    parser.add_argument("--only", choices=TABLES, action="append", help="only this table; repeatable")
    options = parser.parse_args()
    for name in options.only or TABLES:
        TABLES[name](options.runs if name != "promises" else options.runs // 4)


if __name__ == "__main__":
    main()
