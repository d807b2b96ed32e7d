"""Whatever ends a run: what was measured is kept, nothing of ours lives on, and the run can be resumed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from plugin_project import Project

from pytest_throughput.results.completeness import is_incomplete

STEPS = """
import os, signal, time
from pytest_throughput import Step

def quick():
    with open("measured", "a") as file: file.write("x")
    return Step(lambda: None)

def blocking(deaf):
    def run():
        if os.path.exists("go"):
            return
        if deaf:
            signal.signal(signal.SIGTERM, lambda *_: said("asked to end"))
        said(f"{os.getpid()} {os.getppid()}")
        time.sleep(1000)
    return Step(run)

def said(text):
    with open("events", "w") as file: file.write(text)

def broken():
    with open("measured", "a") as file: file.write("b")
    raise RuntimeError("broken")
"""
TESTS = """
def test_broken(measure_isolated): measure_isolated("steps:broken")
def test_first(measure_isolated): measure_isolated("steps:quick")
def test_second(measure_isolated): measure_isolated("steps:blocking", {"deaf": DEAF})
def test_third(measure_isolated): measure_isolated("steps:quick")
"""
ARGUMENTS = ("--throughput-protocol=paper", "--benchmark-json=run.json")
JOURNAL = "run.json.journal.jsonl"


class Interrupted:
    """A run that is in the middle of its third trial."""

    def __init__(self, project: Project, *, deaf: bool = False) -> None:
        self.project = project
        self.temporary = project.path / "temporary"
        self.temporary.mkdir()
        (project.path / "steps.py").write_text(STEPS)
        project.tests(TESTS.replace("DEAF", str(deaf)))
        os.mkfifo(project.path / "events")
        self.process = project.start(*ARGUMENTS, environment={"TMPDIR": str(self.temporary)})
        self.event()
        self.children = psutil.Process(self.process.pid).children(recursive=True)
        assert len(self.children) == 2  # a worker, and the reaper

    def event(self) -> str:
        """What the worker says next; returns when it has."""
        return self.project.event("events", self.process)

    def end(self) -> str:
        """What the run wrote, once it and all its processes are gone, and their files."""
        output, _ = self.process.communicate()
        _, alive = psutil.wait_procs(self.children, timeout=60)
        assert alive == []
        assert list(self.temporary.glob("pytest-throughput-*")) == []
        return output


@pytest.fixture
def interrupted(project: Project) -> Interrupted:
    return Interrupted(project)


def resumed(project: Project) -> dict[str, Any]:
    """The document of the run that goes on."""
    (project.path / "go").touch()
    project.run(*ARGUMENTS, f"--throughput-resume={JOURNAL}").assert_outcomes(passed=3, failed=1)
    return project.json()


def without_figures(document: dict[str, Any]) -> dict[str, Any]:
    """What an interruption must not change: everything but times, process ids and the marks of resumed trials."""
    shapes = {
        benchmark["fullname"]: (sorted(benchmark["extra_info"]), benchmark["stats"]["rounds"], benchmark["options"])
        for benchmark in document["benchmarks"]
    }
    block = document["throughput"]
    cases = [
        (case["id"], case["status"], case["reason"], len(case["trials"]), case["settings"]) for case in block["cases"]
    ]
    return {"shapes": shapes, "complete": block["complete"], "cases": cases, "fingerprint": block["fingerprint"]}


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_asked_to_end_writes_what_it_has(interrupted: Interrupted, how: signal.Signals) -> None:
    interrupted.process.send_signal(how)
    output = interrupted.end()
    assert interrupted.process.returncode == pytest.ExitCode.INTERRUPTED
    document = interrupted.project.json()
    assert document["throughput"]["complete"] is False
    assert [case["status"] for case in document["throughput"]["cases"]] == ["failed", "ok", None, None]
    assert [benchmark["name"] for benchmark in document["benchmarks"]] == ["test_first"]
    assert "not complete: 2 of 4 trials were not run" in output
    assert f"to go on, repeat the command with --throughput-resume={JOURNAL}" in output


@pytest.mark.slow
def test_a_terminal_that_is_closed_takes_nothing_with_it(project: Project) -> None:
    """The reader of the run's output has gone, so that every write is an error."""
    (project.path / "steps.py").write_text(STEPS)
    project.tests(TESTS.replace("DEAF", "False"))
    os.mkfifo(project.path / "events")
    process, master = project.start_on_a_terminal(*ARGUMENTS)
    worker = psutil.Process(int(project.event("events", process).split()[0]))
    os.close(master)
    process.wait()
    psutil.wait_procs([worker], timeout=60)
    assert not worker.is_running()
    assert [case["status"] for case in project.json()["throughput"]["cases"]] == ["failed", "ok", None, None]
    assert [benchmark["name"] for benchmark in project.json()["benchmarks"]] == ["test_first"]
    assert (project.path / JOURNAL).exists()


