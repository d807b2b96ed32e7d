"""How often the gate cries wolf, and what it finds: by simulation, beside other tools' rules.

Every cell simulates whole runs: a kind of noise, its size, a shift common to all trials of a run, a
number of cases and of trials, and a design, either interleaved pairs or one run against 1 to 10
accepted ones. It counts runs without any change in which a case was called regressed, and how often
a case that was really slowed was found, or called unchanged. With more than four cases the first
four are slowed at once, by 3, 5, 10 and 30 %, and each is counted by itself.

``python benchmarks/gate_operating_characteristics.py`` takes about half an hour of one core and prints
summaries; ``--csv FILE`` keeps every cell. ``--scale 4`` simulates four times as many runs. Seeded.
``--only anchor`` simulates runs that are measured beside an anchor, in a minute.
``--only confirmation`` simulates confirmation, with up to 5 more trials, in five minutes.
``--cell two-humped,0,0.03,10,5,0 --runs 10000`` looks at one cell for longer: the noise, the shift, the
size (0: mixed), cases, trials and accepted runs (0: pairs).
"""

from __future__ import annotations

import argparse
import csv
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pytest_throughput.gate.confirmation import planned_looks
from pytest_throughput.gate.decision import Decisions, decide
from pytest_throughput.gate.estimator import estimate
from pytest_throughput.gate.rules import Design, Rules

Counts = NDArray[np.int_]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Generator = np.random.Generator

RULES = Rules()
SLOWDOWNS = (0.03, 0.05, 0.10, 0.30)
SHIFTS = (0.0, 0.01, 0.03)
SIZES = (0.003, 0.01, 0.03, 0.1)
MIXED = 0.0
"""In place of a size: each case has one of them by lot. Beyond what is required: real cases are not alike."""
CASES = (1, 10, 100)
TRIALS = (3, 5, 10)
HISTORIES = (1, 3, 5, 10)
CONFIRM = 5
ROUNDS = 20
ROUND_NOISE = 0.5
"""Standard deviation of the rounds of a trial, in those of the trials: rounds of one process agree."""


# ---------------------------------------------------------------------------- noise


def gaussian(random: Generator, shape: tuple[int, ...]) -> Floats:
    return random.standard_normal(shape)


def heavy_tailed(random: Generator, shape: tuple[int, ...]) -> Floats:
    """Student's t with 3 degrees of freedom, scaled to a standard deviation of 1."""
    return random.standard_t(3, shape) / math.sqrt(3)


def two_humped(random: Generator, shape: tuple[int, ...]) -> Floats:
    """Every process falls into one of two states, and stays there."""
    return random.choice([-1.0, 1.0], shape) + 0.1 * random.standard_normal(shape)


def drifting(random: Generator, shape: tuple[int, ...]) -> Floats:
    """Return a straight line through all trials and runs, so that the next run differs from its history by trend."""
    position = np.arange(shape[-1]) - (shape[-1] - 1) / 2
    line = position / max(float(position.std()), 1e-9)
    direction = random.choice([-1.0, 1.0], (*shape[:-1], 1))
    return math.sqrt(0.75) * direction * line + 0.5 * random.standard_normal(shape)


def contended(random: Generator, shape: tuple[int, ...]) -> Floats:
    """Gaussian here; the slow trials are added by :func:`trials_in_order`, whatever the size of the noise."""
    return random.standard_normal(shape)


def correlated(random: Generator, shape: tuple[int, ...]) -> Floats:
    """Each trial correlates by 0.75 with the one before it, over the ends of runs too."""
    noise = random.standard_normal(shape)
    for index in range(1, shape[-1]):
        noise[..., index] = 0.75 * noise[..., index - 1] + math.sqrt(1 - 0.75**2) * noise[..., index]
    return noise


FAMILIES: dict[str, Callable[[Generator, tuple[int, ...]], Floats]] = {
    "gaussian": gaussian,
    "heavy-tailed": heavy_tailed,
    "two-humped": two_humped,
    "drifting": drifting,
    "contended": contended,
    "correlated": correlated,
}


