"""A baseline in a folder that a web server shows, which is only read; and what errors of servers look like."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pytest_throughput.gate import remote_files
from pytest_throughput.gate.baseline_store import Store, StoreError, files_at
from pytest_throughput.gate.judged import JudgedRun, hardware_key
from pytest_throughput.gate.store_place import place_of

pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")
MakeRun = Callable[..., JudgedRun]
HARDWARE = {"cpu": {"model": "Any", "cores": 2}}
GUIDE = Path(__file__).parents[2] / "docs/baselines.md"


class Handler(SimpleHTTPRequestHandler):
    """A server of a folder, with paths that do not answer as they should."""

    released: threading.Event
    port: int

    def do_GET(self) -> None:
        first = re.split("[/?]", self.path)[1]
        if first == "slow":
            self.released.wait(20)
        elif first == "closed":
            self.send_error(403)
        elif first == "broken":
            self.send_error(500)
        elif first == "elsewhere":
            self.send_response(302)
            self.send_header("Location", f"http://me:secret@localhost:{self.port}/closed?signature=secret")
            self.end_headers()
        elif first == "endless":
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):  # The client has closed the connection.
                while not self.released.is_set():
                    self.wfile.write(b"x" * 1000)
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        """Keep standard error clean."""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of ``tmp_path``."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", "/dev/null")
    handler = type("OwnHandler", (Handler,), {"released": threading.Event()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(tmp_path)))
    handler.port = server.server_port  # type: ignore[attr-defined]
    server.daemon_threads = True
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    handler.released.set()  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_folder_that_a_server_shows_is_read(served: str, tmp_path: Path, make_run: MakeRun) -> None:
    store, runs = Store(tmp_path / "kept"), tuple(make_run(seed) for seed in range(3))
    for run in runs:
        stored = store.accept(run)
    (tmp_path / "kept" / ("0" * 16)).mkdir()
    damaged = Path(stored.location).with_name("20250101T000000Z-0123456789abcdef.json")
    damaged.write_text("{")
    baseline = Store(place_of(f"{served}/kept/")).read(HARDWARE)
    assert (baseline.runs, baseline.other_hardware) == (runs, 1)
    assert [stored.location for stored, _ in baseline.damaged] == [f"{served}/kept/{stored.hardware}/{damaged.name}"]
    assert Store(place_of(f"{served}/kept")).read({"cpu": "other"}).runs == ()


def test_a_site_that_shows_no_folders_needs_the_pages_of_the_guide(
    served: str, tmp_path: Path, make_run: MakeRun
) -> None:
    stored = Store(tmp_path / "kept").accept(make_run(1))
    (script,) = re.findall(r"^```sh\n(cd baselines .*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    subprocess.run(["sh", "-ec", script.replace("cd baselines", "cd kept")], cwd=tmp_path, check=True)
    assert (tmp_path / "kept" / stored.hardware / "index.html").exists()
    assert Store(place_of(f"{served}/kept")).read(HARDWARE).runs == (make_run(1),)
    assert Store(tmp_path / "kept").read(HARDWARE).runs == (make_run(1),)


def test_it_is_not_written(served: str, tmp_path: Path, make_run: MakeRun) -> None:
    Store(tmp_path / "kept").accept(make_run(1))
    store = Store(place_of(f"{served}/kept"))
    with pytest.raises(StoreError, match=r"could not write http://.*\.json: http:// is read only; give the folder or"):
        store.accept(make_run(1))
    with pytest.raises(StoreError, match=r"could not delete http://.*: http:// is read only"):
        files_at(place_of(f"{served}/kept")).delete("x", "y")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("missing", "not found"),
        ("closed", r"403.*; credentials come from ~/\.netrc"),
        ("broken", "500"),
        ("elsewhere", "403"),
        ("slow", r"no answer within 0\.2 s"),
        ("page", "the page has no links; expected the page of a folder"),
        ("empty", "the page has no links"),
    ],
)
def test_what_went_wrong_is_one_message_without_secrets(
    served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, why: str
) -> None:
    if path == "slow":
        monkeypatch.setattr(remote_files, "_SECONDS", 0.2)
    (tmp_path / "page").mkdir()
    (tmp_path / "page/index.html").write_text("<p>Nothing is here.")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match=f"could not read {served}/{path}: {why}") as failed:
        Store(place_of(f"{served}/{path}")).read(HARDWARE)
    assert "secret" not in str(failed.value) and not failed.value.was_writing


def test_a_server_that_is_away(served: str) -> None:
    with pytest.raises(StoreError, match=r"could not read http://127\.0\.0\.1:9/x: .*onnect"):
        Store(place_of("http://127.0.0.1:9/x")).check_readable()


def test_no_more_is_read_than_a_run_can_have(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_files, "MOST_BYTES", 10_000)
    (content,) = files_at(place_of(served)).contents("endless", ["x"])
    assert content == b"x" * 10_001


def test_a_file_that_was_deleted_is_left_out_and_any_other_error_ends_the_reading(served: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/there").write_text("x")
    files = files_at(place_of(served))
    there, gone = files.contents("a", ["there", "gone"])
    assert (there, str(gone)) == (b"x", "not found")
    with pytest.raises(StoreError, match=r"could not read .*/broken/x: 500"):
        list(files.contents("broken", ["x"]))


def test_hardware_is_the_name_of_a_folder(served: str, tmp_path: Path) -> None:
    (tmp_path / "kept" / hardware_key(HARDWARE)).mkdir(parents=True)
    baseline = Store(place_of(f"{served}/kept")).read(HARDWARE)
    assert (baseline.runs, baseline.other_hardware) == ((), 0)