@pytest.mark.slow
def test_a_second_interruption_ends_it_at_once(project: Project) -> None:
    run = Interrupted(project, deaf=True)
    run.process.send_signal(signal.SIGINT)
    assert run.event() == "asked to end"  # and it does not
    run.process.send_signal(signal.SIGINT)
    run.end()
    assert run.process.returncode == pytest.ExitCode.INTERRUPTED
    assert len(project.json()["benchmarks"]) == 1


def test_a_killed_run_goes_on_where_it_was(interrupted: Interrupted) -> None:
    """And ends as one that was never interrupted, but for the marks of what was measured before."""
    project = interrupted.project
    interrupted.process.send_signal(signal.SIGKILL)
    interrupted.end()
    assert not (project.path / "run.json").exists()
    kept = [json.loads(line) for line in (project.path / JOURNAL).read_text().splitlines()]
    assert [line.get("case_id") for line in kept] == [None, "test_it.py::test_broken", "test_it.py::test_first"]
    # As if it had been killed while it wrote the next line.
    with (project.path / JOURNAL).open("a") as journal:
        journal.write('{"case_id": "test_it.py::test_sec')

    document = resumed(project)
    assert not (project.path / JOURNAL).exists()
    assert (project.path / "measured").read_text() == "bxx"  # nothing twice
    marks = {benchmark["name"]: benchmark["extra_info"]["resumed"] for benchmark in document["benchmarks"]}
    assert marks == {"test_first": True, "test_second": False, "test_third": False}
    assert [[trial["resumed"] for trial in case["trials"]] for case in document["throughput"]["cases"]] == [
        [],
        [True],
        [False],
        [False],
    ]
    samples = kept[2]["outcome"]["measurement"]["round_seconds"]
    assert document["benchmarks"][0]["stats"]["data"] == samples
    assert document["benchmarks"][0]["extra_info"]["started_at"] == kept[2]["started_at"]

    project.run(*ARGUMENTS)
    assert without_figures(project.json()) == without_figures(document)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where ``left`` keeps the folder of the run that it needs, once it has run."""
    return tmp_path_factory.mktemp("stopped") / "project"


@pytest.fixture
def left(project: Project, stopped: Path) -> Project:
    """A project with the journal of a run that stopped after its first case, and measures in its own process."""
    if not stopped.exists():
        _stop_after_the_first_case(project)
        shutil.copytree(project.path, stopped)
    shutil.copytree(stopped, project.path, dirs_exist_ok=True)
    return project


def _stop_after_the_first_case(project: Project) -> None:
    (project.path / "pytest.ini").write_text("[pytest]\nthroughput_isolation = none\n")
    project.tests(
        """
        import pytest

        @pytest.mark.parametrize("n", [1, 2])
        def test_sleep(measure_isolated, n):
            measure_isolated("steps:sleep", {"milliseconds": 0.1 * n, "n": n})

        def test_between(): pass
        """
    )
    (project.path / "conftest.py").write_text(
        "import os, pytest\n"
        "@pytest.hookimpl(trylast=True)\n"
        "def pytest_runtest_teardown(item):\n"
        "    if os.path.exists('stop'): item.session.shouldstop = 'enough'\n"
    )
    (project.path / "stop").touch()
    assert project.run(*ARGUMENTS).ret == pytest.ExitCode.INTERRUPTED
    (project.path / "stop").unlink()
    assert (project.path / JOURNAL).exists()


def test_what_does_not_fit_is_refused(left: Project) -> None:
    """Before anything is measured, or moved."""
    before = (left.path / JOURNAL).read_bytes()

    def refusal(*arguments: str, file: str = JOURNAL) -> str:
        result = left.run("--benchmark-json=run.json", f"--throughput-resume={file}", *arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert (left.path / JOURNAL).read_bytes() == before
        assert not (left.path / "run.json.previous").exists()
        return result.stderr.str()

    assert "with other settings (protocol then paper, now quick)" in refusal("--throughput-protocol=quick")
    assert "its arguments were: -p pytest_throughput.plugin" in refusal("--throughput-protocol=quick")
    fewer = refusal("--throughput-protocol=paper", "-k", "sleep and 2")
    assert "holds 1 of 1 trials that this run does not ask for, such as trial 1 of test_it.py::test_sleep[1]" in fewer
    (left.path / "elsewhere").write_bytes(before.replace(b'"cores": ', b'"cores": 1', 1))
    assert "with other hardware (cpu then" in refusal("--throughput-protocol=paper", file="elsewhere")
    assert "cannot be read: No such file" in refusal("--throughput-protocol=paper", file="nowhere")
    assert "is no regular file" in refusal("--throughput-protocol=paper", file=".")
    assert "line 1 is not a journal of this version" in refusal("--throughput-protocol=paper", file="run.json")
    assert "this run measures nothing" in refusal("--throughput-protocol=paper", "--benchmark-disable")


def test_other_settings_of_the_suite_are_refused(left: Project) -> None:
    with (left.path / "conftest.py").open("a") as conftest:
        conftest.write("def pytest_throughput_settings(config): return {'images': 'other'}\n")
    result = left.run("--benchmark-json=run.json", f"--throughput-resume={JOURNAL}", "--throughput-protocol=paper")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "with other settings (images then None, now other)" in result.stderr.str()


def test_a_case_that_changed_its_batch_is_measured_again(left: Project) -> None:
    module = left.path / "test_it.py"
    module.write_text(module.read_text().replace('"n": n}', '"n": n}, items=8'))
    document = left.run_json("--throughput-protocol=paper", f"--throughput-resume={JOURNAL}")
    assert [benchmark["extra_info"]["resumed"] for benchmark in document["benchmarks"]] == [False, False]


def test_a_journal_that_was_not_resumed_is_kept(left: Project) -> None:
    before = (left.path / JOURNAL).read_bytes()
    assert left.run(*ARGUMENTS).ret == 0
    assert not (left.path / JOURNAL).exists()
    assert (left.path / f"{JOURNAL}.previous").read_bytes() == before
    # It can still be.
    result = left.run(*ARGUMENTS, f"--throughput-resume={JOURNAL}.previous")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["1 trial is from the journal of the interrupted run"])


def test_without_a_json_the_journal_has_a_folder_of_its_own(left: Project) -> None:
    (left.path / "stop").touch()
    result = left.run("--throughput-protocol=paper")
    (journal,) = (left.path / ".throughput").iterdir()
    result.stdout.fnmatch_lines([f"to go on, repeat the command with --throughput-resume=*{journal.name}"])
    (left.path / "stop").unlink()
    assert left.run("--throughput-protocol=paper", f"--throughput-resume={journal}").ret == 0
    assert list((left.path / ".throughput").iterdir()) == []


def test_a_spent_budget_leaves_the_rest_to_another_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("pytest_throughput.run.budget.monotonic", lambda: clock[0])
    project.tests(
        """
        import pytest
        import pytest_throughput.run.budget as budget

        @pytest.mark.parametrize("n", [1, 2, 3])
        def test_sleep(measure_isolated, n):
            measure_isolated("steps:sleep", {"milliseconds": 0.1})
            budget.monotonic.__closure__[0].cell_contents[0] += 60
        def test_plain(): pass
        """
    )
    here = "--throughput-isolation=none"
    result = project.run(*ARGUMENTS, here, "--throughput-budget=2m", "-rs")
    result.assert_outcomes(passed=3, skipped=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["SKIPPED*: not run: --throughput-budget of 2:00 min is spent"])
    block = project.json()["throughput"]
    assert block["complete"] is False
    assert [case["status"] for case in block["cases"]] == ["ok", "ok", None]
    # What has been measured costs nothing any more.
    result = project.run(*ARGUMENTS, here, "--throughput-budget=121s", f"--throughput-resume={JOURNAL}")
    result.assert_outcomes(passed=4)
    assert project.json()["throughput"]["complete"] is True


@pytest.mark.parametrize("text", ["0", "20x", "-1m", "", "1m2h", "1e3"])
def test_a_budget_is_a_time(project: Project, text: str) -> None:
    result = project.run(f"--throughput-budget={text}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*expected a time above 0 such as 90s, 20m or 1h30m, got '{text}'"])


FILLED = """
import resource, signal

