"""What a person sees: in a log file, with -v, and on a terminal."""

from __future__ import annotations

import os
import select

import pytest
from plugin_project import Project

TESTS = """
import pytest

@pytest.mark.parametrize("how", ["ok", "unsupported", "failed"])
def test_end(measure_isolated, how):
    print("the test prints this")
    measure_isolated("steps:end", {"how": how}, items=8)
"""
ONE = ("-k", "ok", "--throughput-isolation=none")
"""The first test alone, where a worker would make no difference."""


@pytest.fixture
def three(project: Project) -> Project:
    project.tests(TESTS)
    return project


def on_a_terminal(project: Project, *arguments: str, columns: int = 100) -> str:
    """What pytest writes to a pseudo-terminal."""
    environment = {"COLUMNS": str(columns), "TERM": "xterm"}
    process, terminal = project.start_on_a_terminal("--throughput-protocol=quick", *arguments, environment=environment)
    output = b""
    while True:
        try:
            ready, _, _ = select.select([terminal], [], [], 60)
            received = os.read(terminal, 65536) if ready else b""
        except OSError:  # the other side is closed
            break
        if not received:
            break
        output += received
    os.close(terminal)
    assert process.wait(60) in (0, 1)
    return output.decode()


def test_a_log_file_has_dots_and_the_table(three: Project) -> None:
    result = three.run()
    result.stdout.fnmatch_lines(
        [
            "test_it.py .sF *",
            "*= throughput =*",
            "*; threads *; protocol quick; isolation trial; allocator *",
            "work *items/s*± rounds*ms/step*step*build*memory*rounds*status",
            "test_it.py::test_end[[]ok] *ok",
            "test_it.py::test_end[[]unsupported] *- *unsupported",
            "test_it.py::test_end[[]failed] *- *failed",
            "test_it.py::test_end[[]unsupported]: unsupported: no such precision",
            "test_it.py::test_end[[]failed]: failed: RuntimeError: broken",
        ]
    )
    assert "\x1b" not in result.stdout.str()


def test_verbose_lines_show_the_result(three: Project) -> None:
    three.run("-v", *ONE).stdout.fnmatch_lines(["test_it.py::test_end[[]ok] PASSED * items/s *"])


def test_a_terminal_shows_what_is_running_and_what_came_of_it(three: Project) -> None:
    three.tests(TESTS + "\ndef test_plain(): pass\n")
    output = on_a_terminal(three)
    assert "[1/3] test_it.py::test_end[ok] … (" in output
    assert "[1/3] test_it.py::test_end[ok]: " in output
    assert "[2/3] test_it.py::test_end[unsupported] … (" in output
    assert "left)" in output
    assert "\r\x1b[2K[2/3] test_it.py::test_end[unsupported]: unsupported\r\n" in output
    assert "\r\x1b[2K[3/3] test_it.py::test_end[failed]: failed\r\n" in output
    assert "test_it.py .sF" not in output
    # A test that measures nothing keeps its dot.
    assert "." in output.split("[3/3] ")[-1].split("FAILURES")[0]


def test_a_narrow_terminal_is_not_overrun(three: Project) -> None:
    output = on_a_terminal(three, *ONE, columns=48)
    running = [part for part in output.split("\r\x1b[2K") if part.startswith("[1/1]") and "\n" not in part]
    assert running
    assert all(len(part) < 48 for part in running)


@pytest.mark.slow
@pytest.mark.parametrize("option", ["-v", "-q"])
def test_progress_leaves_other_verbosities_to_pytest(three: Project, option: str) -> None:
    assert "\x1b[2K" not in on_a_terminal(three, *ONE, option)


@pytest.mark.slow
def test_quiet_as_of_pytest_benchmark_hides_the_figures_and_nothing_else(three: Project) -> None:
    here = "--throughput-isolation=none"
    result = three.run("--benchmark-quiet", "-v", here)
    result.assert_outcomes(passed=1, skipped=1, failed=1)
    result.stdout.no_fnmatch_line("*throughput ===*")
    result.stdout.no_fnmatch_line("*items/s*")
    three.run("--benchmark-quiet", "--benchmark-verbose", here).stdout.fnmatch_lines(["*= throughput =*"])
    result = three.run("--benchmark-quiet", "-x", "--throughput-trials=2", here)
    result.stdout.fnmatch_lines(["not complete: 3 of 6 trials were not run"])
    assert "[1/1]" not in on_a_terminal(three, *ONE, "--benchmark-quiet")


def test_a_run_cut_short_says_how_much_is_missing(project: Project) -> None:
    project.tests(
        """
        def test_one(measure_isolated): measure_isolated("steps:end", {"how": "failed"})
        def test_two(measure_isolated): measure_isolated("steps:sleep")
        """
    )
    result = project.run("-x")
    result.stdout.fnmatch_lines(["test_it.py::test_two * not run", "not complete: 1 of 2 trials were not run"])


def test_what_a_worker_said_is_in_the_report_of_a_failure(project: Project) -> None:
    (project.path / "steps.py").write_text(
        "print('said in the worker')\ndef end(): raise RuntimeError('\\x1b[31mred')\n"
    )
    project.tests("def test_it(measure_isolated): measure_isolated('steps:end')")
    result = project.run()
    result.stdout.fnmatch_lines(
        [
            "RuntimeError: \\x1b[[]31mred",
            "  File*steps.py*in end",
            "*Captured worker stderr call*",
            "said in the worker",
        ]
    )
    assert "\x1b[31m" not in result.stdout.str()
