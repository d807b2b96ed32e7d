"""The search for the largest batch that fits: its steps, and from the option to the JSON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugin_project import Project

from pytest_throughput import Step
from pytest_throughput.launch.batch_search import search_largest
from pytest_throughput.measurement.loop import run_once
from pytest_throughput.measurement.plan import ONCE, PLANS, Plan
from pytest_throughput.worker.protocol import Outcome

PAPER = PLANS["paper"]
OK = Outcome("ok", measurement=run_once(Step(lambda: None))[0])


class Device:
    """Memory for so many items; fewer when the step is measured, and not only run once."""

    def __init__(self, fits: int, fits_measured: int | None = None, refusal: str = "out_of_memory") -> None:
        self._fits = {ONCE: fits, PAPER: fits if fits_measured is None else fits_measured}
        self._refusal = refusal
        self.runs: list[tuple[int, str]] = []

    def __call__(self, size: int, plan: Plan) -> Outcome:
        self.runs.append((size, plan.name))
        return OK if size <= self._fits[plan] else Outcome(self._refusal, reason="no memory")


def test_grows_until_memory_ends_and_halves_in_between() -> None:
    device = Device(11)
    size, outcome = search_largest(device, PAPER)
    assert (size, outcome.status) == (11, "ok")
    once = [size for size, plan in device.runs if plan == "once"]
    assert once == [1, 4, 16, 10, 13, 11, 12]
    assert device.runs[-1] == (11, "paper")
    assert len(device.runs) == len(once) + 1
    found = outcome.metadata["largest_batch"]
    assert {name: found[name] for name in ("fits", "refused", "refused_status", "refused_reason")} == {
        "fits": 11,
        "refused": 12,
        "refused_status": "out_of_memory",
        "refused_reason": "no memory",
    }
    assert found["tried"]["16"] == "out_of_memory"
    assert found["tried"]["11"] == "ok"


@given(st.integers(1, 2**19), st.data())
def test_finds_what_fits_while_it_is_measured(fits: int, data: st.DataObject) -> None:
    """To 2 %, whatever fits; and exactly, where that is less than one."""
    measured = data.draw(st.integers(max(1, fits // 1000), fits))
    device = Device(fits, measured)
    size, outcome = search_largest(device, PAPER)
    assert outcome.status == "ok"
    refused = outcome.metadata["largest_batch"]["refused"]
    assert size <= measured < refused
    assert refused - size <= max(1, size / 50)
    assert size == measured or measured > 50
    assert device.runs.count((size, "paper")) == 1
    assert len(device.runs) == len(set(device.runs))


@pytest.mark.parametrize(("fits", "runs"), [(1, 4), (11, 8), (669, 15), (6_000, 18), (2**19, 25)])
def test_the_search_ends_when_what_fits_is_known_to_2_percent(fits: int, runs: int) -> None:
    """Each run is a fresh process with a framework in it: to one image, 6,000 would take 27 of them."""
    device = Device(fits)
    size, outcome = search_largest(device, PAPER)
    assert len(device.runs) == runs
    assert size <= fits < outcome.metadata["largest_batch"]["refused"] <= size + max(1, size / 50)


@pytest.mark.parametrize("refusal", ["failed", "crashed"])
def test_a_batch_too_large_for_a_library_is_too_large(refusal: str) -> None:
    size, outcome = search_largest(Device(669, refusal=refusal), PAPER)
    assert 0.98 * 669 <= size <= 669
    assert outcome.metadata["largest_batch"]["refused_status"] == refusal


def test_there_is_an_end_where_memory_has_none() -> None:
    size, outcome = search_largest(Device(2**30), PAPER)
    assert size == 2**20
    assert outcome.metadata["largest_batch"]["refused"] is None


@pytest.mark.parametrize("status", ["out_of_memory", "unsupported", "failed", "crashed", "timed_out"])
def test_what_does_not_even_do_one_is_the_outcome(status: str) -> None:
    device = Device(0, refusal=status)
    size, outcome = search_largest(device, PAPER)
    where = "" if status == "unsupported" else "with a batch of 1: "
    assert (size, outcome.status, outcome.reason) == (1, status, f"{where}no memory")
    assert len(device.runs) == 1


def test_a_batch_that_takes_for_ever_ends_the_search() -> None:
    size, outcome = search_largest(Device(100, refusal="timed_out"), PAPER)
    assert (size, outcome.status, outcome.reason) == (128, "timed_out", "with a batch of 128: no memory")


STEPS = """
from pytest_throughput import Step

def held(batch_size, limit):
    if batch_size > limit:  # Enough to exceed any limit, for as long as it takes to be noticed.
        held = b"x" * (400 << 20)
        import time; time.sleep(1000)
    return Step(lambda: None, metadata={"pid_of": batch_size})
"""
TESTS = """
def test_it(measure_isolated):
    measure_isolated("steps:held", {"limit": 3}, largest="batch_size")
"""


def test_the_figures_are_of_the_largest_batch(project: Project) -> None:
    (project.path / "steps.py").write_text(STEPS)
    project.tests(TESTS)
    result = project.run("--throughput-protocol=paper", "--throughput-memory-limit=300M", "--benchmark-json=run.json")
    result.assert_outcomes(passed=1)
    (benchmark,) = project.json()["benchmarks"]
    info = benchmark["extra_info"]
    assert (info["batch_size"], info["pid_of"]) == (3, 3)
    assert info["images_per_second"] == pytest.approx(3 / benchmark["stats"]["median"])
    assert info["largest_batch"]["refused"] == 4
    assert "--throughput-memory-limit is 300 MiB" in info["largest_batch"]["refused_reason"]
    result.stdout.fnmatch_lines(["*batch*", "test_it.py::test_it*  3 *"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "the largest batch on a CPU would fill this machine's memory: say how much *"),
        (["--throughput-memory-limit=1G", "--throughput-isolation=framework"], "searched in fresh processes"),
    ],
)
def test_a_search_without_an_end_is_refused(project: Project, options: list[str], message: str) -> None:
    project.tests(TESTS)
    result = project.run(*options)
    assert result.ret != 0
    result.stdout.fnmatch_lines([f"*{message}*"])


def test_run_once_it_is_not_searched(project: Project) -> None:
    (project.path / "steps.py").write_text(STEPS)
    project.tests(TESTS)
    assert project.run("--benchmark-disable", "--throughput-memory-limit=300M").ret == 0