def test_before(measure_isolated): measure_isolated('steps:sleep', {'milliseconds': 0.1})
def test_filled():  # A disk on which no file may grow beyond what this one holds.
    size = BYTES
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
def test_after(measure_isolated): measure_isolated('steps:sleep', {'milliseconds': 0.1})
"""


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["10000", "os.stat('run.json.journal.jsonl').st_size + 99"])
def test_a_disk_that_fills_up_has_its_exit_status(project: Project, limit: str) -> None:
    """First a JSON that does not fit and a journal that does; then neither."""
    project.tests("import os\n" + FILLED.replace("BYTES", limit))
    output, _ = (process := project.start(*ARGUMENTS)).communicate()
    assert process.returncode == 14
    assert "Traceback" not in output
    assert "could not write run.json: File too large; free space there" in output
    assert "3 passed" in output
    assert "test_it.py::test_after " in output  # the table
    assert not (project.path / "run.json").exists()
    verb = "write the results" if limit == "10000" else "go on"
    assert ("the journal run.json.journal.jsonl could not be written: File too large" in output) == (verb == "go on")
    assert f"to {verb}, repeat the command with --throughput-resume={JOURNAL}" in output
    lines = (project.path / JOURNAL).read_text().splitlines(keepends=True)[1:]
    before = [json.loads(line) for line in lines if line.endswith("\n")]
    assert len(before) == (2 if limit == "10000" else 1)

    module = project.path / "test_it.py"
    module.write_text(module.read_text().replace("resource.setrlimit", "print"))
    assert project.run(*ARGUMENTS, f"--throughput-resume={JOURNAL}").ret == 0
    for benchmark, entry in zip(project.json()["benchmarks"], before, strict=False):
        assert benchmark["stats"]["data"] == entry["outcome"]["measurement"]["round_seconds"]
    assert not (project.path / JOURNAL).exists()


def test_a_full_temporary_folder_is_the_reason_of_every_case(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.tests(
        """
        import pytest, resource

        def test_filled(): resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
        @pytest.mark.parametrize("n", [1, 2])
        def test_it(measure_isolated, n): measure_isolated("steps:sleep")
        """
    )
    output, _ = (process := project.start("--throughput-protocol=paper")).communicate()
    assert process.returncode == 1
    assert output.count("failed: cannot copy what workers import to ") == 2  # below the table
    assert output.count("\ncannot copy what workers import to ") == 2  # the reports


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("name", ["benchmark", "pytest_benchmark.plugin"])
def test_a_full_device_has_its_exit_status_and_stays(
    project: Project, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", f"-p {name}")
    project.tests("def test_it(measure_step): measure_step(lambda: None)")
    result = project.run("--throughput-protocol=paper", "--benchmark-json=/dev/full")
    assert result.ret == 14
    output = result.stdout.str()
    assert "could not write /dev/full: No space left on device" in output
    assert "to write the results, repeat the command with --throughput-resume=" in output
    assert Path("/dev/full").is_char_device()


def test_an_autosaved_file_that_cannot_be_written_has_it_too(project: Project) -> None:
    project.tests("def test_it(measure_step): measure_step(lambda: None)")
    (project.path / "conftest.py").write_text(
        "import shutil\n"
        "def pytest_benchmark_update_json(config):\n"
        "    shutil.rmtree('storage', ignore_errors=True)\n"
        "    open('storage', 'w').close()\n"
    )
    result = project.run(*ARGUMENTS, "--benchmark-autosave", "--benchmark-storage=storage/inside")
    assert result.ret == 14
    output = result.stdout.str() + result.stderr.str()
    assert "could not write " in output and "Traceback" not in output
    assert len(project.json()["benchmarks"]) == 1  # this one was written


def test_a_disk_that_fails_at_the_last_moment_has_it_too(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network disk may report only then that it is full: the journal must still be there."""

    def fail(path: Path) -> None:
        if path.name == "run.json.part":
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr("pytest_throughput.run.benchmark_json.to_disk", fail)
    project.tests("def test_it(measure_isolated): measure_isolated('steps:sleep', {'milliseconds': 0.1})")
    result = project.run(*ARGUMENTS)
    assert result.ret == 14
    result.stdout.fnmatch_lines(["could not write *run.json: Disk quota exceeded; free space there*"])
    assert (project.path / JOURNAL).exists()


