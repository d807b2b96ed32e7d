"""From a test to pytest-benchmark's JSON: samples, statuses, exit statuses."""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from plugin_project import Project

ISOLATED = """
def test_sleep(measure_isolated):
    measure_isolated("steps:sleep", {"milliseconds": 2, "parameters": 7}, items=4)
"""


def test_the_samples_of_the_worker_are_pytest_benchmarks(project: Project) -> None:
    project.tests(ISOLATED)
    result = project.run("--benchmark-json=run.json")
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    (benchmark,) = project.json()["benchmarks"]
    info, stats = benchmark["extra_info"], benchmark["stats"]
    assert benchmark["fullname"] == "test_it.py::test_sleep"
    assert 5 <= stats["rounds"] == len(stats["data"]) <= 20
    assert min(stats["data"]) >= 0.002
    assert stats["iterations"] == 1
    assert info["images_per_second"] == pytest.approx(4 / statistics.median(stats["data"]))
    assert info["case_id"] == "test_it.py::test_sleep"
    assert (info["batch_size"], info["trial"], info["environment"]) == (4, 1, "default")
    assert info["pid"] != os.getpid()
    assert info["parameters"] == 7
    assert info["settings"]["protocol"] == "quick"
    assert info["settings"]["isolation"] == "trial"
    assert info["settings"]["warm_up_steps"] >= 2
    assert info["versions"]["python"]
    assert info["first_step_seconds"] > 0
    assert info["build_seconds"] > 0
    assert info["peak_memory_bytes_in_all"] >= info["peak_memory_bytes"] > 2**20
    for unknown in ("framework", "flops_per_image", "network_hash", "layout"):
        assert info[unknown] is None


def test_the_block_names_the_run(project: Project) -> None:
    project.tests(ISOLATED)
    block = project.run_json()["throughput"]
    assert (block["schema"], block["complete"], block["deselected"]) == (1, True, [])
    assert block["fingerprint"]["cpu"]["threads"] >= 1
    (case,) = block["cases"]
    assert (case["id"], case["environment"], case["status"]) == ("test_it.py::test_sleep", "default", "ok")
    assert case["images_per_second"] == pytest.approx(case["trials"][0]["images_per_second"])
    assert case["images_per_second_low"] is None


