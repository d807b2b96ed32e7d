"""Several metrics of a case, each judged by itself, and thresholds by case."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.exit_code import ExitCode
from pytest_throughput.gate.comparison import Comparison
from pytest_throughput.gate.confirmation import after_look, to_confirm
from pytest_throughput.gate.decision import decide
from pytest_throughput.gate.estimator import estimate
from pytest_throughput.gate.judge import judge
from pytest_throughput.gate.judged import JudgedCase, JudgedMetric, JudgedRun, JudgedTrial
from pytest_throughput.gate.rules import Code, Design, Rules
from pytest_throughput.gate.scope import Scope
from pytest_throughput.gate.thresholds import Pattern, Thresholds
from pytest_throughput.gate.verdict import CaseVerdict, Verdict
from pytest_throughput.results.anchor import Anchor

RATE = JudgedMetric("images_per_second", "images/s", "higher")
FIRST_STEP = JudgedMetric("first_step_seconds", "s", "lower")
MEMORY = JudgedMetric("peak_memory_bytes", "bytes", "lower")
THREE = Rules(metrics=("images_per_second", "first_step_seconds", "peak_memory_bytes"))
ISOLATED = {"isolation": '"trial"'}


def run_of(
    seed: int,
    *,
    ids: Sequence[str] = ("a", "b"),
    worse: Mapping[str, float] | None = None,
    primary: JudgedMetric = RATE,
    further: Sequence[JudgedMetric] = (FIRST_STEP, MEMORY),
    settings: Mapping[str, str] = ISOLATED,
    trials: int = 5,
) -> JudgedRun:
    """Return a run with constant memory. ``worse``: by metric, the share by which it is worse."""
    generator = random.Random(seed)
    factors = {name: 1 + share for name, share in (worse or {}).items()}
    rate, first = 1 / factors.get(primary.name, 1.0), factors.get("first_step_seconds", 1.0)
    cases = {}
    for case_id in ids:
        figures = []
        for number in range(1, trials + 1):
            values = {
                "first_step_seconds": 2.0 * first * generator.lognormvariate(0, 0.02),
                "peak_memory_bytes": 1e9 * factors.get("peak_memory_bytes", 1.0),
            }
            kept = {metric.name: values[metric.name] for metric in further}
            value = 100 * rate * generator.lognormvariate(0, 0.004)
            figures.append(JudgedTrial(number, value, further_values=kept))
        digest = str(sorted(settings.items()))
        cases[case_id] = JudgedCase(
            case_id,
            trials=tuple(figures),
            settings_digest=digest,
            metric=primary,
            settings=settings,
            further_metrics=tuple(further),
        )
    return JudgedRun(f"2026-01-01T00:{seed:02d}:00+00:00", {"cpu": 2}, "m", cases=cases)


def pairs(base: JudgedRun, head: JudgedRun, rules: Rules = THREE) -> dict[tuple[str, str], CaseVerdict]:
    return {(one.id, one.metric): one for one in judge([base], [head], design=Design.PAIRS, rules=rules)}


def test_each_case_is_judged_by_its_primary_metric_unless_others_are_named() -> None:
    found = pairs(run_of(1), run_of(2, worse={"peak_memory_bytes": 0.5}), Rules())
    assert {key: one.verdict for key, one in found.items()} == {
        ("a", "images_per_second"): Verdict.UNCHANGED,
        ("b", "images_per_second"): Verdict.UNCHANGED,
    }
    assert not any(one.shows_metric for one in found.values())


@pytest.mark.parametrize("design", [Design.PAIRS, Design.HISTORY])
@pytest.mark.parametrize("worse", ["images_per_second", "first_step_seconds", "peak_memory_bytes"])
def test_each_metric_has_its_own_verdict(design: Design, worse: str) -> None:
    """Memory is exactly constant: the noise of all its cases is zero."""
    base = [run_of(seed) for seed in range(1 if design is Design.PAIRS else 5)]
    found = judge(base, [run_of(9, worse={worse: 0.2})], design=design, rules=THREE)
    assert [(one.id, one.metric) for one in found] == [(case, metric) for case in "ab" for metric in THREE.metrics]
    regressed = {one.metric for one in found if one.verdict is Verdict.REGRESSED}
    assert regressed == {worse}
    assert all(one.verdict is Verdict.UNCHANGED for one in found if one.metric == "peak_memory_bytes" != worse)
    assert all(one.shows_metric and one.threshold == 0.03 for one in found)
    assert all(0.8 < one.ratio < 0.87 for one in found if one.metric == worse and one.ratio is not None)


@given(
    value=st.floats(1e-17, 1e17),
    share=st.sampled_from([-0.9, -0.2, 0.0, 0.05, 0.2, 9.0]),
    design=st.sampled_from([Design.PAIRS, Design.GROUPS, Design.HISTORY]),
)
def test_constant_metrics_have_exact_verdicts(value: float, share: float, design: Design) -> None:
    """Three cases with 5 trials on each side, or in each run; the first case changes."""

    def run(seed: int, factor: float) -> JudgedRun:
        cases = {}
        for case_id in "abc":
            own = value * (factor if case_id == "a" else 1)
            trials = tuple(JudgedTrial(number, 1.0, further_values={MEMORY.name: own}) for number in range(1, 6))
            cases[case_id] = JudgedCase(case_id, trials=trials, metric=RATE, further_metrics=(MEMORY,))
        return JudgedRun(f"2026-01-01T00:{seed:02d}:00+00:00", {}, "m", cases=cases)

    base = [run(seed, 1) for seed in range(1 if design is Design.PAIRS else 4)]
    found = judge(base, [run(9, 1 + share)], design=design, rules=Rules(metrics=(MEMORY.name,)))
    expected = Verdict.REGRESSED if share > 0 else Verdict.IMPROVED if share < 0 else Verdict.UNCHANGED
    assert [one.verdict for one in found] == [expected, Verdict.UNCHANGED, Verdict.UNCHANGED]


def test_the_words_fit_the_metric() -> None:
    found = pairs(run_of(1), run_of(2, worse={"peak_memory_bytes": 0.2, "first_step_seconds": -0.3}))
    assert found["a", "peak_memory_bytes"].reason == "20 % more (95 % interval 20 % more to 20 % more)"
    assert "faster" in found["a", "first_step_seconds"].reason
    same = pairs(run_of(1), run_of(2))["a", "peak_memory_bytes"]
    assert same.reason == "95 % interval no change to no change: an increase of 3 % is ruled out"


def test_metrics_share_the_false_alarm_rate_of_the_run() -> None:
    base, head = run_of(1), run_of(2)
    alone = pairs(base, head, Rules(false_alarm_rate=0.005, metrics=("first_step_seconds",)))
    both = pairs(base, head, Rules(false_alarm_rate=0.01, metrics=("first_step_seconds", "images_per_second", "none")))
    key = ("a", "first_step_seconds")
    assert both[key].detectable_ratio == alone[key].detectable_ratio


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_two_metrics_raise_few_false_alarms(correlation: float) -> None:
    """A simulation of runs in which nothing changed: 10 cases, 5 pairs, two metrics of unequal noise."""
    generator = np.random.default_rng(13)
    runs, shape = 1000, (1000, 10, 5, 1)
    alarms = np.zeros(runs, dtype=bool)
    rules = Rules(false_alarm_rate=0.01 / 2)
    sides = [generator.standard_normal(shape) for _ in range(2)]
    for deviation in (0.01, 0.05):
        mixed = [
            deviation * (correlation * side + math.sqrt(1 - correlation**2) * generator.standard_normal(shape))
            for side in sides
        ]
        found = decide(estimate(*mixed, design=Design.PAIRS, false_alarm_rate=rules.false_alarm_rate), rules)
        alarms |= found.regressed.any(axis=-1)
    assert alarms.mean() <= 0.01 + 3.5 * math.sqrt(0.01 * 0.99 / runs)


@pytest.mark.parametrize("name", ["items_per_second", "calls_per_second"])
def test_images_per_second_stands_for_any_rate(name: str) -> None:
    rate = JudgedMetric(name, "items/s", "higher")
    base, head = run_of(1, primary=rate), run_of(2, primary=rate, worse={name: 0.2})
    for metrics in (("images_per_second",), ("images_per_second", name)):
        found = pairs(base, head, Rules(metrics=metrics))
        assert {key: one.verdict for key, one in found.items()} == {
            ("a", name): Verdict.REGRESSED,
            ("b", name): Verdict.REGRESSED,
        }


def test_a_verdict_on_the_case_as_a_whole_is_given_once() -> None:
    base, head = run_of(1, ids="abc"), run_of(2, ids="bcd")
    head.cases["c"] = replace(head.cases["c"], status="crashed", trials=())  # type: ignore[index]
    found = [(one.id, one.verdict, one.metric) for one in judge([base], [head], design=Design.PAIRS, rules=THREE)]
    assert [one for one in found if one[0] != "b"] == [
        ("c", Verdict.FAILED, "images_per_second"),
        ("d", Verdict.NEW, "images_per_second"),
        ("a", Verdict.MISSING, "images_per_second"),
    ]
    assert len(found) == 6


def test_runs_that_were_accepted_before_metrics_were_kept() -> None:
    history = [run_of(seed, further=()) for seed in range(4)]
    found = judge(history, [run_of(9)], design=Design.HISTORY, rules=THREE)
    memory = next(one for one in found if one.metric == "peak_memory_bytes")
    assert (memory.verdict, memory.code) == (Verdict.NEW, Code.NO_BASELINE)
    assert memory.reason == "the baseline does not have peak_memory_bytes of this case; judged as soon as it does"
    assert next(one for one in found if one.metric == "images_per_second").verdict is Verdict.UNCHANGED
    mixed = judge([*history, run_of(5), run_of(6)], [run_of(9)], design=Design.HISTORY, rules=THREE)
    assert next(one for one in mixed if one.metric == "peak_memory_bytes").code is Code.TOO_FEW_RUNS


def test_a_metric_that_this_run_lost() -> None:
    found = pairs(run_of(1), run_of(2, further=(FIRST_STEP,)))
    lost = found["a", "peak_memory_bytes"]
    assert (lost.verdict, lost.code) == (Verdict.INCOMPARABLE, Code.NO_METRIC)
    assert lost.reason == "the baseline has peak_memory_bytes of this case, and this run does not"


@pytest.mark.parametrize("isolation", ["framework", "none"])
def test_what_shared_processes_cannot_tell(isolation: str) -> None:
    shared = {"isolation": f'"{isolation}"'}
    base, head = (run_of(seed, further=(), settings=shared) for seed in (1, 2))
    found = pairs(base, head, Rules(metrics=("first_step_seconds", "compile_seconds")))
    assert list(found) == [("a", "first_step_seconds"), ("b", "first_step_seconds")]
    assert {(one.verdict, one.code) for one in found.values()} == {(Verdict.INCOMPARABLE, Code.NO_METRIC)}
    assert "measure with --throughput-isolation trial" in found["a", "first_step_seconds"].reason


def test_a_metric_whose_unit_changed_is_incomparable() -> None:
    seconds, milliseconds = (JudgedMetric("first_step_seconds", unit, "lower") for unit in ("s", "ms"))
    found = pairs(run_of(1, further=(seconds,)), run_of(2, further=(milliseconds,)))
    one = found["a", "first_step_seconds"]
    assert (one.verdict, one.code) == (Verdict.INCOMPARABLE, Code.SETTINGS_CHANGED)
    assert "first_step_seconds.unit was s, is ms" in one.reason


def compared(rules: Rules, base: JudgedRun, head: JudgedRun) -> tuple[int, tuple[str, ...]]:
    """Return the exit status and the notes."""
    scope = Scope.of(((case.id, {}) for case in head.cases.values()), ())
    comparison = Comparison("title", (base,), (head,), Design.PAIRS, scope)
    judgement = comparison.judgement(comparison.verdicts(rules), ["regressed"], rules)
    return judgement.exit_status, judgement.notes


def test_a_metric_that_no_case_has_is_named_in_a_note() -> None:
    base, head = run_of(1), run_of(2)
    status, notes = compared(Rules(metrics=("images_per_second", "speed")), base, head)
    assert (status, notes) == (
        ExitCode.NOTHING_COMPARABLE,
        ("no case has speed; the cases have: images_per_second, first_step_seconds, peak_memory_bytes",),
    )
    status, notes = compared(Rules(metrics=("speed", "size")), base, head)
    assert status == ExitCode.NOTHING_COMPARABLE
    assert notes[0].startswith("no case has speed or size; ")


def test_where_shared_processes_leave_nothing_to_judge_the_status_is_12() -> None:
    shared = {"isolation": '"framework"'}
    base, head = (run_of(seed, further=(), settings=shared) for seed in (1, 2))
    assert compared(Rules(metrics=("build_seconds",)), base, head) == (ExitCode.NOTHING_COMPARABLE, ())


def thresholds(*patterns: tuple[str, float, str] | tuple[str, float]) -> Thresholds:
    return Thresholds(tuple(Pattern(*pattern) for pattern in patterns))


def test_the_first_pattern_that_matches_gives_the_threshold() -> None:
    found = thresholds(("b*", 0.3), ("*", 0.2, "first_*"), ("a", 0.1))
    rules = replace(THREE, thresholds=found)
    assert [
        [rules.threshold_of(case, metric) for metric in ("images_per_second", "first_step_seconds")]
        for case in ("a", "b1", "c")
    ] == [[0.1, 0.2], [0.3, 0.3], [0.03, 0.2]]
    assert [pattern.cases for pattern in found.unused([("b1", "first_step_seconds"), ("c", "x")])] == ["*", "a"]


def test_brackets_of_node_ids_are_escaped() -> None:
    node_id = "tests/test_x.py::test_y[a]"
    assert thresholds(("*::test_y[[]a]", 0.1)).first(node_id, "seconds") is not None
    assert thresholds((node_id, 0.1)).first(node_id, "seconds") is None


def test_each_case_and_metric_has_its_own_threshold() -> None:
    base, head = run_of(1), run_of(2, worse={"images_per_second": 0.1, "first_step_seconds": 0.2})
    rules = replace(THREE, thresholds=thresholds(("a", 0.3, "images_*"), ("*", 0.5, "first_step_seconds")))
    found = pairs(base, head, rules)
    assert {key: one.verdict for key, one in found.items() if key[1] == "images_per_second"} == {
        ("a", "images_per_second"): Verdict.UNCHANGED,
        ("b", "images_per_second"): Verdict.REGRESSED,
    }
    one, other = found["a", "images_per_second"], found["b", "images_per_second"]
    assert (one.threshold, other.threshold) == (0.3, 0.03)
    assert "a slowdown of 30 % is ruled out" in one.reason
    assert one.detectable_ratio == pytest.approx(1 / 1.3)
    assert other.detectable_ratio is not None and other.detectable_ratio > 0.95
    assert "a slowdown of 50 % is ruled out" in found["a", "first_step_seconds"].reason


def test_patterns_that_match_nothing_are_named() -> None:
    base, head = run_of(1), run_of(2)
    found = thresholds(("a", 0.1), ("training-*", 0.2), ("*", 0.3, "peak_*"), ("*", 0.3, "speed"))
    _, notes = compared(Rules(thresholds=found), base, head)
    assert notes == ("thresholds that no case of this run has: training-*, * with speed",)


def test_confirmed_cases_are_those_of_any_metric_and_each_metric_keeps_what_it_decided() -> None:
    first = judge([run_of(1)], [run_of(2, worse={"peak_memory_bytes": 0.2})], design=Design.PAIRS, rules=THREE)
    assert sorted(to_confirm(first, Design.PAIRS)) == ["a", "b"]
    second = judge([run_of(3)], [run_of(4)], design=Design.PAIRS, rules=THREE)
    merged = after_look(first, second, 2)
    assert [(one.id, one.metric) for one in merged] == [(one.id, one.metric) for one in second]
    for before, now, after in zip(first, second, merged, strict=True):
        is_decided = before.verdict in ("regressed", "improved", "unchanged")
        assert after.verdict == (before.verdict if is_decided else now.verdict)
        assert after.look == (before.look if is_decided else 2)


def test_a_case_that_fails_between_two_looks_has_failed_whatever_an_earlier_look_decided() -> None:
    first = judge([run_of(1)], [run_of(2, worse={"first_step_seconds": 0.03})], design=Design.PAIRS, rules=THREE)
    assert {one.verdict for one in first if one.id == "a"} > {Verdict.UNCHANGED}
    head = run_of(2)
    crashed = replace(head, cases={**head.cases, "a": replace(head.cases["a"], status="crashed", trials=())})
    second = judge([run_of(1)], [crashed], design=Design.PAIRS, rules=THREE)
    (failed,) = (one for one in after_look(first, second, 2) if one.id == "a")
    assert (failed.verdict, failed.look) == (Verdict.FAILED, 2)


def test_a_new_anchor_leaves_the_metrics_that_have_none() -> None:
    def with_anchor(run: JudgedRun) -> JudgedRun:
        cases = {
            case.id: replace(case, trials=tuple(replace(one, anchor=Anchor("0" * 16, 1.0)) for one in case.trials))
            for case in run.cases.values()
        }
        return replace(run, cases=cases)

    accepted = [run_of(seed) for seed in range(4)]
    head = with_anchor(run_of(9, worse={"peak_memory_bytes": 0.5}))
    found = {(one.id, one.metric): one for one in judge(accepted, [head], design=Design.HISTORY, rules=THREE)}
    assert (found["a", "images_per_second"].verdict, found["a", "images_per_second"].code) == (
        Verdict.NEW,
        Code.ANCHOR_CHANGED,
    )
    assert found["a", "peak_memory_bytes"].verdict is Verdict.REGRESSED
    assert found["a", "first_step_seconds"].verdict is not Verdict.NEW


def test_more_metrics_of_few_cases_need_more_pairs_and_the_sentence_says_how_many() -> None:
    ids = ("a", "b", "c", "d")
    found = pairs(run_of(1, ids=ids), run_of(2, ids=ids, worse={"images_per_second": 0.5}))
    assert "measure at least 6 of each" in found["a", "images_per_second"].reason
    base, head = run_of(1, ids=ids, trials=6), run_of(2, ids=ids, worse={"images_per_second": 0.5}, trials=6)
    assert pairs(base, head)["a", "images_per_second"].verdict is Verdict.REGRESSED


def test_a_metric_by_which_nothing_can_be_decided_is_no_success() -> None:
    accepted = [run_of(seed, further=()) for seed in range(4)]
    comparison = Comparison("", tuple(accepted), (run_of(9),), Design.HISTORY, Scope.of((), None))

    def status(*metrics: str) -> int:
        rules = Rules(metrics=metrics)
        return comparison.judgement(comparison.verdicts(rules), (), rules).exit_status

    assert status() == status("images_per_second") == ExitCode.OK
    assert status("images_per_second", "peak_memory_bytes") == ExitCode.NOTHING_COMPARABLE
    assert status("images_per_second", "peak_memory_byte") == ExitCode.NOTHING_COMPARABLE


def test_the_name_of_the_rate_stands_for_other_rates() -> None:
    tokens = JudgedMetric("tokens_per_second", "tokens/s", "higher")
    runs = [run_of(seed, primary=tokens) for seed in range(5)]
    comparison = Comparison("", tuple(runs[:4]), (runs[4],), Design.HISTORY, Scope.of((), None))
    rules = Rules(metrics=("images_per_second",))
    assert comparison.judgement(comparison.verdicts(rules), (), rules).exit_status == ExitCode.OK
