"""What readings of a GPU say of a trial: clocks, throttling, power, energy, other processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_throughput.telemetry.gpu_summary import GpuSummary, summarise
from pytest_throughput.telemetry.probe import Reading
from pytest_throughput.telemetry.rounds import Rounds

BUSY = {"sm_clock_mhz": 1900.0, "highest_sm_clock_mhz": 1980.0, "clock_reasons": 0.0, "memory_used_bytes": 9e9}


def readings(count: int = 31, **changing: Any) -> list[Reading]:
    """Ten a second, from 0 s on; a value is a number, a function of the reading's number, or None to leave it out."""

    def value(given: Any, index: int) -> Any:
        return given(index) if callable(given) else given

    return [
        Reading(
            index / 10,
            {
                name: value(given, index)
                for name, given in {**BUSY, **changing}.items()
                if name != "processes" and value(given, index) is not None
            },
            value(changing.get("processes"), index),
        )
        for index in range(count)
    ]


def summary(
    of: list[Reading],
    window: tuple[float, float] = (0.0, 3.0),
    ours: tuple[int, ...] = (),
    rounds: Callable[[float], list[float]] = lambda length: [length / 10] * 10,
    items: float = 100.0,
    reasons: Mapping[str, str] = {},
) -> GpuSummary:
    """``rounds``: the seconds of each round, given those of the window; ``items``: of each round."""
    return summarise(of, Rounds(window, rounds(window[1] - window[0]), items), set(ours), reasons)


def test_clocks_are_of_the_rounds_alone() -> None:
    found = summary(readings(sm_clock_mhz=lambda index: 300.0 if index < 10 else 1900.0 - index), (1.0, 2.0))
    assert found.fields["sm_clock_mhz"] == {"mean": pytest.approx(1885.0), "min": 1880.0, "highest_possible": 1980.0}
    assert found.fields["readings"] == 11


def test_joules_come_from_the_counter_over_a_long_window() -> None:
    found = summary(readings(energy_joules=lambda index: 5000.0 + 60.0 * index, power_watts=1.0), (0.5, 2.5))
    assert found.fields["power_watts"] == pytest.approx(600.0)
    assert (found.fields["power_method"], found.fields["power_seconds"]) == ("energy counter", pytest.approx(2.0))
    assert found.images_per_joule == pytest.approx(10 * 100 / (2.0 * 600))


def test_images_and_joules_are_of_the_same_seconds() -> None:
    """Three rounds that were held up count with their seconds and their joules; a median does not see them."""
    slow = [0.1] * 7 + [0.5] * 3
    # 600 W from 0.5 s on, and 100 W while the rounds are held up, from 1.2 s on.
    found = summary(
        readings(energy_joules=lambda index: 60.0 * min(index, 12) + 10.0 * max(0, index - 12)),
        (0.5, 2.7),
        rounds=lambda length: slow,
    )
    joules = 0.7 * 600 + 1.5 * 100
    assert found.images_per_joule == pytest.approx(10 * 100 / joules)


def test_readings_that_begin_and_end_within_rounds_count_the_part_of_each_round_between_them() -> None:
    """The window reaches 0.04 s beyond the first and the last reading within it."""
    found = summary(readings(energy_joules=lambda index: 60.0 * index), (0.46, 2.54))
    assert found.fields["power_seconds"] == pytest.approx(2.0)
    assert found.images_per_joule == pytest.approx(10 * 100 * (2.0 / 2.08) / (2.0 * 600))


def test_energy_that_other_work_took_between_the_rounds_is_not_theirs() -> None:
    """As where two sides of a pair are measured in turn on one GPU."""
    found = summary(readings(energy_joules=lambda index: 60.0 * index), rounds=lambda length: [length / 20] * 10)
    assert found.fields["power_watts"] == pytest.approx(600.0)
    assert found.images_per_joule is None
    assert found.unknown["images_per_joule"] == "the rounds fill 50% of their window, whose energy is not theirs alone"


def test_a_short_window_gives_none_and_says_how_long_it_had_to_be() -> None:
    found = summary(readings(energy_joules=lambda index: 60.0 * index, power_watts=600.0), (0.5, 1.5))
    assert (found.fields["power_watts"], found.images_per_joule) == (None, None)
    assert found.unknown["power_watts"] == "the rounds did not last long enough: 1.0 s, and 1.5 s are needed"


