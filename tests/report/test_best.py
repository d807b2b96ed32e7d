"""Each framework at its best: which row is chosen, and where that is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report import table
from pytest_throughput.report.best import Best, bests, compared_bests, notes_on_bests
from pytest_throughput.report.best_table import render_bests
from pytest_throughput.results.model import RATE, CaseResult, RunResult, TrialResult


def row(
    framework: str | None,
    execution: str,
    rates: Sequence[float],
    *,
    environment: str = "default",
    status: str = "ok",
    implausible: str | None = None,
    metadata: Sequence[dict[str, Any]] = (),
    **work: Any,
) -> CaseResult:
    """Return a row for VGG16 in fp32, unless ``work`` says otherwise."""
    axes = {"mode": "inference", "model": "vgg16", "batch_size": 8, "precision": "fp32", **work}
    axes |= {"framework": framework, "execution": execution} if framework else {}
    given = [*metadata, *[{}] * len(rates)]
    trials = tuple(
        TrialResult(number, 8, 8 / rate, (Metric(RATE, "images/s", rate, "higher"),), metadata=given[number - 1])
        for number, rate in enumerate(rates, start=1)
    )
    name = "-".join(map(str, axes.values()))
    return CaseResult(name, environment, axes, status, implausible=implausible, trials=trials)


def shown(found: Sequence[Best]) -> list[tuple[str, str, int, float | None]]:
    """Return framework, execution, number of configurations and ratio."""
    return [
        (
            best.case.axes["framework"],
            best.case.axes["execution"],
            best.configurations,
            None if best.ratio is None else best.ratio.estimate.mean,
        )
        for best in found
    ]


def text_of(*cases: CaseResult, width: int | None = None) -> tuple[list[str], list[str]]:
    """Return the lines of the table with its notes, and those of the short table."""
    result = RunResult(cases)
    lines = table.render(result, width=width, colour=False).splitlines()
    return [*lines, *table.notes(result)], render_bests(result, width=width, colour=False)


EAGER, COMPILED = row("torch", "eager", [50.0]), row("torch", "compiled", [80.0])
GRAPH = row("flow", "graph", [100.0])


def test_the_fastest_row_of_each_framework_is_compared_the_fastest_framework_first() -> None:
    found = compared_bests([EAGER, COMPILED, GRAPH])
    assert shown(found) == [("flow", "graph", 1, 1.0), ("torch", "compiled", 2, 0.8)]
    assert [best.is_chosen for best in found] == [False, True]


def test_only_equal_work_in_equal_precision_is_compared() -> None:
    """The configuration that is best in one precision need not be in another."""
    low = [row("torch", "eager", [300.0], precision="bf16"), row("torch", "compiled", [200.0], precision="bf16")]
    cases = [EAGER, COMPILED, *low, GRAPH, row("flow", "graph", [250.0], precision="bf16")]
    assert shown(compared_bests(cases)) == [
        ("flow", "graph", 1, 1.0),
        ("torch", "compiled", 2, 0.8),
        ("torch", "eager", 2, 1.0),
        ("flow", "graph", 1, pytest.approx(250 / 300)),
    ]


@pytest.mark.parametrize(
    "cases",
    [
        [],
        [EAGER, COMPILED],
        [EAGER, GRAPH],
        [EAGER, row("torch", "eager", [50.0], environment="head")],
        [EAGER, COMPILED, row("flow", "graph", [100.0], batch_size=16)],
        [row(None, "-", [1.0], model="a"), row(None, "-", [2.0], model="b")],
    ],
)
def test_there_is_no_short_table_without_two_frameworks_or_without_a_choice(cases: list[CaseResult]) -> None:
    assert compared_bests(cases) == []
    assert text_of(*cases)[1] == []


@pytest.mark.parametrize(
    "unsound",
    [
        row("torch", "compiled", [80.0], status="crashed"),
        row("torch", "compiled", [80.0], implausible="a step takes no time"),
        row("torch", "compiled", [], status="unsupported"),
    ],
)
def test_a_row_that_cannot_be_relied_on_is_not_the_best(unsound: CaseResult) -> None:
    cases = [EAGER, unsound, row("torch", "compiled-graphs", [20.0]), GRAPH]
    assert shown(compared_bests(cases)) == [("flow", "graph", 1, 1.0), ("torch", "eager", 2, 0.5)]


def test_a_framework_may_be_any_json_value() -> None:
    cases = [
        replace(case, axes={**case.axes, "framework": [case.axes["framework"]]}) for case in (EAGER, COMPILED, GRAPH)
    ]
    assert len(compared_bests(cases)) == 2


def test_environments_are_frameworks_apart() -> None:
    head = [row("torch", how, [rate], environment="head") for how, rate in (("eager", 60.0), ("compiled", 40.0))]
    found = compared_bests([EAGER, COMPILED, *head, GRAPH])
    assert [(best.case.environment, best.case.axes["execution"]) for best in found] == [
        ("default", "graph"),
        ("default", "compiled"),
        ("head", "eager"),
    ]


def test_trials_measured_in_turn_decide() -> None:
    """Other work slowed more of the faster row's slices: its rate is the lower one, and its ratio is not."""

    def slices(group: str, *seconds: float) -> dict[str, Any]:
        each_slice = [{"started_at": 0.0, "rounds": 3, "p10_seconds": each} for each in seconds]
        return {"settings": {"pairing": "slices"}, "pair": {"id": group, "ratio": None}, "slices": each_slice}

    fast = row("torch", "eager", [90.0] * 2, metadata=[slices(each, 0.10, 0.10, 0.5) for each in "xy"])
    slow = row("torch", "compiled", [95.0] * 2, metadata=[slices(each, 0.11, 0.11, 0.55) for each in "xy"])
    other = row("flow", "graph", [70.0] * 2, metadata=[slices(each, 0.20, 0.20, 1.0) for each in "xy"])
    found = compared_bests([slow, fast, other])
    assert shown(found) == [("torch", "eager", 2, 1.0), ("flow", "graph", 1, pytest.approx(0.5))]
    ratio = found[1].ratio
    assert ratio is not None
    assert ratio.in_turn == (True, True)
    assert ratio.estimate.low is not None


