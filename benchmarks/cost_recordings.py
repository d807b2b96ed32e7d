"""Recordings of what other tools measure: units with two equal sides, in turn, and the seconds that they took.

A unit is what a tool repeats on each side: a round of ``asv`` (a process for each step), a session of pytest-benchmark
(a process for all steps), a trial of commit 14f5efd (a process for each step). The file has a line for each unit and
case. See ``cost_of_a_verdict.py``.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gate_real_runs import STEPS, THREADS

from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS
from pytest_throughput.launch.variables import THREAD_VARIABLES

__all__ = ["OLD_COMMIT", "RIVALS", "TOOLS", "old_code", "record"]

OLD_COMMIT = "14f5efd"
_CHECKOUT = Path(__file__).parent.parent
RIVALS = Path(__file__).parent / "rivals"
_OLD_ARGUMENTS = ("mode", "framework", "device", "model", "batch_size", "precision", "execution", "threads")
"""The arguments that ``open_step`` has at the old commit, but for the layout, which is its default."""
_MOST_FAILURES = 3
"""The units in a row that may fail before the recording ends."""
_KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "-1",
    "MALLOC_TOP_PAD_": str(64 << 20),
}
"""The variables by which a careful user of another tool makes glibc keep its memory, as workers here do."""

Unit = dict[str, Any]
"""By case id: ``order`` and ``sides``, each with ``samples`` (seconds per step), ``wall_seconds``, ``cpu_seconds``."""


@dataclass(frozen=True)
class Tool:
    """A tool and the way in which it is used."""

    unit: Callable[[random.Random], Unit]
    """Measure one unit of each side."""
    needs: str
    """The module that has to be installed."""


def record(tool: str, file: Path, seconds: float) -> None:
    """Append units of the tool to the file for so many seconds; the last unit is completed."""
    needs = TOOLS[tool].needs
    if find_spec(needs) is None:
        raise SystemExit(f"--tool {tool} needs {needs}, which {sys.executable} does not have: see the docstring")
    deadline = time.monotonic() + seconds
    lines = file.read_text(encoding="ascii").splitlines() if file.exists() else []
    number = 1 + max((one["unit"] for one in map(json.loads, lines) if one["tool"] == tool), default=-1)
    failures = 0
    while time.monotonic() < deadline:
        known = {
            "tool": tool,
            "unit": number,
            "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "load": round(os.getloadavg()[0], 2),
        }
        try:
            unit = TOOLS[tool].unit(random.Random(f"{tool} {number}"))
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            failures += 1
            print(f"unit {number} failed: {error}", file=sys.stderr)
            if failures == _MOST_FAILURES:
                raise SystemExit(f"{failures} units in a row failed") from None
            continue
        failures = 0
        with file.open("a", encoding="ascii") as stream:
            stream.writelines(
                json.dumps({**known, "case": case, **measured}, separators=(",", ":")) + "\n"
                for case, measured in unit.items()
            )
        number += 1


def cases() -> dict[str, dict[str, Any]]:
    """Return the arguments of ``open_step`` for each step, by case id."""
    every = [
        Case(mode, framework, "cpu", model, batch_size, "fp32", FRAMEWORKS[framework].default_execution)
        for mode, framework, model, batch_size in STEPS
    ]
    return {case.id: {**case.to_json(), "threads": THREADS} for case in every}


def asv_round(lot: random.Random, *, suite: str, variables: Mapping[str, str]) -> Unit:
    """Measure a round of asv: all steps of one commit, then all of the other, a process for each.

    The processes are those that asv starts itself (``asv/benchmark.py run``). What asv does around them (discovering
    the benchmarks, installing both commits) is not counted.
    """
    spec = find_spec("asv")
    assert spec is not None and spec.origin is not None
    script, every = Path(spec.origin).with_name("benchmark.py"), cases()
    sides: dict[str, dict[str, Any]] = {}
    order = "".join(lot.sample("ab", 2))
    for side in order:
        for index, case in enumerate(every):
            with tempfile.TemporaryDirectory() as folder:
                answer = Path(folder, "result.json")
                benchmark = f"steps.{suite}.time_step-{index}"
                arguments = ["run", str(RIVALS / "asv_suite"), benchmark, "{}", "None", str(answer)]
                took = _run([sys.executable, str(script), *arguments], {**_environment(), **variables}, folder)
                took["samples"] = _rounded(json.loads(answer.read_text())["samples"])
            sides.setdefault(case, {})[side] = took
    return {case: {"order": order, "sides": [of_case["a"], of_case["b"]]} for case, of_case in sides.items()}


def pytest_benchmark_session(lot: random.Random, *, variables: Mapping[str, str]) -> Unit:
    """Measure a session of pytest-benchmark on each side: all steps in one process, whose seconds they share."""
    sides: dict[str, dict[str, Any]] = {}
    order = "".join(lot.sample("ab", 2))
    for side in order:
        with tempfile.TemporaryDirectory() as folder:
            answer = Path(folder, "run.json")
            command = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_benchmark.plugin", "-p", "no:cacheprovider"]
            command += ["-c", os.devnull, f"--rootdir={folder}", f"--benchmark-json={answer}"]
            environment = {**_environment(), **variables, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
            took = _run([*command, str(RIVALS / "pytest_benchmark_suite.py")], environment, folder)
            found = json.loads(answer.read_text())["benchmarks"]
        shared = {name: round(seconds / len(found), 3) for name, seconds in took.items()}
        for one in found:
            samples = _rounded(one["stats"]["data"])
            sides.setdefault(one["params"]["case"], {})[side] = {**shared, "samples": samples}
    return {case: {"order": order, "sides": [of_case["a"], of_case["b"]]} for case, of_case in sides.items()}


def old_trials(lot: random.Random) -> Unit:
    """Measure a pair of trials of each case by the code of the old commit."""
    with old_code() as checkout, tempfile.TemporaryDirectory() as folder:
        path = os.pathsep.join(str(checkout / package) for package in ("plugins", "fixtures"))
        of_old = {case: {name: given[name] for name in _OLD_ARGUMENTS} for case, given in cases().items()}
        answer = Path(folder, "trials.json")
        command = [sys.executable, str(RIVALS / "trials_14f5efd.py"), str(lot.random())]
        with answer.open("w") as stream:
            environment = {**_environment(), "PYTHONPATH": path, "COST_CASES": json.dumps(of_old)}
            _run(command, environment, folder, stream.fileno())
        found: Unit = json.loads(answer.read_text())
        return found


@contextmanager
def old_code() -> Iterator[Path]:
    """Yield a temporary folder with the packages of the old commit, from the repository of this checkout."""
    with tempfile.TemporaryDirectory(prefix=f"{OLD_COMMIT}-") as folder:
        archive = Path(folder, "packages.tar")
        command = ["git", "archive", f"--output={archive}", OLD_COMMIT, "plugins", "fixtures"]
        subprocess.run(command, cwd=_CHECKOUT, check=True)
        with tarfile.open(archive) as packages:
            packages.extractall(folder, filter="data")
        yield Path(folder)


TOOLS = {
    "asv": Tool(lambda lot: asv_round(lot, suite="Steps", variables={}), "asv"),
    "asv-careful": Tool(lambda lot: asv_round(lot, suite="CarefulSteps", variables=_KEEP_MEMORY), "asv"),
    "pytest-benchmark": Tool(lambda lot: pytest_benchmark_session(lot, variables={}), "pytest_benchmark"),
    "pytest-benchmark-careful": Tool(
        lambda lot: pytest_benchmark_session(lot, variables=_KEEP_MEMORY), "pytest_benchmark"
    ),
    OLD_COMMIT: Tool(old_trials, "torch"),
}
"""By the name of ``--tool``. Careful users of asv also give a longer warm-up and longer samples."""


def _environment() -> dict[str, str]:
    """Return the variables of a tool's process: one thread, and a path to the suite and to its benchmarks."""
    path = os.pathsep.join(map(str, (_CHECKOUT / "plugins", _CHECKOUT / "fixtures", RIVALS.parent)))
    return {
        **os.environ,
        **dict.fromkeys(THREAD_VARIABLES, str(THREADS)),
        "PYTHONPATH": path,
        "ASV_PYTHONPATH": path,
        "COST_CASES": json.dumps(cases()),
    }


def _run(command: Sequence[str], environment: Mapping[str, str], folder: str, output: int | None = None) -> Unit:
    """Run a process to its end, and return its wall seconds and those that it took of the processors.

    Raise SubprocessError with the end of what it has written if it fails.
    """
    with tempfile.TemporaryFile() as written:
        began_at = time.monotonic()
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=output or written, stderr=written
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall_seconds = time.monotonic() - began_at
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            written.seek(0)
            text = written.read().decode(errors="replace")[-2000:]
            raise subprocess.SubprocessError(f"exit status {process.returncode} of {' '.join(command)}\n{text}")
    return {
        "wall_seconds": round(wall_seconds, 3),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
    }


def _rounded(seconds: Sequence[float]) -> list[float]:
    return [float(f"{each:.5g}") for each in seconds]