def test_a_folder_that_takes_no_file_is_refused_before_measuring(project: Project) -> None:
    """Though its permissions would let root write there."""
    project.tests("def test_it(measure_step): measure_step(lambda: open('ran', 'w'))")
    result = project.run("--benchmark-json=/proc/run.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --benchmark-json: *could not be written: *; give a writable folder"])
    assert not (project.path / "ran").exists()


@pytest.mark.parametrize("length", [240, 255, 300])
def test_a_name_that_leaves_no_room_for_others_is_refused_before_measuring(project: Project, length: int) -> None:
    """The journal and an older result have that name with something behind it."""
    project.tests("def test_it(measure_step): measure_step(lambda: open('ran', 'w'))")
    result = project.run("--benchmark-json=" + "x" * length)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --benchmark-json: cannot write *x: File name too long; expected at most *"])
    assert "Traceback" not in result.stderr.str()
    assert not (project.path / "ran").exists()


@pytest.mark.parametrize(("stream", "descriptor"), [("stdout", 1), pytest.param("stderr", 2, marks=pytest.mark.slow)])
def test_a_json_in_a_file_that_pytest_prints_to_is_refused_before_measuring(
    project: Project, stream: str, descriptor: int
) -> None:
    """``--benchmark-json=/dev/stdout > log`` once replaced /dev/stdout by the result file, where root ran it."""
    project.tests("def test_it(measure_step): measure_step(lambda: open('ran', 'w'))")
    # As /dev/stdout is a link; never that one itself, which all programs of the machine use.
    link = project.path / "device"
    link.symlink_to(f"/proc/self/fd/{descriptor}")
    with (project.path / "log").open("w") as log:
        streams: dict[str, Any] = {stream: log}
        process = project.start("--throughput-protocol=paper", "--benchmark-json=device", **streams)
        output, _ = process.communicate()
    assert process.returncode == pytest.ExitCode.USAGE_ERROR
    message = (output or "") + (project.path / "log").read_text()
    assert "--benchmark-json: cannot write device: pytest prints to that file; give the name of another" in message
    assert not (project.path / "ran").exists()
    assert link.is_symlink()
    assert not list(project.path.glob("device?*"))


