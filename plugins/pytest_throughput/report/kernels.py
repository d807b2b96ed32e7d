"""Where the time goes: the classes of operators of the profiled cases side by side, and the operators of each case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct
from rich.text import Text

from pytest_throughput.measurement.kernel import KINDS
from pytest_throughput.naming import DEFAULT_ENVIRONMENT
from pytest_throughput.report.columns import Column, Row, lay_out
from pytest_throughput.report.rows import rows_by_key, side_by_side
from pytest_throughput.results.file_format import Kernels, ProfileBlock
from pytest_throughput.results.model import CaseResult, RunResult
from pytest_throughput.results.validation import convert
from pytest_throughput.text import printable, share, significant

__all__ = ["Operator", "operators_of", "render_operators", "seconds_by_kind", "where_the_time_goes"]

_MOST_OPERATORS = 15
_LONGEST_NAME = 100
_TITLE = "where the time goes (share of the operators' time; --throughput-profile)"


class _Profiled(Struct):
    kernels: Kernels | None
    profile: ProfileBlock | None


@dataclass(frozen=True)
class Operator:
    """One operator or kernel of a case, per profiled step."""

    name: str
    kind: str
    calls: float
    seconds: float


def operators_of(case: CaseResult) -> list[Operator]:
    """Return the operators of a case, the longest first, as means over the trials that were profiled.

    The list is empty if there are none. Of a journal, whose content was not checked, only valid ones count.
    """
    found: dict[tuple[str, str], tuple[float, float]] = {}
    steps = 0
    for trial in case.measured:
        try:
            profiled = convert({name: trial.metadata.get(name) for name in ("kernels", "profile")}, _Profiled)
        except ValueError:
            continue
        if profiled.kernels is None or profiled.profile is None:
            continue
        steps += profiled.profile.steps
        for kernel in profiled.kernels:
            calls, seconds = found.get((kernel.name, kernel.kind), (0, 0.0))
            found[kernel.name, kernel.kind] = calls + kernel.calls, seconds + kernel.seconds
    operators = [Operator(*key, calls / steps, seconds / steps) for key, (calls, seconds) in found.items()]
    return sorted(operators, key=lambda operator: -operator.seconds)


def where_the_time_goes(result: RunResult, *, width: int | None, colour: bool) -> list[str]:
    """Return a table with the share of each class of operators in each profiled case; no lines without any."""
    profiled = {case.key: operators for case in result.cases if (operators := operators_of(case))}
    cases = [case for case in side_by_side(result.cases) if case.key in profiled]
    if not cases:
        return []
    sums = [seconds_by_kind(profiled[case.key]) for case in cases]
    kinds = [kind for kind in KINDS if any(kind in each for each in sums)]
    totals = [sum(each.values()) for each in sums]
    columns = [
        Column("operators'\nms/step", _cells([significant(1000 * total) for total in totals])),
        Column("measured\nms/step", _cells([_measured(case) for case in cases]), rank=4),
        *(
            Column(
                kind.replace(" ", "\n"),
                _cells([_share(each.get(kind), total) for each, total in zip(sums, totals, strict=True)]),
                rank=3 if kind == "other" else 0,
            )
            for kind in kinds
        ),
    ]
    names = rows_by_key(result.cases)
    rows = [names[case.key] for case in cases]
    heading = "measured in" if any(row.member for row in rows) else ""
    lines = lay_out(rows, columns, headings=("work", heading), width=width, colour=colour, optional_rank=3)
    return ["", _TITLE, "", *lines]


def render_operators(result: RunResult, *, width: int | None, colour: bool) -> list[str]:
    """Return a table of the longest operators for each profiled case; no lines without any."""
    lines: list[str] = []
    for case in side_by_side(result.cases):
        operators = operators_of(case)
        if operators:
            lines += [*([""] if lines else []), _title(case), *_operators(operators, width, colour)]
    return lines


def _operators(operators: Sequence[Operator], width: int | None, colour: bool) -> list[str]:
    total = sum(operator.seconds for operator in operators)
    shown, rest = list(operators[:_MOST_OPERATORS]), operators[_MOST_OPERATORS:]
    if rest:
        calls, seconds = (sum(getattr(operator, name) for operator in rest) for name in ("calls", "seconds"))
        shown.append(Operator(f"({len(rest)} more)", "", calls, seconds))
    columns = [
        Column("calls/step", _cells([significant(operator.calls, 3) for operator in shown]), rank=3),
        Column("ms/step", _cells([significant(1000 * operator.seconds) for operator in shown])),
        Column("share", _cells([_share(operator.seconds, total) for operator in shown])),
    ]
    rows = [Row(printable(operator.name, _LONGEST_NAME), printable(operator.kind, 50)) for operator in shown]
    return lay_out(rows, columns, headings=("operator", "class"), width=width, colour=colour, optional_rank=3)


def _title(case: CaseResult) -> str:
    return printable(f"{case.id} {case.environment}" if case.environment != DEFAULT_ENVIRONMENT else case.id)


def seconds_by_kind(operators: Sequence[Operator]) -> dict[str, float]:
    """Return the seconds per step of each class. A class that this version does not know counts as ``other``."""
    sums: dict[str, float] = {}
    for operator in operators:
        kind = operator.kind if operator.kind in KINDS else "other"
        sums[kind] = sums.get(kind, 0.0) + operator.seconds
    return sums


def _measured(case: CaseResult) -> str:
    medians = [trial.median_seconds for trial in case.measured]
    return significant(1000 * sum(medians) / len(medians))


def _share(seconds: float | None, total: float) -> str:
    return share(seconds / total) if seconds is not None and total else "-"


def _cells(texts: Sequence[str]) -> list[Text]:
    return [Text(text) for text in texts]