def test_without_a_counter_the_sensor_is_averaged_and_the_method_named() -> None:
    found = summary(readings(power_watts=lambda index: 200.0 + index % 2), items=120.6, reasons={"energy_joules": "no"})
    assert found.fields["power_watts"] == pytest.approx(200.5, abs=0.1)
    assert found.fields["power_method"] == "mean of the power sensor"
    assert found.images_per_joule == pytest.approx(2.0, rel=0.01)
    assert found.unknown["energy_joules"] == "no"


@pytest.mark.parametrize("joules", [lambda index: 5000.0, lambda index: 60.0 * (index % 20)])
def test_a_counter_that_stands_or_starts_anew_is_not_believed(joules: Any) -> None:
    found = summary(readings(energy_joules=joules))
    assert (found.fields["power_watts"], found.images_per_joule) == (None, None)
    assert found.unknown["energy_joules"] == "the counter did not advance steadily"


def test_throttling_is_reported_with_its_reasons_and_their_shares() -> None:
    found = summary(readings(20, clock_reasons=lambda index: 0x44 if index < 5 else 0x4 if index < 10 else 0x1), (0, 2))
    assert found.fields["throttled_share"] == 0.5
    assert found.fields["throttle_reasons"] == {"power limit": 0.5, "thermal slowdown by hardware": 0.25}
    assert found.disturbed_by == "thermal slowdown by hardware in 25% of the time"


@pytest.mark.parametrize(
    ("reason", "disturbs"), [(0x4, False), (0x1, False), (0x2, False), (0x8, True), (0x20, True), (0x80, True)]
)
def test_a_power_limit_at_full_load_disturbs_nothing(reason: int, disturbs: bool) -> None:
    found = summary(readings(clock_reasons=float(reason)))
    assert (found.disturbed_by is not None) == disturbs
    assert found.fields["throttled_share"] == (0.0 if reason < 0x4 else 1.0)


def test_counters_see_what_was_between_the_readings() -> None:
    found = summary(
        readings(
            power_limited_seconds=lambda index: 7.0 + 0.08 * index, thermally_limited_seconds=lambda index: 0.02 * index
        )
    )
    assert found.fields["power_limited_share"] == pytest.approx(0.8)
    assert found.fields["thermally_limited_share"] == pytest.approx(0.2)
    assert found.disturbed_by == "thermal limit in 20% of the time"


@pytest.mark.parametrize(
    ("processes", "ours", "foreign"),
    [
        (frozenset(), (), 0),
        (frozenset({10}), (10,), 0),
        (frozenset({10, 20}), (10,), 1),
        (frozenset({10, 11, 20, 21}), (10, 11), 2),
        # In a container it is unknown which process is ours, but one is.
        (frozenset({10}), (), 0),
        (frozenset({10, 20}), (), 1),
        (None, (), None),
    ],
)
def test_processes_of_others_are_counted(
    processes: frozenset[int] | None, ours: tuple[int, ...], foreign: int | None
) -> None:
    found = summary(readings(processes=processes), ours=ours)
    assert found.fields["foreign_processes"] == foreign
    assert (found.disturbed_by is not None) == bool(foreign)


def test_another_process_that_came_and_went_is_seen() -> None:
    found = summary(
        readings(processes=lambda index: frozenset({10, 20}) if index == 15 else frozenset({10})), ours=(10,)
    )
    assert found.disturbed_by == "1 other process on the GPU"


def test_who_had_ended_before_the_rounds_disturbed_none() -> None:
    found = summary(
        readings(processes=lambda index: frozenset({9}) if index < 3 else frozenset({10})), (1.0, 2.0), ours=(10,)
    )
    assert (found.fields["foreign_processes"], found.disturbed_by) == (0, None)


def test_memory_is_the_most_of_the_whole_trial() -> None:
    found = summary(readings(memory_used_bytes=lambda index: 5e9 if index == 3 else 1e9), (1.0, 2.0))
    assert (found.fields["memory_peak_bytes"], found.fields["memory_before_bytes"]) == (5e9, 1e9)


def test_rounds_between_two_readings_leave_everything_unknown_with_a_reason() -> None:
    found = summary(readings(energy_joules=1.0), (0.51, 0.59))
    assert found.fields["readings"] == 0
    assert found.fields["sm_clock_mhz"] == {"mean": None, "min": None, "highest_possible": None}
    assert found.fields["throttled_share"] is None
    assert found.unknown["sm_clock_mhz"] == "the rounds did not last long enough"
    assert found.images_per_joule is None