@dataclass(frozen=True)
class Cell:
    """What is simulated."""

    family: str
    shift: float
    size: float
    cases: int
    trials: int
    history: int
    """Accepted runs; 0 for interleaved pairs."""

    @property
    def design(self) -> Design:
        return Design.HISTORY if self.history else Design.PAIRS

    def generator(self, purpose: str) -> Generator:
        return np.random.default_rng(zlib.crc32(f"{purpose} {self}".encode()))


def trials_in_order(cell: Cell, random: Generator, runs: int, count: int) -> Floats:
    """Logarithms of images/second of ``count`` trials of each case, as they follow each other in time."""
    shape = (runs, cell.cases, count)
    sizes = random.choice(SIZES, (runs, cell.cases, 1)) if cell.size == MIXED else cell.size
    logs = sizes * FAMILIES[cell.family](random, shape)
    if cell.family == "contended":
        slower = random.uniform(math.log(1.2), math.log(30.0), shape)
        logs = logs - np.where(random.random(shape) < 0.2, slower, 0.0)
    return np.asarray(logs)


def both_sides(cell: Cell, random: Generator, runs: int, more: int = 0) -> tuple[Floats, Floats]:
    """Trials of base and head without any change: arrays of (runs, cases, units, trials).

    ``more``: the number of confirmation trials (pairs), which come last.
    """
    count = cell.trials + more
    if cell.design is Design.PAIRS:
        logs = trials_in_order(cell, random, runs, 2 * count)
        # What all trials of the run share, both sides share.
        logs += cell.shift * random.standard_normal((runs, 1, 1))
        is_head = np.resize([False, True, True, False], 2 * count)
        return logs[..., ~is_head][..., None], logs[..., is_head][..., None]
    logs = trials_in_order(cell, random, runs, cell.history * cell.trials + count)
    shifts = cell.shift * random.standard_normal((runs, 1, cell.history + 1, 1))
    old = logs[..., : cell.history * cell.trials].reshape(runs, cell.cases, cell.history, cell.trials)
    return old + shifts[..., :-1, :], logs[..., None, cell.history * cell.trials :] + shifts[..., -1:, :]


def beside_anchor(cell: Cell, follows: float, random: Generator, runs: int) -> tuple[Floats, Floats]:
    """Both sides as ratios to an anchor, whose trials vary by themselves as much as those of the case.

    ``follows``: the share of a shift between runs that moves the anchor like the case, and so cancels.
    """
    case = both_sides(replace(cell, shift=(1 - follows) * cell.shift), random, runs)
    anchor = both_sides(replace(cell, shift=0.0), random, runs)
    return case[0] - anchor[0], case[1] - anchor[1]


def slowed(cell: Cell, head: Floats) -> Iterator[tuple[Floats, dict[int, float]]]:
    """Heads with slowdowns in them, and which case is slowed by how much."""
    if cell.cases > len(SLOWDOWNS):
        changed = head.copy()
        for index, slowdown in enumerate(SLOWDOWNS):
            changed[:, index] -= math.log1p(slowdown)
        yield changed, dict(enumerate(SLOWDOWNS))
        return
    for slowdown in SLOWDOWNS:
        changed = head.copy()
        changed[:, 0] -= math.log1p(slowdown)
        yield changed, {0: slowdown}


# ---------------------------------------------------------------------------- gates


@dataclass(frozen=True)
class Calls:
    """What a gate says of every case of every run."""

    regressed: Bools
    unchanged: Bools | None = None
    extra_trials: Counts | None = None
    """Trials of head for confirmation."""


def our_gate(cell: Cell, base: Floats, head: Floats, rules: Rules = RULES) -> Decisions:
    estimates = estimate(base, head, design=cell.design, false_alarm_rate=rules.level, missed_rate=rules.missed_rate)
    return decide(estimates, rules)


