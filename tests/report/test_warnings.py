"""Warnings as objects: each has a kind, its cases and a text, for tables, reports and annotations alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from mutations import HOSTILE, obeyed

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report import table
from pytest_throughput.report.warnings import ResultWarning, WarningKind, warnings_of
from pytest_throughput.results.model import CaseResult, RunResult, TrialResult


def case(case_id: str, *, environment: str = "default", rounds_disturbed: int = 0, **metadata: Any) -> CaseResult:
    rate = Metric("images_per_second", "images/s", 40.0)
    trial = TrialResult(1, 8, 0.2, (rate,), rounds=3, rounds_disturbed=rounds_disturbed, metadata=metadata)
    return CaseResult(case_id, environment, {}, "ok", trials=(trial,))


def kinds(*cases: CaseResult) -> list[tuple[WarningKind, tuple[str, ...]]]:
    """Kind and case ids of each warning about these cases."""
    return [(one.kind, tuple(case_id for case_id, _ in one.cases)) for one in warnings_of(RunResult(cases))]


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (replace(case("a"), status="crashed", reason="killed by SIGSEGV"), WarningKind.NOT_OK),
        (replace(case("a"), implausible="it cannot be"), WarningKind.IMPLAUSIBLE),
        (case("a", recompilations=2), WarningKind.RECOMPILED),
        (case("a", settings={"isolation": "framework"}), WarningKind.SHARED_PROCESS),
        (case("a", swapped_bytes=300 << 20), WarningKind.SWAPPED),
        (case("a", enqueue_ratio=0.95), WarningKind.HOST_BOUND),
        (case("a", unpaired="this run does not measure it in base"), WarningKind.UNPAIRED),
        (case("a", anchor={"reason": "the anchor is crashed: killed by SIGSEGV"}), WarningKind.NO_ANCHOR),
        (case("a", disturbed_by="2 other processes on the GPU"), WarningKind.DISTURBED),
        (case("a", rounds_disturbed=2), WarningKind.DISTURBED_ROUNDS),
        (case("a", removed_variables=["TF_XLA_FLAGS"]), WarningKind.VARIABLES_REMOVED),
        (case("a", allocator_asked="tuned", settings={"allocator": "system"}), WarningKind.OTHER_ALLOCATOR),
    ],
)
def test_each_warning_names_its_kind_and_its_cases(bad: CaseResult, kind: WarningKind) -> None:
    good = case(
        "b",
        rounds_disturbed=1,
        swapped_bytes=4096,
        recompilations=0,
        enqueue_ratio=0.5,
        allocator_asked="tuned",
        settings={"allocator": "tuned"},
    )
    in_this_process = case("c", allocator_asked=None, settings={"allocator": "system"})
    assert kinds(good, in_this_process) == []
    assert kinds(bad, good) == [(kind, ("a",))]


@pytest.mark.parametrize(
    ("peak", "unknown"),
    [(None, "first step, build time and, on a CPU, peak memory"), (2**30, "first step and build time")],
)
def test_what_a_shared_process_hides_is_said(peak: int | None, unknown: str) -> None:
    cases = (case("a", settings={"isolation": "framework"}, peak_memory_bytes=peak),)
    (warning,) = warnings_of(RunResult(cases))
    known = "are known only where a process measures one case: --throughput-isolation trial"
    assert warning.text == f"{unknown} {known}"


def test_one_warning_is_about_all_cases_that_it_holds_for() -> None:
    cases = case("a", rounds_disturbed=2), case("b", environment="head", rounds_disturbed=3)
    assert warnings_of(RunResult(cases)) == [
        ResultWarning(
            WarningKind.DISTURBED_ROUNDS,
            (("a", "default"), ("b", "head")),
            "other processes held up most rounds of these cases, and their figures include those waits; "
            "measure them again on an idle machine: a, b (head)",
        )
    ]


@pytest.mark.parametrize(
    ("asked", "held", "why"),
    [
        ("tuned", "system", "only glibc can be tuned, and variables that are given or kept win"),
        ("system", "tuned", "a variable or a preloaded library has chosen it"),
        ("liba.so.2", "system", "the library has to be where the worker runs, such as in its container"),
    ],
)
def test_another_allocator_than_was_asked_for_is_named_with_its_cause(asked: str, held: str, why: str) -> None:
    cases = (case(name, allocator_asked=asked, settings={"allocator": held}) for name in "ab")
    (warning,) = warnings_of(RunResult(tuple(cases)))
    text = f"workers allocated memory by {held}, and --throughput-allocator asked for {asked} ({why}): a, b"
    assert warning.text == text


def test_the_table_shows_every_warning_below_it() -> None:
    result = RunResult((replace(case("a"), status="failed", reason="because"), case("b", enqueue_ratio=0.95)))
    assert table.notes(result) == [warning.text for warning in warnings_of(result)]


def test_nothing_in_a_warning_is_obeyed() -> None:
    bad = replace(
        case(
            HOSTILE,
            environment=HOSTILE,
            disturbed_by=HOSTILE,
            removed_variables=[HOSTILE],
            allocator_asked=HOSTILE,
            settings={"allocator": HOSTILE + "x"},
        ),
        status="failed",
        reason=HOSTILE,
    )
    for warning in warnings_of(RunResult((replace(bad, implausible=HOSTILE), case(HOSTILE, rounds_disturbed=3)))):
        assert obeyed(warning.text) is None
