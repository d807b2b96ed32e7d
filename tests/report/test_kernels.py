"""Where the time goes: classes side by side, and the operators of each case, whatever their names hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report.kernels import operators_of, render_operators, where_the_time_goes
from pytest_throughput.results.model import RATE, CaseResult, RunResult, TrialResult


def kernel(name: str, seconds: float, kind: str, calls: int = 4) -> dict[str, Any]:
    return {"name": name, "calls": calls, "seconds": seconds, "share": 0.5, "class": kind}


def trial(number: int, kernels: Any, steps: Any = 2) -> TrialResult:
    metadata = {"kernels": kernels, "profile": {"steps": steps, "seconds_per_step": 0.1, "trace": None, "reason": None}}
    return TrialResult(number, 8, 0.1, (Metric(RATE, "images/s", 80.0),), metadata=metadata)


def run(**cases: Sequence[TrialResult]) -> RunResult:
    return RunResult(
        tuple(
            CaseResult(name, "default", {"mode": "training", "model": "m", "framework": name}, "ok", trials=(*trials,))
            for name, trials in cases.items()
        )
    )


RESULT = run(
    torch=[trial(1, [kernel("aten::conv[2]", 0.3, "convolution"), kernel("aten::relu", 0.1, "element-wise")])],
    tf=[
        trial(1, [kernel("Conv2D", 0.2, "convolution"), kernel("a", 0.1, "a class of a later version")]),
        trial(2, [kernel("Conv2D", 0.4, "convolution", calls=8)]),
    ],
    none=[trial(1, None)],
)


def test_classes_stand_side_by_side() -> None:
    lines = where_the_time_goes(RESULT, width=None, colour=False)
    assert lines == [
        "",
        "where the time goes (share of the operators' time; --throughput-profile)",
        "",
        "                         operators'  measured",
        "work        measured in     ms/step   ms/step  convolution  element-wise  other",
        "training m  torch             200.0     100.0         75 %          25 %      -",
        "            tf                175.0     100.0         86 %             -   14 %",
    ]
    assert where_the_time_goes(run(none=[trial(1, None)]), width=None, colour=False) == []


def test_operators_are_means_over_the_trials() -> None:
    assert render_operators(RESULT, width=None, colour=False) == [
        "torch",
        "operator       class         calls/step  ms/step  share",
        "aten::conv[2]  convolution         2.00    150.0   75 %",
        "aten::relu     element-wise        2.00    50.00   25 %",
        "",
        "tf",
        "operator  class                       calls/step  ms/step  share",
        "Conv2D    convolution                       3.00    150.0   86 %",
        "a         a class of a later version        1.00    25.00   14 %",
    ]


def test_what_is_beyond_the_fifteenth_operator_is_one_line() -> None:
    kernels = [kernel(f"k{number:02}", 0.1, "copy") for number in range(20)]
    lines = render_operators(run(torch=[trial(1, kernels)]), width=None, colour=False)
    assert len(lines) == 2 + 15 + 1
    assert lines[-1].split() == ["(5", "more)", "10.0", "250.0", "25", "%"]


def test_names_cannot_reach_the_terminal_or_the_markup() -> None:
    evil = "[red]\x1b[31m::error" + "x" * 400
    lines = render_operators(run(torch=[trial(1, [kernel(evil, 0.1, "[bold]\x1b")])]), width=None, colour=False)
    assert not any("\x1b" in line for line in lines)
    assert "[red]" in lines[2]
    assert "[bold]" in lines[2]
    assert max(map(len, lines)) < 250


@pytest.mark.parametrize(
    ("kernels", "steps"),
    [
        ("text", 2),
        ([{"name": "a"}], 2),
        ([kernel("a", -1.0, "copy")], 2),
        ([kernel("a", 1e300, "copy")], 2),
        ([kernel("a", 0.1, "copy")], 0),
        ([kernel("a", 0.1, "copy")], None),
    ],
)
def test_what_a_journal_says_wrongly_is_left_out(kernels: Any, steps: Any) -> None:
    assert operators_of(run(torch=[trial(1, kernels, steps)]).cases[0]) == []
