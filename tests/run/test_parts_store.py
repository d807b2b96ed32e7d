"""The files of trials that have begun, where the journal cannot be written, or the folder of the process changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_throughput.measurement.disturbance import Disturbance
from pytest_throughput.measurement.scenario import Elapsed
from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.results.journal import Heading, Journal
from pytest_throughput.results.journal_reader import read_journal
from pytest_throughput.run.parts_store import PartsStore
from pytest_throughput.worker.parts import EndedPart
from pytest_throughput.worker.protocol import Outcome

KEY = ("training", "default", 1)
HEADING = Heading({"cpu": {}}, {"protocol": "paper"}, ("bench",))
NAME = "run.json.journal.jsonl"


def keep(store: PartsStore, number: int) -> Path:
    """Save and keep a part of that number, as a worker and the session do; return its file."""
    file = Path(store.kept(KEY, "training").file_after(number))
    file.touch()
    elapsed = Elapsed(1.0, Disturbance(None, None, 0, None, None), 0)
    store.keep(KEY, "2026", EndedPart(number, f"epoch {number}", 0.1 * number, elapsed, is_saved=True))
    return file


def fill_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pytest_throughput.results.journal.os.pwrite", refuse)


def test_the_file_that_the_journal_names_stays_until_the_journal_names_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = PartsStore(Journal(tmp_path / NAME, HEADING), {})
    first = keep(store, 1)
    with monkeypatch.context() as full:
        fill_the_disk(full)
        second = keep(store, 2)
        (named,) = read_journal(tmp_path / NAME).started
        assert (named.part.number, first.exists(), second.exists()) == (1, True, True)
    third = keep(store, 3)
    assert [each.part.number for each in read_journal(tmp_path / NAME).started] == [1, 2, 3]
    assert [path.exists() for path in (first, second, third)] == [False, False, True]


def test_the_file_stays_if_the_journal_cannot_say_that_the_trial_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / NAME, HEADING)
    store = PartsStore(journal, {})
    file = keep(store, 1)
    case_id, environment, trial = KEY
    ended = EndedTrial(case_id, environment, {}, trial, "2026", 1, Outcome("ok", reason=None))
    with monkeypatch.context() as full:
        fill_the_disk(full)
        journal.add(ended)
        store.settle(ended)
        assert file.exists()
    store = PartsStore(Journal(tmp_path / "other.jsonl", HEADING), {})
    file = keep(store, 1)
    store.settle(ended)
    assert not file.exists()


def test_files_are_left_where_no_journal_could_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / f"{NAME}.{'0' * 16}-7.state"
    other.touch()
    with monkeypatch.context() as full:
        fill_the_disk(full)
        PartsStore(Journal(tmp_path / NAME, HEADING), {})
        assert other.exists()
    (tmp_path / NAME).unlink()
    PartsStore(Journal(tmp_path / NAME, HEADING), {})
    assert not other.exists()


def test_files_lie_beside_the_journal_whatever_the_current_folder_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    store = PartsStore(Journal(Path(NAME), HEADING), {})
    monkeypatch.chdir("elsewhere")
    first, second = keep(store, 1), keep(store, 2)
    assert (second.parent, first.exists()) == (tmp_path, False)
