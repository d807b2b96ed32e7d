"""What is installed for an interpreter, and which environment variables its processes see."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_throughput.launch.interpreters import Interpreter

__all__ = ["Inventory", "imported_from_elsewhere"]

_PROBE = """
import importlib.metadata, json, os, platform, re, site, sysconfig
packages = {}
for found in importlib.metadata.distributions():
    name = found.metadata["Name"]
    if name:  # The first of a name is the one that is imported.
        known = [str(found.version), found.read_text("direct_url.json")]
        packages.setdefault(re.sub("[-_.]+", "-", name).lower(), known)
print(json.dumps({
    "python": platform.python_implementation() + " " + platform.python_version(),
    "platform": sysconfig.get_platform(),
    "folders": [*([site.getusersitepackages()] if site.ENABLE_USER_SITE else []), *site.getsitepackages()],
    "packages": packages,
    "variables": dict(os.environ),
}))
"""
_PROBE_MODULES = """
import importlib.metadata, importlib.util, itertools, json, os, sys, sysconfig
found = {}
for name in sys.argv[1:]:
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        continue
    own = os.path.realpath(str(distribution.locate_file(""))) + os.sep
    files = [each.parts for each in distribution.files or () if each.suffix in (".py", ".so")]
    for module in {parts[0].partition(".")[0] for parts in files}:
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            continue
        places = [] if spec is None else [spec.origin] if spec.has_location else spec.submodule_search_locations or []
        places = [os.path.realpath(place) for place in places]
        earlier = list(itertools.takewhile(lambda place: not place.startswith(own), places))
        if len(earlier) < len(places):
            # A namespace package, to which several places contribute: only the same files hide those of the package.
            own_files = [parts[1:] for parts in files if parts[0] == module]
            earlier = [each for each in earlier if any(os.path.exists(os.path.join(each, *file)) for file in own_files)]
        if earlier:
            found[module] = earlier[0]
standard = os.path.realpath(sysconfig.get_path("stdlib")) + os.sep
print(json.dumps({module: place for module, place in found.items() if not place.startswith(standard)}))
"""
_COMMIT_DIGITS = 12


@dataclass(frozen=True)
class Inventory:
    """What is installed for an interpreter."""

    python: str
    """Implementation and version, such as ``CPython 3.13.1``."""
    platform: str
    """The platform for which it was built, such as ``linux-x86_64``."""
    folders: tuple[str, ...]
    """The folders into which packages are installed, in the order in which they are searched."""
    packages: Mapping[str, str]
    """The versions of all packages by normalised name, with the commit or file that a version does not name."""
    variables: Mapping[str, str]
    """The environment variables of its processes, which a wrapper may have changed."""

    @classmethod
    def of(cls, interpreter: Interpreter, variables: Mapping[str, str] | None = None) -> Inventory:
        """Ask an interpreter. Raise ValueError if it does not answer.

        ``variables``: its environment variables; by default those of this process.
        """
        answer = _ask(interpreter, _PROBE, (), variables)
        return cls(
            python=answer["python"],
            platform=answer["platform"],
            folders=tuple(answer["folders"]),
            packages={name: version + _origin(source) for name, (version, source) in answer["packages"].items()},
            variables=answer["variables"],
        )


def imported_from_elsewhere(
    interpreter: Interpreter, packages: Sequence[str], variables: Mapping[str, str]
) -> dict[str, str]:
    """Return the modules of installed packages that would be imported from another place, with that place.

    Nothing is imported to find out. Raise ValueError if the interpreter does not answer.
    """
    found: dict[str, str] = _ask(interpreter, _PROBE_MODULES, packages, variables)
    return found


def _ask(
    interpreter: Interpreter, program: str, arguments: Sequence[str], variables: Mapping[str, str] | None
) -> dict[str, Any]:
    try:
        answer = interpreter.ask(program, arguments, variables)
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise ValueError(f"{interpreter.command[0]} does not answer as Python does ({reason})") from None
    if not isinstance(answer, dict):
        raise ValueError(f"{interpreter.command[0]} does not answer as Python does")
    return answer


def _origin(source: str | None) -> str:
    """Return what ``direct_url.json`` says of the origin of a package, in words; empty for one from an index.

    A URL is not shown: it may hold a secret.
    """
    try:
        origin = json.loads(source or "{}")
        if "vcs_info" in origin:
            return f" ({origin['vcs_info']['vcs']} {origin['vcs_info']['commit_id'][:_COMMIT_DIGITS]})"
        if "dir_info" in origin:
            how = "editable, " if origin["dir_info"].get("editable") else ""
            return f" ({how}{origin['url'].removeprefix('file://')})"
        hashes = origin.get("archive_info", {}).get("hashes", {})
        return "".join(f" ({name} {value[:_COMMIT_DIGITS]})" for name, value in sorted(hashes.items())[:1])
    except (AttributeError, KeyError, TypeError, ValueError):  # Any tool may have written it.
        return ""
