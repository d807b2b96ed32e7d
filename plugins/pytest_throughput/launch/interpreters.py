"""The commands that start Python, for each framework and environment."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from pytest_throughput.naming import DEFAULT_ENVIRONMENT

__all__ = [
    "EVERY",
    "NAME",
    "Interpreter",
    "Interpreters",
    "find_environments",
    "parse_interpreter",
    "split_command",
]


NAME = re.compile(r"[A-Za-z0-9_.-]+")
"""The names of frameworks and environments."""
EVERY = "*"
"""The name of an interpreter that was given for every framework."""
_PROBE = (
    "import importlib.util, json, sys; "
    "print(json.dumps([name for name in sys.argv[1:] if importlib.util.find_spec(name)]))"
)
_PROBE_TIMEOUT_SECONDS = 60
_PREFIX = "env-"


@dataclass(frozen=True)
class Interpreter:
    """The value of one ``--throughput-interpreter``."""

    environment: str
    name: str
    command: tuple[str, ...]

    @property
    def label(self) -> str:
        """The text before the ``=`` of the option."""
        return self.name if self.environment == DEFAULT_ENVIRONMENT else f"{self.environment}/{self.name}"

    @property
    def is_running(self) -> bool:
        """Whether this is the Python that runs pytest."""
        return self.command == (sys.executable,)

    def in_folder(self, folder: Path) -> Interpreter:
        """Return the same interpreter, with a relative path of its program resolved in the folder."""
        program, *rest = self.command
        return self if os.sep not in program else replace(self, command=(str(folder / program), *rest))

    def ask(self, program: str, arguments: Sequence[str], variables: Mapping[str, str] | None = None) -> Any:
        """Return the JSON that a short program prints last.

        ``variables``: its environment variables; by default those of this process. Raise OSError,
        subprocess.SubprocessError, ValueError or IndexError where there is no answer.
        """
        answer = subprocess.run(
            [*self.command, "-c", program, *arguments],
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_TIMEOUT_SECONDS,
            check=True,
        )
        return json.loads(answer.stdout.splitlines()[-1])

    def installed(self, modules: Sequence[str]) -> set[str]:
        """Return the top-level modules that it could import, without importing any of them.

        An interpreter that does not answer is assumed to have all of them, so that the case that needs it is run, and
        reports why it does not start.
        """
        if self.is_running:
            return {name for name in modules if importlib.util.find_spec(name) is not None}
        try:
            return set(self.ask(_PROBE, modules))
        except (OSError, subprocess.SubprocessError, ValueError, TypeError, IndexError):
            return set(modules)


def parse_interpreter(text: str) -> Interpreter:
    """Read ``[ENVIRONMENT/]NAME=COMMAND``, where NAME may be ``*``.

    Raise ValueError that says what was expected.
    """
    label, equals, command_text = text.partition("=")
    environment, slash, name = label.rpartition("/")
    if slash and environment == DEFAULT_ENVIRONMENT:
        raise ValueError(f"{DEFAULT_ENVIRONMENT!r} is what has no ENVIRONMENT/; give {text!r} another name")
    if not slash:
        environment = DEFAULT_ENVIRONMENT
    command = split_command(command_text, text)
    if not (equals and command and (name == EVERY or NAME.fullmatch(name)) and NAME.fullmatch(environment)):
        raise ValueError(
            f"expected [ENVIRONMENT/]NAME=COMMAND, such as pytorch=/opt/torch/bin/python "
            f"or head/pytorch=/opt/head/bin/python, got {text!r}"
        )
    return Interpreter(environment, name, command)


def split_command(command: str, text: str) -> tuple[str, ...]:
    """Return the words of the command that the option's ``text`` gives. Raise ValueError if they cannot be split."""
    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise ValueError(f"cannot split the command of {text!r}: {error}") from None


def find_environments(folder: Path) -> list[Interpreter]:
    """Return the interpreters ``.nox/env-NAME/bin/python`` below a folder, as ``nox -s env-NAME`` makes them, by name.

    They are of the default environment. A project has them for frameworks that need an interpreter of their own.
    """
    pythons = (
        (each.parents[1].name.removeprefix(_PREFIX), each) for each in folder.glob(f".nox/{_PREFIX}*/bin/python")
    )
    return [
        Interpreter(DEFAULT_ENVIRONMENT, name, (str(python),))
        for name, python in sorted(pythons)
        if NAME.fullmatch(name) and os.access(python, os.X_OK)
    ]


class Interpreters:
    """The interpreters of a run: the given ones, those found for further names, and the running Python for all others.

    What is found counts as given for the default environment.
    """

    def __init__(self, given: Iterable[Interpreter], found: Iterable[Interpreter] = ()) -> None:
        """Raise ValueError if two are given for the same name in the same environment."""
        self._given: dict[tuple[str, str], Interpreter] = {}
        for each in given:
            earlier = self._given.setdefault((each.environment, each.name), each)
            if earlier is not each:
                whom = "every framework" if each.name == EVERY else each.name
                raise ValueError(f"two interpreters for {whom} in the environment {each.environment!r}")
        named = dict.fromkeys(environment for environment, _ in self._given)
        named.pop(DEFAULT_ENVIRONMENT, None)
        self.found = tuple(
            each
            for each in found
            if not {(each.environment, each.name), (each.environment, EVERY)} & self._given.keys()
        )
        """Those of the found ones that are used, since no other one is given for their name."""
        self._given.update({(each.environment, each.name): each for each in self.found})
        self.environments: tuple[str, ...] = tuple(named) or (DEFAULT_ENVIRONMENT,)
        """The environments in which each case is measured; several if environments are compared."""

    def find(self, environment: str, name: str) -> Interpreter:
        """Return the environment's own interpreter of that name, else the one without environment, else this Python.

        In each, one that was given for every framework stands in for one of that name.
        """
        for key in product((environment, DEFAULT_ENVIRONMENT), (name, EVERY)):
            if key in self._given:
                return replace(self._given[key], name=name)
        return Interpreter(environment, name, (sys.executable,))

    @property
    def missing(self) -> Interpreter | None:
        """The first one whose program does not exist or cannot be executed; None if there is none."""
        return next((each for each in self._given.values() if shutil.which(each.command[0]) is None), None)

    @property
    def commands(self) -> dict[str, str]:
        """The command of each given or found interpreter by its ``ENVIRONMENT/NAME``."""
        given = sorted(self._given.items())
        return {f"{environment}/{name}": shlex.join(each.command) for (environment, name), each in given}

    @property
    def names(self) -> set[str]:
        """The names that an interpreter was given for."""
        return {name for _, name in self._given}