def test_each_status_has_its_outcome_and_no_row_vanishes(project: Project) -> None:
    project.tests(
        """
        import pytest

        @pytest.mark.parametrize("how", ["unsupported", "out_of_memory", "crashed", "timed_out", "failed", "ok"])
        def test_end(measure_isolated, how):
            measure_isolated("steps:end", {"how": how})
        """
    )
    result = project.run("--benchmark-json=run.json", "--throughput-timeout=2", "-rs")
    result.assert_outcomes(passed=1, skipped=2, failed=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    document = project.json()
    assert len(document["benchmarks"]) == 1
    cases = {case["id"].partition("[")[2].rstrip("]"): case for case in document["throughput"]["cases"]}
    assert {name: case["status"] for name, case in cases.items()} == {name: name for name in cases}
    assert "SIGSEGV" in cases["crashed"]["reason"]
    assert cases["timed_out"]["reason"] == "no result within 2 s (--throughput-timeout); killed"
    assert cases["failed"]["reason"] == "RuntimeError: broken"
    assert document["throughput"]["complete"] is True
    result.stdout.fnmatch_lines(["SKIPPED*: unsupported: no such precision", "SKIPPED*: out_of_memory: 12 GiB"])
    result.stdout.no_fnmatch_line("*not used at all*")


@pytest.mark.parametrize("isolation", ["trial", "framework", "none"])
def test_every_isolation_measures_the_same_way(project: Project, isolation: str) -> None:
    project.tests(
        """
        import pytest

        @pytest.mark.parametrize("milliseconds", [1, 2])
        def test_sleep(measure_isolated, milliseconds):
            measure_isolated("steps:sleep", {"milliseconds": milliseconds})
        """
    )
    benchmarks = project.run_json(f"--throughput-isolation={isolation}")["benchmarks"]
    assert [benchmark["extra_info"]["settings"]["isolation"] for benchmark in benchmarks] == [isolation] * 2
    pids = [benchmark["extra_info"]["pid"] for benchmark in benchmarks]
    assert (pids[0] == pids[1], pids[0] == os.getpid()) == {
        "trial": (False, False),
        "framework": (True, False),
        "none": (True, True),
    }[isolation]
    # In a shared process, peak memory would be that of the largest case before, and the first case pays for imports.
    for name in ("peak_memory_bytes", "peak_memory_bytes_in_all", "first_step_seconds", "build_seconds"):
        known = [benchmark["extra_info"][name] is not None for benchmark in benchmarks]
        assert known == [isolation == "trial"] * 2, name
    assert [min(benchmark["stats"]["data"]) >= 0.001 for benchmark in benchmarks] == [True, True]


def test_a_shared_worker_that_dies_is_replaced(project: Project) -> None:
    project.tests(
        """
        import pytest

        @pytest.mark.parametrize("how", ["ok", "crashed", "fine"])
        def test_end(measure_isolated, how):
            measure_isolated("steps:end", {"how": how})
        """
    )
    document = project.run_json("--throughput-isolation=framework")
    assert [case["status"] for case in document["throughput"]["cases"]] == ["ok", "crashed", "ok"]
    first, second = (benchmark["extra_info"]["pid"] for benchmark in document["benchmarks"])
    assert first != second


def test_a_step_of_this_process(project: Project) -> None:
    project.tests(
        """
        import time
        waits = []

        def test_step(measure_step):
            measure_step(lambda: time.sleep(0.001), items=32, synchronize=lambda: waits.append(1))

        def test_waited():
            assert len(waits) >= 1 + 2 + 5
        """
    )
    document = project.run_json("--throughput-threads=7")
    (benchmark,) = document["benchmarks"]
    assert document["throughput"]["complete"] is True
    settings = benchmark["extra_info"]["settings"]
    assert benchmark["extra_info"]["batch_size"] == 32
    assert (settings["isolation"], settings["threads"]) == ("none", None)
    assert 1 < settings["steps_per_round"] <= 210  # pipelined into rounds of 0.2 s
    assert min(benchmark["stats"]["data"]) >= 0.001


def test_steps_per_round_are_the_iterations_of_pytest_benchmark(project: Project) -> None:
    project.tests(ISOLATED)
    (benchmark,) = project.run_json("--throughput-steps-per-round=5")["benchmarks"]
    assert benchmark["stats"]["iterations"] == 5
    assert 0.002 <= statistics.median(benchmark["stats"]["data"]) < 0.008
    assert benchmark["extra_info"]["settings"]["steps_per_round"] == 5


def test_short_steps_share_rounds_and_the_result_says_so(project: Project) -> None:
    project.tests(
        """
        def test_it(measure_step):
            measure_step(lambda: None)
        """
    )
    (benchmark,) = project.run_json("--throughput-protocol=quick")["benchmarks"]
    settings = benchmark["extra_info"]["settings"]
    assert benchmark["stats"]["iterations"] == settings["steps_per_round"] > 1000
    assert settings["pipelining"] is False
    assert benchmark["stats"]["rounds"] < 2000  # of 2 ms for half a second, but on a machine that got much faster


def test_threads_reach_the_worker(project: Project) -> None:
    project.tests(ISOLATED)
    (benchmark,) = project.run_json("--throughput-threads=3")["benchmarks"]
    assert benchmark["extra_info"]["settings"]["omp"] == "3"
    assert benchmark["extra_info"]["settings"]["threads"] == 3


def test_the_worker_finds_the_users_modules_in_the_given_folder(project: Project) -> None:
    networks = project.path / "networks"
    networks.mkdir()
    (project.path / "steps.py").rename(networks / "mysteps.py")
    project.tests("def test_it(measure_isolated): measure_isolated('mysteps:sleep')")
    assert project.run().ret == 1
    assert project.run(f"--throughput-pythonpath={networks}").ret == 0


@pytest.mark.slow
def test_a_worker_in_another_interpreter_sees_its_own_packages_alone(project: Project, tmp_path: Path) -> None:
    (project.path / "steps.py").write_text(
        "import os, sys\n"
        "from pytest_throughput import Step\n"
        "def look():\n"
        "    return Step(lambda: None, metadata={'path': sys.path, 'marked': os.environ.get('MARK')})\n"
    )
    project.tests("def test_it(measure_isolated): measure_isolated('steps:look', interpreter='mine')")
    command = f"env MARK=here {sys.executable} -S"
    (benchmark,) = project.run_json(f"--throughput-interpreter=mine={command}")["benchmarks"]
    info = benchmark["extra_info"]
    assert info["marked"] == "here"
    assert not any("site-packages" in folder for folder in info["path"])


def test_an_interpreter_that_does_not_start_is_a_crash_with_its_name(project: Project) -> None:
    """A missing one is refused before anything is measured; this one is there, and no program."""
    project.tests(ISOLATED)
    broken = project.path / "broken"
    broken.write_text("#!/no/such/shell\n")
    broken.chmod(0o755)
    block = project.run_json(f"--throughput-interpreter=python={broken}")["throughput"]
    assert block["cases"][0]["status"] == "crashed"
    assert f"cannot start '{broken}'" in block["cases"][0]["reason"]


def test_an_environment_of_the_project_is_found_by_the_name_of_the_framework(project: Project) -> None:
    """Where none is given: ``.nox/env-NAME`` below the rootdir. The run says so, if it uses it."""
    (project.path / "steps.py").write_text(
        "import os\nfrom pytest_throughput import Step\n"
        "def look():\n    return Step(lambda: None, metadata={'marked': os.environ.get('MARK')})\n"
    )
    project.tests(
        "import pytest\n"
        "@pytest.mark.throughput_target('steps:look', interpreter='old')\n"
        "def test_it(measure_isolated): measure_isolated('steps:look', interpreter='old')"
    )
    for name in ("old", "unused"):
        python = project.path / f".nox/env-{name}/bin/python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nMARK={name} exec {sys.executable} "$@"\n')
        python.chmod(0o755)
    result = project.run("--benchmark-json=run.json")
    (line,) = [line for line in result.outlines if line.startswith("throughput interpreter")]
    assert line == f"throughput interpreter: old is {project.path}/.nox/env-old/bin/python"
    assert project.json()["benchmarks"][0]["extra_info"]["marked"] == "old"
    given = project.run(f"--throughput-interpreter=old={sys.executable}", "--benchmark-json=run.json")
    assert "throughput interpreter" not in given.stdout.str()
    assert project.json()["benchmarks"][0]["extra_info"]["marked"] is None


@pytest.mark.parametrize("path", ["no/such/folder/run.json", "folder"])
def test_a_json_that_could_never_be_written_is_refused_before_measuring(project: Project, path: str) -> None:
    (project.path / "folder").mkdir()
    project.tests("def test_it(measure_step): measure_step(lambda: open('ran', 'w'))")
    result = project.run(f"--benchmark-json={path}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --benchmark-json: cannot write {path}; expected the name of a file*"])
    assert not (project.path / "ran").exists()


