"""A judgement is the same after it was stored."""

from __future__ import annotations

import json

import pytest

from pytest_throughput.gate.rules import Code
from pytest_throughput.gate.stored_judgement import stored_judgement
from pytest_throughput.gate.verdict import CaseVerdict, Judgement, Verdict

ONE = CaseVerdict(
    "a", Verdict.REGRESSED, Code.SLOWER, "12 % slower", 0.9, 0.88, 0.92, 5, 5, 3, 0.95, value_base=9.0, unit="images/s"
)
JUDGEMENT = Judgement(
    "head against base",
    10,
    (ONE,),
    {"torch": ("2.12", None)},
    ("a note",),
    {"OMP_PROC_BIND": (None, "1")},
)


def test_a_judgement_comes_back() -> None:
    assert stored_judgement(json.loads(json.dumps(JUDGEMENT.to_json()))) == JUDGEMENT


def test_the_metric_is_shown_where_a_case_has_several() -> None:
    stored = JUDGEMENT.to_json()
    stored["cases"].append({**stored["cases"][0], "metric": "peak_memory_bytes"})
    assert [one.shows_metric for one in stored_judgement(stored).verdicts] == [True, True]


def test_a_code_of_a_later_version_is_no_obstacle_and_an_unknown_verdict_is() -> None:
    stored = JUDGEMENT.to_json()
    stored["cases"][0]["code"] = "of_tomorrow"
    assert stored_judgement(stored).verdicts[0].verdict is Verdict.REGRESSED
    stored["cases"][0]["verdict"] = "mended"
    with pytest.raises(ValueError, match=r"verdict on a is 'mended'; expected one of regressed, improved, "):
        stored_judgement(stored)
