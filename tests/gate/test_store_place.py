"""Which texts name a folder, which a URL, and what a refusal says without showing a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_throughput.gate import store_place
from pytest_throughput.gate.store_place import BaselineUrl, place_of


@pytest.fixture(autouse=True)
def everything_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_place, "find_spec", lambda name: object())


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("kept", "kept"),
        ("/a/kept", "/a/kept"),
        ("file:///a/kept", "/a/kept"),
        ("FILE://localhost/a/my%20kept/", "/a/my kept"),
        ("c:/x", "c:/x"),
    ],
)
def test_a_folder(text: str, folder: str) -> None:
    assert place_of(text) == Path(folder)


@pytest.mark.parametrize(
    ("text", "shown", "bucket", "is_read_only"),
    [
        ("s3://bucket/a/b/", "s3://bucket/a/b", "s3://bucket", False),
        ("S3://bucket", "s3://bucket", "s3://bucket", False),
        ("gs://bucket/a@b", "gs://bucket/a@b", "gs://bucket", False),
        ("https://example.org:8443/a", "https://example.org:8443/a", None, True),
        ("http://localhost:8000/a", "http://localhost:8000/a", None, True),
        ("http://[::1]:8000/", "http://[::1]:8000", None, True),
        ("memory://", "memory://", None, False),
    ],
)
def test_a_url(text: str, shown: str, bucket: str | None, is_read_only: bool) -> None:
    place = place_of(text)
    assert isinstance(place, BaselineUrl)
    assert (str(place), place.bucket, place.kind.is_read_only) == (shown, bucket, is_read_only)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ftp://me:secret@host/x", "a URL that begins with s3, gs, https or file, got ftp://"),
        ("me:secret@host://x", "a URL that begins with s3, gs, https or file, got another kind of URL"),
        ("simplecache::s3://secret/x", "got another kind of URL"),
        ("://secret", "got another kind of URL"),
        ("s3:/secret/x", "expected a folder, or a URL with :// in it, such as s3://BUCKET/FOLDER"),
        ("https:me:secret@host", "a URL with :// in it"),
        (
            "https://me:secret@host/x",
            "expected https://HOST/FOLDER without user and password, .*; credentials come from ~/.netrc",
        ),
        ("s3://key:secret@bucket/x", "without user and password, .* come from AWS_ACCESS_KEY_ID and"),
        ("https://host/x?token=secret", "a URL without a query"),
        ("s3://bucket/x#secret", "a URL without a query and without #"),
        ("s3:///secret", "expected s3://BUCKET/FOLDER, got a URL without its first part"),
        ("https://", "expected https://HOST/FOLDER"),
        ("file://secret/x", "expected file:///FOLDER, with three slashes"),
        ("file://", "expected file:///FOLDER"),
        ("http://example.org/secret", "expected https:// in place of http://, .* only localhost"),
        ("http://localhost.example.org/secret", "expected https://"),
    ],
)
def test_what_is_refused_is_not_repeated(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        place_of(text)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s3://bucket", "s3:// needs s3fs: pip install 'pytest-throughput[s3]'"),
        ("gs://bucket", "gs:// needs gcsfs: pip install 'pytest-throughput[gs]'"),
        ("https://host", "https:// needs fsspec and aiohttp: pip install 'pytest-throughput[https]'"),
    ],
)
def test_a_missing_package_is_named_with_what_brings_it(
    text: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_place, "find_spec", lambda name: None)
    with pytest.raises(ValueError) as refused:
        place_of(text)
    assert str(refused.value) == message
