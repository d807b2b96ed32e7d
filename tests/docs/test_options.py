"""docs/options.md has every option as it is declared. ``python tests/docs/test_options.py`` writes its tables anew."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dlworkloads import matrix
from dlworkloads.matrix import options
from dlworkloads.models import build, names
from dlworkloads.presets import PRESETS
from pytest_throughput.commands import ab, accept, bisect, compare, doctor, export, gate, history, report, show
from pytest_throughput.exit_code import ExitCode
from pytest_throughput.options.settings import add_options

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/options.md"
COMMANDS = {
    "show": show,
    "accept": accept,
    "gate": gate,
    "compare": compare,
    "report": report,
    "export": export,
    "history": history,
    "ab": ab,
    "bisect": bisect,
    "doctor": doctor,
}


class Recorder:
    """Stands for pytest's parser, a group of it and its plugin manager, and adds the options to one of argparse."""

    def __init__(self, declare: Callable[[Any], None]) -> None:
        self.parser = argparse.ArgumentParser(add_help=False)
        declare(self)

    def getgroup(self, *_: str) -> Recorder:
        return self

    def addoption(self, *names: str, **how: Any) -> None:
        self.parser.add_argument(*names, **how)

    def addini(self, *_: object, **__: object) -> None:
        """The keys of the ini file have the options' names."""

    def is_blocked(self, _: str) -> bool:
        return False

    @property
    def hook(self) -> SimpleNamespace:
        """The frameworks of the suite alone, without those of other plug-ins."""
        return SimpleNamespace(pytest_throughput_frameworks=lambda: [matrix.pytest_throughput_frameworks()])


def parsers() -> Mapping[str, argparse.ArgumentParser]:
    """The options by the heading of the page under which they stand."""
    commands = argparse.ArgumentParser().add_subparsers()
    for command in COMMANDS.values():
        command.add(commands)
    return {
        "The suite": Recorder(lambda parser: options.pytest_addoption(parser, parser)).parser,
        "The plugin": Recorder(add_options).parser,
        **{f"`pytest-throughput {name}`": commands.choices[name] for name in COMMANDS},
    }


def table(parser: argparse.ArgumentParser) -> str:
    actions = [action for action in parser._actions if action.dest != "help"]
    return "\n".join(["| option | meaning | default |", "|---|---|---|", *map(row, actions)])


def row(action: argparse.Action) -> str:
    values = f"{{{','.join(action.choices)}}}" if action.choices else action.metavar
    spelled = " ".join(str(part) for part in (*action.option_strings, values) if part)
    # The help of an axis lists its values when it is printed, by %(type)s: when all plug-ins are loaded.
    meaning, _, default = argparse.HelpFormatter("")._expand_help(action).partition(" Default: ")
    assert default or action.required, f"{spelled}: neither required nor with a default"
    texts = (re.sub(r"'([\w-]+)'", r"`\1`", text) for text in (meaning, default.removesuffix(".") or "(required)"))
    cells = (f"`{spelled}`", *texts)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def page_with_tables(page: str) -> str:
    tables = {heading: table(parser) for heading, parser in parsers().items()}
    for heading, lines in {**tables, "Networks": networks(), "Presets": presets()}.items():
        found = re.search(rf"^#+ {re.escape(heading)}\n[^#]*?\n\n(\|.*?)\n\n", page, re.MULTILINE | re.DOTALL)
        assert found is not None, f"{PAGE.name} lacks a table under the heading {heading}"
        page = page[: found.start(1)] + lines + page[found.end(1) :]
    return page


def networks() -> str:
    lines = ["| `--model` | input | parameters | forward GFLOP per image |", "|---|---|---|---|"]
    for network in map(build, names()):
        channels, *size = network.input_shape
        shape = "×".join(map(str, [*size, channels]))
        gflop = f"{float(f'{network.inference_flops / 1e9:.4g}'):.9f}".rstrip("0")
        lines.append(f"| `{network.name}` | {shape} | {network.parameter_count:,} | {gflop} |")
    return "\n".join(lines)


def presets() -> str:
    lines = ["| preset | networks, with their batch sizes | protocol | isolation |", "|---|---|---|---|"]
    for name, preset in PRESETS.items():
        work = sizes_of_models(preset.batch_sizes_of)
        if preset.training is not None:
            work += f"; in training {sizes_of_models(preset.training)}"
        lines.append(f"| `{name}` | {work} | {preset.protocol} | {preset.isolation} |")
    return "\n".join(lines)


def sizes_of_models(batch_sizes_of: Mapping[str, tuple[int, ...]]) -> str:
    networks: dict[str, list[str]] = {}
    for model, sizes in batch_sizes_of.items():
        networks.setdefault(", ".join(map(str, sizes)), []).append(model)
    every = [*batch_sizes_of] == [*names()]
    return "; ".join(f"{'all' if every else ', '.join(models)}: {sizes}" for sizes, models in networks.items())


def test_the_page_has_every_option_as_it_is_declared() -> None:
    assert PAGE.read_text() == page_with_tables(PAGE.read_text())


def test_the_page_has_every_exit_status() -> None:
    named = re.findall(r"^\| (\d+) \| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert named == [(str(int(code)), code.name) for code in ExitCode]


@pytest.mark.parametrize(
    ("arguments", "titles"),
    [
        (("pytest", "bench/"), ["what to measure (dlworkloads)", "measuring steps (pytest-throughput)"]),
        *((("pytest_throughput", name), ["options:"]) for name in COMMANDS),
    ],
)
def test_the_page_has_every_option_that_the_help_shows(arguments: tuple[str, ...], titles: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    environment["PYTHONPATH"] = str(ROOT / "plugins")
    command = [sys.executable, "-m", *arguments, "--help"]
    shown = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    for title in titles:
        section = shown.partition(title)[2].partition("\n\n")[0]
        options = set(re.findall(r"^  (?:-h, )?(--[a-z-]+)", section, re.MULTILINE))
        assert options
        assert {option for option in options if f"`{option}" not in PAGE.read_text()} <= {"--help"}


if __name__ == "__main__":
    PAGE.write_text(page_with_tables(PAGE.read_text()))
