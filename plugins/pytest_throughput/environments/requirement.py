"""What a requirement means: exactly what pip would install for it, so that an environment can be found again."""

from __future__ import annotations

import hashlib
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from pytest_throughput.environments.pip import Pip, without_secrets

__all__ = ["Pinned", "pin"]

_COMMIT = re.compile(r"(?:[\w.-]+\s*@\s*)?git\+\S+@[0-9a-f]{40}(?:#subdirectory=[^&\s]+)?")
"""A git revision by its full hash, which needs no look-up."""


@dataclass(frozen=True)
class Pinned:
    """A requirement that installs the same whenever it is installed."""

    text: str
    """The requirement as pip takes it."""
    identity: str
    """A text that is equal for equal content; it names no temporary file."""
    name: str = ""
    """The name of the package, as far as it is known before it is installed."""
    extras: tuple[str, ...] = ()


def pin(text: str, pip: Pip, scratch: Path) -> Pinned:
    """Return what a requirement means now: the version of an index, the commit of a branch, the content of a folder.

    ``pip``: that of the Python to install for. ``scratch``: an existing folder for the wheel of a local project, which
    is built each time. An exact version and the full hash of a commit need neither. Raise ValueError for what is no
    requirement, and PipFailed.
    """
    if not text.strip() or text.startswith("-"):
        raise ValueError(
            "expected a requirement as pip takes it, such as numpy==2.3.5, git+file:///path/of/repository@REVISION "
            f"or a folder, got {text!r}"
        )
    if _COMMIT.fullmatch(text):
        return Pinned(text, without_secrets(text))
    requirement = _exact(text)
    if requirement is not None:
        return Pinned(text, str(requirement), requirement.name, tuple(requirement.extras))
    entries = pip.report(text)
    if not entries:
        raise ValueError(f"{without_secrets(text)!r}: its marker does not hold for {pip.python}; leave it out")
    return _pinned(text, entries[0], pip, scratch)


def _exact(text: str) -> Requirement | None:
    """Return a requirement of one exact version from an index; None for any other."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    versions = [each.version for each in requirement.specifier if each.operator in ("==", "===")]
    is_exact = len(versions) == len(requirement.specifier) == 1 and not versions[0].endswith(".*")
    return requirement if is_exact and requirement.url is None and requirement.marker is None else None


def _pinned(text: str, entry: dict[str, Any], pip: Pip, scratch: Path) -> Pinned:
    """Return the pinned requirement by its entry in pip's report."""
    name, extras = entry["metadata"]["name"], tuple(sorted(entry.get("requested_extras", ())))
    full_name = f"{name}[{','.join(extras)}]" if extras else name
    source = entry["download_info"]
    if not entry["is_direct"]:
        pinned = identity = f"{full_name}=={entry['metadata']['version']}"
    elif "vcs_info" in source:
        pinned = _at_commit(text, source["vcs_info"]["vcs"], source["vcs_info"]["commit_id"])
        identity = without_secrets(pinned)
    elif "dir_info" in source:
        wheel = pip.wheel(text, scratch)
        pinned, identity = f"{full_name} @ {wheel.as_uri()}", f"{full_name} with {_content(wheel)}"
    else:
        hashes = sorted(source["archive_info"].get("hashes", {}).items())
        pinned, identity = text, f"{full_name} from {without_secrets(source['url'])} with {hashes}"
    return Pinned(pinned, identity, name, extras)


def _at_commit(text: str, system: str, commit: str) -> str:
    """Return the requirement with the commit in place of its revision, as pip reads URLs, and without a marker."""
    before, plus, url = text.partition(f"{system}+")
    address, mark, fragment = url.split()[0].partition("#")
    start = address.index("/", address.index("://") + 3)  # A user name before the host may be followed by an @, too.
    path = address[start:].rsplit("@", 1)[0]
    return f"{before}{plus}{address[:start]}{path}@{commit}{mark}{fragment}"


def _content(wheel: Path) -> str:
    """Return a digest of the files of a wheel, whatever the times of their entries in the archive."""
    with zipfile.ZipFile(wheel) as archive:
        (record,) = [name for name in archive.namelist() if name.endswith(".dist-info/RECORD")]
        lines = sorted(archive.read(record).splitlines())
    return hashlib.sha256(b"\n".join(lines)).hexdigest()
