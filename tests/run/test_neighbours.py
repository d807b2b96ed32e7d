"""Beside other people's plugins: each keeps its effect, and the figures theirs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from plugin_project import Project

QUICK = ("--throughput-protocol=paper", "--benchmark-json=run.json")

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("all_plugins")]

CASES = """
import pytest

@pytest.mark.parametrize("n", range(1, 6))
def test_sleep(measure_isolated, n):
    measure_isolated("steps:sleep", {"milliseconds": 0.1 * n}, items=n)

def test_plain(benchmark):
    benchmark.pedantic(lambda: None, rounds=3)
"""


def run(project: Project, *arguments: str, plugins: str = "-p no:randomly") -> tuple[int, str]:
    """In a process of its own, since these plugins load by their entry points."""
    process = project.start(*QUICK, *arguments, environment={"PYTEST_ADDOPTS": plugins})
    output, _ = process.communicate()
    return process.returncode, output


@pytest.fixture
def cases(project: Project) -> Project:
    project.tests(CASES)
    return project


def statuses(document: dict[str, Any]) -> list[str]:
    return [case["status"] for case in document["throughput"]["cases"]]


def test_randomly_shuffles_cases_and_trials_stay_trial_by_trial(cases: Project) -> None:
    pytest.importorskip("pytest_randomly")
    status, output = run(cases, "--throughput-trials=2", "-p", "randomly", "-p", "no:cacheprovider", "-v", plugins="")
    assert status == 0
    assert "Using --randomly-seed" in output
    document = cases.json()
    assert statuses(document) == ["ok"] * 5
    order = [each["extra_info"]["trial"] for each in document["benchmarks"] if "trial" in each["extra_info"]]
    assert order == [1] * 5 + [2] * 5


def test_randomly_and_a_selection_keep_the_trials_of_a_case_together(cases: Project) -> None:
    pytest.importorskip("pytest_randomly")
    status, output = run(cases, "--throughput-trials=2", "-p", "randomly", "-k", "3 or 4", plugins="")
    assert (status, "4 passed, 7 deselected" in output) == (0, True)
    found = cases.json()["throughput"]["cases"]
    assert sorted((case["id"], len(case["trials"])) for case in found) == [
        ("test_it.py::test_sleep[3]", 2),
        ("test_it.py::test_sleep[4]", 2),
    ]


def test_a_timeout_of_pytest_timeout_is_the_status_of_its_case(project: Project) -> None:
    pytest.importorskip("pytest_timeout")
    project.tests(
        """
        import pytest

        @pytest.mark.timeout(1)
        def test_hangs(measure_isolated): measure_isolated("steps:end", {"how": "timed_out"})
        def test_next(measure_isolated): measure_isolated("steps:sleep", {"milliseconds": 0.1})
        """
    )
    status, _ = run(project)
    assert status == 1
    block = project.json()["throughput"]
    assert (statuses(project.json()), block["complete"]) == (["timed_out", "ok"], True)
    assert "pytest-timeout" in block["cases"][0]["reason"]


def test_a_rerun_of_a_failure_replaces_it(project: Project) -> None:
    pytest.importorskip("pytest_rerunfailures")
    (project.path / "steps.py").write_text(
        "import os\n"
        "from pytest_throughput import Step\n"
        "def flaky():\n"
        "    if not os.path.exists('tried'):\n"
        "        open('tried', 'w').close()\n"
        "        os._exit(3)\n"
        "    return Step(lambda: None)\n"
    )
    project.tests("def test_flaky(measure_isolated): measure_isolated('steps:flaky')")
    status, output = run(project, "--reruns=2", "--throughput-trials=2")
    assert (status, "2 passed, 1 rerun" in output) == (0, True)
    document = project.json()
    assert statuses(document) == ["ok"]
    assert [len(case["trials"]) for case in document["throughput"]["cases"]] == [2]
    assert [benchmark["name"] for benchmark in document["benchmarks"]] == ["test_flaky", "test_flaky[t2]"]


def test_coverage_is_measured_and_does_not_slow_the_step(project: Project) -> None:
    pytest.importorskip("pytest_cov")
    project.tests(
        """
        import sys

        traced = []

        def test_here(measure_step):
            measure_step(lambda: traced.append(sys.gettrace()))

        def test_seen():
            assert set(traced) == {None}
        """
    )
    status, output = run(project, "--cov=test_it", "--cov-report=json")
    assert (status, "2 passed" in output) == (0, True)
    report = json.loads((project.path / "coverage.json").read_text())
    assert report["files"]["test_it.py"]["summary"]["percent_covered"] > 50
    assert statuses(project.json()) == ["ok"]


def test_repeating_is_for_tests_that_name_no_case(project: Project) -> None:
    """Of a named case a repetition would be a trial with another's number: what to do is said."""
    pytest.importorskip("pytest_repeat")
    project.tests("def test_it(measure_isolated): measure_isolated('steps:sleep', {'milliseconds': 0.1})")
    status, _ = run(project, "--count=3", "--throughput-trials=2", "--throughput-isolation=framework")
    found = project.json()["throughput"]["cases"]
    assert status == 0
    assert [(case["id"], len(case["trials"])) for case in found] == [
        (f"test_it.py::test_it[{repetition}-3]", 2) for repetition in (1, 2, 3)
    ]
    project.tests(
        "import pytest\n@pytest.mark.throughput_case('named')\ndef test_it(measure_step): measure_step(lambda: None)\n"
    )
    status, output = run(project, "--count=3")
    assert status == pytest.ExitCode.USAGE_ERROR
    assert "measure the same trial of named; to repeat a case, use --throughput-trials" in output


