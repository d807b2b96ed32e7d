"""Mutants of the files that the command line reads, and checks of the commands that read them.

Real files of a small run of this suite and its baseline are damaged in single bytes and values. A command that reads a
mutant must show or judge it, or refuse it with one line, in bounded time, without a traceback, and without output that
a terminal or a CI system would obey.
"""

from __future__ import annotations

import copy
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_throughput.cli import main

__all__ = ["HOSTILE", "Fuzzer", "RealFiles", "bounded", "obeyed", "places", "renamed", "replaced", "write_real_files"]

HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u2066\ud800\r\n::error file=x::y\n\u2028 ##vso[task.complete]##[error]z\x7f\0"
)
"""A text that sets a terminal's title, clears it, reverses the text after it, and contains commands for CI systems."""
_COMMAND = re.compile(r"^\s*::|##\w*\[", re.MULTILINE)
_STATUSES = (0, 2, 10, 11, 12, 13)
_EXPORTS = ("csv", "markdown", "openmetrics", "junit")
"""The formats that say everything themselves, and nothing on standard error."""
_CPU_SECONDS = 20.0
"""The limit for a file of some ten kilobytes, which takes milliseconds; test machines are sometimes slow."""

_STEPS = """
import time
from pytest_throughput import Step
def sleep(ms): return Step(lambda: time.sleep(ms / 1000))
"""
_TESTS = """
import pytest, time
def case(size):
    axes = {"mode": "inference", "model": "m", "batch_size": size}
    return pytest.param(size, marks=pytest.mark.throughput_case(f"inference-m-b{size}", **axes))
@pytest.mark.parametrize("batch_size", [case(1), case(8)])
def test_it(measure_isolated, batch_size): measure_isolated("steps:sleep", {"ms": 10 + batch_size}, items=batch_size)
def test_other(measure_step): measure_step(lambda: time.sleep(0.01), items=4)
def test_broken(measure_step): raise RuntimeError("broken")
def test_ended(measure_step): raise KeyboardInterrupt
"""


def obeyed(text: str) -> str | None:
    """Return the first text that a terminal or a CI system would obey, with its context; None without any."""
    found = _COMMAND.search(text)
    controls = (place for place, one in enumerate(text) if not (one.isprintable() or one == "\n"))
    place = found.start() if found else next(controls, None)
    return None if place is None else repr(text[max(0, place - 40) : place + 40])


@contextmanager
def bounded(cpu_seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the body after so much processor time of this process."""

    def late(number: int, frame: object) -> None:
        raise TimeoutError(f"over {cpu_seconds:g} s of processor time")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def _columns(width: str) -> Iterator[None]:
    """Set the width of the body's output in columns; an empty text means no limit."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = width
    try:
        yield
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path to every value inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, each in inner for place in ((*way, key), *places(each, (*way, key)))]


def replaced(value: Any, way: Sequence[Any], new: Any) -> Any:
    """Return a copy with another value at one place."""
    changed = copy.deepcopy(value)
    parent = _at(changed, way[:-1])
    parent[way[-1]] = new
    return changed


def renamed(value: Any, way: Sequence[Any], name: str) -> Any:
    """Return a copy in which the last key of the path has another name."""
    changed = copy.deepcopy(value)
    parent = _at(changed, way[:-1])
    items = [(name if key == way[-1] else key, each) for key, each in parent.items()]
    parent.clear()
    parent.update(items)
    return changed


def _at(value: Any, way: Sequence[Any]) -> Any:
    for key in way:
        value = value[key]
    return value


@dataclass(frozen=True)
class RealFiles:
    """The unchanged files of a run of this suite."""

    result: bytes
    interrupted: bytes
    """A result file that is not complete."""
    journal: bytes
    plain: bytes
    """A result file as pytest-benchmark writes it without this suite."""


def write_real_files(folder: Path) -> RealFiles:
    """Measure a small project, whose second trials are lost to an interruption, and return the files."""
    (folder / "steps.py").write_text(_STEPS)
    (folder / "test_it.py").write_text(_TESTS)
    plugins = str(Path(__file__).parents[2] / "plugins")
    options = ["-p", "pytest_throughput.plugin", "-p", "known_machine", "-p", "no:randomly", "--throughput-trials=2"]
    options += ["--throughput-protocol=quick", "--throughput-isolation=framework", "--throughput-lock=off"]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([plugins, str(Path(__file__).parent)])}
    variables.pop("PYTEST_XDIST_WORKER", None)  # pytest-benchmark measures nothing where it is set.
    subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--benchmark-json=run.json"],
        cwd=folder,
        env=variables,
        capture_output=True,
        timeout=120,
    )
    interrupted = (folder / "run.json").read_bytes()
    whole, plain = json.loads(interrupted), json.loads(interrupted)
    whole["throughput"]["complete"] = True
    del plain["throughput"]
    for benchmark in plain["benchmarks"]:
        benchmark["extra_info"] = {"batch_size": "8"}
    return RealFiles(
        result=json.dumps(whole, indent=4).encode(),
        interrupted=interrupted,
        journal=(folder / "run.json.journal.jsonl").read_bytes(),
        plain=json.dumps(plain, indent=4).encode(),
    )