def test_a_json_may_go_to_the_pipe_that_pytest_prints_to(project: Project) -> None:
    project.tests("def test_it(measure_step): measure_step(lambda: None)")
    link = project.path / "device"
    link.symlink_to("/proc/self/fd/1")
    process = project.start("--throughput-protocol=paper", "--benchmark-json=device")
    output, _ = process.communicate()
    assert process.returncode == 0
    assert '"complete": true' in output
    assert link.is_symlink()


def test_a_disk_that_is_full_at_the_beginning_is_refused_and_nothing_is_left(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Least of all an empty journal, and the advice to go on with it."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pytest_throughput.results.journal.os.pwrite", full)
    project.tests("def test_it(measure_step): measure_step(lambda: open('ran', 'w'))")
    result = project.run(*ARGUMENTS)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --benchmark-json: *could not be written: No space left on device; *"])
    assert "--throughput-resume" not in result.stdout.str()
    assert list(project.path.glob("run.json*")) == []
    assert not (project.path / "ran").exists()


def test_a_signal_that_is_ignored_stays_ignored(project: Project) -> None:
    """As under ``nohup``."""
    project.tests("import signal\ndef test_it(measure_step): measure_step(lambda: signal.raise_signal(signal.SIGHUP))")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = project.start(*ARGUMENTS)
    finally:
        signal.signal(signal.SIGHUP, before)
    output, _ = process.communicate()
    assert (process.returncode, "1 passed" in output) == (0, True)


# Two runs on one JSON


@pytest.fixture
def living(project: Project) -> Interrupted:
    """A run that writes run.json, in the middle of its third trial."""
    return Interrupted(project)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), (f"--throughput-resume={JOURNAL}",)])
def test_a_second_run_on_one_json_is_refused(living: Interrupted, arguments: tuple[str, ...]) -> None:
    """Though it would wait for no lock, and the first run has an older result to replace."""
    project, journal = living.project, living.project.path / JOURNAL
    (project.path / "run.json").write_text("an older run")
    before = journal.read_bytes()
    output, _ = (second := project.start(*ARGUMENTS, *arguments)).communicate()
    assert second.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"{JOURNAL} is being written by the run of process {living.process.pid}, which has not ended" in output
    assert "wait until it has, or give another --benchmark-json" in output
    assert journal.read_bytes() == before
    assert sorted(project.path.glob("run.json*")) == [project.path / "run.json", journal]

    living.process.send_signal(signal.SIGTERM)
    living.end()
    assert len(project.json()["benchmarks"]) == 1
    assert (project.path / "run.json.previous").read_text() == "an older run"


