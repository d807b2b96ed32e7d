"""Markdown for the summary of a step, or a comment on a pull request: what is worse by name, the rest folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_throughput.gate.verdict import Judgement, Verdict
from pytest_throughput.report.exports.exported import NOT_COMPLETE, Exported
from pytest_throughput.report.exports.names import case_names
from pytest_throughput.report.markdown_text import escaped, table_lines
from pytest_throughput.report.verdict_table import markdown_body, shown_case, summary
from pytest_throughput.report.warnings import warnings_of
from pytest_throughput.results.model import CaseResult, RunResult
from pytest_throughput.text import count, significant

__all__ = ["export"]

_MOST_NAMED = 3
_MOST_ROWS = 100
_MOST_WARNINGS = 20


def export(result: RunResult, judgements: Sequence[Judgement]) -> Exported:
    """Return the verdicts if there are any, and the figures of the cases."""
    heads = [block for judgement in judgements for block in _head(judgement)]
    blocks = heads or [f"### Throughput: {count(len(result.cases), 'case')}"]
    if not result.complete:
        blocks.append(f"**{NOT_COMPLETE.capitalize()}.**")
    without = sum(not case.measured for case in result.cases)
    if without:
        blocks.append(f"**{count(without, 'case')} without figures.**")
    for judgement in judgements:
        body = markdown_body(judgement)
        blocks += _folded("verdicts", [body]) if judgement.verdicts else [body]
    blocks += _folded(count(len(result.cases), "case"), _table(result.cases))
    warnings = [escaped(warning.text) for warning in warnings_of(result)]
    if warnings:
        more = [f"{len(warnings) - _MOST_WARNINGS} more"] if len(warnings) > _MOST_WARNINGS else []
        lines = [f"- {warning}" for warning in [*warnings[:_MOST_WARNINGS], *more]]
        blocks += _folded(count(len(warnings), "warning"), lines)
    return Exported(("\n\n".join(blocks) + "\n").encode())


def _head(judgement: Judgement) -> Iterator[str]:
    """Yield the heading, and the largest regressions by name."""
    yield f"### Throughput: {summary(judgement)}"
    regressed = judgement.of(Verdict.REGRESSED)
    named = [f"- **{escaped(shown_case(one))}**: {escaped(one.reason)}" for one in regressed[:_MOST_NAMED]]
    if len(regressed) > _MOST_NAMED:
        named.append(f"- and {len(regressed) - _MOST_NAMED} more")
    if named:
        yield "\n".join(named)


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    """Return blocks that are shown when the title is clicked. The blank lines between them make the rest Markdown."""
    return [f"<details><summary>{title}</summary>", "\n".join(lines), "</details>"]


def _table(cases: Sequence[CaseResult]) -> list[str]:
    names = case_names(cases)
    rows = [_row(case, names[case.key]) for case in cases[:_MOST_ROWS]]
    more = ["", f"and {len(cases) - _MOST_ROWS} more"] if len(cases) > _MOST_ROWS else []
    return [*table_lines(("case", "result", "95 % interval", "trials", "status"), rows), *more]


def _row(case: CaseResult, name: str) -> list[str]:
    mean, low, high = case.estimate()
    result = "–" if mean is None else f"{significant(mean)} {case.unit}"
    interval = "–" if low is None else f"{significant(low)} to {significant(high)}"
    status = f"{case.status or 'not run'}{'' if case.implausible is None else ', implausible'}"
    return [escaped(cell) for cell in (name, result, interval, str(len(case.measured)), status)]
