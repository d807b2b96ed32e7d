"""Which cases a section shows, in which panels, and by which labels."""

from __future__ import annotations

from invented_cases import case, rates

from pytest_throughput.report.charts.styles import styles_of
from pytest_throughput.report.sections.case_panels import MOST_PANELS, evenly, panels_of, selected
from pytest_throughput.results.model import CaseResult, RunResult


def plain(name: str) -> CaseResult:
    return CaseResult(name, "default", {}, "ok", trials=tuple(rates(1.0)))


def test_a_panel_has_a_mode_a_network_and_a_device() -> None:
    cases = [
        case("jax", rates(1.0), execution="compiled"),
        case("pytorch", rates(1.0), execution="eager", mode="inference"),
        case("pytorch", rates(1.0), execution="eager", batch_size=32),
        case("pytorch", rates(1.0), execution="eager", environment="head"),
    ]
    panels = panels_of(cases, RunResult(tuple(cases)))
    assert [(panel.name, [row.label for row in panel.rows]) for panel in panels] == [
        ("training, resnet50, cpu", ["jax compiled batch 8", "pytorch eager head batch 8", "pytorch eager batch 32"]),
        ("inference, resnet50, cpu", ["pytorch eager"]),
    ]
    styles = styles_of([])
    assert [row.style for row in panels[0].rows] == [styles["jax"], styles["pytorch"], styles["pytorch"]]


def test_tests_without_axes_are_labelled_by_their_ids_in_styles_of_their_own() -> None:
    cases = [plain("bench.py::test_a"), plain("bench.py::test_b"), case("mxnet", rates(1.0))]
    without, named = panels_of(cases, RunResult(tuple(cases)))
    assert without.name == "tests without axes"
    assert [row.label for row in without.rows] == ["bench.py::test_a", "bench.py::test_b"]
    assert {row.style for row in without.rows}.isdisjoint({*styles_of([]).values(), named.rows[0].style})


def test_labels_that_do_not_tell_cases_apart_are_ids() -> None:
    twins = [CaseResult(name, "default", {"model": "resize", "size": 1}, "ok") for name in ("a", "b")]
    (panel,) = panels_of(twins, RunResult(tuple(twins)))
    assert [row.label for row in panel.rows] == ["a", "b"]
    (panel,) = panels_of(twins[:1], RunResult(tuple(twins[:1])))
    assert [row.label for row in panel.rows] == ["a"]


def test_names_from_files_become_short_and_printable() -> None:
    odd = case("\x1b[31m" + "x" * 1000, rates(1.0), model="\x00" * 3)
    (panel,) = panels_of([odd], RunResult((odd,)))
    assert "\x1b" not in panel.rows[0].label
    assert "\x00" not in panel.name
    assert len(panel.rows[0].label) < 200


def test_the_cases_of_the_highest_rank_are_shown_in_their_order() -> None:
    cases = [case("pytorch", rates(1.0), batch_size=size) for size in (1, 2, 4, 8)]
    assert selected(cases, lambda one: one.axes["batch_size"] % 7, "best cases", most=4) == (cases, ())
    shown, notes = selected(cases, lambda one: one.axes["batch_size"] % 7, "best cases", most=2)
    assert [one.axes["batch_size"] for one in shown] == [2, 4]
    assert notes == (f"Shown are 2 of 4: the best cases, in at most {MOST_PANELS} charts.",)


def test_the_cases_shown_are_in_few_panels() -> None:
    cases = [case("pytorch", rates(1.0), model=f"m{number}") for number in range(2 * MOST_PANELS)]
    shown, _ = selected(cases, lambda one: float(one.axes["model"][1:]), "best cases", most=100)
    assert shown == cases[MOST_PANELS:]


def test_values_are_chosen_at_equal_distances() -> None:
    assert evenly([1, 2, 3], 3) == [1, 2, 3]
    assert evenly(range(101), 3) == [0, 50, 100]
    assert evenly(range(300), 30)[-1] == 299
