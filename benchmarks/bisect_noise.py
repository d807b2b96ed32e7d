"""Simulate ``pytest-throughput bisect``: how often noise leads it to a wrong commit, or leaves it undecided.

One of 100 commits makes a case slower. Every comparison is judged as the gate judges live pairs: at looks after 5, 10,
20 and 40 pairs, by the default rules. The log ratio of a pair is that of its commits plus noise: Gaussian, heavy-tailed
(Student's t, 3 degrees of freedom) or two-humped (each process is fast or slow by chance), of a given root mean square;
or drawn from the recorded pairs with equal sides, in random exchange. The means of the slices are not simulated.

Beside it: a search that compares a single pair of each commit with a fixed limit of 7 % of the seconds, as TorchBench's
bisection compares one run of each. The table gives, in per cent of the searches: the right commit confirmed; a wrong
one confirmed (in brackets: ended at a wrong one, which the confirmation did not bear out); several commits left; and
the pairs that a search takes.

    python benchmarks/bisect_noise.py
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pair_recordings import JUDGED, log_ratio

from pytest_throughput.commands.bisecting.comparing import FIRST_PAIRS
from pytest_throughput.gate.bisection import Finding, halfway, search
from pytest_throughput.gate.confirmation import planned_looks
from pytest_throughput.gate.decision import decide_live_pairs
from pytest_throughput.gate.rules import Rules
from pytest_throughput.launch.pairs import LEAST_BLOCKS

Floats = NDArray[np.float64]
Noise = Callable[[np.random.Generator, int], Floats]
"""Returns the log ratios of so many pairs with equal sides."""

COMMITS = 100
MOST_PAIRS = 40
SLOWDOWNS = (0.05, 0.10, 0.30)
DEVIATIONS = (0.007, 0.014, 0.027)
"""The root mean squares of a pair's log ratio: the least, a middle and the greatest of docs/gate-figures.md."""
FIXED = 0.07
RECORDINGS = Path(__file__).parent / "recordings/pairs.jsonl.gz"


@dataclass
class Judge:
    """Compares commits of which all from ``culprit`` on are slower, by looks at simulated pairs."""

    noise: Noise
    rng: np.random.Generator
    slowdown: float
    culprit: int
    pairs: int = 0
    ratios: list[float] = field(default_factory=list)

    def compare(self, base: int, head: int, threshold: float) -> Finding:
        """Return the finding of the first look that decides, and count the pairs."""
        change = math.log1p(self.slowdown) * ((head >= self.culprit) - (base >= self.culprit))
        differences = self.noise(self.rng, MOST_PAIRS) - change
        for look in planned_looks(FIRST_PAIRS, MOST_PAIRS - FIRST_PAIRS, Rules(threshold)):
            seen = differences[: look.trials]
            decided = decide_live_pairs(seen[None, :], look.rules)
            if decided.regressed[0] or decided.improved[0] or decided.unchanged[0]:
                break
        self.pairs += look.trials
        self.ratios.append(math.exp(float(np.median(seen))))
        if decided.regressed[0]:
            return Finding.SLOWER
        return Finding.NOT_SLOWER if decided.improved[0] or decided.unchanged[0] else Finding.UNDECIDED


@dataclass(frozen=True)
class Ended:
    """How a search ended: at which commit, None for several, and whether the commit was confirmed."""

    at: int | None
    confirmed: bool
    pairs: int


def bisected(judge: Judge) -> Ended:
    """Search as the command does."""
    last, threshold = COMMITS, Rules().threshold
    if judge.compare(0, last, threshold) is not Finding.SLOWER:
        return Ended(None, False, judge.pairs)
    between = max(threshold, halfway(judge.ratios[0]))
    remaining = search(last, lambda commit: judge.compare(0, commit, between))
    if not remaining.is_single:
        return Ended(None, False, judge.pairs)
    confirmed = judge.compare(remaining.good, remaining.bad, threshold) is Finding.SLOWER
    return Ended(remaining.bad, confirmed, judge.pairs)


