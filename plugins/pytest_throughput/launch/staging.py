"""The folder on a worker's path, which holds copies of the packages that it needs and nothing else.

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
    """A temporary folder that holds the given packages; made when first asked for."""

    def __init__(self, packages: Iterable[Path]) -> None:
        self._packages = tuple(packages)
        self._folder: OwnFolder | None = None
        self._content: set[tuple[str, int, int, int]] = set()

    @property
    def is_whole(self) -> bool:
        """Whether the folder is as it was made: what runs in a worker may remove it, or a part of it."""
        return self._folder is not None and self._folder.exists and self._content <= _content(self._folder.path)

    def folder(self, guard: Callable[[OwnFolder], object] = lambda _: None) -> OwnFolder:
        """Return the folder, to be put on a Python path; make it anew if the last one is damaged.

        ``guard`` is called with a folder that was made, before anything is copied there: copying takes long enough for
        a kill to come in the middle of it. Raise OSError if the temporary folder is full, or cannot be put on a
        Python path.
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
                # Of an interrupted run, nothing else removes it. After an error, the next case would find a half of it.
                folder.remove()
                raise
        except OSError as error:
            first = error.args[0][0][2] if isinstance(error, shutil.Error) else error
            raise OSError(f"cannot copy what workers import to {tempfile.gettempdir()}: {first}") from None
        return folder


def _content(folder: str) -> set[tuple[str, int, int, int]]:
    """Return path, inode, size and time of change of each file, but for what Python compiles meanwhile."""
    found = set()
    for parent, folders, files in os.walk(folder):
        if _CACHE in folders:
            folders.remove(_CACHE)
        for name in files:
            path = os.path.join(parent, name)
            with suppress(OSError):  # It is being removed.
                status = os.lstat(path)
                found.add((path, status.st_ino, status.st_size, status.st_mtime_ns))
    return found
