"""Which of the machines that are alike this one is."""

from __future__ import annotations

from pathlib import Path

__all__ = ["machine_id"]

_PLACES = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


def machine_id(places: tuple[Path, ...] = _PLACES) -> str | None:
    """What the system was given when it was installed; None where it has none, as in many containers.

    It is not to be shown to anybody as it is: see ``hashed_machine_id``.
    """
    for place in places:
        try:
            name = place.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        if name and name != "uninitialized":
            return name
    return None
