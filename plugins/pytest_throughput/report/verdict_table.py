"""Format verdicts as a table, as Markdown for a pull request, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from rich.cells import cell_len
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pytest_throughput.gate.verdict import CaseVerdict, Judgement, Trend, Verdict
from pytest_throughput.report.console import lines_of
from pytest_throughput.report.markdown_text import escaped, table_lines
from pytest_throughput.text import printable, significant

__all__ = ["as_json", "as_markdown", "as_table", "markdown_body", "shown_case", "summary"]

_IN_FULL = (Verdict.REGRESSED, Verdict.FAILED, Verdict.MISSING)
_IN_SHORT = (Verdict.INCONCLUSIVE, Verdict.INCOMPARABLE, Verdict.IMPROVED, Verdict.NEW)
_STYLES = {Verdict.REGRESSED: "red", Verdict.FAILED: "red", Verdict.MISSING: "red"}
_SAYS_ENOUGH = (Verdict.UNCHANGED, Verdict.IMPROVED)
"""Verdicts whose reason says no more than the ratio and its interval."""
_MOST_IDS = 5
"""The most cases that are named on a line; for more cases only their number is shown."""
_MOST_LINES = 20
_MOST_CHANGES = 100
_MOST_ROWS = 100
_LONGEST_ID = 200
_GAP = 2
"""The number of blanks between two columns of a table."""
_NARROWEST_REASON = 24
_SPEED, _ANY_METRIC = "speed, head ÷ base", "ratio, below 1 is worse"
"""Headings of the ratio: of cases that are judged by their primary metric, and where a metric is named."""


def as_table(judgement: Judgement, *, width: int | None = None, colour: bool = False) -> str:
    """Return the verdicts for a terminal of ``width`` columns, or as wide as necessary if it is None."""
    rows = _rows(judgement)
    lines = [f"{judgement.title}: {summary(judgement)}" if judgement.verdicts else judgement.title, ""]
    if rows:
        lines += [*_table(judgement, rows[:_MOST_ROWS], width, colour), ""]
        if len(rows) > _MOST_ROWS:
            lines += [f"and {len(rows) - _MOST_ROWS} more; --format json has all", ""]
    lines += [f"{name}: {change}" for name, change in _software(judgement, printable)]
    lines += [*_trends(judgement, printable), *_rest(judgement, shown_case, printable)]
    lines += map(printable, judgement.notes)
    return "\n".join(lines)


def as_markdown(judgement: Judgement) -> str:
    """Return the verdicts for a comment on a pull request: no text in them mentions, links or formats anything."""
    return f"### Throughput: {summary(judgement)}\n\n{markdown_body(judgement)}"


def markdown_body(judgement: Judgement) -> str:
    """Return ``as_markdown`` without its heading."""
    lines = [escaped(judgement.title), ""]
    rows = _rows(judgement)
    if rows:
        lines += table_lines(_headings(judgement, rows), [_markdown_row(judgement, one) for one in rows[:_MOST_ROWS]])
        if len(rows) > _MOST_ROWS:
            lines += ["", f"and {len(rows) - _MOST_ROWS} more"]
        lines.append("")
    software = _software(judgement, escaped)
    lines += ["Software:", "", *(f"- {name} {change}" for name, change in software), ""] if software else []
    lines += [f"- {line}" for line in _trends(judgement, escaped)]
    lines += [""] if judgement.trends else []
    rest = _rest(judgement, lambda one: escaped(shown_case(one)), escaped)
    rest += [escaped(note) for note in judgement.notes]
    if rest:
        lines += ["<details><summary>the rest</summary>", "", *(f"- {line}" for line in rest), "", "</details>"]
    return "\n".join(lines).rstrip()


def as_json(judgement: Judgement) -> str:
    return json.dumps(judgement.to_json(), indent=2, allow_nan=False)


def summary(judgement: Judgement) -> str:
    """Return how many cases have each verdict, and how many are underpowered: ``1 regressed, 5 unchanged``."""
    counts = [(verdict, len(judgement.of(verdict))) for verdict in (*_IN_FULL, *_IN_SHORT, Verdict.UNCHANGED)]
    text = ", ".join(f"{number} {verdict}" for verdict, number in counts if number) or "nothing to compare"
    underpowered = sum(one.is_underpowered for one in judgement.verdicts)
    doubling = "a doubling" if _names_metrics(judgement.verdicts) else "a doubling of the seconds"
    return f"{text} ({underpowered} could not have shown {doubling})" if underpowered else text


def _rows(judgement: Judgement) -> list[CaseVerdict]:
    shown = (*_IN_FULL, *_IN_SHORT, Verdict.UNCHANGED) if judgement.in_full else _IN_FULL
    return [one for verdict in shown for one in judgement.of(verdict)]


def _table(judgement: Judgement, rows: Sequence[CaseVerdict], width: int | None, colour: bool) -> list[str]:
    """Return a table; if only folded names would fit, the cells of each row one below the other."""
    headings = _headings(judgement, rows)
    cells = [
        (str(one.verdict), shown_case(one), *_figures(judgement, one), printable(_why(judgement, one))) for one in rows
    ]
    figures = [max(map(cell_len, column)) + _GAP for column in list(zip(headings, *cells, strict=True))[:-1]]
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    if width is None or width >= sum(figures) + _NARROWEST_REASON:
        for heading in headings:
            table.add_column(heading, overflow="fold", no_wrap=heading != "why")
        for one, row in zip(rows, cells, strict=True):
            table.add_row(*map(Text, row), style=_STYLES.get(one.verdict))
        return lines_of(table, width, colour)
    table = Table.grid()
    table.add_column(overflow="fold")
    for one, (verdict, name, *of_sides, ratio, trials, reason) in zip(rows, cells, strict=True):
        table.add_row(Text(f"{verdict}: {name}"), style=_STYLES.get(one.verdict))
        sides = "; ".join(f"{side}: {value}" for side, value in zip(("base", "head"), of_sides, strict=False))
        figure = "" if one.ratio is None else f"{headings[-3]}: {ratio}; {trials} trials"
        for detail in filter(None, (sides, figure, reason)):
            table.add_row(Padding(Text(detail), (0, 0, 0, min(4, width // 4))))
    return lines_of(table, width, colour)


def _markdown_row(judgement: Judgement, one: CaseVerdict) -> tuple[str, ...]:
    cells = (shown_case(one), *_figures(judgement, one), _why(judgement, one))
    return (f"**{one.verdict}**", *map(escaped, cells))


def _names_metrics(verdicts: Sequence[CaseVerdict]) -> bool:
    return any(one.shows_metric for one in verdicts)


def _headings(judgement: Judgement, rows: Sequence[CaseVerdict]) -> tuple[str, ...]:
    sides = ("base", "head") if judgement.in_full else ()
    return ("verdict", "case", *sides, _ANY_METRIC if _names_metrics(rows) else _SPEED, "trials", "why")


def _figures(judgement: Judgement, one: CaseVerdict) -> tuple[str, ...]:
    values = (one.value_base, one.value_head) if judgement.in_full else ()
    return (*(_value(value, one.unit) for value in values), _ratio(one), _trials(one))


def _value(value: float | None, unit: str | None) -> str:
    return "–" if value is None else printable(f"{significant(value)} {unit or ''}").rstrip()


def _ratio(one: CaseVerdict) -> str:
    if one.ratio is None:
        return "–"
    interval = "" if one.ratio_low is None else f" ({one.ratio_low:.3f} to {one.ratio_high:.3f})"
    return f"{one.ratio:.3f}{interval}"


def _trials(one: CaseVerdict) -> str:
    if not one.trials_base:
        return "–"
    return f"{one.trials_head} against {one.trials_base}"


def _why(judgement: Judgement, one: CaseVerdict) -> str:
    return "" if judgement.in_full and one.verdict in _SAYS_ENOUGH else one.reason


def _software(judgement: Judgement, shown: Callable[[str], str]) -> list[tuple[str, str]]:
    variables = {f"variable {name}": change for name, change in judgement.variables.items()}
    all_changes = list((variables | judgement.software).items())
    changes = [
        (shown(name), f"{shown(base or 'none')} → {shown(head or 'none')}")
        for name, (base, head) in all_changes[:_MOST_CHANGES]
    ]
    left = len(all_changes) - len(changes)
    return [*changes, (f"{left} more", "the JSON has all")] if left else changes


def _rest(judgement: Judgement, named: Callable[[CaseVerdict], str], shown: Callable[[str], str]) -> list[str]:
    """Return a line for each reason that one case has, and for each that several cases share."""
    if judgement.in_full:  # All of them stand in the table.
        return []
    lines = []
    for verdict in _IN_SHORT:
        by_reason: dict[str, list[CaseVerdict]] = {}
        for one in judgement.of(verdict):
            by_reason.setdefault(one.reason, []).append(one)
        for reason, cases in list(by_reason.items())[:_MOST_LINES]:
            lines.append(f"{verdict}: {_listed([named(each) for each in cases])}: {shown(reason)}")
        left = sum(map(len, list(by_reason.values())[_MOST_LINES:]))
        if left:
            lines.append(f"{verdict}: {left} more")
    unchanged = judgement.of(Verdict.UNCHANGED)
    if unchanged:
        lines.append(f"unchanged: {_listed([named(one) for one in unchanged])}")
    return lines


def _trends(judgement: Judgement, shown: Callable[[str], str]) -> list[str]:
    """Return a line for each case that drifts."""
    if judgement.trends is None:
        return []
    named = judgement.trends[:_MOST_LINES]
    lines = [f"warning: a drift of {shown(shown_case(one))}: {shown(one.reason)}" for one in named]
    left = len(judgement.trends) - len(lines)
    return lines + ([f"warning: a drift of {left} more cases"] if left else [])


def _listed(ids: Sequence[str]) -> str:
    if len(ids) <= _MOST_IDS:
        return ", ".join(ids)
    return f"{len(ids)} cases ({', '.join(ids[:_MOST_IDS])}, …)"


def shown_case(one: CaseVerdict | Trend) -> str:
    """Return the id of the case, and the metric if it has to be named."""
    short = one.id if len(one.id) <= _LONGEST_ID else f"{one.id[:_LONGEST_ID]}…"
    return printable(f"{short} ({one.metric})" if one.shows_metric else short)
