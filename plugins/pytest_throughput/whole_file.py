"""Write a file whole: readers see the old one or the new one, never a part."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

__all__ = ["replace_file"]


def replace_file(path: Path, content: bytes) -> None:
    """Replace the file, or make it, by a temporary one beside it that is on the disk. Raise OSError."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".pytest-throughput-", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), _mode(path))
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(file.name)
            raise


def _mode(path: Path) -> int:
    """Return the permissions of the file, or those of a new one if there is none."""
    with suppress(OSError):
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
