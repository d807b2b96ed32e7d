"""pytest-throughput doctor: describe this machine, and advise how to get steadier figures."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

from pytest_throughput.commands.answer import Answer
from pytest_throughput.launch.interpreters import Interpreter, find_environments, parse_interpreter
from pytest_throughput.options.option import Option
from pytest_throughput.telemetry.doctor import diagnose_cpu, diagnose_gpus
from pytest_throughput.text import printable

__all__ = ["add", "run"]

_DISTRIBUTIONS = (
    "torch", "torchvision", "tensorflow", "tensorflow-cpu", "keras", "jax", "jaxlib", "jax-cuda12-plugin",
    "jax-cuda13-plugin", "Theano", "numpy", "nvidia-cudnn-cu12", "nvidia-cudnn-cu13",
)  # fmt: skip
"""The names of distributions to list; the libraries of CUDA show what a build of a framework is for."""
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
_INTERPRETER = Option(
    name="interpreter",
    metavar="NAME=COMMAND",
    read=parse_interpreter,
    repeatable=True,
    default_help="the Python that runs this command",
    help="A command that starts Python, as for --throughput-interpreter: its frameworks are listed, and those of each "
    "environment .nox/env-NAME in the current folder. Can be given several times.",
)


def add(parsers: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser = parsers.add_parser("doctor", help="look at GPUs, CPU and frameworks", description=__doc__)
    _INTERPRETER.add_to(parser)
    parser.add_argument(
        "--noise",
        action="store_true",
        help="Measure for a minute how far equal processes differ on this machine, with one thread, and name the "
        "causes that show and the slowdowns that the gate would find. NumPy of the first --interpreter computes. "
        "Default: off.",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> Answer:
    """Return the findings; the exit status is 0, unless noise was to be measured and was not."""
    interpreters = arguments.interpreter or [Interpreter("default", "python", (sys.executable,))]
    if arguments.noise:
        # Imported here: it takes the time of numpy and scipy, which the other findings do not need.
        from pytest_throughput.commands.noise import measure_noise

        return measure_noise(interpreters[0])
    given = {each.name for each in interpreters}
    interpreters = [*interpreters, *(each for each in find_environments(Path.cwd()) if each.name not in given)]
    gpus, cpu = diagnose_gpus(), diagnose_cpu()
    sections = {
        "GPUs": gpus.lines,
        "CPU": cpu.lines,
        "Frameworks": [line for interpreter in interpreters for line in _frameworks(interpreter)],
        "What to mend": [*gpus.to_mend, *cpu.to_mend] or ["nothing was found"],
    }
    return Answer("\n".join("\n    ".join([title, *lines]) for title, lines in sections.items()))


def _frameworks(interpreter: Interpreter) -> list[str]:
    """Return the installed distributions by their metadata: importing a framework takes seconds and GPU memory."""
    label = printable(interpreter.name)
    try:
        answer = interpreter.ask(_PROBE, _DISTRIBUTIONS)
        found = {str(name): str(version) for name, version in answer["found"].items()}
        who = f"{label}: {printable(str(answer['executable']))}, Python {printable(str(answer['python']))}"
    except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        return [f"{label}: {printable(interpreter.command[0])} does not answer ({reason})"]
    versions = [f"    {printable(name)} {printable(version)}" for name, version in found.items()]
    return [who, *(versions or ["    no framework"])]
