"""What differs between the two environments that a run compares, whether it was asked for or not."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from pytest_throughput.gate.verdict import Changes, Differences
from pytest_throughput.launch.interpreters import Interpreter
from pytest_throughput.launch.inventory import Inventory, imported_from_elsewhere
from pytest_throughput.measurement.speed_variables import speed_variables
from pytest_throughput.options.gate_settings import BASE, HEAD
from pytest_throughput.options.settings import Settings
from pytest_throughput.text import count, printable

__all__ = ["differences_of"]

_NO_INTERFACE = {"benchmarks", "doc", "docs", "examples", "scripts", "test", "tests"}
"""Modules that packages install by mistake, and nobody imports."""


def differences_of(settings: Settings) -> Differences | None:
    """Ask the interpreters of base and head what they have; None if both sides have the same commands.

    Raise pytest.UsageError if workers would import a package that differs from a folder that both sides share.
    """
    base, head = _interpreters(settings)
    if not base:
        return None
    variables = _variables(settings)
    try:
        found = [[Inventory.of(each, variables) for each in side] for side in (base, head)]
        packages = _changes([[each.packages for each in side] for side in found])
        for interpreter in (*base, *head):
            _refuse_shared(imported_from_elsewhere(interpreter, sorted(packages), variables), settings.pythonpath)
    except ValueError as error:
        return Differences(note=f"what differs between base and head is unknown: {printable(str(error))}")
    python = _changes([[{"python": each.python} for each in side] for side in found])
    changed = _changes([[speed_variables(each.variables) for each in side] for side in found])
    return Differences(python | packages, changed, _nothing_else(found[0][0], packages, python, changed))


def _interpreters(settings: Settings) -> tuple[list[Interpreter], list[Interpreter]]:
    """Return the interpreters of base and of head, each command once, without those that are the same on both sides."""
    names = sorted(settings.interpreters.names)
    found = [(settings.interpreters.find(BASE, name), settings.interpreters.find(HEAD, name)) for name in names]
    differing = [(base, head) for base, head in found if base.command != head.command]
    of_base, of_head = ({pair[side].command: pair[side] for pair in differing} for side in (0, 1))
    return list(of_base.values()), list(of_head.values())


def _variables(settings: Settings) -> dict[str, str]:
    """Return the environment variables of workers, as far as they do not depend on the case."""
    variables = {**settings.variables.inherited(os.environ), **settings.variables.chosen(os.environ)}
    variables.pop("PYTHONHOME", None)
    folders = os.pathsep.join(map(str, settings.pythonpath))
    return {**variables, "PYTHONPATH": folders, "PYTHONSAFEPATH": "1"}


def _changes(sides: Sequence[Sequence[Mapping[str, str]]]) -> Changes:
    """Return the texts that differ; where the interpreters of a side have several of a name, all of them."""

    def of_side(mappings: Sequence[Mapping[str, str]], name: str) -> str | None:
        return ", ".join(sorted({each[name] for each in mappings if name in each})) or None

    names = sorted({name for side in sides for mapping in side for name in mapping})
    found = {name: (of_side(sides[0], name), of_side(sides[1], name)) for name in names}
    return {name: (base, head) for name, (base, head) in found.items() if base != head}


def _refuse_shared(elsewhere: Mapping[str, str], pythonpath: Sequence[Path]) -> None:
    """Raise pytest.UsageError for modules that differ between the sides, and are not imported from their installation.

    ``elsewhere``: the places from which they would be imported, by name. ``pythonpath``: the folders that workers of
    both sides import from.
    """
    shared = {name: place for name, place in elsewhere.items() if name not in _NO_INTERFACE}
    if not shared:
        return
    name, place = min(shared.items())
    folders = [str(folder) for folder in pythonpath if place.startswith(os.path.realpath(folder) + os.sep)]
    remedy = (
        f"it comes from the folder {folders[0]}, which workers import from; name the folder of the benchmarks instead "
        "(--throughput-pythonpath DIR), and take it out of pytest's pythonpath if it stands there"
        if folders
        else "install it without --editable in the environment that both extend"
    )
    raise pytest.UsageError(
        f"{BASE} and {HEAD} have different versions of the module {printable(name)}, and would both measure "
        f"{printable(place)}: {remedy}"
    )


def _nothing_else(one: Inventory, packages: Changes, python: Changes, variables: Changes) -> str:
    others = one.packages.keys() - packages.keys()
    same = [count(len(others), "other package" if packages else "package")]
    same += [] if python else [one.python]
    same += [] if variables else ["the environment variables that change speed"]
    return f"the same in base and head: {', '.join(map(printable, same))}"
