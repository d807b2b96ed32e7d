"""Make an environment once, keep it under a digest of what was asked for, and find it again."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name

from pytest_throughput.cache_folder import cache_folder
from pytest_throughput.environments.pip import Pip, PipFailed, for_another_python, pip_variables, without_secrets
from pytest_throughput.environments.requirement import Pinned, pin
from pytest_throughput.launch.interpreters import Interpreter
from pytest_throughput.launch.inventory import Inventory

__all__ = ["Environment", "Environments"]

_FORMAT = 1
"""A part of each digest: environments of an older format are not used."""
_MARKER = "complete.json"
"""The file that is written last. A folder without it is what an interrupted run has left."""
_EXTENDS = "pytest_throughput_extends.pth"
_KEPT_DAYS = 30
"""The days after which an environment that was not asked for again is removed."""


@dataclass(frozen=True)
class Environment:
    """A Python with everything that the extended one has, and the requirements installed over it."""

    folder: Path
    requirements: tuple[str, ...]
    """The requirements as they were asked for, without secrets."""
    conflicts: tuple[str, ...] = ()
    """pip's sentences on packages whose requirements are not met here, and are met in the extended Python."""
    was_made: bool = False
    """Whether this call made it; False if it was found."""

    @property
    def python(self) -> Path:
        """The program that starts its Python."""
        return self.folder / "bin" / "python"


class _Marker(msgspec.Struct, frozen=True):
    """The content of an environment's marker that a later run needs."""

    conflicts: tuple[str, ...]


