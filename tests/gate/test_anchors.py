"""Ratios to an anchor: runs of any hour are compared by them, and a changed anchor begins a new history."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import result_files

from pytest_throughput.cli import main
from pytest_throughput.gate.comparison import Comparison
from pytest_throughput.gate.decision import decide
from pytest_throughput.gate.estimator import estimate
from pytest_throughput.gate.from_results import given_run
from pytest_throughput.gate.judge import judge
from pytest_throughput.gate.judged import JudgedRun
from pytest_throughput.gate.rules import Code, Design, Rules
from pytest_throughput.gate.scope import Scope
from pytest_throughput.gate.store_format import DamagedFile, decode, encode
from pytest_throughput.gate.verdict import CaseVerdict, Verdict, exit_status
from pytest_throughput.results.anchor import Anchor, digest_of
from pytest_throughput.results.untrusted_json import Unreadable

MakeRun = Callable[..., JudgedRun]
RULES = Rules()
OLD, NEW = {"python": "3.11.7", "torch": "2.11.0"}, {"python": "3.11.7", "torch": "2.12.0"}


def beside(
    run: JudgedRun,
    versions: Mapping[str, str] = OLD,
    *,
    hour: float = 1.0,
    only: str = "case",
    mean_slower: float = 0.0,
) -> JudgedRun:
    """Return the run with an anchor of 100 images/s beside each trial; all ran ``hour`` times as fast as otherwise.

    ``mean_slower``: the share by which single steps make the mean of a trial longer.
    """
    generator = random.Random(run.started_at)

    def anchored(value: float) -> Anchor:
        ratio = value / 100 * generator.lognormvariate(0, 0.005)
        mean_ratio = ratio / (1 + mean_slower) * generator.lognormvariate(0, 0.005)
        return Anchor(digest_of(versions), ratio, mean_ratio)

    cases = {
        case.id: replace(
            case,
            trials=tuple(
                replace(one, value=one.value * hour, anchor=anchored(one.value) if case.id.startswith(only) else None)
                for one in case.trials
            ),
            anchor_versions=dict(versions) if case.id.startswith(only) else {},
        )
        for case in run.cases.values()
    }
    return replace(run, cases=cases)


HOURS = (1.0, 0.8, 1.25, 0.9, 1.1)


@pytest.fixture
def history(make_run: MakeRun) -> list[JudgedRun]:
    """Accepted runs beside the old anchor; the machine had another speed in each of their hours."""
    return [beside(make_run(seed, deviation=0.005), hour=hour) for seed, hour in enumerate(HOURS)]


def against(history: list[JudgedRun], *heads: JudgedRun) -> dict[str, CaseVerdict]:
    design = Design.HISTORY if len(heads) == 1 else Design.GROUPS
    return {one.id: one for one in judge(history, heads, design=design, rules=RULES)}


def slow_hour(make_run: MakeRun, seed: int = 9) -> JudgedRun:
    return make_run(seed, deviation=0.005, slower={"case-1": 0.05})


def test_the_hour_does_not_count(history: list[JudgedRun], make_run: MakeRun) -> None:
    verdicts = against(history, beside(slow_hour(make_run), hour=0.7))
    assert {one.id for one in verdicts.values() if one.verdict is Verdict.REGRESSED} == {"case-1"}
    assert {one.verdict for one in verdicts.values()} == {Verdict.REGRESSED, Verdict.UNCHANGED}
    slower = verdicts["case-1"]
    assert slower.ratio == pytest.approx(1 / 1.05, rel=0.01)
    assert (slower.runs_base, slower.trials_base, slower.anchor) == (5, 25, digest_of(OLD))


def test_without_an_anchor_the_speeds_themselves_are_compared(history: list[JudgedRun], make_run: MakeRun) -> None:
    verdict = against(history, slow_hour(make_run))["case-1"]
    assert (verdict.verdict, verdict.runs_base, verdict.anchor) == (Verdict.INCONCLUSIVE, 5, None)
    assert "--throughput-anchor" in verdict.reason


def test_several_runs_beside_an_anchor_are_judged_together(history: list[JudgedRun], make_run: MakeRun) -> None:
    heads = [beside(slow_hour(make_run, seed), hour=hour) for seed, hour in ((8, 0.7), (9, 1.3))]
    verdict = against(history, *heads)["case-1"]
    assert (verdict.verdict, verdict.anchor) == (Verdict.REGRESSED, digest_of(OLD))


def test_another_anchor_begins_a_new_history_and_says_so(history: list[JudgedRun], make_run: MakeRun) -> None:
    verdicts = against(history, beside(make_run(9), NEW))
    assert {(one.verdict, one.code) for one in verdicts.values()} == {(Verdict.NEW, Code.ANCHOR_CHANGED)}
    assert verdicts["case-0"].reason == (
        f"measured beside another anchor than the baseline (it was {digest_of(OLD)}, is {digest_of(NEW)}; "
        "torch was 2.11.0, is 2.12.0): its history begins anew; accept runs with this anchor, or use the earlier one"
    )
    assert exit_status(list(verdicts.values()), ()) == 12


def test_a_first_anchor_begins_a_history(make_run: MakeRun) -> None:
    verdict = against([make_run(seed) for seed in range(5)], beside(make_run(9)))["case-0"]
    assert (verdict.verdict, verdict.code) == (Verdict.NEW, Code.ANCHOR_CHANGED)
    assert f"beside the anchor {digest_of(OLD)} (python 3.11.7, torch 2.11.0), and the baseline beside none" in (
        verdict.reason
    )


def test_accepted_runs_with_the_same_anchor_are_used_and_no_others(history: list[JudgedRun], make_run: MakeRun) -> None:
    mixed = [*history[:3], make_run(30), beside(make_run(31), NEW)]
    verdict = against(mixed, beside(slow_hour(make_run), hour=0.7))["case-1"]
    assert (verdict.runs_base, verdict.trials_base) == (3, 15)
    few = against([*history[:1], *(make_run(seed) for seed in range(20, 24))], beside(make_run(9)))["case-1"]
    assert (few.code, few.runs_base) == (Code.TOO_FEW_RUNS, 1)


def test_accepted_runs_with_other_settings_are_not_used(history: list[JudgedRun], make_run: MakeRun) -> None:
    other = [beside(make_run(seed, settings_digest="other"), NEW) for seed in range(20, 24)]
    assert against([*history, *other], beside(make_run(9), NEW))["case-0"].code is Code.ANCHOR_CHANGED


def test_no_trial_of_head_is_left_out_for_its_anchor(history: list[JudgedRun], make_run: MakeRun) -> None:
    head = beside(make_run(9))
    case = head.cases["case-0"]
    trials = (replace(case.trials[0], anchor=None), *case.trials[1:])
    cases = {**head.cases, "case-0": replace(case, trials=trials)}
    verdicts = against(history, replace(head, cases=cases))
    assert (verdicts["case-0"].anchor, verdicts["case-0"].trials_head) == (None, 5)
    assert verdicts["case-1"].anchor is not None


def test_steps_that_take_far_longer_forbid_unchanged(history: list[JudgedRun], make_run: MakeRun) -> None:
    """The ratio is that of typical steps, which a slowdown of every third step does not change."""
    verdicts = against(history, beside(make_run(9, deviation=0.005), mean_slower=0.2))
    assert {(one.verdict, one.code) for one in verdicts.values()} == {(Verdict.INCONCLUSIVE, Code.SLOW_STEPS)}
    assert re.search(r"on average: (19|2\d)\S* % slower", verdicts["case-0"].reason)
    slower = against(history, beside(slow_hour(make_run), mean_slower=0.2))["case-1"]
    assert slower.code is Code.SLOWER


def test_cases_without_an_anchor_keep_their_own_noise(make_run: MakeRun) -> None:
    """Most cases have an anchor. The hours move the others only, which are judged as if they were alone."""
    names = [*(f"case-{index}" for index in range(8)), "plain-0", "plain-1"]
    history = [beside(make_run(seed, cases=names, deviation=0.002), hour=hour) for seed, hour in enumerate(HOURS)]
    head = beside(make_run(9, cases=names, deviation=0.002), hour=0.75)
    verdicts = against(history, head)
    assert {verdicts[name].verdict for name in names[:8]} == {Verdict.UNCHANGED}
    assert {verdicts[name].verdict for name in names[8:]} == {Verdict.INCONCLUSIVE}

    def without_anchor(run: JudgedRun) -> JudgedRun:
        return replace(run, cases={name: run.cases[name] for name in names[8:]})

    rules = replace(RULES, false_alarm_rate=0.2 * RULES.false_alarm_rate)  # They are a fifth of the cases.
    alone = judge(list(map(without_anchor, history)), [without_anchor(head)], design=Design.HISTORY, rules=rules)
    assert [verdicts[name] for name in names[8:]] == list(alone)


def test_two_sides_in_turn_are_compared_without_the_anchor(history: list[JudgedRun]) -> None:
    verdicts = judge(history[:4], history[1:], design=Design.PAIRED_RUNS, rules=RULES)
    assert {one.anchor for one in verdicts} == {None}


def test_the_judgement_names_the_anchor(history: list[JudgedRun], make_run: MakeRun) -> None:
    head = beside(make_run(9), only="case-0")
    comparison = Comparison("title", tuple(history), (head,), Design.HISTORY, Scope.of((), None))
    judgement = comparison.judgement(comparison.verdicts(RULES), (), RULES)
    expected = f"relative to the anchor {digest_of(OLD)} (python 3.11.7, torch 2.11.0): 1 case"
    assert [note for note in judgement.notes if note.endswith(expected)]
    found = {case["id"]: case["anchor"] for case in judgement.to_json()["cases"]}
    assert (found["case-0"], found["case-1"]) == (digest_of(OLD), None)


@pytest.mark.parametrize(("runs", "shift"), [(3, 0.03), (5, 0.03), (10, 0.03)])
def test_shifts_between_runs_neither_alarm_nor_hide_a_slowdown(runs: int, shift: float) -> None:
    """The case and its anchor share the shift of their run, and each varies by 0.7 % on its own."""
    generator = np.random.default_rng([runs, 5])
    simulated, cases, trials = 300, 10, 5
    shape = (2, simulated, cases, runs + 1, trials)
    case, anchor = 0.007 * generator.standard_normal(shape) + shift * generator.standard_normal(
        (simulated, 1, runs + 1, 1)
    )
    ratios = case - anchor
    for slower, least in ((0.0, 0.0), (0.05, 0.9), (0.10, 0.95)):
        head = ratios[:, :, -1:].copy()
        head[:, 0] -= math.log1p(slower)
        estimates = estimate(ratios[:, :, :-1], head, design=Design.HISTORY, false_alarm_rate=0.01)
        regressed = decide(estimates, RULES).regressed
        assert regressed[:, 1:].any(axis=-1).mean() <= 0.01
        assert regressed[:, 0].mean() >= (least if runs >= 5 else min(least, 0.4))


# ------------------------------------------------------------------- files


def test_the_store_keeps_digest_ratio_and_versions(make_run: MakeRun) -> None:
    run = beside(make_run(1), only="case-0")
    assert decode(encode(run)) == run
    document = json.loads(encode(run))
    cases = {case["id"]: case for case in document["cases"]}
    assert cases["case-0"]["anchor_versions"] == OLD
    assert cases["case-0"]["trials"][0]["anchor"].keys() == {"digest", "ratio", "mean_ratio"}
    # A run without an anchor has the same bytes as before there were anchors.
    assert "anchor" not in json.dumps(cases["case-1"])


@pytest.mark.parametrize(
    "anchor",
    [None, {}, {"digest": "0" * 16}, {"digest": "0" * 15, "ratio": 1.0}, {"digest": "0" * 16, "ratio": 0.0}, 1.0],
)
def test_a_damaged_anchor_is_refused(make_run: MakeRun, anchor: Any) -> None:
    document = json.loads(encode(make_run(1)))
    document["cases"][0]["trials"][0]["anchor"] = anchor
    with pytest.raises(DamagedFile, match="anchor"):
        decode(json.dumps(document).encode())


def with_anchor(document: dict[str, Any], anchor: Any) -> dict[str, Any]:
    for benchmark in document["benchmarks"]:
        benchmark["extra_info"]["anchor"] = anchor
    return document


def test_result_files_are_judged_by_their_anchors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    digest = digest_of(OLD)
    for seed in range(4):
        document = with_anchor(result_files.our_document(seed), {"digest": digest, "versions": OLD, "ratio": 2.0})
        assert main(["accept", result_files.write(tmp_path, "run.json", document), "--baseline", "kept"]) == 0
    head = with_anchor(result_files.our_document(9), {"digest": digest, "versions": OLD, "ratio": 1.6})
    file = result_files.write(tmp_path, "head.json", head)
    capsys.readouterr()
    assert main(["gate", file, "--baseline", "kept"]) == 10
    assert f"relative to the anchor {digest} (python 3.11.7, torch 2.11.0): 6 cases" in capsys.readouterr().out
    assert main(["show", file]) == 0
    assert f"beside the anchor {digest} (python 3.11.7, torch 2.11.0)" in capsys.readouterr().out
    changed = with_anchor(result_files.our_document(9), {"digest": digest_of(NEW), "versions": NEW, "ratio": 1.6})
    assert main(["gate", result_files.write(tmp_path, "head.json", changed), "--baseline", "kept"]) == 12


@pytest.mark.parametrize(
    "anchor",
    [
        "torch",
        {"digest": "0"},
        {"digest": "0" * 16, "ratio": 0.0},
        {"digest": "0" * 16, "ratio": "1"},
        {"digest": "0" * 16, "versions": ["torch"]},
        {"digest": "0" * 16, "versions": {"torch": 2}},
        {"reason": 1},
    ],
)
def test_an_invalid_anchor_in_a_result_file_is_refused(tmp_path: Path, anchor: Any) -> None:
    document = with_anchor(result_files.our_document(1), anchor)
    with pytest.raises(Unreadable, match="anchor"):
        given_run(result_files.write(tmp_path, "run.json", document))


@pytest.mark.parametrize("anchor", [None, {"reason": "the anchor crashed"}, {"ratio": 2.0}, {"digest": "0" * 16}])
def test_a_trial_without_ratio_has_no_anchor(tmp_path: Path, anchor: Any) -> None:
    document = with_anchor(result_files.our_document(1), anchor)
    run = given_run(result_files.write(tmp_path, "run.json", document)).run
    assert {trial.anchor for case in run.cases.values() for trial in case.trials} == {None}
