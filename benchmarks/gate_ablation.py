"""Judge the same simulated runs with and without each mechanism of the gate, and print what it changes.

A variant of the gate is its source code with one edit: a mechanism removed or, where removal makes no
sense, a constant halved and doubled. Every variant judges the very same seeded runs (common random
numbers), with noise as in ``gate_operating_characteristics.py`` and in situations that it lacks. The
table gives, in per cent, for the full gate and for each variant:

- false alarms: unchanged runs with a case called regressed, over the scenarios in which both sides are
  equally noisy, and in the worst of them; the same where head is noisier than base;
- false improvements: unchanged runs with a case called improved;
- found: slowdowns of 5, 10 and 30 % that were called regressed;
- missed: slowdowns of 5 % that were called unchanged;
- undecided: unchanged cases that were called inconclusive;
- other verdicts: cases whose reason code differs from the full gate's.

``python benchmarks/gate_ablation.py`` takes some fifteen minutes on one core. ``--only TEXT`` runs the
variants whose name contains a text, and ``--scenarios`` prints the false alarms of each scenario, too.
``--cell gaussian,0,0.01,40,3,3 --runs 4000`` looks at one cell for longer, given as in
``gate_operating_characteristics.py``.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from gate_operating_characteristics import MIXED, RULES, Cell, both_sides, cell_of
from numpy.typing import NDArray

import pytest_throughput.gate.rules
from pytest_throughput.gate.decision import CODES, Decisions
from pytest_throughput.gate.rules import Code, Design

Floats = NDArray[np.float64]
Generator = np.random.Generator
Sides = tuple[Floats, Floats]

SLOWDOWNS = (0.05, 0.10, 0.30)
_CASES_TIMES_RUNS = 6_000
"""Simulated for each scenario."""
_FOLDER = Path(pytest_throughput.gate.rules.__file__).parent
_MODULES = ("outliers", "shrinkage", "far_slower", "spread", "estimator", "slow_steps", "decision")
_REGRESSED = [CODES.index(code) for code in (Code.SLOWER, Code.FAR_SLOWER, Code.SLOWER_AT_TIMES)]
_DECIDED = [*_REGRESSED, CODES.index(Code.FASTER), CODES.index(Code.WITHIN_THRESHOLD)]


# ---------------------------------------------------------------------------- variants of the gate


@dataclass(frozen=True)
class Variant:
    """The gate with edits of its source: module, old text, new text."""

    name: str
    edits: tuple[tuple[str, str, str], ...]


def variant(name: str, *edits: tuple[str, str, str]) -> Variant:
    return Variant(name, edits)


VARIANTS = (
    # Outliers
    variant(
        "no trial is excluded as an outlier",
        ("outliers", "kept = ~np.isnan(logs) & ~(tail & ~is_mode[..., None])", "kept = ~np.isnan(logs)"),
    ),
    variant(
        "no outlier is known at all",
        ("outliers", "cuts = enough & (", "cuts = np.zeros(gap.shape, bool) & ("),
    ),
    variant("gap of 5 % (10 %)", ("outliers", "_LEAST_GAP = 0.1", "_LEAST_GAP = 0.05")),
    variant("gap of 20 %", ("outliers", "_LEAST_GAP = 0.1", "_LEAST_GAP = 0.2")),
    variant(
        "gap in deviations alone",
        ("outliers", "np.maximum(_LEAST_GAP, _GAP_IN_DEVIATIONS * deviation)", "_GAP_IN_DEVIATIONS * deviation"),
    ),
    variant(
        "gap of 10 % alone",
        ("outliers", "np.maximum(_LEAST_GAP, _GAP_IN_DEVIATIONS * deviation)", "_LEAST_GAP"),
    ),
    variant("gap of 2 deviations (4)", ("outliers", "_GAP_IN_DEVIATIONS = 4.0", "_GAP_IN_DEVIATIONS = 2.0")),
    variant("gap of 8 deviations", ("outliers", "_GAP_IN_DEVIATIONS = 4.0", "_GAP_IN_DEVIATIONS = 8.0")),
    variant("a quarter of a case remains (half)", ("outliers", "_LEAST_KEPT = 0.5", "_LEAST_KEPT = 0.25")),
    variant("no limit for a case", ("outliers", "_LEAST_KEPT = 0.5", "_LEAST_KEPT = 0.0")),
    variant("no share of a side remains (0.4)", ("outliers", "_OF_A_SIDE = 0.4", "_OF_A_SIDE = 0.0")),
    variant("0.8 of a side remains", ("outliers", "_OF_A_SIDE = 0.4", "_OF_A_SIDE = 0.8")),
    variant("one trial of a side may remain (2)", ("outliers", "np.minimum(2, whole), ", "np.minimum(1, whole), ")),
    variant(
        "tails that agree are excluded, too",
        ("outliers", "is_mode = (small + 2 * everywhere) / (count + 2) > 0.5", "is_mode = np.zeros(count.shape, bool)"),
    ),
    variant(
        "agreement judged by the case alone",
        ("outliers", "(small + 2 * everywhere) / (count + 2) > 0.5", "small > 0.5 * count"),
    ),
    variant(
        "a case with two modes is pooled, too",
        ("estimator", "is_typical = ~found.is_exception", "is_typical = found.is_exception | True"),
    ),
    variant(
        "any number of cases are exceptions",
        ("outliers", "is_exception=has_modes & few", "is_exception=has_modes"),
    ),
    variant(
        "a long history is not searched first",
        ("estimator", "_LONG_HISTORY = 2.0", "_LONG_HISTORY = math.inf"),
        ("estimator", "import numpy as np\n", "import math\n\nimport numpy as np\n"),
    ),
    # Contention and modes as explanations
    variant(
        "no alarm is explained by contention",
        ("decision", "by_contention = estimates.by_contention > contention_limit", "by_contention = ~is_known"),
    ),
    variant(
        "contention: the agreement of trials is ignored",
        ("outliers", "* so_alike)", "* 1.0)"),
    ),
    variant(
        "contention: the run's share alone",
        (
            "outliers",
            "np.maximum(own**n, found.logs.shape[-2] * everywhere**n)",
            "found.logs.shape[-2] * everywhere**n",
        ),
    ),
    variant(
        "contention: the case's share alone",
        ("outliers", "np.maximum(own**n, found.logs.shape[-2] * everywhere**n)", "own**n"),
    ),
    variant(
        "modes separate no trials",
        ("decision", "(estimates.by_separation <= separation_limit)", "np.ones(is_known.shape, bool)"),
    ),
    variant(
        "separation: the limit is not divided by the cases",
        ("decision", "(1 if cases >= FEWEST_CASES_TO_POOL else cases)", "1"),
    ),
    variant(
        "separation: the limit is always divided",
        ("decision", "(1 if cases >= FEWEST_CASES_TO_POOL else cases)", "cases"),
    ),
    variant(
        "separation: excluded trials always count",
        ("estimator", "counted = there if base.shape[-3] >= FEWEST_CASES_TO_POOL else found.kept", "counted = there"),
    ),
    variant("a head of one trial may alarm", ("decision", " & (estimates.trials_head > 1)", "")),
    variant(
        "slow trials in head do not forbid unchanged",
        ("decision", "is_tail_suspect = (estimates.tail_head > 0) &", "is_tail_suspect = (estimates.tail_head < 0) &"),
    ),
    variant(
        "slow trials in head are suspect only beyond chance",
        ("decision", "((estimates.tail_base == 0) | (estimates.by_tail < ", "((estimates.by_tail < "),
    ),
    variant(
        "slow trials raise no alarm",
        ("decision", "if estimates.trials_are_units else 0.0", "if False else 0.0"),
    ),
    variant("modes hide no slowdown", ("decision", "_MISSED_BY_SEPARATION = 0.05", "_MISSED_BY_SEPARATION = 1.0")),
    variant(
        "a speed-up is called unchanged",
        ("decision", "(ruled_out & (difference >= far), Code.MAYBE", "(ruled_out & (difference > 99), Code.MAYBE"),
    ),
    variant(
        "nothing is beyond all noise",
        ("decision", "is_far = (gap.size >= gap.needed) &", "is_far = (gap.size > 9e9) &"),
    ),
    variant(
        "beyond all noise: the widest side once (1.5)", ("far_slower", "_SPREADS_SEEN = 1.5", "_SPREADS_SEEN = 1.0")
    ),
    variant("beyond all noise: own spread once (3)", ("far_slower", "_OWN_SPREADS = 3.0", "_OWN_SPREADS = 1.0")),
    variant("beyond all noise: from 1.3 times (1.8)", ("far_slower", "_LEAST_FACTOR = 1.8", "_LEAST_FACTOR = 1.3")),
    variant("beyond all noise: size is no evidence", ("far_slower", "_HALF_OF_DISTURBANCES * chance", "1e9 * chance")),
    # Shrinkage
    variant(
        "nothing is pooled",
        (
            "shrinkage",
            "pools = (known & is_typical).sum(axis=-1, keepdims=True) >= FEWEST_CASES_TO_POOL",
            "pools = np.zeros((*known.shape[:-1], 1), bool)",
        ),
    ),
    variant("pools from 3 cases (5)", ("shrinkage", "FEWEST_CASES_TO_POOL = 5", "FEWEST_CASES_TO_POOL = 3")),
    variant("pools from 10 cases", ("shrinkage", "FEWEST_CASES_TO_POOL = 5", "FEWEST_CASES_TO_POOL = 10")),
    variant(
        "the variance of a noisy case is moderated, too",
        ("shrinkage", "_IMPLAUSIBLE = 0.001", "_IMPLAUSIBLE = 0.0"),
    ),
    variant("implausible at 0.05 (0.001)", ("shrinkage", "_IMPLAUSIBLE = 0.001", "_IMPLAUSIBLE = 0.05")),
    variant(
        "a case may get less than its own variance",
        ("shrinkage", "np.where(known, np.maximum(moderated, own), moderated)", "moderated"),
    ),
    variant(
        "the prior includes the case itself",
        ("shrinkage", "values.sum(axis=-1, keepdims=True) - values", "values.sum(axis=-1, keepdims=True) + 0 * values"),
    ),
    variant(
        "all cases have one weight",
        ("shrinkage", "1 / special.polygamma(1, known / 2), known", "np.ones(known.shape), known"),
    ),
    variant(
        "the prior's degrees of freedom are not limited",
        ("shrinkage", "np.maximum(_sum_of_others(used * estimates.degrees), _LEAST_PRIOR)", "1e9"),
    ),
    # Estimator
    variant("noise may use all false alarms (half)", ("estimator", "SHARE_FOR_NOISE = 0.5", "SHARE_FOR_NOISE = 0.999")),
    variant("noise may use a quarter", ("estimator", "SHARE_FOR_NOISE = 0.5", "SHARE_FOR_NOISE = 0.25")),
    variant("the common part gets half (0.9)", ("estimator", "_SHARE_FOR_COMMON = 0.9", "_SHARE_FOR_COMMON = 0.5")),
    variant(
        "margin: together alone",
        ("estimator", "np.minimum(separately, together)", "together"),
    ),
    variant(
        "margin: separately alone",
        ("estimator", "np.minimum(separately, together)", "separately"),
    ),
    variant("together at the single rate (twice)", ("estimator", "np.where(common > 0, 2.0, 1.0)", "1.0")),
    variant(
        "no part is common to all cases",
        (
            "estimator",
            "shared = design is not Design.PAIRS and base.shape[-3] >= FEWEST_CASES_TO_POOL",
            "shared = False",
        ),
    ),
    variant(
        "no degrees of freedom are taken for the common part",
        ("spread", "degrees *= 1 - 1 / first.shape[-2]", "pass"),
    ),
    variant(
        "units may vary less than their trials",
        ("estimator", "np.where(within_degrees > 0, within / base.typical_trials, 0.0)", "0.0 * within"),
    ),
    variant(
        "the number of head's trials is ignored",
        ("estimator", "own * np.maximum(1.0, base.typical_trials / head.typical_trials)", "own * 1.0"),
    ),
    variant("a noisier head is ignored", ("estimator", "_MUCH_NOISIER = 6.0", "_MUCH_NOISIER = 1e9")),
    variant("a head is noisier from 3 times (6)", ("estimator", "_MUCH_NOISIER = 6.0", "_MUCH_NOISIER = 3.0")),
    variant(
        "a noisier head: base's variance is not pooled",
        ("estimator", "    of_base_trials, _ = moderated_variances(of_base_trials, base_degrees, is_typical)\n", ""),
    ),
    variant(
        "pairs are never compared one by one",
        ("estimator", "if design.is_paired:\n        live", "if False:\n        live"),
    ),
    variant(
        "pairs are always compared one by one",
        ("estimator", "complete.shape[-1] >= FEWEST_CASES_TO_POOL", "False"),
    ),
    variant("pairs agree below 1 (0.5)", ("estimator", "_PAIRS_AGREE = 0.5", "_PAIRS_AGREE = 1.0")),
    variant("pairs agree below 0.25", ("estimator", "_PAIRS_AGREE = 0.5", "_PAIRS_AGREE = 0.25")),
    variant(
        "two units are enough (3)",
        ("decision", "estimates.units >= FEWEST_UNITS", "estimates.units >= 2"),
        ("estimator", "complete >= FEWEST_UNITS", "complete >= 2"),
    ),
)


Judge = Callable[[Floats, Floats, Design], Decisions]


def gate_with(edits: Sequence[tuple[str, str, str]], package: str) -> Judge:
    """Return the gate with these edits, loaded beside the real one. Raises ValueError where a text is not found."""
    modules: dict[str, Any] = {}
    for name in _MODULES:
        source = (_FOLDER / f"{name}.py").read_text()
        for module, old, new in edits:
            if module == name:
                if old not in source:
                    raise ValueError(f"gate/{name}.py no longer contains {old!r}")
                source = source.replace(old, new)
        for other in _MODULES:
            source = source.replace(f"pytest_throughput.gate.{other} ", f"{package}.{other} ")
        module_object = ModuleType(f"{package}.{name}")
        sys.modules[f"{package}.{name}"] = module_object
        exec(compile(source, f"{package}/{name}.py", "exec"), module_object.__dict__)
        modules[name] = module_object

    def judge(base: Floats, head: Floats, design: Design) -> Decisions:
        estimates = modules["estimator"].estimate(base, head, design=design, false_alarm_rate=RULES.false_alarm_rate)
        decisions: Decisions = modules["decision"].decide(estimates, RULES)
        return decisions

    return judge


# ---------------------------------------------------------------------------- scenarios


@dataclass(frozen=True)
class Scenario:
    """Unchanged runs of both sides; arrays of shape (runs, cases, units, trials)."""

    name: str
    design: Design
    base: Floats
    head: Floats

    def slowed(self) -> tuple[Floats, NDArray[np.float64]]:
        """Return head with slowdowns, and which (run, case) has which; 0 where there is none.

        One case in ten of a run is slowed, by 5, 10 and 30 % in turn.
        """
        runs, cases = self.head.shape[:2]
        which = np.zeros((runs, cases))
        slowed = max(cases // 10, 1)
        which[:, :slowed] = np.resize(SLOWDOWNS, runs * slowed).reshape(runs, slowed)
        return self.head - np.log1p(which)[..., None, None], which


CELLS = (
    # family, common shift, CV, cases, trials, accepted runs (0: pairs)
    Cell("gaussian", 0, 0.01, 10, 5, 0),
    Cell("gaussian", 0, 0.03, 1, 5, 0),
    Cell("gaussian", 0, 0.03, 100, 5, 0),
    Cell("heavy-tailed", 0, 0.01, 10, 5, 0),
    Cell("heavy-tailed", 0, MIXED, 100, 5, 0),
    Cell("two-humped", 0, 0.03, 10, 5, 0),
    Cell("two-humped", 0, 0.1, 1, 3, 0),
    Cell("two-humped", 0, 0.1, 3, 5, 0),
    Cell("two-humped", 0, 0.1, 4, 4, 0),
    Cell("two-humped", 0, 0.1, 10, 4, 0),
    Cell("two-humped", 0, MIXED, 10, 5, 0),
    Cell("drifting", 0, 0.03, 10, 5, 0),
    Cell("correlated", 0, 0.03, 1, 10, 0),
    Cell("contended", 0, 0.01, 1, 5, 0),
    Cell("contended", 0, 0.01, 10, 5, 0),
    Cell("contended", 0, 0.03, 10, 7, 0),
    Cell("contended", 0, 0.003, 100, 5, 0),
    Cell("contended", 0, MIXED, 10, 5, 0),
    Cell("gaussian", 0, 0.01, 10, 5, 5),
    Cell("gaussian", 0.03, 0.01, 10, 5, 3),
    Cell("gaussian", 0.01, 0.003, 100, 5, 5),
    Cell("gaussian", 0.01, MIXED, 10, 5, 5),
    Cell("heavy-tailed", 0.01, 0.03, 10, 5, 3),
    Cell("two-humped", 0, 0.03, 10, 5, 3),
    Cell("two-humped", 0, 0.1, 1, 3, 5),
    Cell("drifting", 0.03, 0.03, 1, 3, 5),
    Cell("drifting", 0, 0.01, 10, 5, 10),
    Cell("correlated", 0.01, 0.01, 10, 5, 5),
    Cell("contended", 0, 0.01, 1, 5, 10),
    Cell("contended", 0, 0.01, 10, 5, 5),
    Cell("contended", 0.01, 0.03, 100, 5, 3),
    Cell("contended", 0.01, MIXED, 10, 3, 5),
)


def scenario_of(cell: Cell, runs: int) -> Scenario:
    base, head = both_sides(cell, cell.generator("ablation"), runs)
    size = "mixed" if cell.size == MIXED else f"{cell.size:.1%}"
    against = f"{cell.history} runs" if cell.history else "pairs"
    name = f"{against}, {cell.family}, CV {size}, shift {cell.shift:.0%}, {cell.cases} × {cell.trials}"
    return Scenario(name, cell.design, base, head)


def scenarios() -> Iterator[Scenario]:
    for cell in CELLS:
        yield scenario_of(cell, _CASES_TIMES_RUNS // max(cell.cases, 2))
    for number, (name, make) in enumerate(OTHER_SCENARIOS.items()):
        design, base, head = make(np.random.default_rng([2026, number]), _CASES_TIMES_RUNS // 10)
        yield Scenario(name, design, base, head)


def _contention(random: Generator, shape: tuple[int, ...], share: float) -> Floats:
    slower = random.uniform(math.log(1.2), math.log(30.0), shape)
    return np.where(random.random(shape) < share, slower, 0.0)


def one_noisy_case(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    logs = 0.01 * random.standard_normal((runs, 10, 4, 5))
    logs[:, :1] += 0.03 * random.standard_normal((runs, 1, 4, 1))
    return Design.HISTORY, logs[:, :, :-1], logs[:, :, -1:]


def busy_head(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    logs = 0.01 * random.standard_normal((runs, 10, 6, 5))
    return Design.HISTORY, logs[:, :, :-1], logs[:, :, -1:] - _contention(random, (runs, 10, 1, 5), 0.4)


def busy_half_of_pairs(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    logs = 0.003 * random.standard_normal((2, runs, 10, 6, 1))
    return Design.PAIRS, logs[0], logs[1] - _contention(random, (runs, 10, 6, 1), 0.4)


def few_contended_cases_with_two_modes(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    logs = 0.003 * random.standard_normal((2, runs, 4, 5, 1)) - 0.06 * (random.random((2, runs, 4, 5, 1)) < 0.5)
    logs -= _contention(random, logs.shape, 0.3)
    return Design.PAIRS, logs[0], logs[1]


def busy_base_of_pairs(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    logs = 0.003 * random.standard_normal((2, runs, 10, 6, 1))
    return Design.PAIRS, logs[0] - _contention(random, (runs, 10, 6, 1), 0.4), logs[1]


def few_contended_pairs(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    logs = 0.01 * random.standard_normal((2, 4 * runs, 4, 3, 1))
    logs -= _contention(random, logs.shape, 0.2)
    return Design.PAIRS, logs[0], logs[1]


def two_contended_runs(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    logs = 0.01 * random.standard_normal((4 * runs, 4, 3, 2))
    logs -= _contention(random, logs.shape, 0.2)
    return Design.HISTORY, logs[:, :, :2], logs[:, :, 2:]


def one_busy_case_of_pairs(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    logs = 0.01 * random.standard_normal((2, runs, 10, 5, 1))
    logs[:, :, :1] -= _contention(random, (2, runs, 1, 5, 1), 0.5)
    return Design.PAIRS, logs[0], logs[1]


def one_busy_case(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    logs = 0.01 * random.standard_normal((runs, 10, 6, 5))
    logs[:, :1] -= _contention(random, (runs, 1, 6, 5), 0.5)
    return Design.HISTORY, logs[:, :, :-1], logs[:, :, -1:]


def five_cases(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    """Return the fewest cases that are pooled, with the fewest accepted runs."""
    logs = 0.01 * random.standard_normal((2 * runs, 5, 4, 5)) + 0.01 * random.standard_normal((2 * runs, 1, 4, 1))
    return Design.HISTORY, logs[:, :, :-1], logs[:, :, -1:]


def noisier_head(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    return (
        Design.HISTORY,
        0.01 * random.standard_normal((runs, 10, 5, 5)),
        0.05 * random.standard_normal((runs, 10, 1, 5)),
    )


def confirmed_head(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    """Ten trials after confirmation, against runs of three."""
    shift = 0.01 * random.standard_normal((runs, 1, 6, 1))
    base = 0.02 * random.standard_normal((runs, 10, 5, 3)) + shift[:, :, :5]
    return Design.HISTORY, base, 0.02 * random.standard_normal((runs, 10, 1, 10)) + shift[:, :, 5:]


def short_head(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    """Two trials against runs of ten."""
    return (
        Design.HISTORY,
        0.02 * random.standard_normal((runs, 10, 5, 10)),
        0.02 * random.standard_normal((runs, 10, 1, 2)),
    )


def contended_short_head(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    """Two trials against runs of five, all contended."""
    logs = 0.02 * random.standard_normal((runs, 10, 6, 5)) - _contention(random, (runs, 10, 6, 5), 0.2)
    return Design.HISTORY, logs[:, :, :5], logs[:, :, 5:, :2]


def head_of_one_trial(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    logs = 0.03 * (random.choice([-1.0, 1.0], (runs, 10, 81, 1)) + 0.1 * random.standard_normal((runs, 10, 81, 1)))
    return Design.HISTORY, logs[:, :, :80], logs[:, :, 80:]


def rare_slow_mode(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    """One process in twenty is 6 % slower."""
    logs = 0.003 * random.standard_normal((runs, 10, 81, 5)) - 0.06 * (random.random((runs, 10, 81, 5)) < 0.05)
    return Design.HISTORY, logs[:, :, :80], logs[:, :, 80:, :1]


def paired_runs(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    """Return pairs of runs in which the machine's state moves both runs of a pair."""
    state = 0.05 * random.standard_normal((runs, 1, 5, 1))
    base, head = 0.01 * random.standard_normal((2, runs, 10, 5, 5)) + state
    return Design.PAIRED_RUNS, base, head


