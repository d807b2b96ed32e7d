"""Find out whether a result file is incomplete, without reading all of it into memory."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["is_incomplete"]

_PART_BYTES = 2**20
_BLOCK = re.compile(rb'\n    "throughput": \{\s{1,99}"schema": \d{1,9},\s{1,99}"complete": (true|false)')
"""The beginning of our block as pytest-benchmark indents it. A text in JSON holds no line break, so none matches."""
_MAX_BLOCK_BYTES = 512


def is_incomplete(path: Path) -> bool:
    """Return whether the file says that its run was not complete, or is cut off or empty.

    Return False for a file that cannot be read, and for one without our block, as pytest-benchmark alone writes it.
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
