"""The values of the plugin's options in one run: from the command line, the ini file, the suite, or the defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_throughput.launch.interpreters import Interpreter
from pytest_throughput.options.option import Option

__all__ = ["OptionValues", "add_to_pytest"]

# From pytest 9.2 on, [tool.pytest] and pytest.toml may give numbers; older versions have no type for both.
_TEXT_OR_NUMBER: Any = str | int | float if pytest.version_tuple >= (9, 2) else "string"


def add_to_pytest(options: Sequence[Option], parser: pytest.Parser, group: Any) -> None:
    """Add each option as ``--throughput-NAME``, and as a key ``throughput_NAME`` of the ini file.

    In pytest the default of each option is None, which means "not given": the ini file or the suite may then set it.
    """
    for option in options:
        key, spelled = _destination(option.name), f"--throughput-{option.name}"
        group.addoption(spelled, dest=key, default=None, **option.keywords())
        if option.repeatable:
            parser.addini(key, f"{spelled}, one value a line", type="linelist", default=None)
        else:
            parser.addini(key, spelled, type=_TEXT_OR_NUMBER, default=None)


@dataclass(frozen=True)
class OptionValues:
    """The values of the options in this run."""

    config: pytest.Config
    defaults: Mapping[str, Any]
    """The default of each option by name: that of the suite, else that of the option."""
    given: Mapping[str, Any]
    """The values that the command line or the ini file gives, by the names of the options."""
    from_ini: frozenset[str]
    """The names of the options that the ini file gives and the command line does not."""

    @classmethod
    def from_pytest_config(cls, config: pytest.Config, options: Sequence[Option]) -> OptionValues:
        """Read the options. Raise pytest.UsageError for a value that an option does not take."""
        command_line = {option.name: getattr(config.option, _destination(option.name)) for option in options}
        given = {name: value for name, value in command_line.items() if value is not None}
        from_ini = {
            option.name: value
            for option in options
            if option.name not in given and (value := _read_ini(config, option)) is not None
        }
        given |= from_ini
        own = {option.name: [] if option.repeatable else option.default_value for option in options}
        return cls(config, own | _defaults_of_suites(config, options, given), given, frozenset(from_ini))

    def __call__(self, name: str) -> Any:
        """Return the value of the option ``--throughput-NAME``; None where there is none."""
        return self.given[name] if name in self.given else self.defaults[name]

    def on_command_line(self, name: str) -> bool:
        """Return whether the command line (or ``addopts``) gives the option."""
        return name in self.given and name not in self.from_ini

    def spelled(self, name: str) -> str:
        """Return the option as the user wrote it, for messages."""
        return _ini_key(self.config, name) if name in self.from_ini else f"--throughput-{name}"


def _defaults_of_suites(config: pytest.Config, options: Sequence[Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the converted defaults of the hook ``pytest_throughput_defaults``. Raise pytest.UsageError."""
    known = {option.name: option for option in options}
    defaults: dict[str, Any] = {}
    found = config.hook.pytest_throughput_defaults(config=config, options=given)
    for name, text in (pair for one in reversed(found) for pair in one.items()):
        try:
            option = known[name]
            if not isinstance(text, str):
                raise ValueError(f"expected a text as on the command line, got {text!r}")
            value = option.convert(text)
        except (KeyError, ValueError) as error:
            what = f"expected some of: {', '.join(known)}" if name not in known else error
            raise pytest.UsageError(f"pytest_throughput_defaults: {name}: {what}") from None
        defaults[name] = [value] if option.repeatable else value
    return defaults


def _read_ini(config: pytest.Config, option: Option) -> Any:
    """Return the value in the ini file, converted as on the command line; None where there is none."""
    try:
        value = config.getini(_destination(option.name))
    except (TypeError, ValueError) as error:  # Versions of pytest before 9.2 do not check the type.
        raise pytest.UsageError(str(error)) from None
    if value is None:
        return None

    def convert(text: str) -> Any:
        if option.in_rootdir and "://" not in text:
            text = str(config.rootpath / text)
        try:
            converted = option.convert(text)
        except ValueError as error:
            raise pytest.UsageError(f"{_ini_key(config, option.name)}: {error}") from None
        return converted.in_folder(config.rootpath) if isinstance(converted, Interpreter) else converted

    return [convert(line) for line in value] if option.repeatable else convert(str(value))


def _destination(name: str) -> str:
    return f"throughput_{name.replace('-', '_')}"


def _ini_key(config: pytest.Config, name: str) -> str:
    return f"{_destination(name)} in {config.inipath or 'an -o option'}"