def test_a_framework_without_a_common_trial_has_no_ratio() -> None:
    (trial,) = GRAPH.trials
    later = TrialResult(2, trial.items, trial.median_seconds, trial.metrics)
    found = compared_bests([EAGER, COMPILED, CaseResult(GRAPH.id, "default", GRAPH.axes, "ok", trials=(later,))])
    assert shown(found) == [("flow", "graph", 1, 1.0), ("torch", "compiled", 2, None)]


def test_a_choice_by_one_trial_is_said_to_flatter() -> None:
    _, short = text_of(EAGER, COMPILED, GRAPH)
    line = short[-1]
    assert line.startswith("by one trial, the fastest of several looks faster than it is: --throughput-order")
    twice = [row("torch", "eager", [50.0, 51.0]), row("torch", "compiled", [80.0, 81.0]), GRAPH]
    assert notes_on_bests(compared_bests(twice), twice) == []  # There was nothing to choose for the single trial.


def test_what_is_left_out_as_implausible_is_said() -> None:
    wrong = row("flow", "compiled", [900.0], implausible="159 % of the device's peak")
    main, short = text_of(EAGER, COMPILED, GRAPH, wrong)
    assert "rows that are implausible are left out here" in short
    assert not any("flow compiled •" in line for line in main)


def test_the_table_marks_the_chosen_rows_and_the_short_table_follows() -> None:
    main, short = text_of(EAGER, COMPILED, GRAPH)
    marked = [line for line in main if "torch" in line or "flow" in line]
    assert ["•" in line for line in marked] == [False, True, False]
    assert "torch compiled •" in marked[1]
    assert any("• the fastest configuration of its framework" in line for line in main)
    assert short[1] == "each at its best: the fastest configuration of each framework, at equal precision"
    first, second = (line.split() for line in short if "graph" in line or "torch" in line)
    assert first == ["inference", "vgg16", "flow", "graph", "100.0", "1", "1"]
    assert second == ["torch", "compiled", "80.00", "0.800", "2"]
    assert len(bests([EAGER, COMPILED, GRAPH])) == 1


def test_one_configuration_of_each_framework_has_no_mark() -> None:
    main, _ = text_of(EAGER, GRAPH)
    assert "•" not in "\n".join(main)


def test_a_narrow_terminal_keeps_the_figure() -> None:
    _, short = text_of(EAGER, COMPILED, GRAPH, width=40)
    assert any("100.0" in line for line in short)
    assert max(len(line) for line in short[3:5]) <= 40
