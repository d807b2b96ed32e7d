"""Whether a result file is known to be incomplete, without reading all of it into memory."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["is_incomplete"]

_PART_BYTES = 2**20
_BLOCK = re.compile(rb'\n    "throughput": \{\s{1,99}"schema": \d{1,9},\s{1,99}"complete": (true|false)')
"""As pytest-benchmark indents our block. No text within JSON holds a line break, so that none can look like it."""
_MAX_BLOCK_BYTES = 512


def is_incomplete(path: Path) -> bool:
    """Return whether the file says that its run was not complete, or is cut off or empty.

    A file that says nothing of it, such as one that pytest-benchmark has written alone, is not known to be incomplete,
    nor is one that cannot be read.
    """
    try:
        with path.open("rb") as file:
            first, before = file.read(1), b""
            while part := file.read(_PART_BYTES):
                found = _BLOCK.search(before + part)
                if found is not None:
                    return found.group(1) == b"false"
                before = (before + part)[-_MAX_BLOCK_BYTES:]
    except OSError:
        return False
    return first in (b"", b"{") and not before.rstrip().endswith(b"}")
