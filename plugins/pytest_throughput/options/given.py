"""The plugin's options as this run was given them: on the command line, or else in the ini file."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_throughput.launch.interpreters import Interpreter

__all__ = ["Declare", "Given", "add_declared", "read_given"]

Declare = Callable[[Callable[..., None]], None]
"""A function that calls ``add(name, **how)`` once for each option, with the keywords of ``addoption``.

``in_rootdir=True``: a relative path in the ini file is relative to the rootdir.
"""

# pytest 9.2 reads numbers of [tool.pytest] and pytest.toml; before, there is no type for a text or a number.
_TEXT_OR_NUMBER: Any = str | int | float if pytest.version_tuple >= (9, 2) else "string"

_FROM_INI = pytest.StashKey[frozenset[str]]()


@dataclass(frozen=True)
class Given:
    """The options of this run."""

    config: pytest.Config
    from_ini: frozenset[str]
    """The names of those that the ini file gives, and the command line does not."""

    def __call__(self, name: str, default: Any) -> Any:
        """Return the option ``--throughput-NAME``; ``default`` where it was not given."""
        value = getattr(self.config.option, _destination(name))
        return default if value is None else value

    def on_command_line(self, name: str) -> bool:
        """Return whether the command line (or ``addopts``) gives the option."""
        return self(name, None) is not None and name not in self.from_ini

    def spelled(self, name: str) -> str:
        """Return the option as the user wrote it, for messages."""
        return _ini_key(self.config, name) if name in self.from_ini else f"--throughput-{name}"


def add_declared(declare: Declare, parser: pytest.Parser, group: Any) -> None:
    """Add each declared option as ``--throughput-NAME``, and as a key ``throughput_NAME`` of the ini file.

    The default is None, "not given": a preset of the suite may then set the option.
    """

    def add(name: str, *, in_rootdir: bool = False, **how: Any) -> None:
        group.addoption(f"--throughput-{name}", dest=_destination(name), default=None, **how)
        key, help_text = _destination(name), f"--throughput-{name}"
        if _is_repeatable(how):
            parser.addini(key, f"{help_text}, one value a line", type="linelist", default=None)
        else:
            parser.addini(key, help_text, type=_TEXT_OR_NUMBER, default=None)

    declare(add)


def read_given(declare: Declare, config: pytest.Config) -> Given:
    """Return the options of this run, those of the ini file included.

    What the ini file gives and the command line does not is set in ``config.option``, where a preset then finds it.
    Raise pytest.UsageError for a value that the option does not take.
    """
    if _FROM_INI not in config.stash:
        from_ini: set[str] = set()

        def take(name: str, *, in_rootdir: bool = False, **how: Any) -> None:
            if getattr(config.option, _destination(name)) is not None:
                return
            value = _read_ini(config, name, in_rootdir, how)
            if value is not None:
                setattr(config.option, _destination(name), value)
                from_ini.add(name)

        declare(take)
        config.stash[_FROM_INI] = frozenset(from_ini)
    return Given(config, config.stash[_FROM_INI])


def _read_ini(config: pytest.Config, name: str, in_rootdir: bool, how: dict[str, Any]) -> Any:
    """Return the value in the ini file, converted as on the command line; None where there is none."""
    try:
        value = config.getini(_destination(name))
    except (TypeError, ValueError) as error:  # pytest before 9.2 lets them pass.
        raise pytest.UsageError(str(error)) from None
    if value is None:
        return None
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("value", **{keyword: how[keyword] for keyword in ("type", "choices") if keyword in how})

    def convert(text: str) -> Any:
        if in_rootdir and "://" not in text:
            text = str(config.rootpath / text)
        try:
            converted = parser.parse_args(["--", text]).value
        except argparse.ArgumentError as error:
            raise pytest.UsageError(f"{_ini_key(config, name)}: {error.message}") from None
        return converted.in_folder(config.rootpath) if isinstance(converted, Interpreter) else converted

    return [convert(line) for line in value] if _is_repeatable(how) else convert(str(value))


def _is_repeatable(how: dict[str, Any]) -> bool:
    return how.get("action") == "append"


def _destination(name: str) -> str:
    return f"throughput_{name.replace('-', '_')}"


def _ini_key(config: pytest.Config, name: str) -> str:
    return f"{_destination(name)} in {config.inipath or 'an -o option'}"
