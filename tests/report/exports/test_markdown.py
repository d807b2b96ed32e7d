"""The summary for a pull request: what stands first, what is folded, and that no name formats anything."""

from __future__ import annotations

import html
import re

from invented_runs import a_case, a_hostile_run, a_run
from markdown_it import MarkdownIt

from pytest_throughput.gate.rules import Code
from pytest_throughput.gate.verdict import CaseVerdict, Judgement, Verdict, nothing_comparable
from pytest_throughput.report.exports.markdown import export
from pytest_throughput.results.model import RunResult


def text_of(result: RunResult, *judgements: Judgement) -> str:
    return export(result, judgements).content.decode()


def judgement(*verdicts: tuple[str, Verdict]) -> Judgement:
    found = [
        CaseVerdict(name, verdict, Code.NOISE, f"{number} % slower", 1 - number / 100, detectable_ratio=0.9)
        for number, (name, verdict) in enumerate(verdicts, 1)
    ]
    return Judgement("head against base", 10, tuple(found))


def rendered(text: str) -> str:
    """The HTML, with all markup but that of the export itself refused."""
    page = MarkdownIt("commonmark").enable("table").render(text)
    tags = {*re.findall(r"<([a-zA-Z]\w*)", page)}
    assert tags <= {"h3", "p", "ul", "li", "strong", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"}
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    assert {len(re.findall(r"<t[hd]", row)) for row in rows} <= {5, 6}
    return str(page)


def test_the_three_largest_regressions_stand_first_by_name() -> None:
    regressed = [(f"case{number}", Verdict.REGRESSED) for number in range(5)]
    text = text_of(a_run(), judgement(*regressed, ("calm", Verdict.UNCHANGED)))
    first, _, folded = text.partition("<details>")
    assert first.splitlines() == [
        "### Throughput: 5 regressed, 1 unchanged",
        "",
        "- **case4**: 5 % slower",
        "- **case3**: 4 % slower",
        "- **case2**: 3 % slower",
        "- and 2 more",
        "",
        "**1 case without figures.**",
        "",
    ]
    assert all(f"| **regressed** | case{number} |" in folded for number in range(5))
    assert "unchanged: calm" in folded
    assert text.count("<details>") == text.count("</details>")
    rendered(text)


def test_every_case_has_its_figures_folded() -> None:
    text = text_of(a_run(complete=False))
    assert text.startswith("### Throughput: 2 cases\n\n**Not complete: the run was interrupted")
    assert "| training-vgg16 | 81.00 images/s | 78.55 to 83.52 | 3 | ok |" in html.unescape(text)
    assert "| training-broken | – | – | 0 | crashed |" in text
    assert "training-broken: crashed: the worker was killed by signal 9" in html.unescape(text)
    rendered(text)


def test_nothing_to_compare_says_why() -> None:
    text = text_of(a_run(), nothing_comparable("no run is accepted; accept <one>"))
    assert text.startswith("### Throughput: nothing to compare\n\n**1 case without figures.**\n\nnothing to compare\n")
    assert "accept &#60;one&#62;" in text
    rendered(text)


def test_hostile_names_format_nothing() -> None:
    run = a_hostile_run()
    text = text_of(run, judgement(*((case.id, Verdict.REGRESSED) for case in run.cases)))
    page = html.unescape(re.sub(r"<[^>]*>", "", rendered(text)))
    # GitHub looks for mentions, references and emoji in the text that is shown.
    assert not re.search(r"[@#]\w|:(?=//|[\w+-]+:)|\bgh-\d", page)
    assert "<a" not in rendered(text) and "<img" not in rendered(text)


def test_a_thousand_cases_fit_into_a_comment() -> None:
    names = [f"training-pytorch-cpu-network{number}-b8-fp32-eager" for number in range(1_000)]
    text = text_of(a_run(*(a_case(name) for name in names)), judgement(*((name, Verdict.REGRESSED) for name in names)))
    assert len(text) < 65_536 and "and 900 more" in text