@pytest.mark.parametrize(
    "arguments", [("-p", "no:cacheprovider"), ("--import-mode=importlib",), ("-n0",), ("-p", "no:terminal")]
)
def test_options_of_others_change_nothing(cases: Project, arguments: tuple[str, ...]) -> None:
    status, _ = run(cases, *arguments)
    assert (status, statuses(cases.json())) == (0, ["ok"] * 5)


PLAIN_SUITES = {
    "parameters": """
        import pytest

        @pytest.mark.parametrize("n", [1, 2])
        @pytest.mark.benchmark(group="sums")
        def test_sum(benchmark, n):
            benchmark.extra_info["n"] = n
            assert benchmark.pedantic(sum, args=([n],), rounds=4, iterations=2) == n
        """,
    "classes": """
        import pytest

        class TestThings:
            @pytest.fixture(scope="class", params=["a", "b"])
            def thing(self, request): return request.param
            def test_thing(self, benchmark, thing): benchmark.pedantic(str, args=(thing,), rounds=2)
            @pytest.mark.skip
            def test_skipped(self, benchmark): benchmark(str)
        """,
    "failures": """
        def test_before(): pass
        def test_unused(benchmark): pass
        def test_fails(benchmark): benchmark(lambda: 1 / 0)
        def test_weaved(benchmark_weave): pass
        """,
}


def without_times(document: dict[str, Any]) -> dict[str, Any]:
    for benchmark in document["benchmarks"]:
        benchmark["stats"] = {"rounds": benchmark["stats"]["rounds"], "iterations": benchmark["stats"]["iterations"]}
    for volatile in ("datetime", "machine_info", "commit_info"):
        document.pop(volatile)
    return document


@pytest.mark.parametrize("suite", PLAIN_SUITES)
@pytest.mark.parametrize("option", ["--benchmark-autosave", "--benchmark-only"])
def test_a_plain_suite_behaves_as_without_us(pytester: pytest.Pytester, suite: str, option: str) -> None:
    """Its JSON, its outcomes, its files, its exit status; the handlers of signals, and no journal."""
    pytester.makepyfile(test_plain=PLAIN_SUITES[suite])
    pytester.makeconftest(
        "import signal\n"
        "def pytest_runtest_setup(item):\n"
        "    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
        "    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL\n"
    )
    seen = []
    for plugin in ("pytest_throughput.plugin", "no:pytest_throughput.plugin"):
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", plugin, option, "--tb=no", "-rA"]
        result = pytester.run(*command, "--benchmark-json=plain.json")
        file = pytester.path / "plain.json"
        document = without_times(json.loads(file.read_text())) if file.exists() else None
        file.unlink(missing_ok=True)
        files = sorted(
            path.suffix for path in pytester.path.rglob("*") if "pycache" not in str(path) and path.is_file()
        )
        for saved in Path(pytester.path, ".benchmarks").rglob("*.json"):
            saved.unlink()
        seen.append((result.ret, result.parseoutcomes(), document, files))
    assert seen[0] == seen[1]
