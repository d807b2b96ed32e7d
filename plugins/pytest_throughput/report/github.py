"""Format verdicts as annotations of GitHub Actions."""

from __future__ import annotations

from collections.abc import Collection

from pytest_throughput.gate.verdict import Judgement, Verdict
from pytest_throughput.text import printable

__all__ = ["github_annotations"]

_ANNOTATED = (Verdict.REGRESSED, Verdict.FAILED, Verdict.MISSING)
_MOST = 10
"""The most annotations of one kind that GitHub shows for a step."""


def github_annotations(judgement: Judgement, fails_on: Collection[str]) -> list[str]:
    """Return a line for each case that regressed, failed or is missing, the largest regressions first.

    It is an error if the gate fails on its verdict (``fails_on``), and otherwise a warning.
    """
    lines: dict[str, list[str]] = {"error": [], "warning": []}
    for one in (each for verdict in _ANNOTATED for each in judgement.of(verdict)):
        kind = "error" if one.verdict in fails_on else "warning"
        name = f"{one.id} ({one.metric})" if one.shows_metric else one.id
        title, message = f"Throughput {one.verdict}", printable(f"{name}: {one.reason}")
        lines[kind].append(f"::{kind} title={_property(title)}::{_data(message)}")
    return [line for of_kind in lines.values() for line in of_kind[:_MOST]]


def _data(text: str) -> str:
    """Escape the message of a command as GitHub's runner decodes it (``@actions/core``, command.ts)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape the value of a property of a command."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
