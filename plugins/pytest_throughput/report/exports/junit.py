"""JUnit's XML, which Jenkins, GitLab and most other CI systems show: a test case for each verdict or case.

The elements are those of the schema of Jenkins' xUnit plugin (junit-10.xsd), which has no properties of a test case:
its figures are lines of its ``system-out``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

from pytest_throughput.gate.verdict import CaseVerdict, Judgement, Verdict
from pytest_throughput.report.combined import on_its_hardware
from pytest_throughput.report.exports.exported import Exported
from pytest_throughput.report.exports.names import case_names, distinct
from pytest_throughput.report.verdict_table import shown_case
from pytest_throughput.results.model import CaseResult, RunResult
from pytest_throughput.text import printable

__all__ = ["export"]

_NAME = "pytest-throughput"
_OF_VERDICTS: dict[Verdict, Literal["failure", "error", "skipped"]] = {
    Verdict.REGRESSED: "failure",
    Verdict.MISSING: "failure",
    Verdict.FAILED: "error",
    Verdict.INCONCLUSIVE: "skipped",
    Verdict.INCOMPARABLE: "skipped",
}
"""The verdicts with which a test case does not pass."""
_OF_STATUSES: dict[str | None, Literal["error", "skipped"]] = {
    None: "skipped",
    "unsupported": "skipped",
    "out_of_memory": "skipped",
    "failed": "error",
    "timed_out": "error",
    "crashed": "error",
}
"""The statuses with which a test case does not pass, as the test itself did not."""


@dataclass(frozen=True)
class _TestCase:
    name: str
    figures: Sequence[tuple[str, object]]
    """Names and values; those that are None are left out."""
    outcome: Literal["failure", "error", "skipped"] | None = None
    """None if it has passed."""
    type: str = ""
    message: str = ""

    def element(self) -> ElementTree.Element:
        found = ElementTree.Element("testcase", name=self.name, classname=_NAME)
        if self.outcome is not None:
            ElementTree.SubElement(found, self.outcome, type=self.type, message=printable(self.message))
        figures = [f"{name}: {printable(str(value))}" for name, value in self.figures if value is not None]
        ElementTree.SubElement(found, "system-out").text = "\n".join(figures)
        return found


def export(result: RunResult, judgements: Sequence[Judgement]) -> Exported:
    """Return a test suite for each judgement that has verdicts; if there is none, one of the statuses of all cases."""
    judged = [judgement for judgement in judgements if judgement.verdicts]
    suites = [_suite(result, _verdicts(judgement, result.cases), judgement.title) for judgement in judged]
    root = ElementTree.Element("testsuites", name=_NAME)
    root.extend(suites or [_suite(result, _statuses(result.cases))])
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return Exported(f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode())


def _suite(result: RunResult, cases: Sequence[_TestCase], compared: str | None = None) -> ElementTree.Element:
    def number(outcome: str) -> str:
        return str(sum(case.outcome == outcome for case in cases))

    suite = ElementTree.Element(
        "testsuite",
        name=_NAME,
        tests=str(len(cases)),
        failures=number("failure"),
        errors=number("error"),
        skipped=number("skipped"),
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("complete", str(result.complete).lower()), ("compared", compared)):
        if value is not None:
            ElementTree.SubElement(properties, "property", name=name, value=printable(value))
    suite.extend(case.element() for case in cases)
    return suite


def _statuses(cases: Sequence[CaseResult]) -> list[_TestCase]:
    names = case_names(cases)
    return [_status(case, names[case.key]) for case in cases]


def _status(case: CaseResult, name: str) -> _TestCase:
    mean, low, high = case.estimate()
    figures = [
        ("metric", case.primary and case.primary.name),
        ("better", case.primary and case.primary.better),
        ("unit", case.primary and case.primary.unit),
        ("value", mean),
        ("value_low", low),
        ("value_high", high),
        ("trials", len(case.measured)),
        ("implausible", case.implausible),
    ]
    reason = case.reason or ("not run" if case.status is None else case.status)
    return _TestCase(name, figures, _OF_STATUSES.get(case.status), case.status or "not_run", reason)


def _verdicts(judgement: Judgement, cases: Sequence[CaseResult]) -> list[_TestCase]:
    names = distinct({(one.id, one.metric): shown_case(one) for one in judgement.verdicts})
    statuses = [(on_its_hardware(case)[0], case.status) for case in cases]
    measured = {name for name, status in statuses if status == "ok"}
    unmeasured = {name: status for name, status in statuses if name not in measured}
    return [_verdict(one, names[one.id, one.metric], unmeasured.get(one.id)) for one in judgement.verdicts]


def _verdict(one: CaseVerdict, name: str, status: str | None) -> _TestCase:
    """Return the test case of a verdict. A new case has passed if its status is ok (``status`` None)."""
    figures = [
        ("verdict", one.verdict),
        ("reason", one.reason),
        ("metric", one.metric),
        ("unit", one.unit),
        ("value_base", one.value_base),
        ("value_head", one.value_head),
        ("ratio", one.ratio),
        ("ratio_low", one.ratio_low),
        ("ratio_high", one.ratio_high),
        ("trials_base", one.trials_base),
        ("trials_head", one.trials_head),
    ]
    outcome = _OF_VERDICTS.get(one.verdict)
    if one.verdict is Verdict.NEW and status is not None:
        outcome = _OF_STATUSES[status]
    return _TestCase(name, figures, outcome, one.verdict, one.reason)
