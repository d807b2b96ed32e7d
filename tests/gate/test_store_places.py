"""A baseline is the same wherever it is kept: in a folder, at a file:// URL, or on a file system of fsspec."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_throughput.gate import remote_files
from pytest_throughput.gate.baseline_store import Store, files_at
from pytest_throughput.gate.judged import JudgedRun, hardware_key
from pytest_throughput.gate.store_format import encode
from pytest_throughput.gate.store_place import BaselineUrl, Place, place_of

fsspec = pytest.importorskip("fsspec")
MakeRun = Callable[..., JudgedRun]
HARDWARE = {"cpu": {"model": "Any", "cores": 2}}
"""That of ``make_run``."""


@pytest.fixture(params=["folder", "file://", "memory://", "local file system of fsspec"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    if request.param == "folder":
        yield tmp_path / "kept"
    elif request.param == "file://":
        yield place_of(f"file://{tmp_path}/my%20kept")
    elif request.param == "memory://":
        yield place_of("memory://kept")
        fsspec.filesystem("memory").store.clear()
    else:  # It has no URL of its own, since file:// is a folder.
        monkeypatch.setitem(fsspec.config.conf, "local", {"auto_mkdir": True})
        yield BaselineUrl("local", f"{tmp_path}/kept")


def test_what_is_accepted_is_read_again_in_the_order_of_time(place: Place, make_run: MakeRun) -> None:
    runs = [make_run(seed) for seed in range(20)]
    for run in reversed(runs):
        Store(place).accept(run)
    assert Store(place).read(HARDWARE).runs == tuple(runs)


def test_accepting_twice_is_accepting_once(place: Place, make_run: MakeRun) -> None:
    store = Store(place)
    assert store.accept(make_run(1)) == store.accept(make_run(1))
    assert len(store.read(HARDWARE).runs) == 1


def test_an_empty_store_and_another_machine(place: Place, make_run: MakeRun) -> None:
    store = Store(place)
    assert store.read(HARDWARE).runs == ()
    assert store.read(HARDWARE).other_hardware == 0
    store.accept(make_run(1))
    elsewhere = store.read({"cpu": {"model": "Another"}})
    assert (elsewhere.runs, elsewhere.other_hardware) == ((), 1)


def test_keep_prunes_the_oldest_of_this_hardware(place: Place, make_run: MakeRun) -> None:
    store = Store(place)
    other = replace(make_run(0), fingerprint={"cpu": "other"})
    store.accept(other)
    for seed in range(5):
        store.prune([store.accept(make_run(seed))], keep=3)
    assert store.read(HARDWARE).runs == tuple(make_run(seed) for seed in (2, 3, 4))
    assert store.read(other.fingerprint).runs == (other,)


def test_moments_are_ordered_whatever_their_zone(place: Place, make_run: MakeRun) -> None:
    store = Store(place)
    early = replace(make_run(1), started_at="2026-01-01T12:00:00+09:00")
    late = replace(make_run(2), started_at="2026-01-01T05:00:00+00:00")
    for run in (late, early):
        stored = store.accept(run)
    assert stored.name.startswith("20260101T030000Z-")
    assert store.read(HARDWARE).runs == (early, late)


def test_what_is_dated_in_the_future_is_named(place: Place, make_run: MakeRun) -> None:
    store = Store(place)
    now, late = (store.accept(replace(make_run(1), started_at=f"{year}-01-01T00:00:00+00:00")) for year in (2020, 2226))
    assert store.dated_in_the_future(now.hardware) == [late]


def test_jobs_accept_at_once(place: Place, make_run: MakeRun) -> None:
    start = threading.Barrier(4)

    def accept(first: int) -> None:
        store = Store(place)
        start.wait()
        for seed in range(first, 20, 4):
            store.accept(make_run(seed, cases=1))

    threads = [threading.Thread(target=accept, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    baseline = Store(place).read(HARDWARE)
    assert (len(baseline.runs), baseline.damaged) == (20, ())
    assert len(files_at(place).names(hardware_key(HARDWARE))) == 20


def test_ids_never_become_paths(place: Place, make_run: MakeRun) -> None:
    run = make_run(1, cases=["../../etc/passwd", "/abs", "a\x00b", "con:"], machine_id="../x")
    run = replace(run, fingerprint={"../..": "../../y"})
    stored = Store(place).accept(run)
    assert stored.location == f"{place}/{stored.hardware}/{stored.name}"
    assert files_at(place).names() == [hardware_key(run.fingerprint)]
    assert Store(place).read(run.fingerprint).runs == (run,)


def test_damaged_files_are_left_out_and_named(place: Place, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    store, run, files = Store(place), make_run(1), files_at(place)
    key = store.accept(run).hardware
    contents = [b"", encode(run)[:-10], encode(replace(run, fingerprint={"cpu": "other"})), b"\xff" * 100]
    names = [f"2025010{number}T000000Z-{number:016x}.json" for number in range(len(contents))]
    for name, content in zip(names, contents, strict=True):
        files.write(key, name, content)
    files.write(key, "README.md", b"kept by hand")
    baseline = store.read(HARDWARE)
    assert baseline.runs == (run,)
    assert [stored.location for stored, _ in baseline.damaged] == [f"{place}/{key}/{name}" for name in names]
    for (_, why), expected in zip(
        baseline.damaged, ("no JSON", "no JSON", "it is of other hardware than its folder", "no JSON"), strict=True
    ):
        assert why.startswith(expected)
    store.prune([store.accept(make_run(2))], keep=1)
    assert sorted(files.names(key))[:-2] == names  # They are neither counted nor deleted.


def test_no_more_is_read_than_a_run_can_have(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("local_files", "remote_files"):
        monkeypatch.setattr(f"pytest_throughput.gate.{module}.MOST_BYTES", 10)
    files = files_at(place)
    files.write("folder", "long", b"x" * 100)
    assert list(files.contents("folder", ["long"])) == [b"x" * 11]


def test_a_file_that_another_job_has_deleted_is_left_out(place: Place) -> None:
    files = files_at(place)
    files.write("folder", "there", b"x")
    files.delete("folder", "gone")
    there, gone = files.contents("folder", ["there", "gone"])
    assert there == b"x"
    assert isinstance(gone, ValueError) and str(gone) in ("not found", "No such file or directory")


def test_files_are_read_in_order_however_many_they_are(place: Place) -> None:
    files, names = files_at(place), [f"{number:02}" for number in range(3 * remote_files._AT_ONCE + 1)]
    for name in names:
        files.write("folder", name, name.encode())
    assert list(files.contents("folder", names)) == [name.encode() for name in names]
