"""Whatever a library of fsspec raises, one message says what was tried, where, and why it failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_throughput.gate.baseline_store import Store, StoreError
from pytest_throughput.gate.judged import JudgedRun
from pytest_throughput.gate.store_place import BaselineUrl, Kind

fsspec = pytest.importorskip("fsspec")
MakeRun = Callable[..., JudgedRun]
HARDWARE = {"cpu": {"model": "Any", "cores": 2}}
BUCKET = BaselineUrl("memory", "bucket/kept", Kind(credentials="a file", has_buckets=True))
"""A file system whose errors are made up."""


class NoCredentialsError(Exception):
    """As botocore has one."""


@pytest.fixture
def memory() -> Iterator[type[Any]]:
    system = fsspec.get_filesystem_class("memory")
    yield system
    system.store.clear()


def failing(error: BaseException) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise error

    return call


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (PermissionError("Access Denied"), "Access Denied; credentials come from a file"),
        (NoCredentialsError("Unable to locate credentials"), "Unable to locate credentials; credentials come from a f"),
        (TimeoutError(), "no answer within 60 s"),
        (FileNotFoundError("bucket"), "there is no such bucket"),
        (ValueError("bad https://me:secret@host/x?X-Amz-Signature=secret now"), "bad https://…host/x?… now"),
        (ValueError("Invalid endpoint: me:secret@host:9000"), "Invalid endpoint: …host:9000"),
        (ValueError("`http://me:a/secret@b@secret@host` is none"), "`http://…host` is none"),
        (ValueError("url='https://host/x?a=(1)&signature=secret'"), "url='https://host/x?…'"),
        (RuntimeError(), "RuntimeError"),
        (OSError(5, "a\x1b[31m\n::error::x"), "[Errno 5] a"),
    ],
)
@pytest.mark.parametrize(("method", "action"), [("ls", "read"), ("pipe_file", "write"), ("rm_file", "delete")])
def test_an_error_is_one_message(
    memory: type[Any],
    make_run: MakeRun,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    why: str,
    method: str,
    action: str,
) -> None:
    store = Store(BUCKET)
    stored = store.accept(make_run(1))
    monkeypatch.setattr(memory, method, failing(error))
    if method == "rm_file" and isinstance(error, FileNotFoundError):
        store.prune([store.accept(make_run(2))], keep=1)  # Another job has deleted it.
        return
    call = store.check_readable if method == "ls" else lambda: store.prune([store.accept(make_run(2))], keep=1)
    with pytest.raises(StoreError) as failed:
        call()
    message = str(failed.value)
    assert message.startswith(f"could not {action} memory://bucket/kept") and f": {why}" in message
    assert "secret" not in message and message.isprintable()
    assert failed.value.was_writing == (method != "ls")
    assert stored.location.startswith("memory://bucket/kept/")


@pytest.mark.parametrize(
    "error", [TimeoutError(), PermissionError("Expired"), OSError(16, "Slow down"), OSError(22, "Bad token")]
)
def test_a_baseline_is_never_smaller_because_a_server_failed(
    memory: type[Any], make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    Store(BUCKET).accept(make_run(1))
    monkeypatch.setattr(memory, "cat_file", failing(error))
    with pytest.raises(StoreError, match=r"could not read memory://bucket/kept/\w{16}/.*json: "):
        Store(BUCKET).read(HARDWARE)


def test_a_folder_without_files_is_empty_where_its_bucket_exists(memory: type[Any], make_run: MakeRun) -> None:
    with pytest.raises(StoreError, match="could not read memory://bucket/kept: there is no such bucket"):
        Store(BUCKET).check_readable()
    Store(BaselineUrl("memory", "bucket/other", BUCKET.kind)).accept(make_run(1))
    Store(BUCKET).check_readable()
    assert Store(BUCKET).read(HARDWARE).runs == ()


def test_credentials_may_allow_a_part_of_the_bucket_only(memory: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def ls(self: Any, path: str, **_: Any) -> list[str]:
        raise PermissionError("denied") if path == BUCKET.bucket else FileNotFoundError(path)

    monkeypatch.setattr(memory, "ls", ls)
    assert Store(BUCKET).read(HARDWARE).runs == ()


def test_a_library_that_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fsspec, "filesystem", failing(ImportError("no module named gcsfs")))
    with pytest.raises(StoreError, match="could not read memory://bucket/kept: no module named gcsfs"):
        Store(BUCKET)
