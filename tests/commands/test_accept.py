"""``pytest-throughput accept``: what is kept, and what is refused."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import result_files

from pytest_throughput.cli import main

Command = Callable[..., tuple[int, str, str]]
Files = Callable[..., list[str]]


def test_runs_are_accepted_and_what_verdicts_still_need_is_printed(command: Command, files: Files) -> None:
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
    for given in ("0", "-1", "x", "²", "9" * 5000):
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


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '"torch": "',
            f'"torch": "{"x" * 2000}',
            r'software, torch is "x+".* of 2,004 characters; expected a text of at most 1000 ',
        ),
        ('"fingerprint": {', '"fingerprint": {"x": 1e999, ', "Out of range float values"),
    ],
)
def test_what_could_not_be_read_again_is_refused_before_anything_is_kept(
    command: Command, files: Files, old: str, new: str, message: str
) -> None:
    good, bad = files("b", range(2))
    document = Path(bad).read_text()
    assert old in document
    Path(bad).write_text(document.replace(old, new))
    status, out, err = command("accept", good, bad, "--baseline", "kept")
    assert (status, out, Path("kept").exists()) == (2, "", False)
    assert re.match(rf"pytest-throughput: {bad}: cannot be kept: {message}", err) and err.count("\n") == 1


def test_files_that_are_no_runs_take_the_place_of_none(command: Command, files: Files) -> None:
    """Files with any date stay in the folder, since a user may want to inspect them."""
    runs = files("b", range(4))
    command("accept", *runs[:3], "--baseline", "kept")
    (folder,) = Path("kept").iterdir()
    strange = [folder / f"2226010{day}T000000Z-0123456789abcdef.json" for day in range(1, 6)]
    strange[0].mkdir()
    strange[1].write_text("{")
    strange[2].symlink_to("nowhere")
    os.mkfifo(strange[3])
    strange[4].symlink_to(sorted(folder.iterdir())[0].name)
    status, out, err = command("accept", runs[3], "--baseline", "kept", "--keep", "3")
    assert (status, out.splitlines()[1:], err) == (0, ["3 accepted for this hardware"], "")
    kept = sorted(path.name[:13] for path in folder.iterdir())
    assert kept == ["20260101T0100", "20260101T0200", "20260101T0300", *(path.name[:13] for path in strange)]


def test_a_run_of_any_year_is_found_again(command: Command, files: Files) -> None:
    (file,) = files("b", [0])
    result_files.write(Path(), file, json.loads(Path(file).read_text().replace("2026-01-01", "0926-01-01")))
    status, out, _ = command("accept", file, "--baseline", "kept")
    assert (status, out.splitlines()[-1]) == (0, "1 accepted for this hardware; verdicts need 2 more")


@pytest.mark.parametrize("name", ["x#" * 3000, "loop", "closed/b"])
def test_a_path_that_cannot_be_looked_at_is_refused_in_one_line(
    command: Command, files: Files, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (file,) = files("b", [0])
    Path("loop").symlink_to("loop")
    if name.startswith("closed"):  # Root may look at anything.
        real = os.stat, os.listdir

        def refusing(of: Any) -> Any:
            def call(path: Any, *more: Any, **options: Any) -> Any:
                if "closed" in str(path):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
                return of(path, *more, **options)

            return call

        monkeypatch.setattr(os, "stat", refusing(real[0]))
        monkeypatch.setattr(os, "listdir", refusing(real[1]))
    for arguments in (
        ("show", name),
        ("gate", f"{name}#head", "--baseline", "kept"),
        ("gate", file, "--baseline", name),
    ):
        status, out, err = command(*arguments)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("pytest-throughput: ")


def test_a_folder_that_may_be_written_and_not_read_has_what_is_accepted(
    command: Command, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = files("b", [0])

    def closed(folder: Any) -> list[str]:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "listdir", closed)
    for more in ((), ("--keep", "1")):
        status, out, err = command("accept", file, "--baseline", "kept", *more)
        assert (status, out.count("accepted b0.json, "), "could not read kept/" in err) == (14, 1, True)


def test_rounds_are_never_stored(command: Command, files: Files) -> None:
    command("accept", *files("b", [0]), "--baseline", "kept")
    (stored,) = Path("kept").rglob("*.json")
    (trial, *_) = json.loads(stored.read_text())["cases"][0]["trials"]
    assert sorted(trial) == ["disturbed_share", "number", "value"]
    assert trial["disturbed_share"] == 1 / 20


def test_an_incomplete_run_is_refused_with_how_to_mend_it(command: Command, files: Files) -> None:
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
    ("given", "message"),
    [
        (
            "ftp://me:secret@example.org/baselines",
            "expected a folder, or a URL that begins with s3, gs, https or file, got ftp://",
        ),
        ("b0.json", "is a file"),
    ],
)
def test_a_baseline_is_a_folder_or_a_known_kind_of_url(
    command: Command, files: Files, given: str, message: str
) -> None:
    files("b", [0])
    status, _, err = command("accept", "b0.json", "--baseline", given)
    assert (status, message in err, "secret" in err) == (2, True, False)


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
