"""A judgement that a run has stored in its result file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pytest_throughput.gate.rules import Code
from pytest_throughput.gate.verdict import CaseVerdict, Changes, Judgement, Verdict
from pytest_throughput.text import printable

__all__ = ["stored_judgement"]

_NOT_STORED = ("verdict", "code", "is_decidable", "shows_metric")


def stored_judgement(stored: Mapping[str, Any]) -> Judgement:
    """Return the judgement of an element of ``RunResult.verdicts``. Raise ValueError for an unknown verdict."""
    metrics = Counter(one["id"] for one in stored["cases"])
    return Judgement(
        title=stored["title"],
        exit_status=stored["exit_status"],
        verdicts=tuple(_verdict(one, shows_metric=metrics[one["id"]] > 1) for one in stored["cases"]),
        software=_changes(stored["software_changes"]),
        variables=_changes(stored["variable_changes"]),
        notes=tuple(stored["notes"]),
    )


def _verdict(stored: Mapping[str, Any], *, shows_metric: bool) -> CaseVerdict:
    verdict = next((each for each in Verdict if each == stored["verdict"]), None)
    if verdict is None:
        given = f"the stored verdict on {printable(stored['id'])} is {printable(stored['verdict'])!r}"
        raise ValueError(f"{given}; expected one of {', '.join(Verdict)}")
    # A later version may have stored a code that this one lacks. No export shows codes.
    code = next((each for each in Code if each == stored["code"]), Code.STATUS)
    names = {each.name for each in fields(CaseVerdict)}.difference(_NOT_STORED)
    values = {name: value for name, value in stored.items() if name in names and value is not None}
    return CaseVerdict(verdict=verdict, code=code, shows_metric=shows_metric, **values)


def _changes(stored: Mapping[str, Mapping[str, str | None]]) -> Changes:
    return {name: (each.get("base"), each.get("head")) for name, each in stored.items()}
