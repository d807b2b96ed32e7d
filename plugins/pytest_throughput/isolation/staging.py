"""The folder on a worker's path: copies of the packages it needs, and of nothing else.

A worker's interpreter may be another Python, which must not see the site-packages of this one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

__all__ = ["StagedPath"]


class StagedPath:
    """A temporary folder that holds the given packages; made when first asked for."""

    def __init__(self, packages: Iterable[Path]) -> None:
        self._packages = tuple(packages)
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def folder(self) -> Path:
        """The folder, to be put on a Python path. Raises OSError if the temporary folder is full."""
        if self._folder is None:
            folder = tempfile.TemporaryDirectory(prefix="pytest-throughput-")
            try:
                for package in self._packages:
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(package, Path(folder.name, package.name), ignore=ignored)
            except OSError as error:
                # A half of it would be found, and another reason given, by the next case.
                folder.cleanup()
                first = error.args[0][0][2] if isinstance(error, shutil.Error) else error
                raise OSError(f"cannot copy what workers import to {tempfile.gettempdir()}: {first}") from None
            self._folder = folder
        return Path(self._folder.name)

    def remove(self) -> None:
        """Removes the folder, if it was made."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