@pytest.mark.slow
def test_a_run_that_goes_on_elsewhere_keeps_others_from_its_json_and_is_named(left: Project) -> None:
    """The journal of a.json is resumed for b.json: neither may be another run's meanwhile."""
    (left.path / "test_it.py").write_text(
        "import os, pytest, time\n"
        "@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_sleep(measure_isolated, n):\n"
        "    if n == 2:\n"
        "        with open('events', 'w') as file: file.write('here')\n"
        "        time.sleep(1000)\n"
        "    measure_isolated('steps:sleep', {'milliseconds': 0.1 * n, 'n': n})\n"
    )
    os.mkfifo(left.path / "events")
    to_b = ("--throughput-protocol=paper", "--benchmark-json=b.json")
    first = left.start(*to_b, f"--throughput-resume={JOURNAL}")
    left.event("events", first)
    for arguments, journal in ((to_b, "b.json.journal.jsonl"), (ARGUMENTS, JOURNAL)):
        result = left.run(*arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: {journal} is being written by *"])
    result.stderr.fnmatch_lines([f"*by the run of process {first.pid}, which has not ended; *"])
    first.send_signal(signal.SIGTERM)
    assert first.wait() == pytest.ExitCode.INTERRUPTED
    assert sorted(path.name for path in left.path.glob("*.jsonl*")) == [JOURNAL]


def test_a_run_removes_its_own_journal_and_no_other(project: Project) -> None:
    project.tests(
        """
        import os

        def test_sleep(measure_isolated): measure_isolated("steps:sleep", {"milliseconds": 0.1})
        def test_replaced():
            os.rename("run.json.journal.jsonl", "moved")
            with open("run.json.journal.jsonl", "w") as file: file.write("another run's")
        """
    )
    assert project.run(*ARGUMENTS).ret == 0
    assert (project.path / JOURNAL).read_text() == "another run's"


@pytest.mark.slow
def test_no_journal_that_was_moved_away_is_overwritten(left: Project) -> None:
    """But one without a trial is worth nothing."""
    first = (left.path / JOURNAL).read_bytes()
    heading = first.splitlines(keepends=True)[0]
    for expected in (["", ".previous"], ["", ".previous", ".previous-2"]):
        (left.path / "stop").touch()
        assert left.run(*ARGUMENTS).ret == pytest.ExitCode.INTERRUPTED
        assert sorted(path.name for path in left.path.glob("*.jsonl*")) == [JOURNAL + suffix for suffix in expected]
    assert (left.path / f"{JOURNAL}.previous").read_bytes() == first
    (left.path / JOURNAL).write_bytes(heading)
    assert left.run(*ARGUMENTS).ret == pytest.ExitCode.INTERRUPTED
    assert not (left.path / f"{JOURNAL}.previous-3").exists()


def test_a_journal_that_is_a_link_is_gone_on_with(left: Project) -> None:
    (left.path / JOURNAL).rename(left.path / "kept.jsonl")
    (left.path / JOURNAL).symlink_to("kept.jsonl")
    result = left.run(*ARGUMENTS, f"--throughput-resume={JOURNAL}")
    assert result.ret == 0
    assert not (left.path / "kept.jsonl").exists()


def test_a_link_is_not_written_through(project: Project) -> None:
    (project.path / "precious").write_text("precious\nprecious\n")
    (project.path / JOURNAL).symlink_to("precious")
    (project.path / "run.json.part").symlink_to("precious")
    project.tests("def test_it(measure_isolated): measure_isolated('steps:sleep', {'milliseconds': 0.1})")
    assert project.run(*ARGUMENTS).ret == 0
    assert len(project.json()["benchmarks"]) == 1
    assert (project.path / "precious").read_text() == "precious\nprecious\n"


def test_a_damaged_line_costs_its_own_trial(left: Project) -> None:
    """What stands behind it is kept, and what follows is written behind that."""
    journal = left.path / JOURNAL
    heading, trial = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(heading + trial[:40] + trial + b"\xff\n" + trial)
    (left.path / "stop").touch()
    result = left.run(*ARGUMENTS, f"--throughput-resume={JOURNAL}")
    message = "2 lines of the journal are damaged and were left out: 2, 3; such a trial was measured again"
    result.stdout.fnmatch_lines([message])
    (left.path / "stop").unlink()
    document = left.run_json("--throughput-protocol=paper", f"--throughput-resume={JOURNAL}")
    assert [benchmark["extra_info"]["resumed"] for benchmark in document["benchmarks"]] == [True, False]
    assert not journal.exists()


def test_a_journal_is_its_users_alone_and_a_json_holds_no_command(left: Project) -> None:
    """A command of --throughput-interpreter may hold a secret."""
    assert (left.path / JOURNAL).stat().st_mode & 0o777 == 0o600
    (left.path / "stop").touch()
    left.run(*ARGUMENTS, f"--throughput-interpreter=python=env TOKEN=hunter2 {sys.executable}")
    assert "hunter2" in (left.path / JOURNAL).read_text()
    assert "hunter2" not in (left.path / "run.json").read_text()
    assert (left.path / f"{JOURNAL}.previous").stat().st_mode & 0o777 == 0o600


def test_a_child_of_a_step_keeps_no_lock(project: Project) -> None:
    """A process left behind by a test outlives the run, whose journal is then free."""
    project.tests(
        """
        import os, signal, time

        def test_sleep(measure_isolated): measure_isolated("steps:sleep", {"milliseconds": 0.1})
        def test_fork():
            child = os.fork()
            if child == 0:
                time.sleep(1000)
            with open("child", "w") as file: file.write(str(child))
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    process = project.start(*ARGUMENTS)
    process.wait()
    try:
        result = project.run(*ARGUMENTS, "-k", "sleep", f"--throughput-resume={JOURNAL}")
        assert result.ret == 0
    finally:
        os.kill(int((project.path / "child").read_text()), signal.SIGKILL)


# The last phase

LAST_PHASE = """
import os, signal, pytest

def end(where):
    if where == os.environ["WHERE"]:
        for name in os.environ["SIGNALS"].split():
            os.kill(os.getpid(), getattr(signal, name))

@pytest.hookimpl(trylast=True)
def pytest_benchmark_update_json(): end("json")
def pytest_terminal_summary(): end("summary")
def pytest_unconfigure(): end("unconfigure")
@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(): end("finish")
def pytest_runtest_teardown(item): end(item.name)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "signals"),
    [
        ("json", "SIGTERM"),
        ("json", "SIGINT SIGINT"),
        ("summary", "SIGHUP SIGTERM"),
        ("finish", "SIGINT"),
        ("unconfigure", "SIGINT SIGTERM SIGINT"),
    ],
)
def test_a_signal_while_results_are_written_leaves_them_whole(project: Project, where: str, signals: str) -> None:
    (project.path / "conftest.py").write_text(LAST_PHASE)
    project.tests("def test_it(measure_isolated): measure_isolated('steps:sleep', {'milliseconds': 0.1})")
    process = project.start(*ARGUMENTS, environment={"WHERE": where, "SIGNALS": signals})
    output, _ = process.communicate()
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert "Traceback" not in output
    assert f"{signals.split()[0]} was received; everything had been measured, and is in run.json" in output
    assert project.json()["throughput"]["complete"] is True
    assert sorted(path.name for path in project.path.glob("run.json*")) == ["run.json"]


