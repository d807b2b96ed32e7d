"""The anchor of a trial: an environment that stays the same, beside which the trial was measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Anchor", "anchor_of", "digest_of", "shown_anchor", "versions_of"]


class Anchor(NamedTuple):
    """The speed of a trial relative to its anchor."""

    digest: str
    """Equal for anchors with equal versions."""
    ratio: float
    """The speed of the trial ÷ that of the anchor."""
    mean_ratio: float | None = None
    """The same by means, which contain steps that take far longer than others; None where it is unknown."""


def anchor_of(metadata: Mapping[str, Any]) -> Anchor | None:
    """Return the anchor that the metadata of a trial name; None if it has no ratio to one."""
    found = metadata.get("anchor") or {}
    digest, ratio = found.get("digest"), found.get("ratio")
    return None if digest is None or ratio is None else Anchor(digest, ratio, found.get("mean_ratio"))


def versions_of(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return the versions that a worker reported, as texts by name; without those that it does not know."""
    versions: Mapping[str, Any] = metadata.get("versions") or {}
    return {name: str(version) for name, version in sorted(versions.items()) if version}


def digest_of(versions: Mapping[str, str]) -> str:
    """Return 16 hexadecimal digits, equal for equal versions in any order."""
    canonical = json.dumps(dict(versions), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def shown_anchor(digest: str, versions: Mapping[str, str]) -> str:
    """Return the anchor in words, as ``0123456789abcdef (numpy 2.1.0, python 3.11.7)``."""
    named = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return f"{digest} ({named})" if named else digest
