"""Processes of equal steps: how many are measured in a minute, and what their figures say."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fake_processes import FakeProcesses

from pytest_throughput.launch import equal_processes, pairs
from pytest_throughput.launch.equal_processes import (
    EqualProcesses,
    EqualWorkers,
    NotMeasured,
    measure_equal_processes,
    measurement_of,
)
from pytest_throughput.launch.interpreters import Interpreter
from pytest_throughput.measurement.plan import PLANS
from pytest_throughput.results.statistics import deviation_about_zero


def test_rounds_are_measured_as_long_as_the_next_one_fits() -> None:
    source = FakeProcesses()
    looks: list[float] = []
    found = measure_equal_processes(source, 60.0, lambda: looks.append(source.now), source.clock)
    assert source.log == ["pair", "tuned", "tuned", "system"] * 6
    assert source.now == 54.0
    assert len(looks) == len(source.log)
    assert (len(found.live_pairs), len(found.in_sequence), len(found.with_system_allocator)) == (6, 6, 6)


def test_three_rounds_are_measured_however_long_they_take() -> None:
    source = FakeProcesses()
    measure_equal_processes(source, 1.0, clock=source.clock)
    assert source.log.count("pair") == 3


def test_the_ratios_have_the_deviations_of_what_was_drawn() -> None:
    source = FakeProcesses(process=0.08, live=0.01, slices=0.03)
    found = measure_equal_processes(source, 9.0 * 300, clock=source.clock)
    assert deviation_about_zero(found.slice_ratios).value == pytest.approx(0.03, rel=0.1)
    assert deviation_about_zero(found.sequence_ratios).value == pytest.approx(0.08, rel=0.15)
    assert deviation_about_zero(found.pair_ratios).value == pytest.approx(0.01, rel=0.15)
    assert len(found.slice_ratios) == 300 * 2 * 2
    assert len(found.processes) == 300 * 5


@pytest.mark.parametrize("share", [0.0, 0.25, None])
def test_waiting_is_a_share_of_the_measured_time(share: float | None) -> None:
    source = FakeProcesses(waiting_share=share)
    found = EqualProcesses(live_pairs=[source.live_pair()])
    assert found.waiting_share == (None if share is None else pytest.approx(share))


def test_an_odd_slice_has_no_neighbour() -> None:
    first, second = FakeProcesses().live_pair()
    slices = [{"p10_seconds": seconds} for seconds in (1.0, 2.0, 9.0)]
    sides = tuple(replace(side, metadata={**side.metadata, "slices": slices}) for side in (first, second))
    found = EqualProcesses(live_pairs=[(sides[0], sides[1])])
    assert found.slice_ratios == pytest.approx([math.log(2.0)] * 2)


def test_an_interpreter_without_numpy_measures_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError('no numpy here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    workers = EqualWorkers(Interpreter("default", "python", (sys.executable,)))
    with pytest.raises(NotMeasured, match="cannot import numpy"):
        workers.alone("tuned")
    workers.close()


@pytest.mark.slow
def test_real_workers_are_measured_in_pairs_and_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "SLICE_SECONDS", 0.01)
    monkeypatch.setattr(pairs, "LEAST_BLOCKS", 1)
    monkeypatch.setitem(PLANS, "quick", replace(PLANS["quick"], min_warm_up_seconds=0.0, min_seconds=0.0, max_rounds=6))
    monkeypatch.setattr(equal_processes, "LEAST_ROUNDS", 1)
    workers = EqualWorkers(Interpreter("default", "python", (sys.executable,)))
    try:
        found = measure_equal_processes(workers, 0.1)
    finally:
        workers.close()
    assert len(found.processes) == 5
    assert len(found.slice_ratios) == 2
    assert [side.metadata["pair"]["stopped"] for side in found.live_pairs[0]] == [True, True]
    allocators = [outcome.metadata["settings"]["allocator"] for outcome in found.processes]
    assert allocators == ["tuned"] * 4 + ["system"]
    kept, system = (measurement_of(outcome).page_faults_per_step for outcome in found.processes[-2:])
    assert kept is not None and system is not None
    assert kept < 100 < system