@pytest.mark.slow
@pytest.mark.parametrize("where", ["json", "summary", "finish", "unconfigure"])
def test_a_second_signal_may_come_at_any_moment(project: Project, where: str) -> None:
    """The first ends the run after its first trial."""
    (project.path / "conftest.py").write_text(
        LAST_PHASE.replace(
            "def pytest_runtest_teardown(item): ",
            "def pytest_runtest_teardown(item):\n"
            "    if item.name == 'test_first': os.kill(os.getpid(), signal.SIGINT)\n    ",
        )
    )
    project.tests(
        """
        def test_first(measure_isolated): measure_isolated("steps:sleep", {"milliseconds": 0.1})
        def test_second(measure_isolated): measure_isolated("steps:sleep", {"milliseconds": 0.1})
        """
    )
    process = project.start(*ARGUMENTS, environment={"WHERE": where, "SIGNALS": "SIGINT SIGINT"})
    output, _ = process.communicate()
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert "Traceback" not in output
    assert f"to go on, repeat the command with --throughput-resume={JOURNAL}" in output
    assert len(project.json()["benchmarks"]) == 1
    assert project.json()["throughput"]["complete"] is False


@pytest.mark.slow
@pytest.mark.parametrize("error", ["KeyboardInterrupt", "RecursionError", "OSError(28, 'No space left on device')"])
def test_an_exception_while_the_json_is_written_leaves_no_half_of_it(project: Project, error: str) -> None:
    (project.path / "conftest.py").write_text(
        f"import pytest_benchmark.session as session\ndef fail(*_, **__): raise {error}\nsession.safe_dumps = fail\n"
    )
    (project.path / "run.json").write_text("an older run")
    project.tests("def test_it(measure_isolated): measure_isolated('steps:sleep', {'milliseconds': 0.1})")
    output, _ = (process := project.start(*ARGUMENTS)).communicate()
    assert process.returncode == (pytest.ExitCode.INTERRUPTED if error == "KeyboardInterrupt" else 14)
    assert "Traceback" not in output
    assert f"to write the results, repeat the command with --throughput-resume={JOURNAL}" in output
    # The file of that name is this run's, or is not there.
    assert sorted(path.name for path in project.path.glob("run.json*")) == [JOURNAL, "run.json.previous"]


# Other plugins that end the run

ENDING = """
import pytest
@pytest.hookimpl(HOW)
def HOOK(): WHAT
"""


def ended_by(project: Project, hook: str, what: str, how: str = "") -> tuple[int, str]:
    """The exit status and the output of a run that another plugin's hook ends."""
    project.tests("def test_it(measure_isolated): measure_isolated('steps:sleep', {'milliseconds': 0.1})")
    conftest = project.path / "conftest.py"
    conftest.write_text(ENDING.replace("HOW", how).replace("HOOK", hook).replace("WHAT", what))
    output, _ = (process := project.start(*ARGUMENTS)).communicate()
    conftest.unlink()
    return process.returncode, output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hook", "what", "status"),
    [
        ("pytest_runtestloop", "raise RuntimeError('broken')", 3),
        ("pytest_runtestloop", "pytest.exit('enough', returncode=7)", 7),
        ("pytest_collection_finish", "raise RuntimeError('broken')", 3),
    ],
)
def test_a_run_that_another_plugin_ends_says_how_to_go_on(project: Project, hook: str, what: str, status: int) -> None:
    """Though pytest then shows no summary."""
    returncode, output = ended_by(project, hook, what, "trylast=True" if "finish" in hook else "")
    assert returncode == status
    assert output.count(f"to go on, repeat the command with --throughput-resume={JOURNAL}") == 1
    assert project.json()["throughput"]["complete"] is False
    assert (project.path / JOURNAL).exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hook", "how"),
    [
        ("pytest_benchmark_update_json", ""),
        ("pytest_benchmark_generate_machine_info", "tryfirst=True"),
        ("pytest_sessionfinish", "wrapper=True, tryfirst=True"),
    ],
)
@pytest.mark.parametrize(
    ("what", "status"), [("pytest.exit('enough')", 14), ("raise SystemExit(5)", 5), ("raise RuntimeError('broken')", 1)]
)
def test_a_json_that_another_plugin_prevents_is_no_success(
    project: Project, hook: str, how: str, what: str, status: int
) -> None:
    returncode, output = ended_by(project, hook, what + "; yield" * ("wrapper" in how), how)
    assert returncode == status
    assert output.count(f"to write the results, repeat the command with --throughput-resume={JOURNAL}") == 1
    assert sorted(path.name for path in project.path.glob("run.json*")) == [JOURNAL]
    assert project.run(*ARGUMENTS, f"--throughput-resume={JOURNAL}").ret == 0
    assert project.json()["benchmarks"][0]["extra_info"]["resumed"] is True