def our_gate_at_once(cell: Cell, base: Floats, head: Floats) -> Calls:
    decisions = our_gate(cell, base, head)
    return Calls(decisions.regressed, decisions.unchanged)


def our_gate_confirmed(cell: Cell, base: Floats, head: Floats) -> Calls:
    """Judge at the planned looks, each with further trials of the cases that are undecided by then."""
    stored = cell.design is Design.HISTORY
    trials = np.full(head.shape[:2], cell.trials)
    undecided = np.ones(head.shape[:2], dtype=bool)
    regressed, unchanged = ~undecided, ~undecided

    def so_far(side: Floats) -> Floats:
        numbers = np.arange(cell.trials + CONFIRM)
        measured = numbers < trials[..., None]
        return np.where(measured[..., None, :] if stored else measured[..., None], side, np.nan)

    for look in planned_looks(cell.trials, CONFIRM, RULES):
        trials = np.where(undecided, look.trials, trials)
        decisions = our_gate(cell, base if stored else so_far(base), so_far(head), look.rules)
        regressed = np.where(undecided, decisions.regressed, regressed)
        unchanged = np.where(undecided, decisions.unchanged, unchanged)
        undecided = undecided & decisions.worth_confirming
    return Calls(regressed, unchanged, trials - cell.trials)


def with_rounds(cell: Cell, random: Generator, logs: Floats) -> Floats:
    """Seconds of all rounds of a side: (runs, cases, rounds). Of a history, its latest run."""
    trials = logs[:, :, -1, :] if cell.design is Design.HISTORY else logs[..., 0]
    size = cell.size if cell.size != MIXED else 0.01
    rounds = ROUND_NOISE * size * random.standard_normal((*trials.shape, ROUNDS))
    return np.exp(-(trials[..., None] + rounds)).reshape(*trials.shape[:2], -1)


def five_percent_of(statistic: Callable[..., Floats]) -> Callable[[Floats, Floats], Bools]:
    """pytest-benchmark's ``--benchmark-compare-fail=STATISTIC:5%``."""
    return lambda base, head: np.asarray(statistic(head, axis=-1) / statistic(base, axis=-1) > 1.05)


def asv_rule(base: Floats, head: Floats) -> Bools:
    """asv: the medians' ratio above 1.1, and Mann-Whitney's U at p < 0.002."""
    n, m = base.shape[-1], head.shape[-1]
    ranks = np.argsort(np.argsort(np.concatenate([base, head], axis=-1), axis=-1), axis=-1)[..., n:] + 1.0
    u = ranks.sum(axis=-1) - m * (m + 1) / 2
    z = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    is_significant = 2 * special.ndtr(-np.abs(z)) < 0.002
    return np.asarray((np.median(head, axis=-1) / np.median(base, axis=-1) > 1.1) & is_significant)


def bootstrap_rule(base: Floats, head: Floats) -> Bools:
    """criterion.rs: a 95 % bootstrap interval of the means' ratio, from rounds, wholly above 1.01."""
    random = np.random.default_rng(0)
    resamples = 200

    def means(side: Floats) -> Floats:
        n = side.shape[-1]
        weights = random.multinomial(n, [1 / n] * n, resamples) / n
        return np.asarray(side @ weights.T)

    ratios = means(head) / means(base)
    return np.asarray(np.quantile(ratios, 0.025, axis=-1) > 1.01)


OTHERS: dict[str, Callable[[Floats, Floats], Bools]] = {
    "min:5%": five_percent_of(np.min),
    "mean:5%": five_percent_of(np.mean),
    "median:5%": five_percent_of(np.median),
    "asv": asv_rule,
    "bootstrap": bootstrap_rule,
}


# ---------------------------------------------------------------------------- counting


