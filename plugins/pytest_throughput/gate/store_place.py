"""Where a baseline is kept: a folder of this machine, or a URL. Nothing is read here, and little is imported."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

__all__ = ["BaselineUrl", "Kind", "Place", "StoreError", "place_of"]

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_HALF_URL = re.compile(r"(s3|gs|https?|file|memory):", re.IGNORECASE)
"""The beginning of a URL that has lost a slash: accepted runs would go into a folder of that name."""
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


class StoreError(Exception):
    """Raised where a baseline cannot be read or written."""

    def __init__(self, message: str, *, was_writing: bool) -> None:
        super().__init__(message)
        self.was_writing = was_writing


@dataclass(frozen=True)
class Kind:
    """What distinguishes the URLs of a scheme."""

    expected: str = ""
    """The form of such a URL."""
    modules: tuple[str, ...] = ("fsspec",)
    """The modules that have to be installed."""
    requirement: str = "fsspec"
    """The requirement of pip that brings them."""
    credentials: str = ""
    """Where credentials come from; empty where none are used."""
    has_buckets: bool = False
    is_read_only: bool = False


_AWS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the role of the machine"
_GOOGLE = "Google's application default credentials, such as the file that GOOGLE_APPLICATION_CREDENTIALS names"
_WEB = (("fsspec", "aiohttp"), "pytest-throughput[https]", "~/.netrc")
_KINDS: Mapping[str, Kind] = {
    "s3": Kind("s3://BUCKET/FOLDER", ("s3fs",), "pytest-throughput[s3]", _AWS, has_buckets=True),
    "gs": Kind("gs://BUCKET/FOLDER", ("gcsfs",), "pytest-throughput[gs]", _GOOGLE, has_buckets=True),
    "https": Kind("https://HOST/FOLDER", *_WEB, is_read_only=True),
    "http": Kind("http://localhost/FOLDER", *_WEB, is_read_only=True),
    "memory": Kind("memory://FOLDER"),
}


@dataclass(frozen=True)
class BaselineUrl:
    """The URL of a baseline that fsspec reads. It has no credentials, and no slash at its end."""

    scheme: str
    path: str
    """What follows ``://``."""
    kind: Kind = Kind()

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"

    @property
    def bucket(self) -> str | None:
        """The URL of the bucket; None where there are none."""
        return f"{self.scheme}://{self.path.partition('/')[0]}" if self.kind.has_buckets else None


Place = Path | BaselineUrl


def place_of(text: str) -> Place:
    """Return the folder or the URL that a text names. A ``file://`` URL is the folder of its path.

    Raise ValueError for a URL that cannot be used. The message never repeats the URL, which may hold a password.
    """
    if "://" not in text:
        if _HALF_URL.match(text):
            raise ValueError("expected a folder, or a URL with :// in it, such as s3://BUCKET/FOLDER")
        return Path(text)
    name, _, rest = text.partition("://")
    name = name.lower()
    host, _, folder = rest.partition("/")
    if "?" in rest or "#" in rest:
        raise ValueError("expected a URL without a query and without #; signatures and tokens would be shown in logs")
    if name == "file":
        return _local_folder(host, folder)
    kind = _KINDS.get(name)
    if kind is None:
        shown = f"{name}://" if _SCHEME.fullmatch(name) else "another kind of URL"
        raise ValueError(f"expected a folder, or a URL that begins with s3, gs, https or file, got {shown}")
    if "@" in host:
        where = f"; credentials come from {kind.credentials}" if kind.credentials else ""
        raise ValueError(f"expected {kind.expected} without user and password, which would be shown in logs{where}")
    if not host and name != "memory":
        raise ValueError(f"expected {kind.expected}, got a URL without its first part")
    if name == "http" and not _LOOPBACK.fullmatch(host):
        raise ValueError(
            "expected https:// in place of http://, since anyone on the way could change the runs; only localhost may "
            "do without"
        )
    missing = [module for module in kind.modules if find_spec(module) is None]
    if missing:
        raise ValueError(f"{name}:// needs {' and '.join(missing)}: pip install '{kind.requirement}'")
    return BaselineUrl(name, rest.rstrip("/"), kind)


def _local_folder(host: str, folder: str) -> Path:
    if host not in ("", "localhost") or not folder:
        raise ValueError("expected file:///FOLDER, with three slashes and the folder's whole path")
    return Path("/", unquote(folder))
