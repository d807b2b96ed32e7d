"""``--throughput-profile``: further steps under a profiler, which never change or lose what was measured."""

from __future__ import annotations

import gzip
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugin_project import Project

from pytest_throughput.cli import main
from pytest_throughput.run.traces import trace_name

STEPS = """
import os, time
from pytest_throughput import Kernel, Once, Phase, Step

def step(how="good"):
    runs = []
    def profile(steps, trace_file):
        if how == "unwritable": trace_file = os.path.join(trace_file, "x")
        with open(trace_file, "w") as file:
            file.write("[]")
        if how == "crashed": os.kill(os.getpid(), 11)
        if how == "exits": raise SystemExit("no licence")
        if how == "full": raise OSError(28, "No space left on device")
        if how == "nothing": return []
        if how == "wrong": return ["conv"]
        return [
            Kernel("conv[bold]", 2 * steps, 0.004 * steps, "convolution"),
            Kernel("relu", 3 * steps, 0.001 * steps, "element-wise"),
        ]
    return Step(lambda: runs.append(1), profile=None if how == "without" else profile, metadata={"pid": os.getpid()})

def job(): return Once([Phase("load", lambda: sum(range(10**4)))])
"""
TESTS = """
import pytest

@pytest.mark.parametrize("how", ["good"])
def test_it(measure_isolated, how): measure_isolated("steps:step", {"how": how}, items=4)
"""


@pytest.fixture
def profiled(project: Project) -> Project:
    (project.path / "steps.py").write_text(STEPS)
    project.tests(TESTS)
    return project


def run(project: Project, *arguments: str) -> tuple[pytest.RunResult, list[dict[str, Any]]]:
    """Run with the profiler in this process, unless ``arguments`` say otherwise; return each ``extra_info``."""
    own = [] if any("isolation" in argument for argument in arguments) else ["--throughput-isolation=none"]
    result = project.run(*own, "--benchmark-json=run.json", *arguments)
    return result, [benchmark["extra_info"] for benchmark in project.json()["benchmarks"]]


def test_operators_and_trace_are_in_the_results(profiled: Project, capsys: pytest.CaptureFixture[str]) -> None:
    result, (info,) = run(profiled, "--throughput-profile=2")
    assert result.ret == 0
    assert info["kernels"] == [
        {"name": "conv[bold]", "calls": 4, "seconds": 0.008, "share": pytest.approx(0.8), "class": "convolution"},
        {"name": "relu", "calls": 6, "seconds": 0.002, "share": pytest.approx(0.2), "class": "element-wise"},
    ]
    trace = info["profile"].pop("trace")
    assert info["profile"] == {"steps": 2, "seconds_per_step": pytest.approx(0.005), "reason": None}
    assert trace == f"run.profiles/{trace_name('test_it.py::test_it[good]', 1, 'default')}"
    assert gzip.decompress((profiled.path / trace).read_bytes()) == b"[]"
    result.stdout.fnmatch_lines(["where the time goes*", "*convolution*element-wise*", "*5.000*80 %*20 %*"])

    capsys.readouterr()
    assert main(["show", "--kernels", "run.json"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "test_it.py::test_it[good]",
        "operator    class         calls/step  ms/step  share",
        "conv[bold]  convolution         2.00    4.000   80 %",
        "relu        element-wise        3.00    1.000   20 %",
    ]


def test_without_the_option_nothing_is_profiled(profiled: Project, capsys: pytest.CaptureFixture[str]) -> None:
    result, (info,) = run(profiled)
    assert (info["kernels"], info["profile"]) == (None, None)
    assert not (profiled.path / "run.profiles").exists()
    assert "where the time goes" not in result.stdout.str()
    capsys.readouterr()
    assert main(["show", "--kernels", "run.json"]) == 0
    assert "no case was profiled" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("without", "it has no function that profiles it (Step.profile)"),
        ("full", "OSError: [Errno 28] No space left on device"),
        ("unwritable", "FileNotFoundError: *"),
        ("exits", "SystemExit: no licence"),
        ("nothing", "ValueError: the profiler has recorded no operator"),
        ("wrong", "TypeError: profile returned str; expected pytest_throughput.Kernel"),
    ],
)
def test_an_error_of_the_profiler_loses_no_figure(profiled: Project, how: str, reason: str) -> None:
    profiled.tests(TESTS.replace("good", how))
    result, (info,) = run(profiled, "--throughput-profile=1")
    assert result.ret == 0
    assert info["images_per_second"] > 0
    assert info["kernels"] is None
    assert info["profile"] == {"steps": 1, "seconds_per_step": None, "trace": None, "reason": info["profile"]["reason"]}
    result.stdout.fnmatch_lines([f"not profiled: test_it.py::test_it[[]{how}]: {reason.replace('[', '[[]')}"])
    if how != "nothing" and how != "wrong":
        assert list((profiled.path / "run.profiles").iterdir()) == []