class Mutations:
    """Draws mutants of JSON with one document, or one document on each line."""

    def __init__(self, generator: random.Random) -> None:
        self._random = generator

    def of(self, content: bytes) -> bytes:
        """Return a mutant: JSON with other values in three of four cases, and other bytes in one of four."""
        if self._random.random() < 0.25:
            return self._other_bytes(content)
        whole = content.lstrip()[:1] == b"{" and b"\n{" in content
        lines = [json.loads(line) for line in content.splitlines()] if whole else [json.loads(content)]
        for _ in range(self._random.choice((1, 1, 1, 2, 5))):
            lines = self._other_values(lines)
        text = "\n".join(json.dumps(line) for line in lines) + "\n"
        # Python could not write such numbers.
        return text.replace('"<digits>"', "9" * self._random.choice((400, 4_000, 5_000))).encode()

    def _other_bytes(self, content: bytes) -> bytes:
        start, length = self._random.randrange(len(content)), self._random.choice((1, 1, 8, 100, 2_000))
        end = min(len(content), start + length)
        part = self._random.choice(
            (
                b"",
                self._random.randbytes(end - start),
                content[start:end] * self._random.choice((2, 50)),
                self._random.choice(_TOKENS),
                content[self._random.randrange(len(content)) :][:length],
            )
        )
        if self._random.random() < 0.1:
            return content[:start] + part
        return content[:start] + part + content[end:]

    def _other_values(self, lines: list[Any]) -> list[Any]:
        # Deeper values are left out: Python's functions for nested values, used here, would fail.
        found = [way for way in places(lines) if len(way) < 20]
        if not found:
            return lines
        way = self._random.choice(found)
        parent, key = _at(lines, way[:-1]), way[-1]
        kind = self._random.randrange(7)
        if kind == 0:
            del parent[key]
        elif kind == 1:
            parent[key] = copy.deepcopy(_at(lines, self._random.choice(found)))
        elif kind == 2 and isinstance(parent, list):
            parent[key:key] = [copy.deepcopy(parent[key]) for _ in range(self._random.choice((1, 20)))]
        elif kind == 3 and isinstance(parent, dict):
            other_name = str(self._random.choice(found)[-1])
            return list(renamed(lines, way, self._random.choice((HOSTILE, "", "x" * 5_000, other_name))))
        elif kind == 4 and type(parent[key]) in (int, float) and not abs(parent[key]) > 2**64:
            parent[key] *= self._random.choice((-1, 0, 1e-300, 1e-9, 0.5, 3, 1e9, 1e300))
        else:
            parent[key] = self._value()
        return lines

    def _value(self) -> Any:
        deep: Any = 1
        for _ in range(self._random.choice((5, 90, 150))):
            deep = [deep] if self._random.random() < 0.5 else {"a": deep}
        return self._random.choice(
            (
                None, True, False, 0, 1, -1, 2**53, 2**63, 10**400, "<digits>", 0.0, -0.0, 5e-324, 1e-300, 1e-18, 1e18,
                1e300, float("nan"), float("inf"), -float("inf"), "", "ok", "default", "training", HOSTILE, "::e::",
                "[/bold]", "x" * 20_000, "2026-01-01T00:00:00+00:00", "9999-12-31T23:59:59-23:59", [], {}, [[]],
                {"": {}}, deep, [1.0] * 7_000, [{}] * 50, {HOSTILE: HOSTILE}, {str(each): None for each in range(60)},
            )
        )  # fmt: skip


_TOKENS = (
    b"NaN", b"Infinity", b"1e400", b"null", b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\ud800", b"\0", b"\xff",
    b"\n", b"\x1b[31m", b"[" * 500, b"[" * 20_000, b'{"a":' * 2_000, b'{"a":1,"a":2}', b"[]," * 20_000, b"9" * 5_000,
    b"\xef\xbb\xbf", b"\r\n::error::x",
)  # fmt: skip


