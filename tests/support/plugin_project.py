"""A small complete project that uses the plugin, and is run in a separate pytest."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

# A run in this process forgets what it has imported. numpy cannot be imported twice, and the others take long.
import known_machine  # noqa: F401
import psutil
import pytest
import rich.table  # noqa: F401
import scipy.special  # noqa: F401

import pytest_throughput.gate.comparison
import pytest_throughput.gate.from_results
import pytest_throughput.run.terminal  # noqa: F401

STEPS = """
import os, time
from pytest_throughput import OutOfMemory, Step, Unsupported

def sleep(milliseconds=1.0, **metadata):
    metadata.setdefault("settings", {})["omp"] = os.environ.get("OMP_NUM_THREADS")
    metadata["pid"] = os.getpid()
    return Step(lambda: time.sleep(milliseconds / 1000), metadata=metadata)

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
"""The option with which tests neither wait for other runs nor make them wait, except the tests of the locks."""
_ON_A_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
_PATH = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2] / "plugins")])


class Project:
    """A project with a ``steps`` module, and the plugin loaded by name."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.path = pytester.path
        self._pytester = pytester
        self._started: list[subprocess.Popen[str]] = []
        pytester.makepyfile(steps=STEPS)

    def tests(self, text: str) -> None:
        """Write the only test module of the project."""
        self._pytester.makepyfile(test_it=text)

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run pytest on the project with the shortest protocol."""
        quickly = [] if any("protocol" in argument for argument in arguments) else ["--throughput-protocol=quick"]
        return self._pytester.runpytest_inprocess(*_PLUGINS, _ALONE, *quickly, *arguments)

    def start(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        stdout: int | IO[str] = subprocess.PIPE,
        stderr: int | IO[str] = subprocess.STDOUT,
    ) -> subprocess.Popen[str]:
        """Start a run in a process of its own, which a test can disturb."""
        process = subprocess.Popen(
            self._command(*arguments),
            cwd=self.path,
            env=self._variables(environment or {}),
            stdout=stdout,
            stderr=stderr,
            text=True,
        )
        self._started.append(process)
        return process

    def start_on_a_terminal(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> tuple[subprocess.Popen[str], int]:
        """Start a run on a terminal of its own; also return the other end's descriptor, which has to be closed."""
        master, slave = os.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", _ON_A_TERMINAL, *self._command(*arguments)],
            cwd=self.path,
            env=self._variables(environment or {}),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            text=True,
        )
        os.close(slave)
        self._started.append(process)
        return process, master

    @staticmethod
    def _command(*arguments: str) -> list[str]:
        return [
            sys.executable,
            "-m",
            "pytest",
            *_PLUGINS,
            "-p",
            "short_protocols",
            _ALONE,
            "-p",
            "no:cacheprovider",
            *arguments,
        ]

    @staticmethod
    def _variables(given: Mapping[str, str]) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": _PATH, **given}

    def event(self, pipe: str, process: subprocess.Popen[str]) -> str:
        """Return the next text that is written to the named pipe; fail if the process ends instead."""
        reading = os.open(self.path / pipe, os.O_RDONLY | os.O_NONBLOCK)
        ended = os.pidfd_open(process.pid)
        try:
            poll = select.poll()
            poll.register(reading, select.POLLIN)
            poll.register(ended, select.POLLIN)
            said = b""
            while True:
                ready = dict(poll.poll())
                if reading in ready:
                    with suppress(BlockingIOError):  # The pipe has been opened, but nothing has been written yet.
                        part = os.read(reading, 2**16)
                        if not part:
                            return said.decode()
                        said += part
                elif ended in ready:
                    output = "" if process.stdout is None else process.stdout.read()
                    raise AssertionError(f"the run ended with {process.wait()} and no event: {output}")
        finally:
            os.close(reading)
            os.close(ended)

    def end_all(self) -> None:
        """End all processes that were started and are still alive, so that a failed test leaves none."""
        for process in self._started:
            children: list[psutil.Process] = []
            with suppress(psutil.NoSuchProcess):
                children = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
            # The reaper gets the time to end the processes first.
            for child in psutil.wait_procs(children, timeout=10)[1]:
                child.kill()

    def run_json(self, *arguments: str) -> dict[str, Any]:
        """Run pytest, and return the JSON that ``--benchmark-json`` wrote."""
        self.run("--benchmark-json=run.json", *arguments)
        return self.json()

    def json(self, name: str = "run.json") -> dict[str, Any]:
        """Return the content of a result file."""
        document: dict[str, Any] = json.loads((self.path / name).read_text())
        return document
