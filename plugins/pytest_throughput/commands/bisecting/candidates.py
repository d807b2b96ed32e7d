"""The candidates of a bisection in their order: the commits, or the versions, from a good one to a bad one."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

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

    Raise ValueError for a folder without a repository, an unknown revision, and if the good one is no ancestor.
    """
    repository = Path(_git(folder, "rev-parse", "--show-toplevel"))
    first, last = (_git(folder, "rev-parse", "--verify", f"{each}^{{commit}}") for each in (good, bad))
    after = _git(folder, "rev-list", "--first-parent", "--reverse", f"{first}..{last}").split()
    if not after or _git(folder, "merge-base", first, last) != first:
        raise ValueError(f"--good {good} is no ancestor of --bad {bad}; expected an earlier commit of the same branch")
    names = [first, *after]
    titles = _git(folder, "show", "--no-patch", "--format=%s", *names).split("\n")
    return [
        Candidate(name, f"git+{repository.as_uri()}@{name}", printable(title, _LONGEST_TITLE))
        for name, title in zip(names, titles, strict=True)
    ]


def _git(folder: Path, *arguments: str) -> str:
    try:
        ended = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise ValueError(f"git cannot be started: {error.strerror}") from None
    if ended.returncode != 0:
        raise ValueError(f"git {shlex.join(arguments)}: {ended.stderr.strip() or f'status {ended.returncode}'}")
    return ended.stdout.removesuffix("\n")


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


def versions(name: str, patterns: Sequence[str], good: str, bad: str) -> list[Candidate]:
    """Return the versions that match any pattern, from the good one to the bad one.

    pip is asked for the versions of its index, unless every pattern is a version. Raise ValueError.
    """
    first, last = _version(good, "--good"), _version(bad, "--bad")
    if not first < last:
        raise ValueError(f"--good {good} is not older than --bad {bad}; expected a version before it")
    if any("*" in pattern for pattern in patterns):
        wanted = [SpecifierSet(f"=={pattern}", prereleases=True) for pattern in patterns]
        known = [each for each in _of_index(name) if any(each in one for one in wanted)]
    else:
        known = [_version(pattern, "--versions") for pattern in patterns]
    ordered = sorted({first, *(each for each in known if first < each < last), last})
    return [Candidate(str(each), f"{name}=={each}") for each in ordered]


def _version(text: str, option: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        raise ValueError(f"{option}: expected a version such as 2.13.0, got {text!r}") from None


def _of_index(name: str) -> list[Version]:
    """Return the versions that pip finds. Its variables, such as PIP_INDEX_URL and PIP_PRE, choose what it looks at."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "index", "versions", name]
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    listed = re.search(r"^Available versions: (.+)$", ended.stdout, re.MULTILINE)
    if listed is None:
        said = [line for line in (ended.stderr or ended.stdout).splitlines() if line.strip()]
        why = printable(said[-1]) if said else f"status {ended.returncode}"
        raise ValueError(f"pip finds no versions of {name}: {why}; name each version, as in {name}==1.0,1.1")
    return [Version(each.strip()) for each in listed[1].split(",")]