@pytest.mark.parametrize("items", [0, -4])
def test_a_step_works_through_something(project: Project, items: int) -> None:
    project.tests(f"def test_it(measure_step): measure_step(lambda: None, items={items})")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*ValueError: items: expected a whole number of at least 1, got {items}"])


def test_a_test_measures_once(project: Project) -> None:
    project.tests("def test_it(measure_step):\n    measure_step(lambda: None)\n    measure_step(lambda: None)\n")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*RuntimeError: a test measures once; parametrize it, or write another test"])


def test_two_tests_cannot_be_the_same_trial(project: Project) -> None:
    project.tests(
        """
        import pytest

        @pytest.mark.throughput_case("same")
        @pytest.mark.parametrize("n", [1, 2])
        def test_it(measure_step, n): measure_step(lambda: None)
        """
    )
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *test_it[[]2] and *test_it[[]1] measure the same trial of same;*"])


def test_names_of_pairs_are_refused_as_axes(project: Project) -> None:
    project.tests(
        """
        import pytest

        @pytest.mark.throughput_case("one", pair="en-de")
        def test_it(measure_step): measure_step(lambda: None)
        """
    )
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: *::test_it: throughput_case has pair, reserved for what pytest-throughput records; rename them"]
    )


def test_a_fixture_asked_for_too_late_says_what_to_do(project: Project) -> None:
    project.tests("def test_it(request): request.getfixturevalue('measure_step')(lambda: None)")
    result = project.run()
    result.stdout.fnmatch_lines(["*UsageError: measure_step and measure_isolated have to be named among*"])


def test_without_isolation_a_process_has_one_gpu_and_one_interpreter(project: Project) -> None:
    project.tests("def test_it(measure_isolated): measure_isolated('steps:sleep', device='cuda:1')")
    (case,) = project.run_json("--throughput-isolation=none")["throughput"]["cases"]
    assert (case["status"], case["reason"].endswith("takes the first, not cuda:1")) == ("unsupported", True)
    (case,) = project.run_json("--throughput-isolation=none", "--throughput-interpreter=python=true")["throughput"][
        "cases"
    ]
    assert (case["status"], case["reason"].endswith("not in true")) == ("unsupported", True)


def test_every_device_that_was_used_is_in_the_fingerprint(project: Project) -> None:
    project.tests("def test_it(measure_isolated): measure_isolated('steps:sleep', device='cuda')")
    block = project.run_json()["throughput"]
    assert len(block["fingerprint"]["gpus"]) == 1


def test_an_error_ends_a_shared_worker(project: Project) -> None:
    project.tests(
        """
        import pytest

        @pytest.mark.parametrize("how", ["ok", "failed", "fine", "unsupported", "well"])
        def test_end(measure_isolated, how):
            measure_isolated("steps:end", {"how": how})
        """
    )
    document = project.run_json("--throughput-isolation=framework")
    first, second, third = (benchmark["extra_info"]["pid"] for benchmark in document["benchmarks"])
    assert first != second == third


