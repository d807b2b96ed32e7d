"""The text that a bisection ends with: a table of what was compared, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from pytest_throughput.commands.bisecting.bisection import Bisected
from pytest_throughput.commands.bisecting.candidates import Candidate
from pytest_throughput.commands.bisecting.state import Compared
from pytest_throughput.gate.bisection import Finding, finding_of
from pytest_throughput.report.console import lines_of
from pytest_throughput.text import count, listed, printable

__all__ = ["render"]

_HEADINGS = ("compared", "with", "speed, head ÷ base", "pairs", "answer", "")


def render(bisected: Bisected, candidates: Sequence[Candidate], *, width: int | None, colour: bool) -> str:
    """Return the case, the table of comparisons in their order, and the result."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for heading in _HEADINGS:
        table.add_column(heading, overflow="fold", no_wrap=heading != "")
    for one in bisected.compared:
        head, base = candidates[one.head], candidates[one.base]
        cells = (head.shown, base.shown, _ratio(one), str(one.pairs or "–"), finding_of(one.verdict), head.title)
        table.add_row(*map(Text, cells))
    ends = bisected.ends
    first, last = candidates[ends.base], candidates[ends.head]
    title = f"{printable(ends.case) or 'no case'}: {count(len(candidates), 'candidate')}, {first.shown} to {last.shown}"
    return "\n".join([title, "", *lines_of(table, width, colour), "", *_result(bisected, candidates)])


def _ratio(one: Compared) -> str:
    if one.ratio is None:
        return "–"
    return f"{one.ratio:.3f}" + ("" if one.ratio_low is None else f" ({one.ratio_low:.3f} to {one.ratio_high:.3f})")


def _result(bisected: Bisected, candidates: Sequence[Candidate]) -> list[str]:
    ends, remaining = bisected.ends, bisected.remaining
    if remaining is None:
        last, first = candidates[ends.head].shown, candidates[ends.base].shown
        if finding_of(ends.verdict) is Finding.NOT_SLOWER:
            return [f"{last} is not slower than {first}: nothing to find"]
        return [f"whether {last} is slower than {first} is undecided: {printable(ends.reason)}"]
    good, bad = candidates[remaining.good], candidates[remaining.bad]
    if not remaining.is_single:
        left = range(remaining.good + 1, remaining.bad)
        names = listed([candidates[each].shown for each in left])
        why = {one.head: one.reason for one in bisected.compared}
        return [
            f"the first slower one is {bad.described}",
            f"or one of {count(len(left), 'candidate')} between {good.shown} and it that stay undecided: {names}",
            *(f"{candidates[each].shown}: {printable(why[each])}" for each in left),
        ]
    reason = printable(bisected.compared[-1].reason)
    if bisected.is_confirmed:
        return [f"the first slower one is {bad.described}", f"compared with {good.shown}, the one before it: {reason}"]
    return [
        f"the search ended at {bad.described}",
        f"that it is slower than {good.shown}, the one before it, is not confirmed: {reason}",
        "several small slowdowns may have added up, or an answer above is wrong",
    ]
