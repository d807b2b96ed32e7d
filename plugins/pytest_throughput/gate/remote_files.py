"""The files of a baseline at a URL, by fsspec: an object store, or a folder that a web server shows."""

from __future__ import annotations

import errno
import posixpath
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import fsspec
from fsspec.asyn import sync

from pytest_throughput.gate.store_files import StoreFiles
from pytest_throughput.gate.store_format import MOST_BYTES, DamagedFile
from pytest_throughput.gate.store_place import BaselineUrl, StoreError
from pytest_throughput.text import printable

__all__ = ["remote_files"]

_SECONDS = 60.0
"""The time limit of each request, with what the library repeats by itself."""
_AT_ONCE = 8
"""The most files that are read at the same time."""
_SECRETS = re.compile(r"(?<![^\s'\"`])((?:[^\s'\"`:]*://)?)[^\s'\"`]*@|(?<=\?)()[^\s'\"`]+")
"""User names and passwords of URLs, also of malformed ones, and their queries. A server may send the client on to a URL
with a signature, and variables such as ``AWS_ENDPOINT_URL`` may hold a password. The group stays."""


def remote_files(url: BaselineUrl) -> StoreFiles:
    """Return the files of the baseline at the URL. Nothing is read yet. Raise StoreError where fsspec does not work."""
    if url.kind.is_read_only:
        return _PublishedFiles(url)
    return _ObjectFiles(url)


class _RemoteFiles(ABC):
    """The operations that all kinds of URLs have in common."""

    def __init__(self, url: BaselineUrl, **options: Any) -> None:
        self._url = url
        with self._reported("read", str(url)):
            # Neither connections nor listings of another store are used again: jobs accept at the same time.
            self._system = fsspec.filesystem(url.scheme, skip_instance_cache=True, use_listings_cache=False, **options)

    def location(self, *names: str) -> str:
        """Return the URL."""
        return "/".join((str(self._url), *names))

    def contents(self, folder: str, names: Sequence[str]) -> Iterator[bytes | DamagedFile]:
        """Read the files, some of them at the same time."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for first in range(0, len(names), _AT_ONCE):
                locations = [self.location(folder, name) for name in names[first : first + _AT_ONCE]]
                yield from pool.map(self._content, locations)

    def _content(self, location: str) -> bytes | DamagedFile:
        with self._reported("read", location):
            try:
                return self._beginning(location)
            except FileNotFoundError:  # Another job may have deleted it since it was listed.
                return DamagedFile("not found")
            except OSError as error:
                if error.errno != errno.EINVAL or "range" not in str(error):
                    raise
                return DamagedFile(self._reason(error))  # S3 refuses any range of an empty object.

    @abstractmethod
    def _beginning(self, location: str) -> bytes:
        """Return the content of a file, of a longer one the first ``MOST_BYTES`` + 1 bytes."""

    def _call(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the file system, within the time limit if it waits for a server."""
        if not self._system.async_impl:
            return getattr(self._system, name)(*arguments, **options)
        return sync(self._system.loop, getattr(self._system, f"_{name}"), *arguments, timeout=_SECONDS, **options)

    @contextmanager
    def _reported(self, action: str, location: str) -> Iterator[None]:
        """Turn whatever the libraries raise into a StoreError: each of them has exceptions of its own."""
        try:
            yield
        except Exception as error:
            message = f"could not {action} {location}: {self._reason(error)}"
            raise StoreError(message, was_writing=action != "read") from error

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {_SECONDS:g} s"
        if isinstance(error, FileNotFoundError):
            return "there is no such bucket" if self._url.bucket else "not found"
        text = printable(_SECRETS.sub(r"\1…", str(error)) or type(error).__name__, 500)
        if self._url.kind.credentials and _is_about_credentials(error):
            text += f"; credentials come from {self._url.kind.credentials}"
        return text


class _ObjectFiles(_RemoteFiles):
    """The files of an object store: a file that is put there is there in one piece, or not at all."""

    def names(self, *folder: str) -> list[str]:
        """Return the names. A folder exists as long as a file is in it, and so a missing one is an empty one."""
        location = self.location(*folder)
        with self._reported("read", location):
            try:
                found = self._call("ls", location, detail=False)
            except FileNotFoundError:
                self._check_bucket()
                return []
        return [posixpath.basename(name.rstrip("/")) for name in found]

    def _check_bucket(self) -> None:
        """Raise FileNotFoundError if the bucket does not exist. Credentials may allow to list a part of it only."""
        if self._url.bucket is not None:
            with suppress(PermissionError):
                self._call("ls", self._url.bucket, detail=False)

    def _beginning(self, location: str) -> bytes:
        content: bytes = self._call("cat_file", location, start=0, end=MOST_BYTES + 1)
        return content

    def write(self, folder: str, name: str, content: bytes) -> None:
        """Put the file there by one request."""
        location = self.location(folder, name)
        with self._reported("write", location):
            self._call("pipe_file", location, content)

    def delete(self, folder: str, name: str) -> None:
        """Delete the file; another job may have done so at the same time."""
        location = self.location(folder, name)
        with self._reported("delete", location), suppress(FileNotFoundError):
            self._call("rm_file", location)


class _PublishedFiles(_RemoteFiles):
    """The files of a folder that a web server shows as a page with a link to each of them. They are only read."""

    def __init__(self, url: BaselineUrl) -> None:
        from aiohttp import ClientTimeout

        # By trust_env, aiohttp takes proxies from the environment, and credentials from ~/.netrc.
        session = {"trust_env": True, "timeout": ClientTimeout(total=_SECONDS)}
        super().__init__(url, simple_links=False, client_kwargs=session)

    def names(self, *folder: str) -> list[str]:
        """Return the last parts of the links of the folder's page."""
        location = self.location(*folder)
        with self._reported("read", location):
            found = self._call("ls", f"{location}/", detail=False)
        if not found and not folder:
            why = "the page has no links; expected the page of a folder, with a link to each folder in it"
            raise StoreError(f"could not read {location}: {why}", was_writing=False)
        return [posixpath.basename(name.rstrip("/")) for name in found]

    def _beginning(self, location: str) -> bytes:
        """Read as a stream, since a server need not answer with the range that is asked for.

        The size only prevents a request for it.
        """
        content = b""
        with self._system.open(location, block_size=0, size=MOST_BYTES) as file:
            while len(content) <= MOST_BYTES and (part := file.read(MOST_BYTES + 1 - len(content))):
                content += part
        return content

    def write(self, folder: str, name: str, content: bytes) -> None:
        """Refuse it."""
        self._refuse("write", self.location(folder, name))

    def delete(self, folder: str, name: str) -> None:
        """Refuse it."""
        self._refuse("delete", self.location(folder, name))

    def _refuse(self, action: str, location: str) -> NoReturn:
        why = f"{self._url.scheme}:// is read only; give the folder or the bucket that is published there"
        raise StoreError(f"could not {action} {location}: {why}", was_writing=True)


def _is_about_credentials(error: Exception) -> bool:
    """Return whether the server asks for others, or the library has found none."""
    is_refused = isinstance(error, PermissionError) or getattr(error, "status", None) in (401, 403)
    return is_refused or "Credentials" in type(error).__name__
