"""The anchor of a run: the interpreters of an environment that stays the same, beside which trials are measured."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterable

from pytest_throughput.launch.interpreters import EVERY, NAME, Interpreter, split_command

__all__ = ["Anchors", "parse_anchor"]

_ENVIRONMENT = "anchor"


def parse_anchor(text: str) -> Interpreter:
    """Read ``[NAME=]COMMAND``. What comes before the first ``=`` is a part of the command unless it is a name.

    Raise ValueError that says what was expected.
    """
    name, equals, command_text = text.partition("=")
    if not (equals and NAME.fullmatch(name)):
        name, command_text = EVERY, text
    command = split_command(command_text, text)
    if not command:
        raise ValueError(
            f"expected [NAME=]COMMAND, such as /opt/accepted/bin/python or pytorch=/opt/torch/bin/python, got {text!r}"
        )
    return Interpreter(_ENVIRONMENT, name, command)


class Anchors:
    """The anchor's interpreter for each framework; false if none was given."""

    def __init__(self, given: Iterable[Interpreter] = ()) -> None:
        """Raise ValueError if two are given for the same framework, or two for every framework."""
        self._given: dict[str, Interpreter] = {}
        for each in given:
            earlier = self._given.setdefault(each.name, each)
            if earlier is not each:
                raise ValueError(f"two anchors for {'every framework' if each.name == EVERY else each.name}")

    def __bool__(self) -> bool:
        return bool(self._given)

    def find(self, name: str) -> Interpreter | None:
        """Return the interpreter for the framework of that name; None where there is none."""
        return self._given.get(name) or self._given.get(EVERY)

    @property
    def missing(self) -> Interpreter | None:
        """The first one whose program does not exist or cannot be executed; None if there is none."""
        return next((each for each in self._given.values() if shutil.which(each.command[0]) is None), None)

    @property
    def commands(self) -> dict[str, str]:
        """The command of each by the name of its framework, which is ``*`` for every framework."""
        return {name: shlex.join(each.command) for name, each in sorted(self._given.items())}
