"""What an open verdict says would decide it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from pytest_throughput.gate.messages import Evidence, compared
from pytest_throughput.gate.rules import Code, Design, Rules

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
    outliers=0,
)


def test_pairs_that_would_decide() -> None:
    """The interval has to shrink from 6 % to 3 %: four times the pairs, and some more for the estimate."""
    sentence = compared(Code.NOISE, OPEN)
    assert sentence == (
        "95 % interval 6.18 % slower to 6.18 % faster; with this noise only 8.33 % slower or more is detectable; "
        "about 25 pairs would decide"
    )


@pytest.mark.parametrize(
    ("evidence", "ending"),
    [
        (replace(OPEN, half_interval=0.8), "no affordable number of pairs would decide"),
        (replace(OPEN, difference=-0.06), "about 11 pairs would decide"),
        (replace(OPEN, design=Design.GROUPS, half_interval=0.03), "about 7 runs would decide"),
        (replace(OPEN, design=Design.HISTORY, units=3, half_interval=0.03), "about 13 accepted runs would decide"),
        (
            replace(OPEN, design=Design.HISTORY, units=3, units_are_machines=True, half_interval=0.03),
            "about 13 machines would decide",
        ),
        (replace(OPEN, design=Design.HISTORY), "interleaved pairs could decide, accepted runs hardly"),
        (replace(OPEN, half_interval=math.inf), "too few trials to estimate the noise; measure more trials"),
    ],
)
def test_what_else_would_decide(evidence: Evidence, ending: str) -> None:
    assert compared(Code.NOISE, evidence).endswith(ending)


def test_excluded_trials_are_named() -> None:
    assert compared(Code.WITHIN_THRESHOLD, replace(OPEN, outliers=2)).endswith("(2 contended trials excluded)")


@pytest.mark.parametrize(
    "code",
    [
        code
        for code in Code
        if code.value
        in {
            "slower",
            "faster",
            "within_threshold",
            "noise",
            "near_threshold",
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
