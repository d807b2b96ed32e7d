"""pytest-throughput doctor: what this machine measures with, and what to mend for steadier figures."""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import Any

from pytest_throughput.commands.answer import Answer
from pytest_throughput.launch.interpreters import Interpreter, parse_interpreter
from pytest_throughput.options.argument_types import argparse_type
from pytest_throughput.telemetry.doctor import diagnose_cpu, diagnose_gpus
from pytest_throughput.text import printable

__all__ = ["add", "run"]

_DISTRIBUTIONS = (
    "torch", "torchvision", "tensorflow", "tensorflow-cpu", "keras", "jax", "jaxlib", "jax-cuda12-plugin",
    "jax-cuda13-plugin", "numpy", "nvidia-cudnn-cu12", "nvidia-cudnn-cu13",
)  # fmt: skip
"""By the names that pip knows them by; which libraries of CUDA are there tells what a build is for."""
_PROBE = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps({"executable": sys.executable, "python": sys.version.split()[0], "found": found}))
"""


def add(parsers: Any) -> None:
    """Adds the command to those of argparse."""
    parser = parsers.add_parser("doctor", help="look at GPUs, CPU and frameworks", description=__doc__)
    parser.add_argument(
        "--interpreter",
        metavar="NAME=COMMAND",
        action="append",
        default=[],
        type=argparse_type(parse_interpreter),
        help="as --throughput-interpreter: a command that starts Python, to be asked for its frameworks; repeatable",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> Answer:
    """Tell what is found; the status is 0, whatever that is."""
    gpus, cpu = diagnose_gpus(), diagnose_cpu()
    interpreters = arguments.interpreter or [Interpreter("default", "python", (sys.executable,))]
    sections = {
        "GPUs": gpus.lines,
        "CPU": cpu.lines,
        "Frameworks": [line for interpreter in interpreters for line in _frameworks(interpreter)],
        "What to mend": [*gpus.to_mend, *cpu.to_mend] or ["nothing was found"],
    }
    return Answer("\n".join("\n    ".join([title, *lines]) for title, lines in sections.items()))


def _frameworks(interpreter: Interpreter) -> list[str]:
    """What an interpreter has, by its metadata: importing a framework takes seconds, and memory of the GPU."""
    label = printable(interpreter.name)
    try:
        told = interpreter.ask(_PROBE, _DISTRIBUTIONS)
        found = {str(name): str(version) for name, version in told["found"].items()}
        who = f"{label}: {printable(str(told['executable']))}, Python {printable(str(told['python']))}"
    except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        return [f"{label}: {printable(interpreter.command[0])} does not answer ({reason})"]
    versions = [f"    {printable(name)} {printable(version)}" for name, version in found.items()]
    return [who, *(versions or ["    no framework"])]