class Environments:
    """The environments that extend one Python.

    An environment holds its own requirements and what pip has to change for them. Everything else is imported from
    the extended Python, so that two environments differ by their requirements alone, and are small and quickly made.
    """

    def __init__(
        self,
        python: str = sys.executable,
        folder: Path | None = None,
        say: Callable[[str], object] = lambda text: None,
    ) -> None:
        """Ask the Python to extend. Raise ValueError if it does not answer.

        ``folder``: where environments are kept; by default a cache of the user. ``say`` gets a sentence on each
        environment that is found or made.
        """
        found = shutil.which(python)
        self._python = python if found is None else os.path.abspath(found)
        # Workers in an environment do not see these variables of the shell either, nor packages in the current folder.
        variables = {**for_another_python(), "PYTHONSAFEPATH": "1"}
        self._extended = Inventory.of(Interpreter("default", "python", (self._python,)), variables)
        self._folder = _cache_folder() if folder is None else folder
        self._say = say

    def get(self, requirements: Sequence[str]) -> Environment:
        """Return the environment with these requirements, as pip takes them; make it if there is none.

        Requirements that are not exact (``numpy``, a branch, a local folder) are looked up anew by each call. Raise
        ValueError for what is no requirement, PipFailed if pip cannot find or install one, and OSError if the
        environment cannot be written.
        """
        with tempfile.TemporaryDirectory(prefix="pytest-throughput-") as scratch:
            pip, pinned = Pip(self._python), []
            for number, text in enumerate(requirements):
                own = Path(scratch, str(number))
                own.mkdir()
                pinned.append(pin(text, pip, own))
            digest = self._digest(pinned)
            self._folder.mkdir(parents=True, exist_ok=True)
            asked = tuple(map(without_secrets, requirements))
            with _locked(self._folder / f"{digest}.lock"):
                return self._find_or_make(self._folder / digest, asked, pinned)

    def _digest(self, pinned: Sequence[Pinned]) -> str:
        extended = self._extended
        described = [_FORMAT, self._python, extended.python, extended.platform, extended.folders, extended.packages]
        asked = sorted(each.identity for each in pinned)
        canonical = json.dumps([*described, pip_variables(), asked], sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def _find_or_make(self, folder: Path, asked: tuple[str, ...], pinned: Sequence[Pinned]) -> Environment:
        names = ", ".join(asked)
        marker = _read(folder / _MARKER)
        if marker is not None and os.access(folder / "bin" / "python", os.X_OK):
            os.utime(folder / _MARKER)  # It tells when the environment was last asked for.
            self._say(f"found the environment with {names}: {folder}")
            return Environment(folder, asked, marker.conflicts)
        self._remove_unused()
        self._say(f"making an environment with {names} (pip may take minutes): {folder}")
        shutil.rmtree(folder, ignore_errors=True)
        conflicts = self._make(folder, pinned)
        content = {"requirements": asked, "extends": self._python, "conflicts": conflicts}
        part = folder / f"{_MARKER}.part"
        part.write_text(json.dumps(content, indent=4), encoding="ascii")
        part.replace(folder / _MARKER)
        return Environment(folder, asked, tuple(conflicts), was_made=True)

    def _remove_unused(self) -> None:
        """Remove environments that were not asked for in ``_KEPT_DAYS``: each further commit makes one."""
        oldest = time.time() - _KEPT_DAYS * 24 * 3600
        for lock in self._folder.glob("*.lock"):
            folder = lock.with_suffix("")
            # Another run makes or finds it, it belongs to another user, or the file system has no locks.
            with suppress(OSError), open(lock, "a") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if folder.is_dir() and _last_use(folder) < oldest:
                    self._say(f"removing an environment that was not used for {_KEPT_DAYS} days: {folder}")
                    (folder / _MARKER).unlink(missing_ok=True)  # A half of it is not taken for the whole.
                    shutil.rmtree(folder, ignore_errors=True)

    def _make(self, folder: Path, pinned: Sequence[Pinned]) -> list[str]:
        """Make the environment, and return pip's sentences on conflicts that the extended Python does not have.

        The requirements are installed first and alone, so that nothing that is there already stands in for them, and
        then what they need and the extended Python lacks.
        """
        made = subprocess.run(
            [self._python, "-m", "venv", "--without-pip", str(folder)], capture_output=True, text=True, check=False
        )
        if made.returncode != 0:
            raise PipFailed(f"{self._python} -m venv failed: {made.stderr.strip() or made.stdout.strip()}")
        pip = Pip(str(folder / "bin" / "python"))
        (packages,) = {path.resolve() for path in folder.glob("lib*/*/site-packages")}
        lines = [f"import site; site.addsitedir({each!a})" for each in self._extended.folders]
        (packages / _EXTENDS).write_text("\n".join(lines), encoding="ascii")
        pip.install([each.text for each in pinned], "--no-deps", "--ignore-installed")
        pip.install(_installed(packages, pinned))
        conflicts = pip.conflicts()
        known = Pip(self._python).conflicts() if conflicts else []
        return [each for each in conflicts if each not in known]


def _installed(packages: Path, pinned: Sequence[Pinned]) -> list[str]:
    """Return an exact requirement for each package in the folder, with the extras that were asked for."""
    extras = {canonicalize_name(each.name): f"[{','.join(each.extras)}]" for each in pinned if each.extras}
    found = {canonicalize_name(each.name): each.version for each in distributions(path=[str(packages)])}
    return [f"{name}{extras.get(name, '')}=={version}" for name, version in sorted(found.items())]


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold the lock of an environment, so that two runs do not make it at the same time."""
    with open(file, "a") as held:
        with suppress(OSError):  # Some network file systems have no locks.
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _read(marker: Path) -> _Marker | None:
    """Return the content of an environment's marker; None if the environment is not whole."""
    try:
        return msgspec.json.decode(marker.read_bytes(), type=_Marker)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None


def _last_use(folder: Path) -> float:
    """Return the time, in seconds since 1970, when an environment was last asked for, or its making interrupted."""
    marker = folder / _MARKER
    return (marker if marker.exists() else folder).stat().st_mtime


def _cache_folder() -> Path:
    """Return the folder of the user's environments. Raise ValueError for a user without a home."""
    try:
        return cache_folder() / "environments"
    except RuntimeError:
        raise ValueError("there is no home folder to keep environments in; name a folder by XDG_CACHE_HOME") from None
