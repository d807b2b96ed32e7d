"""The memory of this process: the largest resident set so far, and how much is swapped out."""

from __future__ import annotations

from typing import Optional

__all__ = ["peak_resident_bytes", "swapped_bytes"]


def peak_resident_bytes(status_file: str = "/proc/self/status") -> Optional[int]:
    """Return the largest resident set since the process began, in bytes (proc(5), VmHWM); None where unknown."""
    return _read(status_file, "VmHWM:")


def swapped_bytes(status_file: str = "/proc/self/status") -> Optional[int]:
    """Return how much of the process is swapped out now, in bytes (proc(5), VmSwap); None where unknown."""
    return _read(status_file, "VmSwap:")


def _read(status_file: str, name: str) -> Optional[int]:
    try:
        with open(status_file, encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith(name):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None
