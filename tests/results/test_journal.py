"""Journals as files: any size, damaged lines, what cannot be written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from mutations import bounded

from pytest_throughput.results import journal, journal_reader
from pytest_throughput.results.completeness import is_incomplete
from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.results.journal import Heading, Journal
from pytest_throughput.results.journal_reader import read_journal
from pytest_throughput.results.owned_file import InUse, OwnedFile
from pytest_throughput.results.untrusted_json import Unreadable
from pytest_throughput.worker.protocol import Outcome

HEADING = Heading({"cpu": {}}, {"protocol": "paper"}, ("bench",))


def ended(case_id: str, **metadata: Any) -> EndedTrial:
    return EndedTrial(case_id, "default", {}, 1, "2026", 8, Outcome("failed", reason="because", metadata=metadata))


def ids(path: Path) -> list[str]:
    return [each.case_id for each in read_journal(path).trials]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.json.journal.jsonl"


def test_the_first_line_names_the_process_and_a_run_that_goes_on_puts_its_own(path: Path) -> None:
    written = Journal(path, HEADING)
    written.add(ended("a"))
    written.close()
    heading = json.loads(path.read_bytes().splitlines()[0])
    assert heading["pid"] == os.getpid()
    path.write_bytes(path.read_bytes().replace(b"%-10d" % os.getpid(), b"%-10d" % 1234567))
    before = path.read_bytes()
    read = read_journal(path)
    going_on = Journal(path, file=OwnedFile.take_over(path), length=read.length)
    with pytest.raises(InUse, match=rf"by the run of process {os.getpid()}, which has not ended"):
        Journal(path, HEADING)
    going_on.add(ended("b"))
    going_on.close()
    assert path.read_bytes().startswith(before.replace(b"%-10d" % 1234567, b"%-10d" % os.getpid()))
    assert ids(path) == ["a", "b"]


def test_a_journal_may_have_any_size_and_a_line_may_not(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial that could not be read again is not written, and that is said at the end."""
    for module in (journal, journal_reader):
        monkeypatch.setattr(module, "MAX_LINE_BYTES", 2000)
    written = Journal(path, HEADING)
    for number in range(100):
        written.add(ended(f"{number}", text="x" * 500))
    assert path.stat().st_size > 20 * 2000
    written.add(ended("long", text="x" * 3000))
    written.add(ended("last"))
    assert written.problem is not None and "the journal lacks long, whose trial takes" in written.problem
    written.close()
    assert ids(path) == [*map(str, range(100)), "last"]


@pytest.mark.slow
def test_millions_of_damaged_lines_are_refused_early(path: Path) -> None:
    """Each takes microseconds, and a byte: 20 MB of blank lines took over two minutes."""
    written = Journal(path, HEADING)
    written.add(ended("a"))
    written.close()
    with path.open("ab") as file:
        file.write(b"\n" * 3_000_000)
    with bounded(20.0), pytest.raises(Unreadable, match="has more than 100,000 damaged lines"):
        read_journal(path)


def test_a_trial_whose_metadata_is_no_json_is_still_reported(path: Path) -> None:
    written = Journal(path, HEADING)
    written.add(ended("a", set={1}))
    written.add(ended("b"))
    assert written.problem is not None and "the journal lacks a, whose metadata are not JSON" in written.problem
    written.close()


@pytest.mark.parametrize(
    "damage", [b"{}\n", b"\n", b"\xff\xfe\n", b"[" * 1000 + b"\n", b'{"case_id": "x\n', b"x" * 5000 + b"\n"]
)
def test_a_damaged_line_costs_itself(path: Path, damage: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (journal, journal_reader):
        monkeypatch.setattr(module, "MAX_LINE_BYTES", 4000)
    written = Journal(path, HEADING)
    for name in "abc":
        written.add(ended(name))
    written.close()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], damage, *lines[2:]]))
    read = read_journal(path)
    assert [each.case_id for each in read.trials] == ["a", "b", "c"]
    assert (read.damaged_lines, read.damage()) == ((3,), "line 3 of the journal is damaged and was left out")
    assert read.length == path.stat().st_size
    path.write_bytes(b"".join([lines[0], *[damage] * 7]))
    assert read_journal(path).damage() == (
        "7 lines of the journal are damaged and were left out: 2, 3, 4, 5, 6 and 2 more"
    )


def test_a_damaged_first_line_is_no_journal(path: Path) -> None:
    path.write_bytes(b"{}\n{}\n")
    with pytest.raises(Unreadable, match="line 1 is not a journal"):
        read_journal(path)


def test_a_block_is_found_wherever_parts_of_the_file_meet(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    block = b'\n    "throughput": {\n        "schema": 1,\n        "complete": false'
    for shift in range(0, len(block) + 2, 7):
        file.write_bytes(b"{" + b" " * (2**20 - shift) + block + b"\n    }\n}")
        assert is_incomplete(file)