class Fuzzer:
    """Runs the commands on mutants, in this process."""

    def __init__(self, folder: Path, real: RealFiles, seed: int) -> None:
        self._folder = folder
        self._real = real
        self._random = random.Random(seed)
        self._mutations = Mutations(self._random)
        self._baselines: dict[str, Path] = {}
        for name, content in (("ours", real.result), ("plain", real.plain)):
            self._baselines[name] = folder / f"kept-{name}"
            for number in range(4):
                accepted = folder / f"accepted-{name}-{number}.json"
                accepted.write_bytes(_slower(content, number))
                status, _, err = self._run("accept", str(accepted), "--baseline", str(self._baselines[name]))
                assert status == 0, err
        (stored, *_) = sorted(self._baselines["ours"].rglob("*.json"))
        self._stored, self._stored_content = stored, stored.read_bytes()

    def remove_all_but_problems(self) -> None:
        """Remove all files but the mutants with a problem, and the folder if there is none."""
        for path in sorted(self._folder.rglob("*"), reverse=True):
            if path.is_dir():
                path.rmdir()
            elif not path.name.startswith("problem-"):
                path.unlink()
        with suppress(OSError):  # The folder is not empty if it has mutants with a problem.
            self._folder.rmdir()

    def try_one(self) -> list[str]:
        """Try one mutant, and return its problems, with the command and the file in which the mutant is kept."""
        kind = self._random.choice(("result", "result", "interrupted", "plain", "journal", "stored"))
        original = self._stored_content if kind == "stored" else getattr(self._real, kind)
        content = self._mutations.of(original)
        file = self._stored if kind == "stored" else self._folder / f"mutant.json{'l' * (kind == 'journal')}"
        file.write_bytes(content)
        tried = {" ".join(command): self._problem(*command) for command in self._commands(kind, str(file))}
        problems = [f"{command}: {problem}" for command, problem in tried.items() if problem is not None]
        if problems:
            kept = self._folder / f"problem-{self._random.randrange(10**9)}{file.suffix}"
            kept.write_bytes(content)
            problems = [f"{problem} ({kept})" for problem in problems]
        self._stored.write_bytes(self._stored_content)
        return problems

    def _commands(self, kind: str, file: str) -> list[tuple[str, ...]]:
        whole = str(self._folder / "accepted-ours-0.json")
        baseline = str(self._baselines["plain" if kind == "plain" else "ours"])
        form = self._random.choice(("table", "json", "markdown"))
        if kind == "journal":
            return [("show", file)]
        if kind == "stored":
            return [("gate", whole, "--baseline", baseline, "--format", form)]
        items = ("--items-param", "batch_size") if kind == "plain" and self._random.random() < 0.3 else ()
        judging = self._random.choice(
            (
                ("gate", file, "--baseline", baseline, "--format", form, *items),
                ("compare", "--base", file, "--head", whole, "--format", form, *items),
                ("compare", "--base", whole, whole, "--head", file, file, "--format", form, *items),
                ("accept", file, "--baseline", str(self._folder / "kept-mutants"), "--keep", "2", *items),
                ("report", file, "-o", str(self._folder / "report.html"), *items),
                ("export", file, "--format", self._random.choice(_EXPORTS), *items),
            )
        )
        return [("show", file, *items), judging]

    def _problem(self, *command: str) -> str | None:
        try:
            with bounded(_CPU_SECONDS), _columns(self._random.choice(("", "", "1", "30", "80"))):
                status, out, err = self._run(*command)
        except BaseException as error:  # No exception may occur, a RecursionError or a SystemExit included.
            if isinstance(error, KeyboardInterrupt):
                raise
            return f"{type(error).__name__}: {str(error)[:200]}"
        command_text = obeyed(out + "\n" + err)
        if command_text is not None:
            return f"prints {command_text}"
        if status not in _STATUSES:
            return f"exits with {status}"
        if (status == 2) != (err != "") or err.count("\n") > 1:
            return f"exits with {status}, and says {err[:200]!r}"
        if len(out) > 10**6 or len(err) > 20_000:
            return f"prints {len(out)} and {len(err)} characters"
        return None

    @staticmethod
    def _run(*command: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = main(command)
        return status, out.getvalue(), err.getvalue()


def _slower(content: bytes, number: int) -> bytes:
    """Return the result as from another run, a little slower and an hour later."""
    document = json.loads(content)
    document["datetime"] = f"2026-01-01T{number:02}:00:00+00:00"
    for benchmark in document["benchmarks"]:
        benchmark["stats"]["median"] *= 1 + number / 100
    for case in document.get("throughput", {}).get("cases", []):
        for trial in case["trials"]:
            trial["images_per_second"] /= 1 + number / 100
            trial["median_seconds"] *= 1 + number / 100
            trial["started_at"] = document["datetime"]
    return json.dumps(document).encode()