def test_a_profiler_that_ends_the_worker_loses_no_figure(profiled: Project) -> None:
    profiled.tests(TESTS.replace("good", "crashed"))
    result, (info,) = run(profiled, "--throughput-profile=1", "--throughput-isolation=trial")
    assert result.ret == 0
    assert info["images_per_second"] > 0
    assert info["kernels"] is None
    assert info["profile"]["reason"].startswith("crashed: the worker was killed by SIGSEGV")


def test_what_cannot_be_profiled_says_why(profiled: Project) -> None:
    profiled.tests(
        """
        def test_here(measure_step): measure_step(lambda: None)
        def test_job(measure_isolated): measure_isolated("steps:job", phase="load")
        """
    )
    result, infos = run(profiled, "--throughput-profile=1", "-p", "no:randomly")
    assert result.ret == 0
    reasons = [info["profile"]["reason"] for info in infos]
    assert reasons == ["measure_step takes no profiler; use measure_isolated", "a job of phases runs once"]


def test_a_process_that_was_profiled_measures_nothing_more(profiled: Project) -> None:
    profiled.tests(TESTS.replace('["good"]', '["good", "full"]'))
    _, infos = run(profiled, "--throughput-profile=1", "--throughput-isolation=framework")
    assert len({info["pid"] for info in infos}) == 2


def test_each_side_of_a_pair_has_its_trace(profiled: Project) -> None:
    interpreters = [f"--throughput-interpreter={side}/python={sys.executable}" for side in ("base", "head")]
    _, infos = run(
        profiled,
        *interpreters,
        "--throughput-order=paired",
        "--throughput-profile=1",
        "--throughput-gate=off",
        "--throughput-isolation=trial",
    )
    assert all("slices" in info for info in infos)
    traces = {info["profile"]["trace"] for info in infos}
    assert traces == {f"run.profiles/{trace_name('test_it.py::test_it[good]', 1, side)}" for side in ("base", "head")}
    assert all((profiled.path / trace).is_file() for trace in traces)


def test_without_a_result_file_traces_are_in_a_folder_of_the_project(profiled: Project) -> None:
    assert profiled.run("--throughput-isolation=none", "--throughput-profile=1").ret == 0
    (trace,) = (profiled.path / ".throughput").glob("*.profiles/*.json.gz")
    assert trace.is_file()


@pytest.mark.parametrize("given", ["-1", "101", "many"])
def test_a_number_that_is_none_is_refused(profiled: Project, given: str) -> None:
    result = profiled.run(f"--throughput-profile={given}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--throughput-profile: expected a whole number of at *, got '{given}'"])


@given(st.text(min_size=1), st.integers(1, 1000), st.sampled_from(["default", "head", "a/b"]))
def test_no_name_of_a_trace_leaves_its_folder(case_id: str, trial: int, environment: str) -> None:
    name = trace_name(case_id, trial, environment)
    assert name.endswith(".json.gz")
    assert len(name.encode()) < 255
    assert not set(name) & set("/\\\0 '\"$*?")
    assert name[0] not in ".-"


PARTS = st.lists(st.sampled_from(["x", "t1", "t2", "head", "-", "+", "_", "/"]), max_size=4).map("".join)
TRIALS = st.tuples(
    st.one_of(PARTS, st.text(max_size=300)), st.integers(1, 3), st.one_of(st.sampled_from(["default", "head"]), PARTS)
)


@given(st.lists(TRIALS, min_size=2, max_size=8, unique=True))
def test_no_two_trials_share_a_trace(trials: list[tuple[str, int, str]]) -> None:
    assert len({trace_name(*trial) for trial in trials}) == len(trials)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("x-t2", 1, "default"), ("x", 2, "default")),
        (("x-head", 1, "default"), ("x", 1, "head")),
        (("x", 1, "t2"), ("x", 2, "default")),
        (("x+t2", 1, "default"), ("x", 2, "default")),
    ],
)
def test_an_id_that_looks_like_a_trial_or_an_environment_has_a_trace_of_its_own(
    one: tuple[str, int, str], other: tuple[str, int, str]
) -> None:
    assert trace_name(*one) != trace_name(*other)


def test_the_name_of_a_trace_is_the_id_of_its_case() -> None:
    case_id = "training-pytorch-cpu-vgg16-b8-fp32-eager"
    assert trace_name(case_id, 1, "default") == f"{case_id}.json.gz"
    assert trace_name(case_id, 2, "default") == f"{case_id}+t2.json.gz"
    assert trace_name(case_id, 2, "head") == f"{case_id}+t2+head.json.gz"
