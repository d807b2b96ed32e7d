"""A folder for a worker's path that holds copies of the packages that the worker needs, and nothing else.

A worker's interpreter may be another Python, which must not see the site-packages of this one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from pytest_throughput.launch.reaper import FOLDER_PREFIX, OwnFolder

__all__ = ["StagedPath"]

_CACHE = "__pycache__"


class StagedPath:
    """A temporary folder with copies of the given packages. It is made when it is first used."""

    def __init__(self, packages: Iterable[Path]) -> None:
        self._packages = tuple(packages)
        self._folder: OwnFolder | None = None
        self._content: set[tuple[str, int, int, int]] = set()

    @property
    def is_whole(self) -> bool:
        """Whether the folder is unchanged since it was made: a step in a worker may remove parts of it."""
        return self._folder is not None and self._folder.exists and self._content <= _content(self._folder.path)

    def folder(self, guard: Callable[[OwnFolder], object] = lambda _: None) -> OwnFolder:
        """Return the folder, for a Python path; make it again if the last one is damaged.

        ``guard`` is called with a new folder before anything is copied there, since this process may be killed while
        it copies. Raise OSError if the temporary folder is full, or cannot be put on a Python path.
        """
        if self._folder is None or not self.is_whole:
            self.remove()
            self._folder = self._make(guard)
            self._content = _content(self._folder.path)
        return self._folder

    def remove(self) -> None:
        """Remove the folder, if it was made."""
        if self._folder is not None:
            self._folder.remove()
            self._folder = None

    def _make(self, guard: Callable[[OwnFolder], object]) -> OwnFolder:
        try:
            folder = OwnFolder.just_made(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
            try:
                guard(folder)
                for package in self._packages:
                    shutil.copytree(package, Path(folder.path, package.name), ignore=shutil.ignore_patterns(_CACHE))
            except BaseException:
                # After an interruption nothing else would remove it; after an error the next case would use half of it.
                folder.remove()
                raise
        except OSError as error:
            first = error.args[0][0][2] if isinstance(error, shutil.Error) else error
            raise OSError(f"cannot copy what workers import to {tempfile.gettempdir()}: {first}") from None
        return folder


def _content(folder: str) -> set[tuple[str, int, int, int]]:
    """Return path, inode, size and time of change of each file, without the files that Python compiles."""
    found = set()
    for parent, folders, files in os.walk(folder):
        if _CACHE in folders:
            folders.remove(_CACHE)
        for name in files:
            path = os.path.join(parent, name)
            with suppress(OSError):  # The file is being removed.
                status = os.lstat(path)
                found.add((path, status.st_ino, status.st_size, status.st_mtime_ns))
    return found
