"""Write the file that ``-o`` names: readers see the old file or the whole new one, never a part."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pytest_throughput.text import printable
from pytest_throughput.whole_file import replace_file

__all__ = ["NotWritten", "refuse_inputs", "write_output"]


class NotWritten(Exception):
    """A file could not be written. The message names it and says why."""


def refuse_inputs(output: Path, inputs: Sequence[Path]) -> None:
    """Raise ValueError if the output is one of the files that the command reads."""
    if os.path.exists(output) and any(os.path.samefile(output, path) for path in inputs if os.path.exists(path)):
        raise ValueError(f"-o {printable(str(output))}: the command reads this file; give another name")


def write_output(path: Path, content: bytes) -> None:
    """Write the file atomically; into a device or a pipe, such as /dev/stdout, directly. Raise NotWritten."""
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            replace_file(path.resolve(), content)
    except (OSError, ValueError) as error:  # ValueError: the name contains a NUL byte.
        why = getattr(error, "strerror", None) or error
        raise NotWritten(f"could not write {printable(str(path))}: {why}; give a name in a folder with space") from None