@dataclass
class Result:
    """Counts of one gate in one cell."""

    cell: Cell
    gate: str
    runs: int
    alarms: int
    detected: dict[float, int] = field(default_factory=dict)
    unchanged: dict[float, int] = field(default_factory=dict)
    extra_trials: dict[float, float] = field(default_factory=dict)
    """Trials of head for confirmation, on average, of a case with that slowdown; 0: of an unchanged run."""

    @property
    def false_alarm_rate(self) -> float:
        return self.alarms / self.runs

    def rate(self, slowdown: float) -> float:
        return self.detected.get(slowdown, 0) / self.runs

    def row(self) -> dict[str, object]:
        return {
            **asdict(self.cell),
            "gate": self.gate,
            "runs": self.runs,
            "false_alarms": self.false_alarm_rate,
            **{f"detected_{slowdown:.0%}": self.rate(slowdown) for slowdown in SLOWDOWNS},
            **{f"unchanged_{slowdown:.0%}": self.unchanged.get(slowdown, 0) / self.runs for slowdown in SLOWDOWNS},
            **{f"extra_trials_{slowdown:.0%}": self.extra_trials.get(slowdown, 0.0) for slowdown in (0.0, *SLOWDOWNS)},
        }


def count(cell: Cell, gate: str, base: Floats, head: Floats, judge: Callable[[Floats, Floats], Calls]) -> Result:
    calls = judge(base, head)
    result = Result(cell, gate, len(head), int(calls.regressed.any(axis=-1).sum()))
    if calls.extra_trials is not None:
        result.extra_trials[0.0] = float(calls.extra_trials.mean())
    for changed, where in slowed(cell, head):
        calls = judge(base, changed)
        for index, slowdown in where.items():
            result.detected[slowdown] = int(calls.regressed[:, index].sum())
            if calls.unchanged is not None:
                result.unchanged[slowdown] = int(calls.unchanged[:, index].sum())
            if calls.extra_trials is not None:
                result.extra_trials[slowdown] = float(calls.extra_trials[:, index].mean())
    return result


def runs_worth(cell: Cell, scale: float) -> int:
    """More where runs are small: the cells of 100 cases cost as much as they can bear."""
    if cell.history == 1:
        return 20  # Always inconclusive.
    least = {1: 1000, 10: 300, 100: 75}[cell.cases]
    return max(int(scale * least), 20)


def simulate(cell: Cell, scale: float) -> Result:
    base, head = both_sides(cell, cell.generator("at once"), runs_worth(cell, scale))
    return count(cell, "ours", base, head, lambda b, h: our_gate_at_once(cell, b, h))


def cell_of(text: str) -> Cell:
    """Of the option's text; raises ValueError, which argparse reports."""
    family, shift, size, cases, trials, history = text.split(",")
    if family not in FAMILIES:
        raise ValueError(f"no such noise: {family}")
    return Cell(family, float(shift), float(size), int(cases), int(trials), int(history))


