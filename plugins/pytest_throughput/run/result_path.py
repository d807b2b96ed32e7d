"""The file that ``--benchmark-json`` names. A temporary file beside it is written first, and then replaces it."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path, PosixPath

import pytest

from pytest_throughput.results.completeness import is_incomplete
from pytest_throughput.text import printable

__all__ = ["ResultPath", "is_whole_json", "make_room", "refuse_what_cannot_be_written", "write_beside"]

_LONGEST_SUFFIX = ".journal.jsonl.previous-999"
"""The longest suffix that is added to the name of the result file for a file beside it."""
_MAX_NAME_BYTES = 255
"""The length limit of a file name in nearly every file system."""


class ResultPath(PosixPath):
    """The value of ``--benchmark-json``, which opens as a temporary file while results are written.

    Its text is the name that was given. pytest-benchmark has no option to write its JSON to a temporary file.
    """

    opens_as: Path | None = None

    def __fspath__(self) -> str:
        return str(self if self.opens_as is None else self.opens_as)

    @property
    def plain(self) -> Path:
        """The path as it was given."""
        return Path(str(self))

    @property
    def is_replaceable(self) -> bool:
        """Whether the path is a regular file or does not exist; a device such as /dev/stdout is not replaced."""
        return self.plain.is_file() or not os.path.lexists(self)


def write_beside(config: pytest.Config) -> None:
    """Make the value of ``--benchmark-json`` a ``ResultPath``. Call this before pytest-benchmark reads the option."""
    path = config.getoption("benchmark_json", None)
    if isinstance(path, Path):
        config.option.benchmark_json = ResultPath(path)


def refuse_what_cannot_be_written(path: Path) -> None:
    """Raise pytest.UsageError for a result file that cannot be written, before anything is measured."""
    shown = printable(str(path))
    try:
        path.with_name(path.name + _LONGEST_SUFFIX).lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise pytest.UsageError(
                f"--benchmark-json: cannot write {shown}: {error.strerror}; expected at most "
                f"{_MAX_NAME_BYTES - len(_LONGEST_SUFFIX)} bytes as a name, since the journal is called "
                "NAME.journal.jsonl"
            ) from None
    folder = path.absolute().parent
    if not folder.is_dir() or path.is_dir() or not os.access(folder, os.W_OK):
        raise pytest.UsageError(
            f"--benchmark-json: cannot write {path}; expected the name of a file in an existing, writable folder"
        )
    if _is_printed_to(path):
        raise pytest.UsageError(
            f"--benchmark-json: cannot write {shown}: pytest prints to that file; give the name of another"
        )
    if _previous(path).is_dir() or not _may_be_moved(path):
        raise pytest.UsageError(
            f"--benchmark-json: cannot move the older {shown} to {printable(_previous(path).name)}; "
            "remove what is in the way, or give another name"
        )


def is_whole_json(path: Path) -> bool:
    """Return whether the file holds a complete JSON object."""
    try:
        if not path.is_file() or path.stat().st_size < 2:
            return False
        with path.open("rb") as file:
            file.seek(-2, os.SEEK_END)
            return file.read(2) == b"\n}"
    except OSError:
        return False


def _is_printed_to(path: Path) -> bool:
    """Return whether the path is the regular file of standard output or standard error, as /dev/stdout may be.

    A link to it would be replaced by the result file.
    """
    for descriptor in (1, 2):
        with suppress(OSError):
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode) and os.path.samestat(status, path.stat()):
                return True
    return False


def _previous(path: Path) -> Path:
    return path.with_name(path.name + ".previous")


def make_room(path: Path) -> None:
    """Keep an older file as ``FILE.previous``, unless it is incomplete and would replace a complete one there."""
    previous = _previous(path)
    if path.is_file() and not (is_incomplete(path) and previous.exists() and not is_incomplete(previous)):
        os.replace(path, previous)


def _may_be_moved(path: Path) -> bool:
    """Return whether the file, if it exists, may be renamed. In a folder such as /tmp only its owner may do that."""
    try:
        file, folder = path.lstat(), path.absolute().parent.stat()
    except OSError:
        return True
    return not folder.st_mode & stat.S_ISVTX or os.geteuid() in (0, file.st_uid, folder.st_uid)
