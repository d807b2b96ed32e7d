"""Commands with a baseline at a URL: what they print, and their exit statuses where it does not answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

fsspec = pytest.importorskip("fsspec")
Command = Callable[..., tuple[int, str, str]]
Files = Callable[..., list[str]]
KEPT = "memory://runs/kept"


@pytest.fixture(autouse=True)
def memory() -> Iterator[None]:
    yield
    fsspec.filesystem("memory").store.clear()


def test_runs_are_accepted_and_later_ones_are_judged_by_them(command: Command, files: Files) -> None:
    status, out, _ = command("gate", *files("h", [9]), "--baseline", f"{KEPT}/")
    assert status == 12
    assert f"{KEPT}: no run is accepted for this hardware" in out
    assert f"pytest-throughput accept h9.json --baseline {KEPT}" in out
    status, out, _ = command("accept", *files("b", range(5)), "--baseline", KEPT, "--keep", "4")
    assert (status, out.splitlines()[-1]) == (0, "5 accepted for this hardware")
    assert f"accepted b0.json, 6 cases with figures: {KEPT}/" in out
    status, out, _ = command("accept", *files("c", [5]), "--baseline", KEPT, "--keep", "4")
    assert (status, out.splitlines()[-1]) == (0, "4 accepted for this hardware")
    status, out, _ = command("gate", "h9.json", "--baseline", KEPT)
    assert status == 0 and f"h9.json against 4 accepted runs of {KEPT}" in out


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        (("gate", "b0.json", "--baseline", "http://127.0.0.1:9/x"), 2, "could not read http://127.0.0.1:9/x: "),
        (("accept", "b0.json", "--baseline", "http://127.0.0.1:9/x"), 14, "could not read http://127.0.0.1:9/x/"),
        (("accept", "b0.json", "--baseline", "s3://me:secret@host"), 2, "expected s3://BUCKET/FOLDER without user and"),
    ],
)
def test_a_url_that_cannot_be_used_is_one_line(
    command: Command, files: Files, arguments: tuple[str, ...], status: int, why: str
) -> None:
    files("b", [0])
    ended, out, err = command(*arguments)
    assert (ended, out, why in err, "secret" in err) == (status, "", True, False)
    assert len([line for line in err.splitlines() if why in line]) == 1 and "Traceback" not in err
