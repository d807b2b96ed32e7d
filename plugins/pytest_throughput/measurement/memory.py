"""The peak resident memory of this process, which Linux can be told to count anew."""

from __future__ import annotations

from typing import Optional

__all__ = ["peak_resident_bytes", "reset_peak_resident"]


def reset_peak_resident() -> bool:
    """Makes the peak count from now on; False where the system cannot (see proc(5), clear_refs)."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as clear_refs:
            clear_refs.write("5")
    except OSError:
        return False
    return True


def peak_resident_bytes() -> Optional[int]:
    """The largest resident set, in bytes, since the start or the last reset; None where unknown."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None
