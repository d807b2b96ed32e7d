"""Telemetry: what is known of the machine while it measured."""

from __future__ import annotations

from typing import Any

import pytest
from invented_cases import case, rates, trial

from pytest_throughput.report.charts.chart import BarChart, Section
from pytest_throughput.report.sections import telemetry
from pytest_throughput.results.model import CaseResult, RunResult

GPU = {
    "sm_clock_mhz": {"mean": 1400.0, "min": 1300.0, "highest_possible": 1980},
    "temperature_celsius": {"mean": 60.0, "max": 66.0},
    "power_watts": 612.3,
    "throttled_share": 0.04,
}


def section(*cases: CaseResult) -> Section:
    found = telemetry.section(RunResult(cases))
    assert found is not None
    return found


def table(*cases: CaseResult) -> list[dict[str, str]]:
    (found,) = section(*cases).tables
    return [dict(zip(found.columns, (cell.text for cell in row), strict=True)) for row in found.rows]


def test_the_table_has_the_readings_that_the_machine_gave() -> None:
    on_gpu = case("jax", [trial(telemetry={"gpu": GPU, "cpu": None})], device="cuda")
    on_cpu = case(
        "numpy", [trial(rounds=10, rounds_disturbed=2, telemetry={"gpu": None, "cpu": {"busy_share": 0.987}})]
    )
    assert table(on_gpu, on_cpu) == [
        {
            "work": "training resnet50 cuda",
            "measured in": "jax",
            "disturbed rounds": "-",
            "SM clock, MHz": "1,400",
            "highest possible, MHz": "1,980",
            "power, W": "612.3",
            "temperature, °C": "60.00",
            "hottest, °C": "66.00",
            "throttled": "4.0 %",
            "CPU busy": "-",
        },
        {
            "work": "training resnet50 cpu",
            "measured in": "numpy",
            "disturbed rounds": "20 %",
            "SM clock, MHz": "-",
            "highest possible, MHz": "-",
            "power, W": "-",
            "temperature, °C": "-",
            "hottest, °C": "-",
            "throttled": "-",
            "CPU busy": "99 %",
        },
    ]


def test_trials_are_summed_up() -> None:
    trials = [
        trial(number, telemetry={"gpu": {"power_watts": watts, "throttled_share": throttled}})
        for number, watts, throttled in [(1, 100.0, 0.0), (2, 300.0, 0.5), (3, 200.0, 0.1)]
    ]
    (row,) = table(case("jax", trials))
    assert (row["power, W"], row["throttled"]) == ("200.0", "50 %")


def test_images_per_joule_are_bars_whose_title_names_the_best_where_intervals_show_it() -> None:
    def one(framework: str, *values: float) -> CaseResult:
        return case(
            framework,
            [
                trial(number, images_per_joule=value, rounds=1, rounds_disturbed=0)
                for number, value in enumerate(values)
            ],
        )

    (chart,) = section(one("jax", 2.0, 2.01, 1.99), one("pytorch", 1.0, 1.01, 0.99)).charts
    assert isinstance(chart, BarChart)
    assert chart.title == "jax needs the least energy per image"
    assert [round(bar.parts[0].value, 2) for bar in chart.bars] == [2.0, 1.0]
    (chart,) = section(one("jax", 2.0), one("pytorch", 1.0)).charts
    assert chart.title == "images per joule"


def test_what_disturbed_trials_and_what_is_unknown_is_said_once() -> None:
    given: dict[str, Any] = {"disturbed_by": "thermal limit", "telemetry": {"unknown": {"power_watts": "no sensor"}}}
    found = section(case("jax", rates(1.0, 1.0, rounds=2, rounds_disturbed=2, **given)))
    assert found.notes[1:] == ("Disturbed by: thermal limit.", "Unknown: power_watts: no sensor.")


def test_the_most_disturbed_cases_are_shown_where_there_are_many() -> None:
    cases = [case("jax", [trial(rounds=100, rounds_disturbed=number)], batch_size=number) for number in range(1, 61)]
    assert [row["disturbed rounds"] for row in table(*cases)][:2] == ["31 %", "32 %"]


@pytest.mark.parametrize(
    "value", [None, "text", [], {"gpu": 1}, {"gpu": {"power_watts": "1"}}, {"cpu": {"busy_share": -1}}]
)
def test_there_is_no_section_without_readings(value: Any) -> None:
    assert telemetry.section(RunResult((case("jax", [trial(telemetry=value)]),))) is None
