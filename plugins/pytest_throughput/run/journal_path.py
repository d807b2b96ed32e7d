"""Where the journal of a run is written."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["is_same", "journal_path"]

_SUFFIX = ".journal.jsonl"
_FOLDER = ".throughput"


def journal_path(json: Path | None, rootdir: Path) -> Path:
    """Return the path beside the result file; without a regular one, in ``.throughput`` of the rootdir."""
    if json is not None and (json.is_file() or not json.exists()):
        return json.with_name(json.name + _SUFFIX)
    with suppress(OSError):  # The journal then reports that it cannot be written.
        (rootdir / _FOLDER).mkdir(exist_ok=True)
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return rootdir / _FOLDER / f"{now}-{os.getpid()}{_SUFFIX}"


def is_same(path: Path, other: Path) -> bool:
    """Return whether both paths name one existing file."""
    try:
        return path.samefile(other)
    except OSError:
        return False
