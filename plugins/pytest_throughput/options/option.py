"""The declaration of an option, from which pytest, its ini file and the command line take it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Option", "argparse_type"]


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option with a value."""

    name: str
    """The name without its prefix, such as ``false-alarm-rate``."""
    help: str
    """The effect of the option, in sentences, with the values it takes and their unit."""
    metavar: str | None = None
    """The placeholder of the value in the help; not needed with `choices`."""
    read: Callable[[str], Any] = str
    """The function that converts the text of the value. It raises ValueError that says what was expected."""
    choices: tuple[str, ...] | None = None
    """The only texts that the option takes; None for all that `read` takes."""
    default: str | None = None
    """The value where the option is not given, as a text for `read`; None if the default is no text."""
    default_help: str | None = None
    """The default in words, where `default` does not say it."""
    repeatable: bool = False
    """Whether the option can be given several times; its value is then a list."""
    in_rootdir: bool = False
    """Whether a relative path in the ini file is relative to pytest's rootdir."""

    @property
    def described_default(self) -> str:
        """The default as the help shows it."""
        return self.default_help or self.default or "none"

    @property
    def default_value(self) -> Any:
        """The converted default; None where there is none."""
        return None if self.default is None else self.convert(self.default)

    def convert(self, text: str) -> Any:
        """Return the value of a text. Raise ValueError for a text that the option does not take."""
        if self.choices is not None and text not in self.choices:
            raise ValueError(f"invalid choice: {text!r} (choose from {', '.join(map(repr, self.choices))})")
        return self.read(text)

    def keywords(self, required: bool = False) -> dict[str, Any]:
        """Return the keywords of argparse's ``add_argument`` and pytest's ``addoption``, but for the default."""
        text = self.help if required else f"{self.help} Default: {self.described_default}."
        keywords: dict[str, Any] = {"help": text.replace("%", "%%"), "type": argparse_type(self.read)}
        if self.metavar is not None:
            keywords["metavar"] = self.metavar
        if self.choices is not None:
            keywords["choices"] = self.choices
        if self.repeatable:
            keywords["action"] = "append"
        return keywords

    def add_to(self, parser: argparse.ArgumentParser, *, required: bool = False) -> None:
        """Add ``--NAME`` to a parser of the command line."""
        parser.add_argument(f"--{self.name}", default=self.default_value, required=required, **self.keywords(required))


def argparse_type(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Wrap a function so that argparse shows the message of its ValueError."""

    def convert(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert
