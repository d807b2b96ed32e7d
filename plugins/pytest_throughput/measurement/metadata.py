"""The metadata of a step, as JSON that every reader accepts (RFC 8259)."""

from __future__ import annotations

import json
import sys
from typing import Any, Dict, Mapping

__all__ = ["RESERVED", "json_metadata"]

RESERVED = ("pair", "slices", "unpaired", "anchor", "kernels", "profile")
"""The names that say beside what a trial was measured, and what its profiler has found. A step's metadata and the axes
of a case cannot have them."""

_MAX_DEPTH = 50
_MAX_SIZE = 1_000_000
"""Values and characters of all metadata together. Each trial is one line of the journal, whose length is limited."""

_MAX_SHOWN = 40


def json_metadata(metadata: Mapping[Any, Any]) -> Dict[str, Any]:
    """Return a copy that holds JSON values only.

    Numbers that are not finite, or too large for a float, become None; ``not_finite`` lists their names.
    Raise ValueError that says which value JSON does not have.
    """
    copier = _Copier()
    copied = copier.members(metadata, "", _MAX_DEPTH)
    for name in ("settings", "versions"):
        if not isinstance(copied.get(name, {}), dict):
            raise ValueError(f"{name} is {type(metadata[name]).__name__}, expected dict")
    if copier.not_finite:
        copied["not_finite"] = list(copier.not_finite)
    return copied


class _Copier:
    """Copies values, and counts them, so that a value that contains itself is refused."""

    def __init__(self) -> None:
        self.not_finite: Dict[str, None] = {}
        """Names of the numbers that were left out, such as ``settings.learning_rate``, in order."""
        self._size_left = _MAX_SIZE

    def members(self, mapping: Mapping[Any, Any], name: str, depth_left: int) -> Dict[str, Any]:
        copied = {}
        for key, value in mapping.items():
            if not isinstance(key, (str, int, float, type(None))):
                raise ValueError(f"{name or 'metadata'} has a key of type {type(key).__name__}, expected str")
            text = key if isinstance(key, str) else json.dumps(key)
            self._count(len(text))
            copied[text] = self._copy(value, f"{name}.{text}" if name else text, depth_left)
        return copied

    def _copy(self, value: Any, name: str, depth_left: int) -> Any:
        self._count(len(value) if isinstance(value, str) else 1)
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, (int, float)):
            if abs(value) <= sys.float_info.max:  # Not true of NaN.
                return value
            self.not_finite[name] = None
            return None
        if depth_left == 0:
            shown = name if len(name) <= _MAX_SHOWN else name[:_MAX_SHOWN] + "…"
            raise ValueError(f"{shown} is nested more than {_MAX_DEPTH} deep, or contains itself")
        if isinstance(value, Mapping):
            return self.members(value, name, depth_left - 1)
        if isinstance(value, (list, tuple)):
            return [self._copy(each, name, depth_left - 1) for each in value]
        raise ValueError(f"{name} is {type(value).__name__}, expected dict, list, str, int, float, bool or None")

    def _count(self, size: int) -> None:
        self._size_left -= size
        if self._size_left < 0:
            raise ValueError(f"they hold more than {_MAX_SIZE:,} values and characters")
