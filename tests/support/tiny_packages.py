"""Tiny packages that pip installs without a network: wheels, and projects that build themselves."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

__all__ = ["commit", "project", "wheel"]

_BACKEND = """
import zipfile
from pathlib import Path

NAME, VERSION, REQUIRES = {name!r}, {version!r}, {requires!r}

def get_requires_for_build_wheel(config_settings=None):
    return []

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    metadata = f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{VERSION}}\\nProvides-Extra: all\\n"
    metadata += "".join(f"Requires-Dist: {{each}}\\n" for each in REQUIRES)
    tag = "Wheel-Version: 1.0\\nGenerator: tiny\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    information, source = f"{{NAME}}-{{VERSION}}.dist-info", Path(__file__).with_name(NAME + ".py").read_text()
    files = {{f"{{NAME}}.py": source, f"{{information}}/METADATA": metadata, f"{{information}}/WHEEL": tag}}
    record = "".join(f"{{name}},sha256={{hash_of(text)}},{{len(text)}}\\n" for name, text in files.items())
    files[f"{{information}}/RECORD"] = record + f"{{information}}/RECORD,,\\n"
    file = f"{{NAME}}-{{VERSION}}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory, file), "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return file

def hash_of(text):
    import base64, hashlib
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
"""
_PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


def project(folder: Path, name: str, version: str, source: str = "", requires: Sequence[str] = ()) -> Path:
    """Write a project of one module that builds its wheel by itself, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(_PYPROJECT)
    (folder / "backend.py").write_text(_BACKEND.format(name=name, version=version, requires=list(requires)))
    (folder / f"{name}.py").write_text(source or f"VERSION = {version!r}\n")
    return folder


def wheel(folder: Path, name: str, version: str, source: str = "", requires: Sequence[str] = ()) -> Path:
    """Write the wheel of such a project into a folder, and return its path."""
    built = project(folder / "sources" / f"{name}-{version}", name, version, source, requires)
    namespace = {"__file__": str(built / "backend.py")}
    exec((built / "backend.py").read_text(), namespace)
    return folder / str(namespace["build_wheel"](str(folder)))  # type: ignore[operator]


def commit(folder: Path) -> str:
    """Commit everything in a folder, which becomes a repository if it is none, and return the hash."""

    def git(*arguments: str) -> str:
        who = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(folder), *who, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "a state")
    return git("rev-parse", "HEAD")