def contended_paired_runs(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    base, head = 0.01 * random.standard_normal((2, runs, 10, 5, 3)) - _contention(random, (2, runs, 10, 5, 3), 0.2)
    return Design.PAIRED_RUNS, base, head


def pairs_of_close_trials(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    """Each pair of each case has its own state, which both trials share."""
    state = 0.05 * random.standard_normal((runs, 10, 5, 1))
    base, head = 0.005 * random.standard_normal((2, runs, 10, 5, 1)) + state
    return Design.PAIRS, base, head


def two_groups(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    base, head = 0.01 * random.standard_normal((2, runs, 10, 4, 3)) + 0.02 * random.standard_normal((2, runs, 1, 4, 1))
    return Design.GROUPS, base, head


def new_cases(random: Generator, runs: int) -> tuple[Design, Floats, Floats]:
    """Half of the cases are in the last accepted run alone."""
    logs = 0.01 * random.standard_normal((runs, 10, 6, 5)) + 0.02 * random.standard_normal((runs, 1, 6, 1))
    logs[:, 5:, :4] = math.nan
    return Design.HISTORY, logs[:, :, :-1], logs[:, :, -1:]


OTHER_SCENARIOS: dict[str, Callable[[Generator, int], tuple[Design, Floats, Floats]]] = {
    "3 runs, one noisy case among calm ones": one_noisy_case,
    "5 runs, head is contended": busy_head,
    "pairs, head is contended": busy_half_of_pairs,
    "5 runs, head is 5 times noisier": noisier_head,
    "5 runs of 3 trials, head of 10": confirmed_head,
    "5 runs of 10 trials, head of 2": short_head,
    "5 contended runs, contended head of 2": contended_short_head,
    "80 runs of one trial, head of one": head_of_one_trial,
    "5 pairs of 4 contended cases with two modes": few_contended_cases_with_two_modes,
    "pairs, base is contended": busy_base_of_pairs,
    "3 contended pairs of 4 cases": few_contended_pairs,
    "2 contended runs of 4 cases": two_contended_runs,
    "pairs, one case is contended": one_busy_case_of_pairs,
    "5 runs, one case is contended": one_busy_case,
    "3 runs of 5 cases": five_cases,
    "80 runs, head of one trial, a rare slow mode": rare_slow_mode,
    "pairs of runs": paired_runs,
    "pairs of contended runs": contended_paired_runs,
    "pairs with states of their own": pairs_of_close_trials,
    "two groups of 4 runs": two_groups,
    "5 runs, half of the cases are new": new_cases,
}


# ---------------------------------------------------------------------------- counting


@dataclass(frozen=True)
class Figures:
    """The rates of one variant over all scenarios, in per cent."""

    alarms: dict[str, float]
    """By scenario."""
    false_improvements: float
    found: tuple[float, ...]
    missed: float
    undecided: float
    codes: tuple[NDArray[np.intp], ...]

    def row(self, full: Figures) -> list[str]:
        alike = {name: share for name, share in self.alarms.items() if "head is" not in name}
        noisier = [share for name, share in self.alarms.items() if "head is" in name]
        worst = max(alike, key=lambda name: alike[name])
        other = sum(int((mine != its).sum()) for mine, its in zip(self.codes, full.codes, strict=True))
        return [
            f"{sum(alike.values()) / len(alike):.2f}",
            f"{alike[worst]:.1f} ({worst})",
            f"{sum(noisier) / len(noisier):.1f}" if noisier else "-",
            f"{self.false_improvements:.2f}",
            " / ".join(f"{share:.1f}" for share in self.found),
            f"{self.missed:.2f}",
            f"{self.undecided:.1f}",
            f"{100 * other / sum(one.size for one in self.codes):.2f}",
        ]


def simulate(judge: Judge, everything: Sequence[Scenario]) -> Figures:
    improved, unchanged = (CODES.index(code) for code in (Code.FASTER, Code.WITHIN_THRESHOLD))
    alarms: dict[str, float] = {}
    improvements = []
    cases = undecided = 0
    slowed, found = dict.fromkeys(SLOWDOWNS, 0), dict.fromkeys(SLOWDOWNS, 0)
    missed = 0
    codes = []
    for one in everything:
        calm = judge(one.base, one.head, one.design).codes
        alarms[one.name] = 100 * float(np.isin(calm, _REGRESSED).any(axis=-1).mean())
        improvements.append(100 * float((calm == improved).any(axis=-1).mean()))
        cases += calm.size
        undecided += int((~np.isin(calm, _DECIDED)).sum())
        head, which = one.slowed()
        changed = judge(one.base, head, one.design).codes
        for slowdown in SLOWDOWNS:
            slowed[slowdown] += int((which == slowdown).sum())
            found[slowdown] += int(((which == slowdown) & np.isin(changed, _REGRESSED)).sum())
        missed += int(((which == SLOWDOWNS[0]) & (changed == unchanged)).sum())
        codes += [calm, changed]
    return Figures(
        alarms,
        sum(improvements) / len(improvements),
        tuple(100 * found[each] / slowed[each] for each in SLOWDOWNS),
        100 * missed / slowed[SLOWDOWNS[0]],
        100 * undecided / cases,
        tuple(codes),
    )


_COLUMNS = (
    "without, or with instead of (…)",
    "false alarms",
    "worst scenario",
    "head noisier",
    "false improvements",
    "found 5 / 10 / 30 %",
    "5 % missed",
    "undecided",
    "other verdicts",
)


def main() -> None:
    parser = argparse.ArgumentParser(description="What each mechanism of the gate is worth.")
    parser.add_argument("--only", action="append", help="variants whose name contains this text; repeatable")
    parser.add_argument("--scenarios", action="store_true", help="false alarms of each scenario, too")
    parser.add_argument("--cell", type=cell_of, help="noise, shift, size, cases, trials, accepted runs (0: pairs)")
    parser.add_argument("--runs", type=int, default=1000, help="how many runs of --cell are simulated")
    parser.add_argument("--check", action="store_true", help="only load every variant, and simulate nothing")
    options = parser.parse_args()
    judges = {
        one.name: gate_with(one.edits, f"ablation_{number}")
        for number, one in enumerate((Variant("the gate as it is", ()), *VARIANTS))
    }
    if options.check:
        return
    everything = list(scenarios()) if options.cell is None else [scenario_of(options.cell, options.runs)]
    print("| " + " | ".join(_COLUMNS) + " |")
    print("|" + "---|" * len(_COLUMNS))
    full: Figures | None = None
    for name, judge in judges.items():
        if full is not None and options.only and not any(text in name for text in options.only):
            continue
        figures = simulate(judge, everything)
        full = full or figures
        print("| " + " | ".join([name, *figures.row(full)]) + " |", flush=True)
        if options.scenarios:
            for scenario, share in figures.alarms.items():
                if share > full.alarms[scenario] or (figures is full and share):
                    print(f"  - {share:.2f} % ({full.alarms[scenario]:.2f} %): {scenario}", flush=True)


if __name__ == "__main__":
    main()
