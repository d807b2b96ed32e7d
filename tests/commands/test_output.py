"""The exit status of the command line, whatever becomes of its output; and what an encoding lacks."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from result_files import CASES

Command = Callable[..., tuple[int, str, str]]
Files = Callable[..., list[str]]

PLUGINS = Path(__file__).parents[2] / "plugins"
SLOW = dict.fromkeys(CASES, 0.10)


def run_shell(redirection: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, with its output redirected by the shell."""
    # The status of the command line, not of what reads it.
    script = f'set -o pipefail; "$@" {redirection}'
    command = ["bash", "-c", script, "bash", sys.executable, "-m", "pytest_throughput", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(PLUGINS), **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", timeout=120)


@pytest.fixture
def gate(command: Command, files: Files) -> tuple[str, ...]:
    """A gate's command line that every case has regressed for, with more output than a pipe holds."""
    many = [f"training-pt-cpu-{'m' * 180}{number}-b1" for number in range(150)]
    command("accept", *files("b", range(5), cases=many, trials=3), "--baseline", "kept")
    (file,) = files("h", [9], cases=many, trials=3, slower=dict.fromkeys(many, 0.5))
    return "gate", file, "--baseline", "kept", "--format", "json"


@pytest.mark.slow
@pytest.mark.parametrize(
    "redirection", ["| head -c 1", "| true", ">/dev/full", ">&-", ">/dev/full 2>&1", ">&- 2>&-", "1</dev/null"]
)
def test_a_gate_that_fails_fails_whatever_becomes_of_its_output(gate: tuple[str, ...], redirection: str) -> None:
    ran = run_shell(redirection, *gate)
    assert ran.returncode == 10
    assert "Traceback" not in ran.stderr and "Exception ignored" not in ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "redirection", "status"),
    [
        ("show", "| true", 0),
        ("gate", "| true", 0),
        ("show", ">&-", 0),
        ("gate", "2>/dev/full", 0),
        ("show", "1</dev/null", 14),
        *((name, ">/dev/full", 14) for name in ("show", "accept", "gate", "compare", "history", "doctor", "--help")),
    ],
)
def test_a_success_that_could_not_be_printed_is_none(
    command: Command, files: Files, name: str, redirection: str, status: int
) -> None:
    """A reader that closes early has all it wants; an output that is full has not all of it."""
    command("accept", *files("b", range(5)), "--baseline", "kept")
    (file,) = files("h", [9])
    arguments = {
        "show": [file],
        "accept": [file, "--baseline", "kept"],
        "gate": [file, "--baseline", "kept"],
        "history": ["--baseline", "kept"],
        "compare": ["--base", "b0.json", "b1.json", "b2.json", "--head", file],
    }
    ran = run_shell(redirection, name, *arguments.get(name, []))
    assert ran.returncode == status
    problem = "pytest-throughput: the output could not be written: "
    assert ran.stderr.startswith(problem) if status else ran.stderr == ""
    assert ran.stderr.count("\n") == bool(status)


@pytest.mark.slow
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_of_which_a_part_fits_is_no_success(command: Command, files: Files, unbuffered: str) -> None:
    """As on a disk that has room for the first lines: without a buffer, Python does not notice that by itself."""
    (file,) = files("h", [9], cases=[f"inference-pt-cpu-alex{number}-b1" for number in range(100)])
    arguments = [sys.executable, "-m", "pytest_throughput", "show", file]
    with Path("shown").open("wb") as output:
        ran = subprocess.run(
            arguments,
            stdout=output,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(PLUGINS), "PYTHONUNBUFFERED": unbuffered},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048)),
            timeout=120,
        )
    assert (Path("shown").stat().st_size, ran.returncode) == (2048, 14)
    assert ran.stderr == b"pytest-throughput: the output could not be written: File too large\n"


@pytest.mark.slow
@pytest.mark.parametrize("redirection", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_no_matter_where_warnings_are_errors(
    command: Command, files: Files, redirection: str
) -> None:
    (file,) = files("h", [9])
    ran = run_shell(redirection, "show", file, PYTHONWARNINGS="error", PYTHONDEVMODE="1")
    assert (ran.returncode, ran.stderr) == (0, "")


def test_no_file_takes_the_place_of_a_stream_that_is_closed() -> None:
    """What a library writes to standard error goes into no file of ours."""
    script = "import os, sys; from pytest_throughput.cli import main; main(['--version']); "
    script += "sys.exit(os.open('.', os.O_RDONLY))"
    for redirection in ("2>&-", ">&- 2>&-", "<&- >&- 2>&-"):
        command = ["bash", "-c", f'"$@" {redirection}', "bash", sys.executable, "-c", script]
        environment = {**os.environ, "PYTHONPATH": str(PLUGINS)}
        assert subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, timeout=120).returncode > 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "redirection"),
    [
        (["gate"], "2>&-"),
        (["gate"], "2>/dev/full"),
        (["show", "missing.json"], "2>&1 | true"),
        (["show", "missing.json"], ">&- 2>&-"),
    ],
)
def test_bad_usage_stays_bad_usage(arguments: list[str], redirection: str) -> None:
    ran = run_shell(redirection, *arguments)
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
@pytest.mark.parametrize("form", ["table", "json"])
def test_what_an_encoding_lacks_is_escaped(
    command: Command, files: Files, form: str, variables: dict[str, str]
) -> None:
    many = [case.replace("alex", "Ω模") for case in CASES]
    command("accept", *files("b", range(5), cases=many, version="2.12"), "--baseline", "kept")
    (file,) = files("h", [9], cases=many, slower=dict.fromkeys(many, 0.5), version="2.13")
    gate = "gate", file, "--baseline", "kept", "--format", form
    ran = run_shell("", *gate, **{"PYTHONCOERCECLOCALE": "0", **variables})
    assert (ran.returncode, ran.stderr) == (10, "")
    assert "\\u03a9" in ran.stdout
    assert "Traceback" not in ran.stdout
    ran = run_shell("", "show", file, **{"PYTHONCOERCECLOCALE": "0", **variables})
    assert (ran.returncode, ran.stderr) == (0, "")
    if form == "json":
        assert json.loads(run_shell("", *gate, **variables).stdout)["exit_status"] == 10


def test_help_and_usage_are_printed_by_argparse(command: Command) -> None:
    status, out, err = command("gate", "--help")
    assert (status, err) == (0, "") and "--baseline DIR" in out
    status, out, err = command("gate", "h.json", "--baseline", "kept", "--\x1b[31m\n::error::x")
    assert (status, out) == (2, "")
    assert err.startswith("usage: pytest-throughput ") and "\x1b" not in err and "\n::error" not in err


def test_a_partly_accepted_baseline_says_what_was_accepted(command: Command, files: Files) -> None:
    (first,), (second,) = files("b", [0]), files("c", [1], fingerprint={"cpu": {"model": "B"}})
    command("accept", second, "--baseline", "probe")
    (folder,) = Path("probe").iterdir()
    Path("kept").mkdir()
    (Path("kept") / folder.name).write_text("a file where a folder should be")
    status, out, err = command("accept", first, second, "--baseline", "kept")
    assert (status, "accepted b0.json" in out, "could not write" in err) == (14, True, True)
