"""The thresholds of single cases and metrics, read from TOML: a file of their own, or pyproject.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_throughput.gate.rules import Rules
from pytest_throughput.gate.thresholds import Pattern, Thresholds
from pytest_throughput.options.readers import read_share
from pytest_throughput.text import printable

__all__ = ["project_thresholds", "read_threshold", "read_thresholds"]

_SECTION = "pytest-throughput"
_MOST_CHARACTERS = 80


def read_threshold(text: str) -> float:
    """Return the smallest slowdown that matters, as a share of the seconds. Raise ValueError."""
    return Rules(threshold=read_share(text)).threshold


def read_thresholds(text: str) -> Thresholds:
    """Return the table ``[thresholds]`` of a file. Raise ValueError, also for anything else in the file."""
    path = Path(text)
    return _only_thresholds(_document(path), f"{path}: ", "[thresholds]")


def project_thresholds(folder: Path) -> Thresholds:
    """Return ``[tool.pytest-throughput.thresholds]`` of the folder's pyproject.toml; none where that has no such table.

    Raise ValueError.
    """
    path = folder / "pyproject.toml"
    if not path.exists():
        return Thresholds()
    tool = _document(path).get("tool")
    if not isinstance(tool, dict) or _SECTION not in tool:
        return Thresholds()
    return _only_thresholds(tool[_SECTION], f"{path}: [tool.{_SECTION}]: ", "the table thresholds")


def _document(path: Path) -> dict[str, Any]:
    import tomllib  # Imported here because this module is imported with the plugin, and few runs are judged.

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; expected a readable TOML file") from None
    except (ValueError, RecursionError) as error:  # Also UnicodeDecodeError, and TOMLDecodeError.
        raise ValueError(f"{path}: expected TOML: {error}") from None


def _only_thresholds(table: Any, where: str, expected: str) -> Thresholds:
    """Return the thresholds of a table that holds them under the name ``thresholds``, and nothing else."""
    if not isinstance(table, dict) or set(table) != {"thresholds"}:
        got = f"the keys {', '.join(map(_shown, table))}" if isinstance(table, dict) and table else _shown(table)
        raise ValueError(f"{where}expected {expected} alone, got {got}")
    patterns: list[Pattern] = []
    for cases, value in _items(table["thresholds"], f"{where}thresholds", "case ids"):
        at = f"{where}thresholds, {_shown(cases)}"
        if isinstance(value, dict):
            of_metrics = _items(value, at, "metrics")
            patterns += [
                Pattern(cases, _share(each, f"{at}, {_shown(metrics)}"), metrics) for metrics, each in of_metrics
            ]
        else:
            patterns.append(Pattern(cases, _share(value, at)))
    return Thresholds(tuple(patterns))


def _items(table: Any, where: str, what: str) -> list[tuple[str, Any]]:
    """Return the items of a table whose keys are patterns. Raise ValueError."""
    if not isinstance(table, dict) or not table or "" in table:
        raise ValueError(f"{where}: expected a table of patterns of {what}, each with a share, got {_shown(table)}")
    return list(table.items())


def _share(value: Any, where: str) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"expected a share such as 3% or 0.03, got {_shown(value)}")
        return read_threshold(str(value))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _shown(value: Any) -> str:
    """Return a key or value of TOML as text of bounded length that is safe to print."""
    if isinstance(value, dict | list):
        return f"a {'table' if isinstance(value, dict) else 'list'} of {len(value)} entries"
    return printable(repr(value) if isinstance(value, str) else str(value), _MOST_CHARACTERS)
