"""pytest-benchmark's own options keep working, and a suite that does not measure notices nothing."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from plugin_project import Project

TWO = """
import pytest

@pytest.mark.parametrize("framework", ["pt", "tf"])
def test_sleep(measure_isolated, framework):
    measure_isolated("steps:sleep", {"milliseconds": 1})

def test_plain(benchmark):
    benchmark.pedantic(lambda: None, rounds=3)

def test_other():
    pass
"""


@pytest.fixture
def two(project: Project) -> Project:
    """A project of two steps and two other tests. The options do not depend on who measures, so no worker does."""
    (project.path / "pytest.ini").write_text("[pytest]\nthroughput_isolation = none\n")
    project.tests(TWO)
    return project


def test_disable_runs_each_step_and_keeps_no_figure(project: Project) -> None:
    project.tests(
        """
        def test_ok(measure_isolated): measure_isolated("steps:sleep")
        def test_bad(measure_isolated): measure_isolated("steps:end", {"how": "failed"})
        def test_here(measure_step): measure_step(lambda: open("ran", "a").write("x"))
        """
    )
    result = project.run("--benchmark-disable", "--benchmark-json=run.json")
    result.assert_outcomes(passed=2, failed=1)
    assert (project.path / "ran").read_text() == "x"
    assert not (project.path / "run.json").exists()
    result.stdout.no_fnmatch_line("*throughput ===*")
    result.stdout.no_fnmatch_line("*not used at all*")


def test_only_skips_what_is_no_benchmark(two: Project) -> None:
    two.run("--benchmark-only").assert_outcomes(passed=3, skipped=1)


def test_skip_skips_what_is_one(two: Project) -> None:
    result = two.run("--benchmark-skip", "--benchmark-json=run.json")
    result.assert_outcomes(passed=1, skipped=3)
    assert not (two.path / "run.json").exists()


def test_json_and_autosave_together_both_hold_the_block(two: Project) -> None:
    two.run("--benchmark-autosave", "--benchmark-json=run.json").assert_outcomes(passed=4)
    (saved,) = (two.path / ".benchmarks").rglob("*.json")
    stored = json.loads(saved.read_text())
    block = two.json()["throughput"]
    assert stored["throughput"] == block
    assert len(block["cases"]) == 2
    assert "data" not in stored["benchmarks"][0]["stats"]


def test_saved_runs_are_compared_by_pytest_benchmark(two: Project) -> None:
    two.run("--benchmark-save=first", "--benchmark-save-data").assert_outcomes(passed=4)
    result = two.run("--benchmark-compare=0001")
    result.assert_outcomes(passed=4)
    for row in ("test_sleep[pt] (0001_first)", "test_sleep[pt] (NOW)"):
        assert row in result.stdout.str()
    two.tests(TWO.replace('"milliseconds": 1', '"milliseconds": 50'))
    assert two.run("--benchmark-compare=0001", "--benchmark-compare-fail=min:0.001").ret != 0


def test_groups_are_by_parameter(project: Project) -> None:
    project.tests(TWO[: TWO.index("def test_plain")])
    result = project.run("--benchmark-group-by=param:framework")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*benchmark 'framework=pt': 1 tests*", "*benchmark 'framework=tf': 1 tests*"])


def test_its_table_is_folded_away_unless_asked_for(two: Project) -> None:
    plain_only = two.run()
    plain_only.stdout.fnmatch_lines(["*benchmark: 1 tests*", "test_plain *"])
    asked_for = two.run("--benchmark-columns=min,median")
    asked_for.stdout.fnmatch_lines(["*benchmark: 3 tests*", "test_sleep*"])


def test_other_options_of_the_marker_are_kept(project: Project) -> None:
    project.tests(
        """
        import pytest

        @pytest.mark.benchmark(group="mine", disable_gc=True)
        def test_it(measure_isolated):
            measure_isolated("steps:sleep")
        """
    )
    (benchmark,) = project.run_json()["benchmarks"]
    assert benchmark["group"] == "mine"
    assert benchmark["options"]["disable_gc"] is True


def test_a_benchmark_fixture_made_too_early_is_noticed(project: Project) -> None:
    project.tests(
        """
        import pytest

        @pytest.fixture(autouse=True)
        def early(benchmark): pass

        def test_it(measure_isolated):
            measure_isolated("steps:sleep")
        """
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*RuntimeError: the 'benchmark' fixture did not take the measured samples*"])


def test_profiling_the_replay_is_refused(two: Project) -> None:
    result = two.run("--benchmark-cprofile=tottime")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--benchmark-cprofile would profile the replay*"])


@pytest.mark.slow
@pytest.mark.usefixtures("all_plugins")
def test_without_pytest_benchmark_a_plain_project_runs_and_a_measuring_one_is_refused(
    project: Project, pytester: pytest.Pytester
) -> None:
    project.tests("def test_plain(): pass")
    pytester.runpytest_subprocess("-p", "pytest_throughput.plugin", "-p", "no:benchmark").assert_outcomes(passed=1)
    project.tests("def test_it(measure_step): measure_step(lambda: None)")
    result = pytester.runpytest_subprocess("-p", "pytest_throughput.plugin", "-p", "no:benchmark")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: measuring needs pytest-benchmark*"])
    assert (
        pytester.runpytest_subprocess("-p", "pytest_throughput.plugin", "-p", "no:benchmark", "--collect-only").ret == 0
    )


@pytest.mark.slow
@pytest.mark.usefixtures("all_plugins")
def test_xdist_is_refused(two: Project, pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    result = pytester.runpytest_subprocess("-p", "pytest_throughput.plugin", "-n2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: pytest-xdist is active*say -n 0*add --benchmark-disable;*--benchmark-skip"])
    pytester.runpytest_subprocess("-p", "pytest_throughput.plugin", "-n0").assert_outcomes(passed=4)
    pytester.runpytest_subprocess("-p", "pytest_throughput.plugin", "-n2", "-k", "plain or other").assert_outcomes(
        passed=2
    )


@pytest.mark.slow
@pytest.mark.usefixtures("all_plugins")
@pytest.mark.parametrize(
    ("option", "outcomes"),
    [
        ("--benchmark-disable", {"passed": 6}),
        ("--benchmark-skip", {"passed": 1, "skipped": 5}),
        ("--collect-only", {}),
    ],
)
def test_xdist_is_welcome_where_nothing_is_measured(
    two: Project, pytester: pytest.Pytester, option: str, outcomes: dict[str, int]
) -> None:
    """The usual correctness job; with several trials, too, and an option of the gate in ``addopts``."""
    pytest.importorskip("xdist")
    two.tests(TWO + "def test_here(measure_step):\n    measure_step(lambda: open('ran', 'a').write('x'))\n")
    plugin, trials = ("-p", "pytest_throughput.plugin"), "--throughput-trials=2"
    result = pytester.runpytest_subprocess(*plugin, "-n2", option, trials, "--throughput-baseline=kept", "-k", "not tf")
    assert result.ret == 0
    result.assert_outcomes(**outcomes)
    assert "pytest-xdist is active" not in result.stdout.str() + result.stderr.str()
    assert (two.path / "ran").exists() is (option == "--benchmark-disable")
    assert not list(two.path.glob("**/*.jsonl"))


@pytest.mark.slow
def test_xdist_is_refused_where_benchmarks_are_enabled_again(two: Project, pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    options = ("-n2", "--benchmark-disable", "--benchmark-enable")
    assert pytester.runpytest_subprocess("-p", "pytest_throughput.plugin", *options).ret == 4


@pytest.mark.parametrize("option", ["--benchmark-disable", "--benchmark-skip", "--collect-only"])
def test_nothing_is_refused_where_nothing_is_measured(two: Project, option: str) -> None:
    assert two.run("--benchmark-cprofile=tottime", option).ret == 0


@pytest.mark.slow
def test_a_comparison_fails_whatever_the_numbers_of_trials(two: Project, pytester: pytest.Pytester) -> None:
    """Names are the same: the first trial of two is compared with that of a run of one, and of three."""
    arguments = ("--throughput-protocol=paper", "-k", "sleep", "--throughput-isolation=framework")
    two.run("--benchmark-save=one", *arguments).assert_outcomes(passed=2, deselected=2)
    two.run("--benchmark-save=three", "--throughput-trials=3", *arguments).assert_outcomes(passed=6, deselected=2)
    for saved, trials in (("0001", 2), ("0002", 1), ("0002", 2)):
        compare = (f"--benchmark-compare={saved}", f"--throughput-trials={trials}", *arguments)
        two.tests(TWO)
        assert two.run(*compare, "--benchmark-compare-fail=median:2000%").ret == 0
        two.tests(TWO.replace('"milliseconds": 1', '"milliseconds": 50'))
        slow = ("-p", "pytest_throughput.plugin", "--throughput-lock=off", "--benchmark-compare-fail=median:500%")
        result = pytester.runpytest_subprocess(*slow, *compare)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert "Performance has regressed" in result.stdout.str() + result.stderr.str()
        assert f"test_sleep[pt] ({saved}_" in result.stdout.str()


def _without_times(document: dict[str, Any]) -> dict[str, Any]:
    """What two runs of the same suite have in common."""
    for benchmark in document["benchmarks"]:
        benchmark["stats"] = {"rounds": benchmark["stats"]["rounds"], "iterations": benchmark["stats"]["iterations"]}
    for volatile in ("datetime", "machine_info", "commit_info"):
        document.pop(volatile)
    return document


def test_a_plain_suite_is_as_without_us(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_plain="""
        import pytest

        @pytest.mark.parametrize("n", [1, 2])
        def test_sum(benchmark, n):
            benchmark.extra_info["n"] = n
            benchmark.pedantic(sum, args=([n],), rounds=4, iterations=2)

        def test_not_used(benchmark): pass
        def test_fails(benchmark): benchmark(lambda: 1 / 0)
        """
    )
    documents, outputs = [], []
    for name, plugin in (("with.json", "pytest_throughput.plugin"), ("without.json", "no:pytest_throughput.plugin")):
        (pytester.path / name).write_text("an older run")
        result = pytester.run(
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-p",
            plugin,
            f"--benchmark-json={name}",
            "--tb=no",
        )
        assert result.ret == 1
        documents.append(_without_times(json.loads((pytester.path / name).read_text())))
        lines = [line for line in result.outlines if line.strip("-= ") and "plugins:" not in line]
        # The rows are sorted by time, and rules are as long as the figures: both vary without the plugin.
        outputs.append(sorted(line.strip("-= ").split()[0] for line in lines))
        assert not (pytester.path / f"{name}.previous").exists()
    assert documents[0] == documents[1]
    assert "throughput" not in documents[0]
    assert outputs[0] == outputs[1]