def bisected_by_a_limit(judge: Judge) -> Ended:
    """Search with one pair for each commit, and a fixed limit."""
    pairs = 0

    def compare(commit: int) -> Finding:
        nonlocal pairs
        pairs += 1
        change = math.log1p(judge.slowdown) * (commit >= judge.culprit)
        is_slower = judge.noise(judge.rng, 1)[0] - change < -math.log1p(FIXED)
        return Finding.SLOWER if is_slower else Finding.NOT_SLOWER

    return Ended(search(COMMITS, compare).bad, True, pairs)


def gaussian(deviation: float) -> Noise:
    return lambda rng, pairs: np.asarray(deviation * rng.standard_normal(pairs))


def heavy_tailed(deviation: float) -> Noise:
    return lambda rng, pairs: np.asarray(deviation / math.sqrt(3) * rng.standard_t(3, pairs))


def two_humped(deviation: float) -> Noise:
    """Return processes that are fast or slow by chance, and otherwise vary by a tenth of that."""

    def noise(rng: np.random.Generator, pairs: int) -> Floats:
        humps = rng.integers(0, 2, (2, pairs)) + 0.1 * rng.standard_normal((2, pairs))
        return np.asarray(deviation / math.sqrt(2 * (0.25 + 0.01)) * (humps[1] - humps[0]))

    return noise


def recorded() -> Iterator[tuple[str, Noise]]:
    """Yield the noise of each recorded case and state."""
    by_case: dict[tuple[str, str], list[float]] = {}
    with gzip.open(RECORDINGS, "rt") as lines:
        for pair in map(json.loads, lines):
            if pair["slowdown"] == 0.0 and "failed" not in pair:
                by_case.setdefault((pair["state"], pair["case"]), []).append(log_ratio(pair, JUDGED, LEAST_BLOCKS))
    for (state, case), found in sorted(by_case.items()):
        values = np.array(found)

        def noise(rng: np.random.Generator, pairs: int, values: Floats = values) -> Floats:
            return np.asarray(rng.choice(values, pairs) * rng.choice((-1.0, 1.0), pairs))

        yield f"recorded, {state}: {case} ({100 * np.sqrt((values**2).mean()):.1f} %)", noise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=400, help="for each row; default 400")
    searches = parser.parse_args().searches
    made = (gaussian, heavy_tailed, two_humped)
    noises = [(f"{kind.__name__}, {100 * each:.1f} %", kind(each)) for kind in made for each in DEVIATIONS]
    print("| noise of a pair | slowdown | right | wrong | several left | pairs | 7 %, one pair: right | pairs |")
    print("|---|---|---|---|---|---|---|---|")
    for name, noise in [*noises, *recorded()]:
        for slowdown in SLOWDOWNS:
            rng = np.random.default_rng(20261129)
            judges = [Judge(noise, rng, slowdown, int(rng.integers(1, COMMITS + 1))) for _ in range(searches)]
            ended = [(bisected(each), each.culprit) for each in judges]
            single = [(bisected_by_a_limit(each), each.culprit) for each in judges]
            wrong = [one for one, culprit in ended if one.at not in (None, culprit)]
            cells = [
                name,
                f"{100 * slowdown:.0f} %",
                f"{_percent([one.confirmed and one.at == culprit for one, culprit in ended])}",
                f"{100 * sum(one.confirmed for one in wrong) / searches:.1f} ({100 * len(wrong) / searches:.1f})",
                _percent([one.at is None for one, _ in ended]),
                f"{np.mean([one.pairs for one, _ in ended]):.0f}",
                _percent([one.at == culprit for one, culprit in single]),
                f"{np.mean([one.pairs for one, _ in single]):.0f}",
            ]
            print(f"| {' | '.join(cells)} |", flush=True)


def _percent(found: list[bool]) -> str:
    return f"{100 * sum(found) / len(found):.1f}"


if __name__ == "__main__":
    main()
