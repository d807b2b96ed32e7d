"""A small complete project that uses the plugin, run in a pytest of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

STEPS = """
import os, time
from pytest_throughput.measurement.step import OutOfMemory, Step, Unsupported

def sleep(milliseconds=1.0, **facts):
    facts.setdefault("settings", {})["omp"] = os.environ.get("OMP_NUM_THREADS")
    facts["pid"] = os.getpid()
    return Step(lambda: time.sleep(milliseconds / 1000), facts=facts)

def end(how):
    if how == "unsupported": raise Unsupported("no such precision")
    if how == "out_of_memory": raise OutOfMemory("12 GiB")
    if how == "crashed": os.kill(os.getpid(), 11)
    if how == "timed_out": time.sleep(1000)
    if how == "failed": raise RuntimeError("broken")
    return sleep()
"""

_PLUGINS = ("-p", "pytest_throughput.plugin", "-p", "known_machine")
_ALONE = "--throughput-lock=off"
"""Tests wait for nobody, and nobody for them, but for those of the locks."""
_PATH = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2] / "plugins")])


class Project:
    """A project with a ``steps`` module, and the plugin loaded by name."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.path = pytester.path
        self._pytester = pytester
        pytester.makepyfile(steps=STEPS)

    def tests(self, text: str) -> None:
        """The project's one test module."""
        self._pytester.makepyfile(test_it=text)

    def run(self, *arguments: str) -> pytest.RunResult:
        """Runs pytest on the project, quickly."""
        quickly = [] if any("protocol" in argument for argument in arguments) else ["--throughput-protocol=quick"]
        return self._pytester.runpytest_inprocess(*_PLUGINS, _ALONE, *quickly, *arguments)

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Begins a run in a process of its own, to be disturbed."""
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *_PLUGINS, _ALONE, "-p", "no:cacheprovider", *arguments],
            cwd=self.path,
            env={**os.environ, "PYTHONPATH": _PATH, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run_json(self, *arguments: str) -> dict[str, Any]:
        """Runs it and reads what ``--benchmark-json`` wrote."""
        self.run("--benchmark-json=run.json", *arguments)
        return self.json()

    def json(self, name: str = "run.json") -> dict[str, Any]:
        """Reads a result file."""
        document: dict[str, Any] = json.loads((self.path / name).read_text())
        return document
