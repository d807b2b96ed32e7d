"""``pytest-throughput accept``: what is kept, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import result_files

from pytest_throughput.cli import main

Command = Callable[..., tuple[int, str, str]]
Files = Callable[..., list[str]]


def test_runs_are_accepted_and_what_verdicts_still_need_is_told(command: Command, files: Files) -> None:
    status, out, _ = command("accept", *files("b", range(2)), "--baseline", "kept")
    assert status == 0
    assert "accepted b0.json, 6 cases with figures: kept/" in out
    assert out.splitlines()[-1] == "2 accepted for this hardware; verdicts need 1 more"
    _, out, _ = command("accept", *files("b", [2]), "--baseline", "kept")
    assert out.splitlines()[-1] == "3 accepted for this hardware"


def test_the_same_run_twice_is_accepted_once(command: Command, files: Files) -> None:
    (file,) = files("b", [0])
    command("accept", file, file, "--baseline", "kept")
    assert len(list(Path("kept").rglob("*.json"))) == 1


def test_the_oldest_are_pruned(command: Command, files: Files) -> None:
    for file in files("b", range(5)):
        assert command("accept", file, "--baseline", "kept", "--keep", "2")[0] == 0
    assert [path.name[:15] for path in sorted(Path("kept").rglob("*.json"))] == ["20260101T030000", "20260101T040000"]
    for given in ("0", "-1", "x", "²"):
        status, _, err = command("accept", "b0.json", "--baseline", "kept", "--keep", given)
        assert (status, "expected a whole number of at least 1" in err) == (2, True)


def test_what_has_just_been_accepted_is_never_pruned(command: Command, files: Files) -> None:
    """Whatever the store holds of the future, which would be the latest for years, and however many they are."""
    for number, file in enumerate(files("b", range(4))):
        if number < 2:
            document = json.loads(Path(file).read_text().replace("2026-01-01", f"2226-01-0{number + 1}"))
            result_files.write(Path(), file, document)
        status, out, _ = command("accept", file, "--baseline", "kept", "--keep", "2")
        assert status == 0
        kept = [path.name[:13] for path in sorted(Path("kept").rglob("*.json"))]
        assert f"{'2226010' + str(number + 1) if number < 2 else '20260101'}T{number:02}00" in kept
        assert len(kept) == min(number + 1, 2)
        assert ("warning: " in out) == any(name.startswith("2226") for name in kept)
    status, out, _ = command("accept", *files("many", range(5, 9)), "--baseline", "kept", "--keep", "2")
    assert (status, out.splitlines()[-1]) == (0, "4 accepted for this hardware")


def test_rounds_are_never_stored(command: Command, files: Files) -> None:
    command("accept", *files("b", [0]), "--baseline", "kept")
    (stored,) = Path("kept").rglob("*.json")
    (trial, *_) = json.loads(stored.read_text())["cases"][0]["trials"]
    assert sorted(trial) == ["disturbed_share", "images_per_second", "number"]
    assert trial["disturbed_share"] == 1 / 20


def test_an_incomplete_run_is_refused_and_how_to_mend_it_is_told(command: Command, files: Files) -> None:
    whole, broken = *files("b", [0]), *files("broken", [1], complete=False)
    status, _, err = command("accept", whole, broken, "--baseline", "kept")
    assert status == 2
    assert "broken1.json: is not complete" in err and "--throughput-resume" in err
    assert not Path("kept").exists()


def test_a_run_without_figures_is_refused(command: Command, files: Files) -> None:
    (file,) = files("b", [0], status=dict.fromkeys(result_files.CASES, "crashed"))
    status, _, err = command("accept", file, "--baseline", "kept")
    assert (status, "no figures" in err) == (2, True)


def test_of_two_environments_one_has_to_be_named(command: Command, files: Files) -> None:
    (file,) = files("b", [0], environments=("base", "head"))
    status, _, err = command("accept", file, "--baseline", "kept")
    assert status == 2
    assert "several environments (base, head)" in err and "b0.json#head" in err
    assert command("accept", "b0.json#head", "--baseline", "kept")[0] == 0
    status, _, err = command("accept", "b0.json#main", "--baseline", "kept")
    assert (status, "no environment main; it has: base, head" in err) == (2, True)


def test_a_file_may_have_a_mark_in_its_name(command: Command, files: Files, tmp_path: Path) -> None:
    (file,) = files("b", [0])
    Path(file).rename("run#1.json")
    assert command("accept", "run#1.json", "--baseline", "kept")[0] == 0


def test_a_folder_that_cannot_be_written_has_its_own_status(command: Command, files: Files) -> None:
    (file,) = files("b", [0])
    Path("kept").mkdir()
    key = "a file where a folder should be"
    command("accept", file, "--baseline", "probe")
    (folder,) = Path("probe").iterdir()
    (Path("kept") / folder.name).write_text(key)
    status, _, err = command("accept", file, "--baseline", "kept")
    assert (status, "could not write" in err) == (14, True)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("https://example.org/baselines", "URLs are not read"),
        ("b0.json", "is a file"),
    ],
)
def test_a_baseline_is_a_folder(command: Command, files: Files, given: str, told: str) -> None:
    files("b", [0])
    status, _, err = command("accept", "b0.json", "--baseline", given)
    assert (status, told in err) == (2, True)


def test_jobs_accept_at_once(command: Command, files: Files) -> None:
    names = files("b", range(12))
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda name: main(["accept", name, "--baseline", "kept"]), names))
    assert statuses == [0] * 12
    assert len(list(Path("kept").rglob("*.json"))) == 12
    assert command("accept", "b0.json", "--baseline", "kept")[1].splitlines()[-1] == "12 accepted for this hardware"


@pytest.mark.parametrize("content", ["", "[]", "{", '{"benchmarks": 1}', '{"benchmarks": []}', "nul\0l", "[" * 100_000])
def test_what_is_no_result_file_is_refused(command: Command, content: str) -> None:
    Path("x.json").write_text(content)
    status, out, err = command("accept", "x.json", "--baseline", "kept")
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1 and "x.json" in err
