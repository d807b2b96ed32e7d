"""The candidates of a bisection in their order: the commits, or the versions, from a good one to a bad one."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from pytest_throughput.environments.pip import Pip, PipFailed
from pytest_throughput.text import printable

__all__ = ["Candidate", "commits", "read_versions", "versions"]

_HASH = re.compile(r"[0-9a-f]{40,64}")
_SHOWN_DIGITS = 10
_LONGEST_TITLE = 60


@dataclass(frozen=True)
class Candidate:
    """A commit or a version."""

    name: str
    """The whole hash, or the version."""
    requirement: str
    """The requirement by which pip installs it."""
    title: str = ""
    """The first line of a commit's message, printable."""

    @property
    def shown(self) -> str:
        """The version, or the first digits of the hash."""
        return self.name[:_SHOWN_DIGITS] if _HASH.fullmatch(self.name) else self.name

    @property
    def described(self) -> str:
        """The same with the title, if there is one."""
        return f"{self.shown}: {self.title}" if self.title else self.shown


def commits(folder: Path, good: str, bad: str) -> list[Candidate]:
    """Return the good commit and all that follow it up to the bad one, along the first parents of merges.

    Raise ValueError for a folder without a repository, an unknown revision, and if the good one is no first parent.
    """
    repository = Path(_git(folder, "rev-parse", "--show-toplevel"))
    first, last = _commit(folder, "--good", good), _commit(folder, "--bad", bad)
    after = _listed(folder, "--first-parent", "--reverse", f"{first}..{last}")
    if not after or _git(folder, "merge-base", first, last) != first:
        raise ValueError(f"--good {good} is no ancestor of --bad {bad}; expected an earlier commit of the same branch")
    before = _git(folder, "rev-parse", f"{after[0][0]}^")
    if before != first:
        raise ValueError(
            f"--good {good} is on a branch that was merged into that of --bad {bad}, and the search follows the first "
            f"parents of merges; expected one of these, such as {before[:_SHOWN_DIGITS]}, which both have"
        )
    return [
        Candidate(name, f"git+{repository.as_uri()}@{name}", printable(title, _LONGEST_TITLE))
        for name, title in [*_listed(folder, "--no-walk", first), *after]
    ]


def _commit(folder: Path, option: str, revision: str) -> str:
    """Return the hash of a commit. Raise ValueError."""
    try:
        return _git(folder, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    except ValueError as error:
        raise ValueError(f"{option}: expected a commit of this repository, got {revision!r} ({error})") from None


def _listed(folder: Path, *arguments: str) -> list[tuple[str, str]]:
    """Return the hashes of commits, and the first lines of their messages."""
    lines = _git(folder, "rev-list", "--format=%H %s", *arguments).split("\n")
    return [(name, title) for name, _, title in (line.partition(" ") for line in lines[1::2])]


def _git(folder: Path, *arguments: str) -> str:
    try:
        ended = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)
    except OSError as error:
        raise ValueError(f"git cannot be started: {error.strerror}") from None
    if ended.returncode != 0:
        said = ended.stderr.decode(errors="replace").strip()
        raise ValueError(f"git {shlex.join(arguments)}: {said or f'status {ended.returncode}'}")
    return ended.stdout.decode(errors="replace").removesuffix("\n")


def read_versions(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the name of a package and the patterns of its versions. Raise ValueError."""
    name, equals, listed = text.partition("==")
    patterns = tuple(part.strip() for part in listed.split(","))
    try:
        SpecifierSet(",".join(f"=={pattern}" for pattern in patterns))
    except InvalidSpecifier:
        equals = ""
    if not equals or re.fullmatch(r"[A-Za-z0-9][\w.-]*", name, re.ASCII) is None:
        raise ValueError(f"expected NAME==VERSIONS, such as torch==2.12.*,2.13.* or numpy==2.3.0,2.3.1, got {text!r}")
    return name, patterns


def versions(name: str, patterns: Sequence[str], good: str, bad: str, pip: Pip) -> list[Candidate]:
    """Return the versions that match any pattern, from the good one to the bad one.

    ``pip``, that of the Python to install for, is asked for versions unless every pattern is one. Raise ValueError.
    """
    first, last = _version(good, "--good"), _version(bad, "--bad")
    if not first < last:
        raise ValueError(f"--good {good} is not older than --bad {bad}; expected a version before it")
    if any("*" in pattern for pattern in patterns):
        wanted = [SpecifierSet(f"=={pattern}", prereleases=True) for pattern in patterns]
        known = [each for each in _of_index(name, pip) if any(each in one for one in wanted)]
    else:
        known = [_version(pattern, "--versions") for pattern in patterns]
    ordered = sorted({first, *(each for each in known if first < each < last), last})
    return [Candidate(str(each), f"{name}=={each}") for each in ordered]


def _version(text: str, option: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        raise ValueError(f"{option}: expected a version such as 2.13.0, got {text!r}") from None


def _of_index(name: str, pip: Pip) -> list[Version]:
    try:
        return list(map(Version, pip.versions(name)))
    except PipFailed as error:
        raise ValueError(f"{error}; name each version, as in {name}==1.0,1.1") from None