def test_a_json_that_was_written_needs_no_journal_whatever_another_plugin_does(project: Project) -> None:
    returncode, output = ended_by(project, "pytest_sessionfinish", "raise RuntimeError('broken')", "trylast=True")
    assert returncode == 1
    assert "--throughput-resume" not in output
    assert sorted(path.name for path in project.path.glob("run.json*")) == ["run.json"]
    assert project.json()["throughput"]["complete"] is True


@pytest.mark.slow
def test_an_error_of_another_plugins_file_is_not_one_of_the_results(project: Project) -> None:
    returncode, output = ended_by(project, "pytest_sessionfinish", "open('no/such/file')")
    assert returncode == 1
    assert "could not write" not in output and "--throughput-resume" not in output
    assert sorted(path.name for path in project.path.glob("run.json*")) == ["run.json"]


def test_a_terminal_that_is_closed_while_the_json_is_announced_is_not_a_json_that_is_missing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("pytest_benchmark.logger.Logger.info", fail)
    project.tests("def test_it(measure_step): measure_step(lambda: None)")
    result = project.run(*ARGUMENTS)
    assert result.ret == 0
    output = result.stdout.str() + result.stderr.str()
    assert "could not write" not in output and "Traceback" not in output
    assert sorted(path.name for path in project.path.glob("run.json*")) == ["run.json"]
    assert project.json()["throughput"]["complete"] is True


# Sizes


def test_a_json_that_will_be_too_large_is_reported_while_the_run_can_be_stopped(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("size_warning", "benchmark_json"):
        monkeypatch.setattr(f"pytest_throughput.run.{module}.MAX_RESULT_BYTES", 15 * 2**10)
    project.tests(
        """
        import pytest

        @pytest.mark.parametrize("n", [1, 2, 3, 4])
        def test_sleep(measure_isolated, n):
            measure_isolated("steps:sleep", {"milliseconds": 0.1 * n})
        """
    )
    here = "--throughput-isolation=none"
    result = project.run(*ARGUMENTS, here, "--benchmark-quiet")
    assert result.ret == 0
    lines = [line for line in result.outlines if "pytest-throughput reads at most" in line]
    assert len(lines) == 2  # once during the run, and what it came to
    assert "run.json will have about" in lines[0] and "measure fewer cases or trials in a run" in lines[0]
    assert "run.json has " in lines[1]
    assert not any("reads at most" in line for line in project.run("--throughput-protocol=paper", here).outlines)


# What an older result file is worth

COMPLETE = '{\n    "benchmarks": [],\n    "throughput": {\n        "schema": 1,\n        "complete": true\n    }\n}'
INCOMPLETE = COMPLETE.replace("true", "false")


@pytest.mark.parametrize(
    ("older", "previous", "kept"),
    [
        (COMPLETE, INCOMPLETE, COMPLETE),
        (INCOMPLETE, INCOMPLETE.replace("[]", "[ ]"), INCOMPLETE),
        (COMPLETE, COMPLETE.replace("[]", "[ ]"), COMPLETE),
        (INCOMPLETE, COMPLETE, COMPLETE),
        (INCOMPLETE[:-5], COMPLETE, COMPLETE),
        ("", COMPLETE, COMPLETE),
        (INCOMPLETE, '{"benchmarks": []}', '{"benchmarks": []}'),  # a plain one
        ('{"benchmarks": []}', COMPLETE, '{"benchmarks": []}'),
        (INCOMPLETE, None, INCOMPLETE),
        (None, COMPLETE, COMPLETE),
    ],
)
def test_an_incomplete_result_displaces_no_complete_one(
    project: Project, older: str | None, previous: str | None, kept: str
) -> None:
    for name, text in {"run.json": older, "run.json.previous": previous}.items():
        if text is not None:
            (project.path / name).write_text(text)
    project.tests("def test_it(measure_step): measure_step(lambda: None)")
    assert project.run(*ARGUMENTS).ret == 0
    assert project.json()["throughput"]["complete"] is True
    assert (project.path / "run.json.previous").read_text() == kept


def test_what_a_run_has_written_is_known_as_complete_or_not(left: Project) -> None:
    assert is_incomplete(left.path / "run.json")
    assert left.run(*ARGUMENTS).ret == 0
    assert not is_incomplete(left.path / "run.json")
    assert not is_incomplete(left.path / "missing.json")


def test_an_older_file_that_could_not_be_moved_is_refused_before_measuring(project: Project) -> None:
    (project.path / "run.json.previous").mkdir()
    project.tests("def test_it(measure_step): measure_step(lambda: open('ran', 'w'))")
    result = project.run(*ARGUMENTS)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*cannot move the older run.json to run.json.previous; remove what is in the way*"])
    assert not (project.path / "ran").exists()
