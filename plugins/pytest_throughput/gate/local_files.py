"""The files of a baseline in a folder of this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_throughput.gate.store_format import MOST_BYTES, DamagedFile
from pytest_throughput.gate.store_place import StoreError
from pytest_throughput.whole_file import replace_file

__all__ = ["LocalFiles"]


class LocalFiles:
    """The files below a folder, which need not exist before the first is written."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def location(self, *names: str) -> str:
        """Return the path."""
        return str(self._directory.joinpath(*names))

    def names(self, *folder: str) -> list[str]:
        """Return the names in the folder."""
        path = self._directory.joinpath(*folder)
        try:
            return os.listdir(path)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StoreError(f"could not read {path}: {error.strerror}", was_writing=False) from error

    def contents(self, folder: str, names: Sequence[str]) -> Iterator[bytes | DamagedFile]:
        """Read the files one after the other; links and pipes are refused."""
        for name in names:
            try:
                yield _content(self._directory / folder / name)
            except DamagedFile as error:
                yield error
            except OSError as error:
                yield DamagedFile(error.strerror or type(error).__name__)

    def write(self, folder: str, name: str, content: bytes) -> None:
        """Write a file beside its place, and rename it."""
        path = self._directory / folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, content)
        except OSError as error:
            message = f"could not write {path}: {error.strerror}; give a writable directory"
            raise StoreError(message, was_writing=True) from error

    def delete(self, folder: str, name: str) -> None:
        """Delete the file; another job may have done so at the same time."""
        path = self._directory / folder / name
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"could not delete {path}: {error.strerror}", was_writing=True) from error


def _content(path: Path) -> bytes:
    """Return the content of a regular file, up to the size limit; links and pipes are refused."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise DamagedFile("no regular file")
        return file.read(MOST_BYTES + 1)