def simulate_at_length(cell: Cell, runs: int, *, confirmed: bool) -> None:
    """Simulate in portions, which limits the memory, and print the rates."""
    total = Result(cell, "ours", 0, 0, dict.fromkeys(SLOWDOWNS, 0), dict.fromkeys(SLOWDOWNS, 0))
    gate, more = (our_gate_confirmed, CONFIRM) if confirmed else (our_gate_at_once, 0)
    used = dict.fromkeys((0.0, *SLOWDOWNS), 0.0)
    random = cell.generator("at length")
    while total.runs < runs:
        portion = min(max(100_000 // (cell.cases * cell.trials * max(cell.history, 2)), 1), runs - total.runs)
        base, head = both_sides(cell, random, portion, more)
        one = count(cell, "ours", base, head, lambda b, h: gate(cell, b, h))
        total.runs, total.alarms = total.runs + one.runs, total.alarms + one.alarms
        for slowdown in SLOWDOWNS:
            total.detected[slowdown] += one.detected[slowdown]
            total.unchanged[slowdown] += one.unchanged[slowdown]
        for slowdown, trials in one.extra_trials.items():
            used[slowdown] += trials * one.runs / runs
    print(f"{describe(cell)}: {total.runs} runs, {100 * total.false_alarm_rate:.2f} % false alarms")
    for slowdown in SLOWDOWNS:
        found, unchanged = (100 * rates[slowdown] / total.runs for rates in (total.detected, total.unchanged))
        print(f"  {slowdown:.0%} slower: found in {found:.1f} %, called unchanged in {unchanged:.1f} %")
    if confirmed:
        print(f"  trials for confirmation: {', '.join(f'{each:.2f} at {slow:.0%}' for slow, each in used.items())}")


def simulate_confirmed(cell: Cell, scale: float) -> Result:
    base, head = both_sides(cell, cell.generator("confirmed"), runs_worth(cell, scale), more=CONFIRM)
    return count(cell, f"ours, confirm {CONFIRM}", base, head, lambda b, h: our_gate_confirmed(cell, b, h))


def simulate_others(cell: Cell, scale: float) -> list[Result]:
    random = cell.generator("rounds")
    runs = max(runs_worth(cell, scale) // 4, 20)
    base, head = both_sides(cell, random, runs)
    old, new = with_rounds(cell, random, base), with_rounds(cell, random, head)

    def judge(rule: Callable[[Floats, Floats], Bools]) -> Callable[[Floats, Floats], Calls]:
        # A slowdown multiplies seconds: the heads' ratio to the unchanged head is that of their rounds.
        return lambda b, h: Calls(rule(old, new * np.exp((head - h)[:, :, 0, :1])))

    return [count(cell, name, base, head, judge(rule)) for name, rule in OTHERS.items()]


def simulate_beside_anchor(cell: Cell, follows: float, scale: float) -> Result:
    base, head = beside_anchor(cell, follows, cell.generator(f"beside an anchor {follows}"), runs_worth(cell, scale))
    return count(cell, "ours", base, head, lambda b, h: our_gate_at_once(cell, b, h))


# ---------------------------------------------------------------------------- reporting


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "–"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    print(f"\n{title}\n")
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def named(cell: Cell) -> str:
    return f"{cell.history} accepted runs" if cell.history else "pairs"


def describe(cell: Cell) -> str:
    size = "mixed" if cell.size == MIXED else f"{cell.size:.1%}"
    return f"{named(cell)}, {cell.family}, shift {cell.shift:.0%}, CV {size}, {cell.cases} × {cell.trials}"


def report_false_alarms(title: str, results: Sequence[Result]) -> None:
    """By design and family: pooled over sizes, shifts and trials, and the worst single cell."""
    rows = []
    for design in dict.fromkeys(named(one.cell) for one in results):
        for family in FAMILIES:
            mine = [one for one in results if named(one.cell) == design and one.cell.family == family]
            row = [design, family]
            for cases in CASES:
                some = [one for one in mine if one.cell.cases == cases]
                row.append(share(sum(one.alarms for one in some), sum(one.runs for one in some)))
            worst = max(mine, key=lambda one: (one.false_alarm_rate, one.runs), default=None)
            row.append("" if worst is None else f"{worst.alarms} of {worst.runs}: {describe(worst.cell)}")
            rows.append(row)
    table(title, ["design", "noise", *(f"{cases} cases" for cases in CASES), "the worst cell"], rows)


def report_suspects(results: Sequence[Result]) -> None:
    """Cells whose count is out of reach of a rate of 1 %, by a test that allows for the number of cells."""
    limit = 0.01 / max(len(results), 1)
    suspects = [one for one in results if special.bdtrc(one.alarms - 1, one.runs, 0.01) < limit and one.alarms]
    print(f"\nCells whose false alarms are above 1 % beyond chance: {len(suspects)} of {len(results)}")
    for one in suspects:
        print(f"- {one.alarms} of {one.runs}: {describe(one.cell)}")


def report_detection(title: str, results: Sequence[Result]) -> None:
    """Print the detection in per cent, by family; for each size the slowdowns of 3, 5, 10 and 30 %."""
    sizes = [size for size in SIZES if any(one.cell.size == size for one in results)]
    rows = []
    for key in dict.fromkeys((one.cell.family, one.cell.shift) for one in results):
        row = [key[0], f"{key[1]:.0%}"]
        for size in sizes:
            some = [one for one in results if (one.cell.family, one.cell.shift) == key and one.cell.size == size]
            runs = sum(one.runs for one in some)
            row.append(" / ".join(f"{100 * sum(o.detected[s] for o in some) / runs:.0f}" for s in SLOWDOWNS))
        rows.append(row)
    table(title, ["noise", "shift", *(f"CV {size:.1%}" for size in sizes)], rows)


def report_missed(results: Sequence[Result], slowdown: float = 0.05) -> None:
    """Print how many real slowdowns were called unchanged."""
    worst = sorted(results, key=lambda one: -one.unchanged[slowdown] / one.runs)[:3]
    total = sum(one.unchanged[slowdown] for one in results), sum(one.runs for one in results)
    print(f"\nA real slowdown of {slowdown:.0%} called unchanged: {share(*total)} % of all; at worst")
    for one in worst:
        print(f"- {share(one.unchanged[slowdown], one.runs)} % of {one.runs}: {describe(one.cell)}")


def report_beside_others(results: Sequence[Result]) -> None:
    rows = []
    for design in dict.fromkeys(named(one.cell) for one in results):
        for gate in dict.fromkeys(one.gate for one in results):
            some = [one for one in results if one.gate == gate and named(one.cell) == design]
            row = [design, gate]
            for cases in CASES:
                mine = [one for one in some if one.cell.cases == cases]
                row.append(share(sum(one.alarms for one in mine), sum(one.runs for one in mine)))
            calm = [one for one in some if one.cell.size in (0.003, 0.01)]
            for slowdown in (0.05, 0.30):
                row.append(share(sum(o.detected[slowdown] for o in calm), sum(o.runs for o in calm)))
            rows.append(row)
    columns = ["design", "gate", *(f"false alarms, {cases} cases" for cases in CASES), "5 % found", "30 % found"]
    table("All families together; slowdowns at CV up to 1 %, in per cent", columns, rows)


def report_confirmation(results: Sequence[Result], scale: float) -> None:
    rows = []
    for one in results:
        if one.cell.cases == 10 and one.cell.shift == 0:
            before = simulate(one.cell, scale)
            row = [named(one.cell), one.cell.family, f"{one.cell.size:.1%}"]
            row += [f"{100 * before.rate(0.05):.0f} → {100 * one.rate(0.05):.0f}"]
            row += [" / ".join(f"{one.extra_trials[slowdown]:.1f}" for slowdown in (0.0, *SLOWDOWNS[1:]))]
            rows.append(row)
    columns = [
        "design",
        "noise",
        "CV",
        f"5 % found at once → with up to {CONFIRM} to confirm",
        "trials that cases with 0 / 5 / 10 / 30 % use",
    ]
    table("Confirmation, 10 cases, 5 trials, no shift", columns, rows)


def report_anchor(scale: float) -> None:
    """Print what an anchor is worth where runs are shifted by 3 %: 10 cases of 5 trials."""
    rows = []
    for family in FAMILIES:
        for history in HISTORIES[1:]:
            cell = Cell(family, SHIFTS[-1], 0.01, 10, 5, history)
            ways = [
                simulate(replace(cell, shift=0.0), scale),
                simulate(cell, scale),
                simulate_beside_anchor(cell, 1.0, scale),
                simulate_beside_anchor(cell, 0.9, scale),
            ]
            found = [" / ".join(f"{100 * one.rate(slowdown):.0f}" for slowdown in (0.05, 0.10, 0.30)) for one in ways]
            alarms = " / ".join(share(one.alarms, one.runs) for one in ways)
            rows.append([family, str(history), *found, alarms])
    columns = [
        *("noise", "accepted runs", "no shift", "shift 3 %", "shift 3 %, anchor"),
        *("shift 3 %, anchor that follows 90 % of it", "false alarms of the four"),
    ]
    table("Slowdowns of 5 / 10 / 30 % found, in per cent: 10 cases, 5 trials, CV 1 %", columns, rows)


def with_confirmation(cells: Sequence[Cell], scale: float) -> list[Result]:
    """Simulate confirmation and report it."""
    confirmed = [simulate_confirmed(cell, scale) for cell in cells]
    report_false_alarms(f"False alarms with {CONFIRM} confirmation trials, in per cent of runs", confirmed)
    report_suspects(confirmed)
    for slowdown in (0.03, 0.05):
        report_missed(confirmed, slowdown)
    report_confirmation(confirmed, scale)
    return confirmed


def main() -> None:
    parser = argparse.ArgumentParser(description="False alarms and detection of the gate, by simulation.")
    parser.add_argument("--scale", type=float, default=1.0, help="more runs of each cell; default 1")
    parser.add_argument("--csv", type=Path, help="where to keep every cell")
    parser.add_argument("--without-others", action="store_true", help="our gate alone")
    parser.add_argument("--cell", type=cell_of, action="append", help="only this one; repeatable")
    parser.add_argument("--runs", type=int, default=1000, help="of each --cell; default 1000")
    parser.add_argument("--only", choices=["anchor", "confirmation"], help="only these; confirmation also with --cell")
    options = parser.parse_args()
    if options.only == "anchor":
        report_anchor(options.scale)
        return
    for cell in options.cell or ():
        simulate_at_length(cell, options.runs, confirmed=options.only == "confirmation")
    if options.cell:
        return

    sizes = (*SIZES, MIXED)
    # Of interleaved pairs a common shift cancels: one is enough to see that it does.
    pairs = [
        Cell(family, shift, size, cases, trials, 0)
        for family in FAMILIES
        for shift in (0.0, 0.03)
        for size in sizes
        for cases in CASES
        for trials in TRIALS
    ]
    stored = [
        Cell(family, shift, size, cases, trials, history)
        for history in HISTORIES
        for family in FAMILIES
        for shift in SHIFTS
        for size in sizes
        for cases in CASES
        for trials in TRIALS
    ]
    of_five = [cell for cell in (*pairs, *stored) if cell.trials == 5 and cell.history in (0, 5) and cell.size != MIXED]
    of_five = [cell for cell in of_five if cell.shift in (0.0, 0.03)]
    if options.only == "confirmation":
        with_confirmation(of_five, options.scale)
        return
    ours = [simulate(cell, options.scale) for cell in (*pairs, *stored)]
    required = [one for one in ours if one.cell.size != MIXED]
    mixed = [one for one in ours if one.cell.size == MIXED]
    report_false_alarms("False alarms, in per cent of runs", required)
    report_false_alarms("The same where each case has its own CV, beyond what is required", mixed)
    report_suspects(ours)
    report_missed(required)
    for history in (0, *HISTORIES[1:]):  # against a single run nothing is ever found
        for trials in TRIALS:
            some = [one for one in required if one.cell.history == history and one.cell.cases == 10]
            some = [one for one in some if one.cell.trials == trials]
            name = f"{named(some[0].cell)}, 10 cases, {trials} trials"
            report_detection(f"Slowdowns of 3 / 5 / 10 / 30 % found, in per cent: {name}", some)

    confirmed = with_confirmation(of_five, options.scale)
    others: list[Result] = []
    if not options.without_others:
        for cell in of_five:
            others += simulate_others(cell, options.scale)
        report_beside_others([*[one for one in ours if one.cell in of_five], *others])
    if options.csv is not None:
        with options.csv.open("w", newline="") as file:
            rows = [one.row() for one in (*ours, *confirmed, *others)]
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
