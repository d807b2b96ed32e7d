"""Metrics that come with a standard error of their own, such as accuracies on so many test examples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from pytest_throughput.gate.confirmation import to_confirm
from pytest_throughput.gate.judge import judge
from pytest_throughput.gate.judged import JudgedCase, JudgedMetric, JudgedRun, JudgedTrial
from pytest_throughput.gate.rules import Code, Design, Rules
from pytest_throughput.gate.store_format import decode, encode
from pytest_throughput.gate.verdict import CaseVerdict, Verdict

SECONDS = JudgedMetric("seconds", "s", "lower")
ACCURACY = JudgedMetric("accuracy", "", "higher")
RULES = Rules(metrics=("accuracy",))
EXAMPLES = 540


def run_of(number: int, accuracies: Sequence[float], *, has_error: bool = True) -> JudgedRun:
    """Return a run with a trial for each accuracy, as it is known from 540 test examples."""
    trials = []
    for position, accuracy in enumerate(accuracies, 1):
        error = math.sqrt(accuracy * (1 - accuracy) / EXAMPLES)
        errors = {"accuracy": error} if has_error else {}
        values = {"accuracy": accuracy}
        trials.append(JudgedTrial(position, 60.0, further_values=values, standard_errors=errors))
    case = JudgedCase("training", trials=tuple(trials), metric=SECONDS, further_metrics=(ACCURACY,))
    return JudgedRun(f"2026-01-{number + 1:02d}T00:00:00+00:00", {"cpu": 2}, "m", cases={"training": case})


def verdict(base: Sequence[JudgedRun], head: JudgedRun, design: Design) -> CaseVerdict:
    (found,) = judge(base, [head], design=design, rules=RULES)
    return found


def sides(
    random: np.random.Generator, design: Design, true_base: float, true_head: float, *, same_examples: bool
) -> tuple[list[JudgedRun], JudgedRun]:
    """Return runs whose accuracies are those of 540 examples, drawn for each side or for each trial.

    On the same examples, further trainings of a side have nearly the same accuracy.
    """
    trials, runs = (5, 1) if design is Design.PAIRS else (3, 5)

    def side(true: float, count: int) -> list[list[float]]:
        if not same_examples:
            return [list(random.binomial(EXAMPLES, true, trials) / EXAMPLES) for _ in range(count)]
        of_side = random.binomial(EXAMPLES, true) + random.integers(0, 2, (count, trials))
        return [list(np.minimum(each, EXAMPLES) / EXAMPLES) for each in of_side]

    base = [run_of(number, accuracies) for number, accuracies in enumerate(side(true_base, runs))]
    return base, run_of(20, side(true_head, 1)[0])


def counted(design: Design, true_head: float, *, same_examples: bool, comparisons: int) -> dict[Verdict, float]:
    """Return the share of each verdict where the true accuracy of base is 90 %."""
    random = np.random.default_rng(7)
    verdicts = [
        verdict(*sides(random, design, 0.9, true_head, same_examples=same_examples), design).verdict
        for _ in range(comparisons)
    ]
    return {each: verdicts.count(each) / comparisons for each in Verdict}


@pytest.mark.parametrize("design", [Design.PAIRS, Design.HISTORY])
@pytest.mark.parametrize("same_examples", [True, False])
def test_an_equal_accuracy_raises_few_false_alarms(design: Design, same_examples: bool) -> None:
    """The rate is 1 % of runs in either direction, of which 100 runs have up to three by chance."""
    found = counted(design, 0.9, same_examples=same_examples, comparisons=100)
    assert found[Verdict.REGRESSED] <= 0.03
    assert found[Verdict.IMPROVED] <= 0.03


@pytest.mark.slow
@pytest.mark.parametrize("design", [Design.PAIRS, Design.HISTORY])
@pytest.mark.parametrize("same_examples", [True, False])
def test_an_equal_accuracy_raises_few_false_alarms_in_many_runs(design: Design, same_examples: bool) -> None:
    found = counted(design, 0.9, same_examples=same_examples, comparisons=3000)
    assert found[Verdict.REGRESSED] <= 0.01
    assert found[Verdict.IMPROVED] <= 0.01


@pytest.mark.parametrize("design", [Design.PAIRS, Design.HISTORY])
@pytest.mark.parametrize("same_examples", [True, False])
def test_a_loss_far_above_the_interval_is_found(design: Design, same_examples: bool) -> None:
    """The interval of 90 % of 540 is 87.2 to 92.3 %."""
    found = counted(design, 0.8, same_examples=same_examples, comparisons=50)
    assert found[Verdict.REGRESSED] >= 0.85


@pytest.mark.parametrize("design", [Design.PAIRS, Design.HISTORY])
def test_a_loss_of_the_threshold_is_rarely_called_unchanged(design: Design) -> None:
    """One of 3 % of the accuracy is ruled out by 540 examples in the rarest cases."""
    found = counted(design, 0.9 / 1.03, same_examples=True, comparisons=100)
    assert found[Verdict.UNCHANGED] <= 0.03


def equal_trials(accuracy: float, *, has_error: bool) -> tuple[list[JudgedRun], JudgedRun]:
    base = [run_of(number, [0.9, 0.901, 0.899], has_error=has_error) for number in range(5)]
    return base, run_of(20, [accuracy, accuracy + 0.001, accuracy - 0.001], has_error=has_error)


def test_trials_that_agree_are_no_evidence_beyond_their_own_interval() -> None:
    """Without the standard error, trials on the same examples would decide both."""
    for accuracy, wrong in ((0.87, Verdict.REGRESSED), (0.9, Verdict.UNCHANGED)):
        assert verdict(*equal_trials(accuracy, has_error=False), Design.HISTORY).verdict is wrong
        found = verdict(*equal_trials(accuracy, has_error=True), Design.HISTORY)
        assert found.verdict is Verdict.INCONCLUSIVE
        assert (found.code, "own standard errors" in found.reason) == (Code.OWN_ERROR, True)
        assert to_confirm([found]) == (), "further trainings would change nothing"
        assert found.ratio_low is not None and found.ratio_high is not None
        assert found.ratio_high - found.ratio_low > 0.03
    assert verdict(*equal_trials(0.8, has_error=True), Design.HISTORY).verdict is Verdict.REGRESSED


def test_noise_that_is_larger_than_the_own_error_is_worth_more_trials() -> None:
    noisy = [0.95, 0.85, 0.9, 0.98, 0.82]
    found = verdict([run_of(1, noisy)], run_of(2, noisy[::-1]), Design.PAIRS)
    assert (found.code, to_confirm([found], Design.PAIRS)) == (Code.NOISE, ("training",))


def test_a_side_that_gives_no_error_is_known_about_as_well_as_the_other() -> None:
    """Base may have been accepted, as a whole or in part, before errors were kept."""
    base, head = equal_trials(0.87, has_error=True)
    older, later = equal_trials(0.87, has_error=False)

    def width(base: Sequence[JudgedRun], head: JudgedRun) -> float:
        found = verdict(base, head, Design.HISTORY)
        assert found.ratio_low is not None and found.ratio_high is not None
        return found.ratio_high - found.ratio_low

    for sides_lacking in ((older, head), (base, later), ([*older[:4], *base[4:]], head)):
        assert width(*sides_lacking) == pytest.approx(width(base, head), rel=0.1)


def test_few_runs_that_are_far_apart_need_more_than_their_intervals() -> None:
    """With two accepted runs and a doubling: of 540 examples it is far beyond chance, of 10 right ones it is not."""
    for accuracy, expected in ((0.9, Verdict.REGRESSED), (0.01, Verdict.INCONCLUSIVE)):
        base = [run_of(number, [accuracy] * 5) for number in range(3)]
        head = run_of(20, [accuracy / 3] * 5)
        assert verdict(base, head, Design.HISTORY).verdict is expected


def test_other_metrics_of_the_case_are_judged_as_before() -> None:
    base, head = equal_trials(0.9, has_error=True)
    without = equal_trials(0.9, has_error=False)
    both = [judge(*each, design=Design.HISTORY, rules=Rules()) for each in ((base, [head]), (without[0], [without[1]]))]
    assert both[0] == both[1]


def test_a_baseline_keeps_standard_errors_and_may_lack_them() -> None:
    run = run_of(1, [0.9, 0.91])
    kept = decode(encode(run))
    assert [trial.standard_errors for trial in kept.cases["training"].trials] == [
        trial.standard_errors for trial in run.cases["training"].trials
    ]
    older = run_of(1, [0.9, 0.91], has_error=False)
    assert b"standard_errors" not in encode(older)
    assert older == run, "a run that was accepted before is the same run"
