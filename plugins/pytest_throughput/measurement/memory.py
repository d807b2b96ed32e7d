"""The peak resident memory of this process."""

from __future__ import annotations

from typing import Optional

__all__ = ["peak_resident_bytes"]


def peak_resident_bytes() -> Optional[int]:
    """The largest resident set since the process began, in bytes (proc(5), VmHWM); None where unknown."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None
