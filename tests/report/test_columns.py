"""Which columns a table has, which figures they show, and how its rows are sorted by them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.naming import FIGURES, SORT_KEYS
from pytest_throughput.report import table
from pytest_throughput.report.figures import figures_of
from pytest_throughput.report.percentiles import PERCENTILES, legend, percentile
from pytest_throughput.report.ratios import ratios_to_fastest
from pytest_throughput.report.rows import in_order
from pytest_throughput.results.model import RATE, CaseResult, RunResult, TrialResult


def case(
    model: str,
    framework: str,
    *trials: Sequence[float],
    batch_size: int = 8,
    metric: Metric | None = None,
    **metadata: Any,
) -> CaseResult:
    """Return a case of trials with these seconds per step."""
    axes = {"mode": "inference", "model": model, "batch_size": batch_size, "framework": framework}
    measured = tuple(
        TrialResult(
            trial=number,
            items=batch_size,
            median_seconds=statistics.median(rounds),
            metrics=(metric or Metric(RATE, "images/s", batch_size / statistics.median(rounds)),),
            seconds_per_step=tuple(rounds),
            rounds=len(rounds),
            metadata=metadata,
        )
        for number, rounds in enumerate(trials, start=1)
    )
    status = "ok" if measured else "unsupported"
    return CaseResult("-".join(map(str, axes.values())), "default", axes, status, trials=measured)


def rendered(*cases: CaseResult, width: int | None = None, **how: Any) -> list[str]:
    return table.render(RunResult(cases), width=width, colour=False, **how).splitlines()


def order(sort: str, *cases: CaseResult) -> list[tuple[str, str]]:
    """Return model and framework of the rows."""
    rows = in_order(cases, sort, figures_of(cases, ratios_to_fastest(cases)))
    return [(str(each.axes["model"]), str(each.axes["framework"])) for each in rows]


SLOW, FAST, NONE = case("b", "slow", [0.2]), case("b", "fast", [0.1]), case("b", "none")
MIDDLE, LATER = case("a", "x", [0.15]), case("a", "w", [0.4])
CASES = (SLOW, MIDDLE, NONE, FAST, LATER)


def test_every_word_names_a_figure() -> None:
    assert tuple(figures_of(CASES, {})) == FIGURES
    for sort in SORT_KEYS:
        assert sorted(order(sort, *CASES)) == sorted(order("run", *CASES))


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("run", [("b", "slow"), ("b", "none"), ("b", "fast"), ("a", "x"), ("a", "w")]),
        ("name", [("a", "w"), ("a", "x"), ("b", "fast"), ("b", "none"), ("b", "slow")]),
        ("images_per_second", [("b", "fast"), ("b", "slow"), ("b", "none"), ("a", "x"), ("a", "w")]),
        ("seconds", [("b", "fast"), ("b", "slow"), ("b", "none"), ("a", "x"), ("a", "w")]),
        ("ratio", [("b", "fast"), ("b", "slow"), ("b", "none"), ("a", "x"), ("a", "w")]),
        ("memory", [("b", "slow"), ("b", "none"), ("b", "fast"), ("a", "x"), ("a", "w")]),
    ],
)
def test_rows_of_a_work_stay_together_the_best_first(sort: str, expected: list[tuple[str, str]]) -> None:
    assert order(sort, *CASES) == expected


def test_works_are_sorted_by_their_first_rows() -> None:
    small, large = case("small", "x", [0.1], peak_memory_bytes=1), case("large", "x", [0.1], peak_memory_bytes=2)
    assert order("memory", large, small) == [("small", "x"), ("large", "x")]
    assert order("images_per_second", SLOW, MIDDLE) == [("a", "x"), ("b", "slow")]


def test_names_are_sorted_by_their_numbers() -> None:
    sizes = [case("a", "x", [0.1], batch_size=size) for size in (16, 8, 1)]
    rows = in_order(sizes, "name", {})
    assert [each.axes["batch_size"] for each in rows] == [1, 8, 16]


def test_metrics_of_one_unit_stay_together_and_fewer_seconds_are_better() -> None:
    seconds = [
        case(name, "x", [1.0], metric=Metric("seconds", "s", value, "lower"))
        for name, value in (("s", 9.0), ("t", 3.0))
    ]
    assert order("images_per_second", FAST, *seconds, SLOW) == [("b", "fast"), ("b", "slow"), ("t", "x"), ("s", "x")]


def test_the_named_columns_stand_in_their_order_whether_filled_or_not() -> None:
    lines = rendered(*CASES, columns=("status", "watts", "images_per_second"))
    assert lines[0].split() == ["work", "measured", "in", "status", "watts", "images/s"]
    assert lines[1].split() == ["inference", "b", "slow", "ok", "-", "40.00"]


def test_all_columns_are_those_with_a_figure() -> None:
    facts: dict[str, Any] = {"latency_seconds": 0.2, "telemetry": {"gpu": {"power_watts": 250}}}
    (heading, second, *_) = rendered(case("a", "x", [0.2] * 5, **facts), columns=("all",))
    names = " ".join([heading, second])
    words = ("p50", "p90", "rounds", "latency", "watts", "images/J", "status")
    assert [word for word in words if word not in names] == ["p90", "images/J"]
    usual = " ".join(rendered(case("a", "x", [0.2] * 5, **facts))[:2])
    assert not any(word in usual for word in ("p50", "latency", "watts"))


@pytest.mark.parametrize(
    "telemetry", [None, [], {"gpu": None}, {"gpu": {"power_watts": "x"}}, {"gpu": ["power_watts"]}]
)
def test_watts_are_a_number_or_unknown(telemetry: Any) -> None:
    assert rendered(case("a", "x", [0.2], telemetry=telemetry), columns=("watts",))[1].split()[-1] == "-"


def test_a_narrow_terminal_leaves_out_the_last_of_the_named_columns() -> None:
    lines = rendered(*CASES, columns=("ratio", "status", "seconds", "images_per_second"), width=60)
    assert any(line.startswith("left out for lack of width: images/s (COLUMNS=") for line in lines)
    assert any("÷ fastest: " in line for line in lines)
    assert max(map(len, lines)) <= 60


def test_the_legend_explains_what_is_shown_and_nothing_else() -> None:
    peak = {"tflops": 1.0, "source": "a table"}
    cases = [case("a", name, [0.2] * 5, peak=peak, model_flops_utilisation=0.5) for name in "xy"]
    named = ("ratio", "spread", "utilisation", "p50", "p90")
    for count in range(1, len(named) + 1):
        below = " ".join(rendered(*cases, columns=named[:count])[3:])
        parts = ["÷ fastest: ", "± rounds: ", "peak: ", "percentiles: over the 5 rounds"]
        assert [part in below for part in parts] == [index < count for index in range(len(parts))]
        assert below.count("percentiles") == (count > 3)
    assert rendered(case("a", "x", [0.2]), columns=("status",))[-1] == "all rows: batch 8"


@pytest.mark.parametrize("width", [None, 60, 100])
def test_the_legend_fits_into_the_terminal(width: int | None) -> None:
    """Its parts share a line where they fit; a long one is folded between words."""
    peak = {"tflops": 1.0, "source": "a large product of matrices by a framework, and " + 9 * "more words "}
    cases = [case("a", name, [0.2] * 20, peak=peak, model_flops_utilisation=0.5) for name in "xy"]
    lines = rendered(*cases, width=width)
    below = lines[[line.startswith("all rows: ") for line in lines].index(True) :]
    assert max(map(len, below)) <= (width or 100)
    assert below[0].startswith("all rows: batch 8; ÷ fastest: ") == (width != 60)
    assert ("more words more words" in " ".join(below)) == (width != 60)


def test_an_implausible_row_is_compared_with_no_other() -> None:
    """A figure that cannot be right would make every other row look slow."""
    wrong = replace(case("b", "wrong", [1e-6]), implausible="a step takes no time")
    assert {*ratios_to_fastest([wrong, SLOW, FAST])} == {SLOW.key, FAST.key}
    assert rendered(wrong, SLOW, columns=("ratio",))[1].split()[-1] == "-"


def test_disturbed_rounds_are_a_share_of_those_that_were_counted() -> None:
    both = case("a", "x", [0.2] * 20, [0.2] * 20)
    counted = replace(both.trials[0], rounds_disturbed=3)
    row = rendered(replace(both, trials=(counted, both.trials[1])), columns=("disturbed",))[2]
    assert row.split()[-1] == "3/20"


def test_one_measured_trial_shows_the_spread_of_its_rounds() -> None:
    """Also where a second trial has ended without a figure."""
    both = case("a", "x", [0.2, 0.21] * 10, [0.2] * 20)
    lines = rendered(replace(both, trials=(both.trials[0], replace(both.trials[1], metrics=()))))
    assert "± rounds" in lines[0]


@pytest.mark.parametrize(("percent", "least"), [(50, 5), (90, 29), (99, 299)])
def test_a_percentile_needs_a_round_above_it(percent: int, least: int) -> None:
    """The largest of so many rounds exceeds the percentile with 95 % confidence, and that of fewer does not."""
    assert 1 - (percent / 100) ** least >= 0.95 > 1 - (percent / 100) ** (least - 1)
    assert percentile(case("a", "x", [0.1] * (least - 1)), percent) is None
    assert percentile(case("a", "x", [0.1] * least), percent) == pytest.approx(0.1)
    assert percentile(case("a", "x", [0.1] * least, [0.1] * (least - 1)), percent) is None


def test_percentiles_are_those_of_each_trial() -> None:
    rounds = [float(number) for number in range(1, 302)]
    one = case("a", "x", rounds)
    assert [percentile(one, percent) for percent in PERCENTILES] == pytest.approx([151, 271, 298])
    two = case("a", "x", rounds, [4 * each for each in rounds])
    assert [percentile(two, percent) for percent in PERCENTILES] == pytest.approx([302, 542, 596])
    assert percentile(case("a", "x"), 50) is None


def test_rounds_that_the_clock_did_not_resolve_have_no_percentile() -> None:
    metric = Metric("seconds", "s", 1.0, "lower")
    assert percentile(case("a", "x", [0.0] * 10, metric=metric), 50) is None
    assert rendered(case("a", "x", [0.0] * 10, metric=metric), columns=("mean_per_item",))[-2].split()[-1] == "-"


@given(st.lists(st.floats(1e-6, 10), min_size=299, max_size=320))
def test_percentiles_lie_among_the_rounds_in_their_order(rounds: list[float]) -> None:
    found = [percentile(case("a", "x", rounds), percent) for percent in PERCENTILES]
    known = [each for each in found if each is not None]
    assert len(known) == 3
    slack = 1e-9
    assert min(rounds) * (1 - slack) <= known[0] <= known[1] * (1 + slack) <= known[2] * (1 + slack) ** 2
    assert known[2] <= max(rounds) * (1 + slack)
    assert math.isclose(known[0], statistics.median(rounds))


def test_the_legend_says_of_how_many_rounds_and_steps() -> None:
    needed = "(needed: 5 for p50, 29 for p90, 299 for p99)"
    assert legend([case("a", "x", [0.1] * 20)]) == f"percentiles: over the 20 rounds of a trial {needed}"
    several = [
        case("a", "x", [0.1] * 20, settings={"steps_per_round": 1}),
        case("b", "x", [0.1] * 2000, settings={"steps_per_round": 40}),
    ]
    found = "percentiles: over the 20 to 2,000 rounds of a trial, each the mean of 1 to 40 steps"
    assert legend(several) == f"{found} {needed}"
