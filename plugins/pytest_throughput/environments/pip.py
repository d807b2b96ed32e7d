"""pip, run from this Python for another one, which need not have it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_throughput.text import shortened

__all__ = ["Pip", "PipFailed", "for_another_python", "pip_variables", "without_secrets"]

_MODULE = "pip"
_OPTIONS = ("--disable-pip-version-check", "--no-input")
_MOST_LINES = 10
"""The number of pip's last lines that a message shows."""
_LONGEST_LINE = 400
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]+@")


class PipFailed(Exception):
    """pip ended with an error. The text has several lines: what pip was to do, and its last lines."""


@dataclass(frozen=True)
class Pip:
    """The pip of this Python, which installs for another one."""

    python: str
    """The program that starts the other Python."""

    def install(self, requirements: Sequence[str], *options: str) -> None:
        """Install the requirements. Raise PipFailed."""
        self._run(f"install {', '.join(requirements)}", "install", "--quiet", *options, "--", *requirements)

    def report(self, requirement: str) -> list[dict[str, Any]]:
        """Return what pip would install for a requirement, without dependencies. Raise PipFailed.

        Each entry is one of ``install`` in pip's installation report, version 1; there is none if the marker of the
        requirement does not hold.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "report.json")
            how = ("--quiet", "--dry-run", "--ignore-installed", "--no-deps", "--report", str(file))
            self._run(f"find {requirement}", "install", *how, "--", requirement)
            entries: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["install"]
            return entries

    def wheel(self, requirement: str, folder: Path) -> Path:
        """Build the wheel of a local folder, and return its path. Raise PipFailed."""
        what = f"build {requirement}"
        self._run(what, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), "--", requirement)
        (wheel,) = folder.glob("*.whl")
        return wheel

    def versions(self, name: str) -> list[str]:
        """Return the versions of a package that the index has for the other Python. Raise PipFailed.

        pip's variables hold, such as PIP_INDEX_URL and PIP_PRE.
        """
        said = self._run(f"find the versions of {name}", "index", "versions", "--", name)
        listed = re.search(r"^Available versions: (.+)$", said, re.MULTILINE)
        return listed[1].split(", ") if listed else []

    def conflicts(self) -> list[str]:
        """Return a sentence for each installed package whose requirements are not met."""
        ended = self._start("check")
        return ended.stdout.splitlines() if ended.returncode != 0 else []

    def _run(self, what: str, *arguments: str) -> str:
        """Return what pip prints. Raise PipFailed: ``what`` says what it was to do."""
        ended = self._start(*arguments)
        if ended.returncode != 0:
            lines = [line for line in without_secrets(ended.stderr or ended.stdout).splitlines() if line.strip()]
            shown = [f"    {shortened(line, _LONGEST_LINE)}" for line in lines[-_MOST_LINES:]]
            heading = f"pip could not {without_secrets(what)} for {self.python} (status {ended.returncode}):"
            raise PipFailed("\n".join([heading, *shown]))
        return ended.stdout

    def _start(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        if importlib.util.find_spec(_MODULE) is None:
            raise PipFailed(f"pip is not installed for {sys.executable}; {sys.executable} -m ensurepip installs it")
        return subprocess.run(
            [sys.executable, "-P", "-m", _MODULE, "--python", self.python, *_OPTIONS, *arguments],
            env=for_another_python(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )


def for_another_python() -> dict[str, str]:
    """Return the environment variables of this process, without those that belong to its own Python."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


def pip_variables() -> dict[str, str]:
    """Return pip's variables, without secrets: they choose which packages pip finds, and how it builds them."""
    return {name: without_secrets(value) for name, value in sorted(os.environ.items()) if name.startswith("PIP_")}


def without_secrets(text: str) -> str:
    """Return the text without the user names and passwords of its URLs."""
    return _CREDENTIALS.sub("", text)
