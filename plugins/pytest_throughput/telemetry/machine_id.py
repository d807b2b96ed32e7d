"""The identifier that distinguishes this machine from others of the same hardware."""

from __future__ import annotations

from pathlib import Path

__all__ = ["machine_id"]

_PLACES = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


def machine_id(places: tuple[Path, ...] = _PLACES) -> str | None:
    """Return the machine id of the operating system; None where there is none, as in many containers.

    The id is confidential (``man machine-id``): only its hash is stored, see ``hashed_machine_id``.
    """
    for place in places:
        try:
            name = place.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        if name and name != "uninitialized":
            return name
    return None
