"""From runs to verdicts: what may be compared, and what is said of what may not."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_throughput.exit_code import ExitCode
from pytest_throughput.gate.comparison import software_changes
from pytest_throughput.gate.judge import judge
from pytest_throughput.gate.judged import JudgedCase, JudgedRun, JudgedTrial, hardware_key, hashed_machine_id
from pytest_throughput.gate.rules import Code, Design, Rules
from pytest_throughput.gate.verdict import CaseVerdict, Verdict, exit_status
from pytest_throughput.results.model import Pair

MakeRun = Callable[..., JudgedRun]
RULES = Rules()


def against(history: list[JudgedRun], head: JudgedRun, **options: object) -> dict[str, CaseVerdict]:
    return {one.id: one for one in judge(history, [head], design=Design.HISTORY, rules=RULES, **options)}  # type: ignore[arg-type]


def with_case(run: JudgedRun, case: JudgedCase) -> JudgedRun:
    return replace(run, cases={**run.cases, case.id: case})


def test_each_kind_of_verdict_on_figures(make_run: MakeRun) -> None:
    history = [make_run(seed) for seed in range(5)]
    head = make_run(9, slower={"case-1": 0.10, "case-2": -0.10, "case-3": 0.025})
    verdicts = against(history, head)
    assert [one.verdict for one in verdicts.values()] == [
        Verdict.UNCHANGED,
        Verdict.REGRESSED,
        Verdict.IMPROVED,
        Verdict.INCONCLUSIVE,
        Verdict.UNCHANGED,
        Verdict.UNCHANGED,
    ]
    slower = verdicts["case-1"]
    assert slower.ratio is not None and slower.ratio_low is not None and slower.ratio_high is not None
    assert slower.ratio == pytest.approx(1 / 1.10, rel=0.02)
    assert slower.ratio_low < 1 / 1.10 < slower.ratio_high
    assert (slower.trials_base, slower.trials_head, slower.runs_base) == (25, 5, 5)
    assert slower.detectable_ratio is not None and slower.ratio < slower.detectable_ratio <= 1 / 1.03
    assert slower.noise_within == pytest.approx(0.01, rel=0.5)
    assert slower.noise_between == pytest.approx(0.01 / math.sqrt(5), rel=0.8)
    assert "slower (95 % interval" in slower.reason
    assert "use --throughput-order paired, --throughput-anchor" in verdicts["case-3"].reason


def test_memory_is_bounded_where_one_case_has_far_more_trials_than_the_others(make_run: MakeRun) -> None:
    """Figures are judged as one array, with a place for as many trials of every case."""
    trials = tuple(JudgedTrial(number, 100.0) for number in range(1, 20_001))
    many = {f"case-{number}": JudgedCase(f"case-{number}", "ok", trials[:1]) for number in range(300)}
    runs = [replace(make_run(seed), cases={**many, "x": JudgedCase("x", "ok", trials)}) for seed in range(4)]
    with pytest.raises(ValueError, match=r"301 cases in 1 runs with up to 20,000 trials are too many .* give fewer"):
        judge(runs[:1], runs[1:2], design=Design.PAIRED_RUNS, rules=RULES)


def test_the_json_has_the_documented_keys(make_run: MakeRun) -> None:
    document = against([make_run(seed) for seed in range(3)], make_run(9))["case-0"].to_json()
    assert list(document) == [
        *("id", "verdict", "code", "reason", "ratio", "ratio_low", "ratio_high", "trials_base", "trials_head"),
        *("runs_base", "detectable_ratio", "noise_between", "noise_within", "look", "metric"),
        *("value_base", "value_head", "unit", "threshold", "anchor"),
    ]
    assert document["verdict"] == "unchanged"


def test_pairs_of_trials_are_matched_by_number(make_run: MakeRun) -> None:
    base, head = make_run(1, trials=6), make_run(2, trials=6, slower={"case-1": 0.10})
    lost = replace(base.cases["case-0"], trials=base.cases["case-0"].trials[1:])
    verdicts = judge([with_case(base, lost)], [head], design=Design.PAIRS, rules=RULES)
    found = {one.id: one for one in verdicts}
    assert found["case-1"].verdict is Verdict.REGRESSED
    assert (found["case-0"].trials_base, found["case-0"].trials_head) == (5, 6)
    assert found["case-0"].verdict is Verdict.UNCHANGED


def test_live_pairs_are_compared_by_what_their_slices_gave() -> None:
    """The machine's speed changes from one trial to the next by up to a factor of 2, and in a pair's slices by 1 %."""
    rng = random.Random(5)

    def run(side: str, pair: str) -> JudgedRun:
        slower = -1 if side == "base" else 1
        trials = [
            JudgedTrial(number, 100 * rng.uniform(0.7, 1.4), pair=Pair(f"{pair}{number}", ratio**slower))
            for number, ratio in enumerate([0.90, 0.91, 0.89, 0.90, 0.905, 0.895], 1)
        ]
        return JudgedRun("2026-01-01T00:00:00+00:00", {}, cases={"a": JudgedCase("a", trials=tuple(trials))})

    (live,) = judge([run("base", "p")], [run("head", "p")], design=Design.PAIRS, rules=RULES)
    assert live.verdict is Verdict.REGRESSED
    assert live.ratio == pytest.approx(0.90, rel=0.005)
    # Trials of different pairs, as of two runs in one file, are compared by their own values.
    (others,) = judge([run("base", "p")], [run("head", "q")], design=Design.PAIRS, rules=RULES)
    assert others.verdict is Verdict.INCONCLUSIVE


def test_pairs_of_runs_bear_what_would_drown_groups(make_run: MakeRun) -> None:
    """Runs 20 % apart from each other, in turn on both sides."""

    def shifted(run: JudgedRun, share: float) -> JudgedRun:
        cases = {
            case.id: replace(case, trials=tuple(replace(one, value=one.value * share) for one in case.trials))
            for case in run.cases.values()
        }
        return replace(run, cases=cases)

    shares = [1.0, 0.8, 1.2, 0.9, 1.1, 0.95]
    slower = {"case-1": 0.10}
    base = [shifted(make_run(seed), share) for seed, share in enumerate(shares)]
    head = [shifted(make_run(seed + 20, slower=slower), share) for seed, share in enumerate(shares)]
    paired = {one.id: one for one in judge(base, head, design=Design.PAIRED_RUNS, rules=RULES)}
    groups = {one.id: one for one in judge(base, head, design=Design.GROUPS, rules=RULES)}
    assert paired["case-1"].verdict is Verdict.REGRESSED
    assert paired["case-0"].verdict is Verdict.UNCHANGED
    assert {one.verdict for one in groups.values()} == {Verdict.INCONCLUSIVE}


def test_groups_of_runs(make_run: MakeRun) -> None:
    base = [make_run(seed) for seed in range(4)]
    head = [make_run(seed + 20, slower={"case-1": 0.10}) for seed in range(3)]
    found = {one.id: one.verdict for one in judge(base, head, design=Design.GROUPS, rules=RULES)}
    assert found["case-1"] is Verdict.REGRESSED
    assert list(found.values()).count(Verdict.UNCHANGED) == 5


@pytest.mark.parametrize(("accepted", "slower"), [(1, 2.0), (2, 0.5)])
def test_too_few_runs(make_run: MakeRun, accepted: int, slower: float) -> None:
    found = against([make_run(seed) for seed in range(accepted)], make_run(9, slower={"case-1": slower}))
    assert {(one.verdict, one.code) for one in found.values()} == {(Verdict.INCONCLUSIVE, Code.TOO_FEW_RUNS)}
    assert f"accept {3 - accepted} more run" in found["case-1"].reason
    assert "interleaved pairs" in found["case-1"].reason


def test_two_runs_show_what_is_beyond_all_noise(make_run: MakeRun) -> None:
    found = against([make_run(seed, trials=3) for seed in range(2)], make_run(9, trials=3, slower={"case-1": 2.0}))
    assert (found["case-1"].verdict, found["case-1"].code) == (Verdict.REGRESSED, Code.FAR_SLOWER)
    assert found["case-1"].ratio_low is None
    assert "×" in found["case-1"].reason and "slower" in found["case-1"].reason
    assert found["case-0"].code is Code.TOO_FEW_RUNS
    assert found["case-0"].detectable_ratio is not None and 0.5 < found["case-0"].detectable_ratio < 0.6


@pytest.mark.parametrize(
    ("accepted", "trials", "rate", "is_decidable"),
    [
        (1, 1, 0.01, False),
        (2, 3, 0.01, True),
        # Not even a slowdown beyond all noise is evidence enough.
        (3, 1, 0.001, False),
        (6, 1, 0.001, False),
        (3, 1, 0.01, True),
        # That they are unchanged could be shown.
        (7, 1, 0.001, True),
        (3, 3, 0.001, True),
    ],
)
def test_the_numbers_of_runs_and_trials_say_whether_any_figures_would_decide(
    make_run: MakeRun, accepted: int, trials: int, rate: float, is_decidable: bool
) -> None:
    for cases in (1, 4):
        *history, head = (make_run(seed, trials=trials, cases=cases) for seed in range(accepted + 1))
        verdicts = judge(history, [head], design=Design.HISTORY, rules=Rules(false_alarm_rate=rate))
        assert exit_status(verdicts, ()) == (ExitCode.OK if is_decidable else ExitCode.NOTHING_COMPARABLE)


def test_a_case_in_too_few_of_the_runs(make_run: MakeRun) -> None:
    history = [make_run(seed, cases=["old"]) for seed in range(3)] + [make_run(7, cases=["old", "young"])]
    found = against(history, make_run(9, cases=["old", "young"]))
    assert found["old"].verdict is Verdict.UNCHANGED
    assert found["young"].code is Code.TOO_FEW_RUNS
    assert found["young"].ratio_low is None
    assert found["young"].runs_base == 1


def test_one_trial_raises_no_alarm(make_run: MakeRun) -> None:
    found = against([make_run(seed, trials=1) for seed in range(5)], make_run(9, trials=1, slower={"case-1": 0.5}))
    assert found["case-1"].code is Code.TOO_FEW_TRIALS
    assert found["case-1"].is_underpowered


def test_missing_only_where_it_was_asked_for(make_run: MakeRun) -> None:
    history, head = [make_run(seed) for seed in range(3)], make_run(9, cases=["case-0"])
    found = against(history, head)
    assert [one.verdict for one in found.values()][1:] == [Verdict.MISSING] * 5
    assert list(against(history, head, is_expected=lambda case_id: case_id == "case-3")) == ["case-0", "case-3"]


def test_what_was_never_measured_is_not_missing(make_run: MakeRun) -> None:
    """A framework has no training any more, where it had a case that was unsupported."""
    history = [with_case(make_run(seed), JudgedCase("x", "unsupported")) for seed in range(3)]
    assert "x" not in against(history, make_run(9))
    history[0] = with_case(history[0], JudgedCase("x", "ok", (JudgedTrial(1, 5.0),)))
    assert against(history, make_run(9))["x"].verdict is Verdict.MISSING


@pytest.mark.parametrize(
    ("before", "now", "verdict", "code"),
    [
        ("ok", "crashed", Verdict.FAILED, Code.STATUS),
        ("ok", "out_of_memory", Verdict.FAILED, Code.STATUS),
        ("unsupported", "out_of_memory", Verdict.FAILED, Code.STATUS),
        ("out_of_memory", "timed_out", Verdict.FAILED, Code.STATUS),
        ("crashed", "crashed", Verdict.INCOMPARABLE, Code.STATUS),
        ("crashed", "unsupported", Verdict.INCOMPARABLE, Code.STATUS),
        ("out_of_memory", "ok", Verdict.NEW, Code.NO_BASELINE),
        (None, "ok", Verdict.NEW, Code.NO_BASELINE),
        (None, "crashed", Verdict.NEW, Code.NO_BASELINE),
    ],
)
def test_statuses(make_run: MakeRun, before: str | None, now: str, verdict: Verdict, code: Code) -> None:
    def case(status: str) -> JudgedCase:
        return JudgedCase("x", status, (JudgedTrial(1, 5.0),) if status == "ok" else ())

    history = [make_run(seed) for seed in range(3)]
    if before is not None:
        history = [with_case(run, case(before)) for run in history]
    found = against(history, with_case(make_run(9), case(now)))["x"]
    assert (found.verdict, found.code) == (verdict, code)
    assert now in found.reason or now == "ok"


def test_a_case_whose_trials_did_not_all_succeed_has_failed(make_run: MakeRun) -> None:
    head = make_run(9)
    crashed = replace(head.cases["case-0"], status="crashed")
    assert against([make_run(seed) for seed in range(3)], with_case(head, crashed))["case-0"].verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("changed", "code"),
    [({"network_hash": "other"}, Code.NETWORK_CHANGED), ({"settings_digest": "other"}, Code.SETTINGS_CHANGED)],
)
def test_another_network_or_other_settings_are_no_slowdown(
    make_run: MakeRun, changed: dict[str, str], code: Code
) -> None:
    history = [make_run(seed) for seed in range(3)]
    found = against(history, make_run(9, slower={"case-0": 1.0}, **changed))["case-0"]
    assert (found.verdict, found.code) == (Verdict.INCOMPARABLE, code)
    # Runs of the new one count from the first on; runs of the old one no more.
    history += [make_run(seed, slower={"case-0": 1.0}, **changed) for seed in range(20, 23)]
    found = against(history, make_run(9, slower={"case-0": 1.0}, **changed))["case-0"]
    assert (found.verdict, found.runs_base) == (Verdict.UNCHANGED, 3)


def test_what_is_unknown_of_a_network_does_not_forbid_to_compare(make_run: MakeRun) -> None:
    history = [make_run(seed, network_hash=None, settings_digest=None) for seed in range(3)]
    assert against(history, make_run(9))["case-0"].verdict is Verdict.UNCHANGED


def test_a_machine_is_judged_by_its_own_runs_where_there_are_enough(make_run: MakeRun) -> None:
    history = [make_run(seed, slower={"case-0": 0.08}, machine_id="b") for seed in range(3)]
    history += [make_run(seed, machine_id="a") for seed in range(10, 13)]
    found = against(history, make_run(99, machine_id="a"))["case-0"]
    assert (found.verdict, found.runs_base) == (Verdict.UNCHANGED, 3)


@pytest.mark.parametrize("machines", [["a"], ["a", "b"]])
def test_an_unseen_machine_needs_three_others(make_run: MakeRun, machines: list[str]) -> None:
    history = [make_run(seed, machine_id=machine) for machine in machines for seed in range(4)]
    found = against(history, make_run(99, machine_id="z"))
    assert {one.code for one in found.values()} == {Code.UNSEEN_INDIVIDUAL}
    assert "at least three" in found["case-0"].reason


def test_among_machines_the_machine_is_the_unit(make_run: MakeRun) -> None:
    """Machines 8 % apart: a fourth that is 5 % off says nothing, however many runs there are of each."""
    apart = {"a": 0.0, "b": 0.04, "c": 0.08}
    history = [
        make_run(20 * index + seed, machine_id=machine, slower={f"case-{case}": share for case in range(6)})
        for index, (machine, share) in enumerate(apart.items())
        for seed in range(6)
    ]
    head = make_run(99, machine_id="z", slower={f"case-{case}": 0.09 for case in range(6)})
    found = against(history, head)
    assert {one.verdict for one in found.values()} == {Verdict.INCONCLUSIVE}
    assert found["case-0"].runs_base == 18


def test_groups_of_two_machines_each(make_run: MakeRun) -> None:
    base = [make_run(seed, machine_id=machine) for seed, machine in enumerate("aabb")]
    head = [make_run(seed + 9, machine_id=machine) for seed, machine in enumerate("ab")]
    (one, *_) = judge(base, head, design=Design.GROUPS, rules=RULES)
    assert one.code is Code.TOO_FEW_RUNS
    assert "compare runs of one machine" in one.reason


def test_an_unknown_individual_is_one_and_the_same(make_run: MakeRun) -> None:
    history = [make_run(seed, machine_id=None) for seed in range(3)]
    assert against(history, make_run(9, machine_id=None))["case-0"].verdict is Verdict.UNCHANGED


def test_runs_that_do_not_fit_the_design(make_run: MakeRun) -> None:
    runs = [make_run(seed) for seed in range(3)]
    for base, head, design, message in [
        ([], runs[:1], Design.HISTORY, "at least one run"),
        (runs, runs[:2], Design.HISTORY, "one run to judge"),
        (runs, runs[:2], Design.PAIRED_RUNS, "as many of base as of head, got 3 and 2"),
        (runs[:2], runs[:1], Design.PAIRS, "one run in two environments"),
        (runs, [replace(runs[0], fingerprint={"cpu": "another"})], Design.HISTORY, "different hardware"),
    ]:
        with pytest.raises(ValueError, match=message):
            judge(base, head, design=design, rules=RULES)


def test_changes_of_software_are_named(make_run: MakeRun) -> None:
    base = make_run(1, software={"torch": "2.12.0", "cuda": "13.0", "gone": "1"})
    head = make_run(2, software={"torch": "2.13.0", "cuda": "13.0", "here": "2"})
    assert software_changes([base], [head]) == {
        "gone": ("1", None),
        "here": (None, "2"),
        "torch": ("2.12.0", "2.13.0"),
    }


def test_contended_trials_are_named_in_the_sentence(make_run: MakeRun) -> None:
    base, head = make_run(1, trials=6), make_run(2, trials=6)
    slow = replace(base.cases["case-0"].trials[2], value=20.0)
    trials = tuple(slow if one.number == slow.number else one for one in base.cases["case-0"].trials)
    base = with_case(base, replace(base.cases["case-0"], trials=trials))
    found = {one.id: one for one in judge([base], [head], design=Design.PAIRS, rules=RULES)}
    assert "(1 slow trial not counted)" in found["case-0"].reason
    assert found["case-0"].verdict is Verdict.UNCHANGED


def test_figures_that_are_none() -> None:
    for value in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="above 0"):
            JudgedTrial(1, value)


def test_keys_are_fit_for_names() -> None:
    assert hardware_key({"a": 1, "b": [2]}) == hardware_key({"b": [2], "a": 1})
    assert hardware_key({"a": 1}) != hardware_key({"a": 2})
    assert len(hashed_machine_id("GPU-1234")) == 16
    assert "1234" not in hashed_machine_id("GPU-1234")


def test_four_runs_of_a_machine_that_the_baseline_lacks(make_run: MakeRun) -> None:
    base = [make_run(seed, machine_id="a") for seed in range(4)]
    head = [make_run(seed + 9, machine_id="b", slower={"case-1": 0.5}) for seed in range(4)]
    found = judge(base, head, design=Design.GROUPS, rules=RULES)
    assert {one.code for one in found} == {Code.UNSEEN_INDIVIDUAL}


def test_a_case_that_only_another_machine_has_measured(make_run: MakeRun) -> None:
    history = [make_run(seed, cases=["old"]) for seed in range(3)]
    history.append(make_run(7, cases=["old", "elsewhere"], machine_id="b"))
    found = against(history, make_run(9, cases=["old", "elsewhere"]))
    assert found["old"].verdict is Verdict.UNCHANGED
    assert found["elsewhere"].code is Code.TOO_FEW_RUNS
    assert (found["elsewhere"].ratio, found["elsewhere"].ratio_low) == (None, None)


def test_machines_as_units_are_named_so(make_run: MakeRun) -> None:
    history = [make_run(3 * one + run, machine_id=name) for one, name in enumerate("abc") for run in range(3)]
    for_two = replace(history[0].cases["case-0"], id="young")
    history = [with_case(run, for_two) if run.machine_id != "c" else run for run in history]
    head = with_case(make_run(99, machine_id="d", slower={"case-1": 0.04}), for_two)
    found = against(history, head)
    assert found["young"].code is Code.TOO_FEW_RUNS
    assert "2 machines" in found["young"].reason


@pytest.mark.parametrize(("before", "now"), [(5e-324, 1e18), (1e18, 5e-324)])
def test_figures_beyond_all_measure_are_still_judged(make_run: MakeRun, before: float, now: float) -> None:
    def with_rate(run: JudgedRun, rate: float) -> JudgedRun:
        return with_case(run, replace(run.cases["case-0"], trials=tuple(JudgedTrial(n, rate) for n in range(1, 6))))

    history = [with_rate(make_run(seed), before) for seed in range(4)]
    found = against(history, with_rate(make_run(9), now))
    assert found["case-1"].verdict is Verdict.UNCHANGED
    assert found["case-0"].ratio is not None and math.isfinite(found["case-0"].ratio)


def test_a_false_alarm_rate_next_to_nothing(make_run: MakeRun) -> None:
    history = [make_run(seed, cases=1, deviation=0.03) for seed in range(3)]
    found = judge(history, [make_run(9, cases=1)], design=Design.HISTORY, rules=Rules(false_alarm_rate=1e-9))
    assert found[0].verdict in (Verdict.INCONCLUSIVE, Verdict.UNCHANGED)
