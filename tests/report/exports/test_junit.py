"""JUnit's XML: read by junitparser, with the elements and attributes of junit-10.xsd, valid whatever the names are."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import junitparser
from hypothesis import given
from hypothesis import strategies as st
from invented_runs import a_case, a_hostile_run, a_run

from pytest_throughput.gate.rules import Code
from pytest_throughput.gate.verdict import CaseVerdict, Judgement, Verdict
from pytest_throughput.report.exports.junit import export
from pytest_throughput.results.model import RunResult

ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    "testsuites": ({"testsuite"}, {"name", "tests", "failures", "errors"}),
    "testsuite": ({"properties", "testcase"}, {"name", "tests", "failures", "errors", "skipped"}),
    "properties": ({"property"}, set()),
    "property": (set(), {"name", "value"}),
    "testcase": ({"failure", "error", "skipped", "system-out"}, {"name", "classname"}),
    "failure": (set(), {"type", "message"}),
    "error": (set(), {"type", "message"}),
    "skipped": (set(), {"type", "message"}),
    "system-out": (set(), set()),
}
"""The children and attributes that the schema allows in each element, as far as an export has them."""


def suites(result: RunResult, *judgements: Judgement) -> list[junitparser.TestSuite]:
    content = export(result, judgements).content
    for element in ElementTree.fromstring(content).iter():
        children, attributes = ALLOWED[element.tag]
        assert {child.tag for child in element} <= children and {*element.keys()} <= attributes
        assert element.tag != "testsuite" or {"name", "tests", "failures", "errors"} <= {*element.keys()}
    found = list(junitparser.JUnitXml.fromstring(content))
    for suite in found:
        before = (suite.tests, suite.failures, suite.errors, suite.skipped)
        suite.update_statistics()
        assert (suite.tests, suite.failures, suite.errors, suite.skipped) == before
        assert len({case.name for case in suite}) == suite.tests
    return found


def outcomes(suite: junitparser.TestSuite) -> dict[str, str]:
    """The kind and the type of the result of each test case; empty if it has passed."""
    return {case.name: " ".join(f"{type(each).__name__.lower()} {each.type}" for each in case.result) for case in suite}


def properties(suite: junitparser.TestSuite) -> dict[str, str]:
    return {each.name: each.value for each in suite.properties()}


def judgement(*verdicts: tuple[str, Verdict]) -> Judgement:
    return Judgement(
        "head against base", 10, tuple(CaseVerdict(name, verdict, Code.NOISE, "because") for name, verdict in verdicts)
    )


def test_without_verdicts_a_test_case_has_the_status_of_its_case() -> None:
    statuses = ("unsupported", "out_of_memory", "failed", "timed_out", "crashed", None)
    cases = [a_case(str(status), (), status=status, reason="because") for status in statuses]
    (suite,) = suites(a_run(a_case("ok"), *cases, complete=False))
    assert outcomes(suite) == {
        "ok": "",
        "unsupported": "skipped unsupported",
        "out_of_memory": "skipped out_of_memory",
        "failed": "error failed",
        "timed_out": "error timed_out",
        "crashed": "error crashed",
        "None": "skipped not_run",
    }
    assert properties(suite) == {"complete": "false"}


def test_the_figures_are_in_the_output() -> None:
    (suite,) = suites(a_run(a_case(values=(80.0,))))
    (case,) = suite
    assert case.system_out.splitlines() == [
        "metric: images_per_second",
        "better: higher",
        "unit: images/s",
        "value: 80.0",
        "trials: 1",
    ]


def test_verdicts_are_test_cases() -> None:
    found = judgement(*((str(verdict), verdict) for verdict in Verdict))
    (suite,) = suites(a_run(), found)
    assert outcomes(suite) == {
        "regressed": "failure regressed",
        "improved": "",
        "unchanged": "",
        "inconclusive": "skipped inconclusive",
        "new": "",
        "missing": "failure missing",
        "failed": "error failed",
        "incomparable": "skipped incomparable",
    }
    assert properties(suite) == {"complete": "true", "compared": "head against base"}


def test_a_new_case_that_crashed_has_not_passed() -> None:
    run = a_run(a_case("a", (), status="crashed"), a_case("b"), a_case("b", (), status="crashed", environment="base"))
    (suite,) = suites(run, judgement(("a", Verdict.NEW), ("b", Verdict.NEW)))
    assert outcomes(suite) == {"a": "error new", "b": ""}
    elsewhere = a_case("a (X 1)", (), status="crashed", axes={"device": "cpu (X 1)"})  # As of several files.
    (suite,) = suites(a_run(elsewhere), judgement(("a", Verdict.NEW)))
    assert outcomes(suite) == {"a": "error new"}


def test_each_metric_of_a_case_and_each_judgement_has_a_place() -> None:
    one = CaseVerdict("a", Verdict.UNCHANGED, Code.NOISE, "because", shows_metric=True)
    both = Judgement("t", 0, (one, replace(one, metric="peak_memory_bytes")))
    first, second = suites(a_run(), both, judgement(("a", Verdict.NEW)))
    assert [*outcomes(first)] == ["a (images_per_second)", "a (peak_memory_bytes)"] and [*outcomes(second)] == ["a"]


def test_a_judgement_without_verdicts_leaves_the_statuses() -> None:
    (suite,) = suites(a_run(), Judgement("nothing to compare", 12))
    assert [*outcomes(suite)] == ["training-vgg16", "training-broken"]


def test_hostile_texts_are_texts() -> None:
    (suite,) = suites(a_hostile_run())
    assert suite.tests == 16 and any("]]>&amp;</testcase>" in name for name in outcomes(suite))


@given(st.text(min_size=1, max_size=30))
def test_any_text_is_xml(text: str) -> None:
    suites(a_run(a_case(text, (), status="failed", reason=text)))
    suites(a_run(), judgement((text, Verdict.REGRESSED)))
