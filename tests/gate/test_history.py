"""The histories of the cases of a baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_throughput.gate.baseline_store import Baseline, Store
from pytest_throughput.gate.history import CaseHistory, History, history_of
from pytest_throughput.gate.judged import JudgedCase, JudgedMetric, JudgedRun, JudgedTrial
from pytest_throughput.results.anchor import Anchor

MakeRun = Callable[..., JudgedRun]


def history(runs: list[JudgedRun]) -> History:
    return history_of([Baseline(tuple(runs))], lambda case_id: True)


def changing(make_run: MakeRun, *, note_at: int | None = None, runs: int = 16) -> list[JudgedRun]:
    """Return runs in which one of two cases takes 10 % longer from the 11th run on."""
    made = [make_run(seed, cases=2, slower={"case-1": 0.1 if seed >= 10 else 0.0}) for seed in range(runs)]
    return [replace(run, note="a fix" if index == note_at else "") for index, run in enumerate(made)]


def of(found: History, case_id: str) -> list[CaseHistory]:
    return [case for case in found.cases if case.id == case_id]


def test_a_change_has_its_first_run(make_run: MakeRun) -> None:
    steady, changed = history(changing(make_run)).cases
    (change,) = changed.changes
    assert (steady.changes, change.first.run.number, change.note, change.is_wanted) == ((), 11, "", False)
    assert change.low < -0.0953 < change.high < -0.08
    assert changed.unmarked == changed.changes


@pytest.mark.parametrize(("note_at", "is_wanted"), [(8, False), (9, True), (10, True), (11, True), (12, False)])
def test_a_note_beside_the_change_marks_it_as_wanted(make_run: MakeRun, note_at: int, is_wanted: bool) -> None:
    (change,) = history(changing(make_run, note_at=note_at)).cases[1].changes
    assert (change.is_wanted, change.note) == (is_wanted, "a fix" if is_wanted else "")


def test_a_note_at_a_run_without_the_case_counts_where_the_case_is_next(make_run: MakeRun) -> None:
    runs = changing(make_run, note_at=10)
    runs[9:12] = [replace(run, cases={"case-0": run.cases["case-0"]}) for run in runs[9:12]]
    (change,) = history(runs).cases[1].changes
    assert (change.first.run.number, change.note) == (13, "a fix")


def test_software_that_changed_is_named_at_its_run(make_run: MakeRun) -> None:
    versions = [
        {"torch": "2.12"},
        {"torch": "2.12", "jax": "0.6"},
        {"jax": "0.6"},
        {"torch": "2.13"},
        {"torch": "2.13"},
    ]
    runs = [make_run(seed, cases=1, software=software) for seed, software in enumerate(versions)]
    (machine,) = history(runs).machines
    assert [dict(run.software) for run in machine.runs] == [{}, {}, {}, {"torch": ("2.12", "2.13")}, {}]


def test_what_was_measured_otherwise_is_another_history(make_run: MakeRun) -> None:
    runs = [
        make_run(0, cases=1, network_hash="old"),
        make_run(1, cases=1, settings_digest="old"),
        make_run(2, cases=1),
        make_run(3, cases=1, network_hash="old"),
        make_run(4, cases=1),
    ]
    found = of(history(runs), "case-0")
    assert [(case.differs, [one.run.number for one in case.runs]) for case in found] == [
        (("settings",), [2]),
        (("network",), [1, 4]),
        ((), [3, 5]),
    ]


def test_each_machine_has_a_history_of_its_own(make_run: MakeRun) -> None:
    runs = [make_run(seed, cases=1, machine_id="ab"[seed % 2]) for seed in range(6)]
    machines = history(runs).machines
    assert [(machine.id, len(machine.runs), len(machine.cases[0].runs)) for machine in machines] == [
        ("a", 3, 3),
        ("b", 3, 3),
    ]


def anchored(seed: int, ratio: float, digest: str = "0" * 16) -> JudgedRun:
    """Return a run whose hour changes its images per second, but not their ratio to the anchor."""
    hour = 1 + seed % 5
    trials = tuple(
        JudgedTrial(number, 100.0 * hour, anchor=Anchor(digest, ratio * (1 + 0.001 * ((seed + number) % 3))))
        for number in (1, 2)
    )
    case = JudgedCase("it", trials=trials, anchor_versions={"numpy": "2"})
    return JudgedRun(f"2026-01-{seed + 1:02d}T00:00:00+00:00", {"cpu": 1}, "m", cases={"it": case})


def test_beside_an_anchor_the_ratio_is_what_changes() -> None:
    (case,) = history([anchored(seed, 1.0 if seed < 8 else 0.9) for seed in range(16)]).cases
    assert (case.anchor, dict(case.anchor_versions)) == ("0" * 16, {"numpy": "2"})
    assert [change.first.run.number for change in case.changes] == [9]
    ratio = case.runs[0].ratio
    assert ratio is not None and ratio.low is not None and ratio.low < ratio.value < 1.01
    assert case.runs[0].value.value == pytest.approx(100.0)


def test_another_anchor_begins_a_history() -> None:
    found = history([anchored(seed, 1.0, str(seed // 3) * 16) for seed in range(6)]).cases
    assert [(case.differs, len(case.runs)) for case in found] == [(("anchor",), 3), ((), 3)]


def test_more_seconds_are_a_change_to_the_worse() -> None:
    seconds = JudgedMetric("seconds", "s", "lower")
    runs = [
        JudgedRun(
            f"2026-01-{day:02d}T00:00:00+00:00",
            {"cpu": 1},
            cases={"job": JudgedCase("job", trials=(JudgedTrial(1, 60.0 + day % 3 + 9 * (day > 8)),), metric=seconds)},
        )
        for day in range(1, 17)
    ]
    (change,) = history(runs).cases[0].changes
    assert (change.first.run.number, change.size < -0.1) == (9, True)


def test_runs_that_resemble_the_next_ones_are_said_to(make_run: MakeRun) -> None:
    """As on a machine that is slow for a few days, again and again."""
    quiet, slow = (history(runs).machines[0].correlation for runs in (changing(make_run), resembling(make_run)))
    assert quiet is None
    assert slow is not None and 0.3 < slow <= 1


def resembling(make_run: MakeRun) -> list[JudgedRun]:
    slower = [0.02 * abs(index % 8 - 4) for index in range(32)]
    return [
        make_run(seed, cases=2, slower=dict.fromkeys(("case-0", "case-1"), each)) for seed, each in enumerate(slower)
    ]


def test_a_case_without_figures_has_no_history(make_run: MakeRun) -> None:
    crashed = JudgedCase("gone", status="crashed")
    runs = [replace(run, cases={**run.cases, "gone": crashed}) for run in changing(make_run, runs=3)]
    assert of(history(runs), "gone") == []


def test_all_hardware_of_a_baseline_is_read(tmp_path: Path, make_run: MakeRun) -> None:
    store = Store(tmp_path)
    for seed in range(3):
        store.accept(replace(make_run(seed), fingerprint={"cpu": seed % 2}))
    (tmp_path / "0123456789abcdef").mkdir()
    (tmp_path / "README").write_text("")
    found = history_of(store.read_all(), lambda case_id: case_id == "case-1")
    assert sorted(len(machine.runs) for machine in found.machines) == [1, 2]
    assert {case.id for case in found.cases} == {"case-1"}
    assert not any(case.is_tested for case in found.cases)
