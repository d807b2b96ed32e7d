"""What an open verdict says would decide it."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from pytest_throughput.gate.judged import JudgedMetric
from pytest_throughput.gate.messages import Evidence, compared
from pytest_throughput.gate.rules import Code, Design, Rules
from pytest_throughput.gate.wording import SPEED, wording_of

OPEN = Evidence(
    design=Design.PAIRS,
    rules=Rules(),
    difference=0.0,
    margin=0.08,
    half_interval=0.06,
    units=5,
    runs_base=1,
    units_are_machines=False,
    trials_base=5,
    trials_head=5,
    tail_head=0,
    tail_base=0,
    outliers=0,
    detectable=0.08,
)


UNCERTAIN = "no number of pairs is sure to decide; use an idle machine, or --throughput-threads 1"


def test_pairs_that_would_decide() -> None:
    """The interval has to shrink from 6 % to 3 %: four times the pairs, and twice as many since both are estimates."""
    sentence = compared(Code.NOISE, OPEN)
    assert sentence == (
        "95 % interval 6.18 % slower to 6.18 % faster; with this noise only 8.33 % slower or more is detectable; "
        "about 41 pairs would decide, or fewer on an idle machine"
    )


@pytest.mark.parametrize(
    ("evidence", "ending"),
    [
        (replace(OPEN, half_interval=0.8), UNCERTAIN),
        (replace(OPEN, difference=-0.06), UNCERTAIN),
        (replace(OPEN, tail_base=1), UNCERTAIN),
        (replace(OPEN, difference=0.06), "about 41 pairs would decide, or fewer on an idle machine"),
        (
            replace(OPEN, difference=-0.01, half_interval=0.025),
            "about 17 pairs would decide, or fewer on an idle machine",
        ),
        # Pairs do not reduce the error that the figures themselves have.
        (replace(OPEN, own_error=0.005), "about 51 pairs would decide, or fewer on an idle machine"),
        (replace(OPEN, own_error=0.02), UNCERTAIN),
        (replace(OPEN, design=Design.GROUPS), "measured in turn (--paired), or on an idle machine"),
        (replace(OPEN, design=Design.HISTORY), "use --throughput-order paired, --throughput-anchor or an idle machine"),
        (replace(OPEN, is_anchored=True), "measure more trials (--throughput-confirm), or use an idle machine"),
        (replace(OPEN, half_interval=math.inf), "too few trials to estimate the noise; measure more trials"),
    ],
)
def test_what_else_would_decide(evidence: Evidence, ending: str) -> None:
    assert compared(Code.NOISE, evidence).endswith(ending)


@pytest.mark.parametrize(
    ("log_ratio", "words"),
    [(-math.log(6.61), "×6.61 slower"), (-0.05, "5.13 % slower"), (math.log(3), "×3 faster"), (0.0, "no change")],
)
def test_changes_beyond_a_factor_of_2_are_factors(log_ratio: float, words: str) -> None:
    assert compared(Code.SLOWER, replace(OPEN, difference=log_ratio)).startswith(f"{words} (95 % interval")


BYTES, ACCURACY = JudgedMetric("peak_memory_bytes", "bytes", "lower"), JudgedMetric("accuracy", "", "higher")


@pytest.mark.parametrize(
    ("metric", "log_ratio", "words"),
    [
        (BYTES, -math.log(1.12), "12 % more"),
        (BYTES, -math.log(2.4), "×2.4 as much"),
        (BYTES, math.log(2), "50 % less"),
        (BYTES, 0.0, "no change"),
        (ACCURACY, -math.log(2), "50 % less"),
        (ACCURACY, math.log(1.5), "50 % more"),
        (JudgedMetric("seconds", "s", "lower"), -math.log(1.12), "12 % slower"),
        (JudgedMetric("tokens_per_second", "tokens/s", "higher"), -math.log(1.12), "12 % slower"),
        (None, -math.log(1.12), "12 % slower"),
    ],
)
def test_the_words_fit_the_metric(metric: JudgedMetric | None, log_ratio: float, words: str) -> None:
    evidence = replace(OPEN, difference=log_ratio, words=wording_of(metric))
    assert compared(Code.SLOWER, evidence).startswith(f"{words} (95 % interval")


@pytest.mark.parametrize("metric", [BYTES, ACCURACY])
@pytest.mark.parametrize("code", [Code.NOISE, Code.SLOW_TRIALS, Code.MAYBE_FASTER, Code.SLOWER_AT_TIMES])
def test_what_has_no_speed_is_not_slow(metric: JudgedMetric, code: Code) -> None:
    evidence = replace(OPEN, difference=-0.2, outliers=2, tail_head=2, words=wording_of(metric))
    assert not re.search("slow|fast|speed", compared(code, evidence))


def test_the_detectable_change_of_other_metrics() -> None:
    sentence = compared(Code.NOISE, replace(OPEN, words=wording_of(BYTES)))
    assert "with this noise only an increase of 8.33 % or more is detectable" in sentence
    assert wording_of(BYTES).at_least(math.log(3)) == "an increase of ×3 or more"
    assert SPEED.at_least(math.log(3)) == "×3 slower or more"


def test_nothing_is_said_to_be_detectable_where_nothing_was() -> None:
    sentence = compared(Code.NOISE, replace(OPEN, detectable=math.inf))
    assert "these data could not have shown a slowdown of any size" in sentence
    assert "is detectable" not in sentence


def test_excluded_trials_are_named() -> None:
    assert compared(Code.WITHIN_THRESHOLD, replace(OPEN, outliers=2)).endswith("(2 slow trials not counted)")


@pytest.mark.parametrize(
    "code",
    [
        code
        for code in Code
        if code.value
        in {
            "slower",
            "far_slower",
            "slower_at_times",
            "maybe_faster",
            "faster",
            "within_threshold",
            "noise",
            "near_threshold",
            "own_error",
            "contention",
            "slow_trials",
            "too_few_trials",
            "too_few_runs",
        }
    ],
)
@pytest.mark.parametrize("design", list(Design))
def test_there_is_a_sentence_for_every_code(code: Code, design: Design) -> None:
    sentence = compared(code, replace(OPEN, design=design, difference=-0.05))
    assert 10 < len(sentence) < 200
    assert "nan" not in sentence and "inf" not in sentence