def test_an_older_json_is_moved_away_and_an_empty_one_is_written(project: Project) -> None:
    (project.path / "run.json").write_text("an older run")
    project.tests("def test_it(measure_isolated): measure_isolated('steps:end', {'how': 'unsupported'})")
    result = project.run("--benchmark-json=run.json")
    assert result.ret == 15
    assert (project.path / "run.json.previous").read_text() == "an older run"
    document = project.json()
    assert document["benchmarks"] == []
    assert document["throughput"]["cases"][0]["status"] == "unsupported"
    assert document["machine_info"]["python_version"]


def test_a_run_stopped_before_its_first_result_says_so_in_its_json(project: Project, pytester: pytest.Pytester) -> None:
    project.tests(
        """
        def test_before(): raise KeyboardInterrupt
        def test_it(measure_isolated): measure_isolated("steps:sleep")
        """
    )
    (project.path / "run.json").write_text("an older run")
    result = pytester.runpytest_subprocess("-p", "pytest_throughput.plugin", "--benchmark-json=run.json")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    document = project.json()
    assert document["benchmarks"] == []
    assert document["throughput"]["complete"] is False
    assert document["throughput"]["cases"][0]["status"] is None
    assert document["throughput"]["cases"][0]["reason"] == "not run"


def test_a_json_that_cannot_be_written_has_its_exit_status(project: Project) -> None:
    project.tests(
        "def test_it(measure_isolated): measure_isolated('steps:end', {'how': 'unsupported'})\ndef test_plain(): pass\n"
    )
    (project.path / "conftest.py").write_text(
        "import pytest, shutil\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_sessionfinish():\n"
        "    shutil.rmtree('results')\n"
    )
    (project.path / "results").mkdir()
    result = project.run("--benchmark-json=results/run.json")
    assert result.ret == 14
    result.stdout.fnmatch_lines(["could not write results/run.json: No such file or directory*"])


def test_deselected_cases_are_named(project: Project) -> None:
    project.tests(
        """
        import pytest

        @pytest.mark.parametrize("n", [1, 2])
        def test_sleep(measure_isolated, n):
            measure_isolated("steps:sleep")
        """
    )
    block = project.run_json("-k", "1")["throughput"]
    assert block["deselected"] == ["test_it.py::test_sleep[2]"]
    assert [case["id"] for case in block["cases"]] == ["test_it.py::test_sleep[1]"]
    assert project.run_json("test_it.py::test_sleep[1]")["throughput"]["deselected"] is None


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("trials=0", "expected a whole number of at least 1, got '0'"),
        ("trials=many", "expected a whole number of at least 1, got 'many'"),
        ("trials=999999999", "expected a whole number of at most 1000, got '999999999'"),
        ("order=random", "invalid choice: 'random' (choose from *trials*paired*"),
        ("timeout=-1", "expected a number of seconds above 0, got '-1'"),
        ("timeout=nan", "expected a number of seconds above 0, got 'nan'"),
        ("interpreter=pytorch", "expected [[]ENVIRONMENT/]NAME=COMMAND*got 'pytorch'"),
        ("pythonpath=/no/such/folder", "expected an existing folder, got '/no/such/folder'; *rootdir*"),
        ("threads=1.5", "expected a whole number of at least 1, got '1.5'"),
        ("isolation=docker", "invalid choice: 'docker'*"),
    ],
)
def test_a_bad_value_is_refused_with_what_was_expected(project: Project, option: str, message: str) -> None:
    result = project.run(f"--throughput-{option}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--throughput-{option.partition('=')[0]}: {message}"])


@pytest.mark.slow
def test_installed_as_pip_does_it(installed: Callable[..., pytest.RunResult]) -> None:
    """The README's example for another project."""
    Path("mypackage.py").write_text(
        "from pytest_throughput import Step\n"
        "def open_step(batch_size):\n"
        "    batch = list(range(1000 * batch_size))\n"
        "    return Step(lambda: sum(batch))\n"
    )
    Path("test_mine.py").write_text(
        "def test_isolated(measure_isolated):\n"
        "    measure_isolated('mypackage:open_step', {'batch_size': 32}, items=32)\n"
        "def test_in_process(measure_step):\n"
        "    measure_step(lambda: sum(range(1000)), items=1)\n"
    )
    result = installed("--throughput-protocol=quick", "--throughput-lock=off")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["plugins:*throughput-0.1.0*", "test_mine.py::test_isolated *ok", "*in_process*ok"])
