"""Phases with parts: what is timed, what is reported, and from where a later trial goes on."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from pytest_throughput import Once, Part, Phase
from pytest_throughput.measurement.disturbance import Disturbance
from pytest_throughput.measurement.scenario import Elapsed, PhaseRun
from pytest_throughput.worker.parts import EndedPart, KeptParts
from pytest_throughput.worker.protocol import Outcome, Progress
from pytest_throughput.worker.running_trial import run_to_end
from pytest_throughput.worker.trial import Trial


class Clock:
    """A clock that only the phase moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Counting:
    """A phase that counts to four, and can be saved after each number."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.counted: list[int] = []

    def run(self) -> Generator[Part, None, list[int]]:
        while len(self.counted) < 4:
            self.clock.now += 2.0
            self.counted.append(len(self.counted) + 1)
            yield Part(f"number {self.counted[-1]}", len(self.counted) / 4, self.save)
        self.clock.now += 1.0
        return self.counted

    def save(self, path: str) -> None:
        self.clock.now += 100.0
        Path(path).write_text(json.dumps(self.counted))

    def restore(self, path: str) -> None:
        self.counted = json.loads(Path(path).read_text())

    @property
    def phase(self) -> Phase:
        return Phase("count", self.run, items=len, restore=self.restore)


def test_what_is_between_two_parts_is_not_timed() -> None:
    counting = Counting()
    run = PhaseRun(counting.phase, clock=counting.clock)
    texts = []
    while (part := run.advance()) is not None:
        texts.append((part.text, part.done))
        counting.clock.now += 100.0
    measured = run.measured()
    assert texts == [("number 1", 0.25), ("number 2", 0.5), ("number 3", 0.75), ("number 4", 1.0)]
    assert measured.measurement.round_seconds == (9.0,)
    assert len(measured.measurement.disturbances) == 1
    assert measured.items == 4
    assert measured.measurement.window is not None


def test_a_phase_goes_on_with_the_seconds_of_earlier_parts() -> None:
    counting = Counting()
    counting.counted = [1, 2, 3]
    earlier = Elapsed(60.0, Disturbance(1.0, None, 3, 0.5, None), 10)
    run = PhaseRun(counting.phase, earlier, clock=counting.clock)
    while run.advance() is not None:
        pass
    measurement = run.measured().measurement
    assert measurement.round_seconds == (63.0,)
    assert measurement.disturbances[0].involuntary_switches >= 3
    assert measurement.page_faults is not None and measurement.page_faults >= 10
    assert measurement.window is None


def run_trial(counting: Counting, kept: KeptParts | None, **given: Any) -> tuple[Outcome, list[EndedPart]]:
    reports: list[Progress] = []
    trial = Trial(lambda: Once([counting.phase], **given), None, kept_parts=kept)  # type: ignore[arg-type]
    outcome = run_to_end(trial, reports.append)
    return outcome, [report.ended_part for report in reports if report.ended_part is not None]


def test_each_part_is_saved_and_a_later_trial_goes_on_after_one(tmp_path: Path) -> None:
    kept = KeptParts("count", str(tmp_path / "part-"))
    outcome, parts = run_trial(Counting(), kept)
    assert outcome.status == "ok"
    assert [(part.number, part.is_saved) for part in parts] == [(1, True), (2, True), (3, True), (4, True)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"part-{number}.state" for number in range(1, 5)]
    assert [part.elapsed.seconds for part in parts] == sorted(part.elapsed.seconds for part in parts)
    for part in parts:
        assert Progress.from_json(Progress(ended_part=part).to_json()) == Progress(ended_part=part)

    going_on = KeptParts("count", kept.prefix, parts[1])
    outcome, later = run_trial(Counting(), going_on)
    assert [part.number for part in later] == [3, 4]
    measurement = outcome.phases["count"].measurement
    assert measurement is not None and measurement.round_seconds[0] > parts[1].elapsed.seconds
    assert outcome.phases["count"].items == 4


def test_nothing_is_saved_where_nobody_keeps_it(tmp_path: Path) -> None:
    for kept in (None, KeptParts("another", str(tmp_path / "part-"))):
        _, parts = run_trial(Counting(), kept)
        assert [(part.is_saved, part.problem) for part in parts] == [(False, None)] * 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), NotImplementedError("it has no state")])
def test_a_part_that_cannot_be_saved_fails_nothing(tmp_path: Path, error: Exception) -> None:
    class Failing(Counting):
        def save(self, path: str) -> None:
            raise error

    outcome, parts = run_trial(Failing(), KeptParts("count", str(tmp_path / "part-")))
    assert outcome.status == "ok"
    assert {(part.is_saved, part.problem) for part in parts} == {(False, str(error))}


def test_a_file_that_cannot_be_restored_fails_the_trial(tmp_path: Path) -> None:
    part = EndedPart(1, "number 1", 0.25, Elapsed(2.0, Disturbance(None, None, 0, None, None), 0), is_saved=True)
    (tmp_path / "part-1.state").write_text("{")
    outcome, _ = run_trial(Counting(), KeptParts("count", str(tmp_path / "part-"), part))
    assert outcome.status == "failed"
    assert outcome.reason is not None and outcome.reason.startswith("JSONDecodeError: ")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"done": 0.0}, "done of a part: expected a number above 0 and at most 1, got 0.0"),
        ({"done": float("nan")}, "done of a part: expected a number above 0 and at most 1, got nan"),
        ({"text": "x" * 1001}, "text of a part: expected at most 1000 characters"),
        ({"text": 3}, "text of a part: expected at most 1000 characters"),
    ],
)
def test_what_is_no_part_is_refused(fields: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        Part(**{"text": "epoch 1", "done": 0.5, **fields})


def test_a_generator_of_something_else_fails() -> None:
    run = PhaseRun(Phase("count", lambda: (number for number in range(3))))
    with pytest.raises(TypeError, match=r"run of the phase count: expected a pytest_throughput\.Part, got 0"):
        run.advance()


def test_what_a_full_disk_has_of_a_file_is_removed(tmp_path: Path) -> None:
    class Full(Counting):
        def save(self, path: str) -> None:
            super().save(path)
            raise OSError(28, "No space left on device")

    outcome, parts = run_trial(Full(), KeptParts("count", str(tmp_path / "part-")))
    assert (outcome.status, [part.is_saved for part in parts]) == ("ok", [False] * 4)
    assert list(tmp_path.iterdir()) == []


def test_parts_that_can_be_saved_and_not_restored_are_refused_at_once() -> None:
    counting = Counting()
    phase = Phase("count", counting.run)
    outcome = run_to_end(Trial(lambda: Once([phase]), None))  # type: ignore[arg-type]
    assert outcome.phases["count"].reason is not None
    assert "restore of the phase count: expected a function" in outcome.phases["count"].reason
    assert counting.counted == [1]
