"""Annotations of GitHub Actions: what gets one, of which kind, and that no text in it is taken for a command."""

from __future__ import annotations

from pytest_throughput.gate.rules import Code
from pytest_throughput.gate.verdict import CaseVerdict, Judgement, Verdict
from pytest_throughput.report.github import github_annotations


def judgement(*verdicts: tuple[str, Verdict]) -> Judgement:
    return Judgement(
        "", 10, tuple(CaseVerdict(name, verdict, Code.SLOWER, "20 % slower") for name, verdict in verdicts)
    )


def test_text_in_a_command_is_escaped() -> None:
    (line,) = github_annotations(judgement(("a\r\nb::error::50%", Verdict.REGRESSED)), ["regressed"])
    assert line == "::error title=Throughput regressed::a b::error::50%25: 20 %25 slower"


def test_only_what_the_gate_fails_on_is_an_error() -> None:
    found = judgement(("a", Verdict.MISSING), ("b", Verdict.REGRESSED), ("c", Verdict.INCONCLUSIVE), ("d", Verdict.NEW))
    lines = github_annotations(found, ["regressed"])
    assert [line.partition("::")[2].partition(":")[0] for line in lines] == [
        "error title=Throughput regressed",
        "warning title=Throughput missing",
    ]
    assert all(line.startswith("::warning ") for line in github_annotations(found, []))


def test_there_are_no_more_than_github_shows() -> None:
    found = judgement(*((f"case{number}", Verdict.REGRESSED) for number in range(30)))
    assert len(github_annotations(found, ["regressed"])) == 10
