"""Jobs that are cut short: what has ended of them is kept, and a later run goes on from there."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from plugin_project import Project

from pytest_throughput.cli import main
from pytest_throughput.report.progress import Progress
from pytest_throughput.results.ledger import Ledger

JOBS = """
import json, os, signal, time
from pytest_throughput import Metric, Once, Part, Phase

def count(ends):
    counted = []

    def run():
        while len(counted) < 4:
            with open("counted", "a") as file: file.write(str(len(counted) + 1))
            if len(counted) == 2 and not os.path.exists("go"):
                end(ends)
            time.sleep(0.001)
            counted.append(os.getpid())
            yield Part(f"number {len(counted)} of 4", len(counted) / 4, save if len(counted) < 4 else None)
        return counted

    def save(path):
        with open(path, "w") as file: json.dump(counted, file)

    def restore(path):
        with open(path) as file: found = json.load(file)
        if not isinstance(found, list): raise ValueError("expected a list; remove the file to begin anew")
        counted.extend(found)

    def metrics(counted):
        return [Metric("processes", "", len(set(counted)))]

    return Once([Phase("count", run, items=len, metrics=metrics, restore=restore)])

def phases():
    def train():
        if not os.path.exists("go"): end("interrupted")
        time.sleep(0.001)

    def load():
        with open("loaded", "a") as file: file.write("x")
        time.sleep(0.001)

    return Once([Phase("load", load, items=10, metrics=lambda _: [Metric("pid", "", os.getpid())]),
                 Phase("train", train), Phase("save", lambda: time.sleep(0.001))])

def end(how):
    if how == "interrupted":
        os.kill(os.getppid(), signal.SIGTERM)
        time.sleep(60)
    if how == "crashed": os.kill(os.getpid(), signal.SIGSEGV)
    if how == "failed": raise RuntimeError("broken")
"""
TEST = """
def test_it(measure_isolated): measure_isolated("jobs:count", {"ends": "ENDS"}, phase="count")
"""
PHASES = """
import pytest

def target(phase):
    return pytest.param(phase, marks=pytest.mark.throughput_target("jobs:phases", phase=phase))

@pytest.mark.parametrize("phase", [target("load"), target("train"), target("save")])
def test_it(measure_isolated, phase): measure_isolated("jobs:phases", phase=phase)
"""
JSON = "--benchmark-json=run.json"
JOURNAL = "run.json.journal.jsonl"
RESUME = f"--throughput-resume={JOURNAL}"


@pytest.fixture
def jobs(project: Project) -> Iterator[Project]:
    before = signal.getsignal(signal.SIGTERM)
    (project.path / "jobs.py").write_text(JOBS)
    yield project
    signal.signal(signal.SIGTERM, before)


def begin(jobs: Project, ends: str, *arguments: str) -> pytest.RunResult:
    """Run the job, which ends at its third number."""
    jobs.tests(TEST.replace("ENDS", ends))
    return jobs.run(JSON, *arguments)


def go_on(jobs: Project) -> pytest.RunResult:
    (jobs.path / "go").touch()
    return jobs.run(JSON, RESUME)


def counted(jobs: Project) -> str:
    return (jobs.path / "counted").read_text()


def states(jobs: Project) -> list[Path]:
    return sorted(jobs.path.glob("*.state*"))


def info(jobs: Project) -> dict[str, Any]:
    (benchmark,) = jobs.json()["benchmarks"]
    return {**benchmark["extra_info"], "data": benchmark["stats"]["data"]}


def parts_of(jobs: Project) -> list[dict[str, Any]]:
    lines = map(json.loads, (jobs.path / JOURNAL).read_text().splitlines())
    return [line["part"] for line in lines if "part" in line]


def has_gone_on(jobs: Project) -> None:
    """The later run has measured what was missing, adds up the seconds, and leaves nothing but its result."""
    assert counted(jobs) == "12334"
    result = info(jobs)
    metrics = {metric["name"]: metric["value"] for metric in result["metrics"]}
    assert (metrics["processes"], result["resumed"], result["batch_size"]) == (2, True, 4)
    assert jobs.json()["throughput"]["complete"] is True
    assert states(jobs) == []
    assert not (jobs.path / JOURNAL).exists()


def test_an_interrupted_job_goes_on_after_its_last_part(jobs: Project) -> None:
    result = begin(jobs, "interrupted")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert counted(jobs) == "123"
    assert jobs.json()["throughput"]["complete"] is False
    first, second = parts_of(jobs)
    assert (first["text"], second["text"], second["done"]) == ("number 1 of 4", "number 2 of 4", 0.5)
    assert [path.name.endswith("-2.state") for path in states(jobs)] == [True]
    result = go_on(jobs)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["1 trial went on after what the interrupted run had saved"])
    has_gone_on(jobs)
    assert info(jobs)["data"][0] > second["elapsed"]["seconds"] + 0.002


@pytest.mark.parametrize("ends", ["crashed", "failed"])
def test_a_job_that_was_cut_short_goes_on_after_its_last_part(jobs: Project, ends: str) -> None:
    """The run itself is complete, and says how to go on."""
    result = begin(jobs, ends)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"to go on, repeat the command with --throughput-resume=*{JOURNAL}"])
    assert [case["status"] for case in jobs.json()["throughput"]["cases"]] == [ends]
    go_on(jobs).assert_outcomes(passed=1)
    has_gone_on(jobs)


def test_a_job_that_fails_again_is_kept_again(jobs: Project) -> None:
    begin(jobs, "failed")
    jobs.run(JSON, RESUME).assert_outcomes(failed=1)
    assert counted(jobs) == "1233"
    assert len(states(jobs)) == 1
    assert go_on(jobs).ret == 0
    assert counted(jobs) == "123334"


def test_a_spent_budget_ends_a_job_between_two_parts(jobs: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    log = jobs.path / "counted"
    monkeypatch.setattr(
        "pytest_throughput.run.budget.monotonic",
        lambda: 1e9 if log.exists() and not (jobs.path / "go").exists() else 0.0,
    )
    result = begin(jobs, "crashed", "--throughput-budget=20m", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*ended after number 1 of 4: --throughput-budget of 20:00 min is spent*"])
    assert counted(jobs) == "1"
    go_on(jobs).assert_outcomes(passed=1)
    assert counted(jobs) == "1234"
    assert info(jobs)["resumed"] is True


def test_a_job_whose_file_is_gone_begins_anew(jobs: Project) -> None:
    begin(jobs, "crashed")
    for path in states(jobs):
        path.unlink()
    result = go_on(jobs)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*test_it began anew: the file with its state after number 2 of 4 is gone"])
    assert counted(jobs) == "1231234"
    assert info(jobs)["resumed"] is False
    assert states(jobs) == []


def test_a_file_of_something_else_fails_the_job_until_it_is_removed(jobs: Project) -> None:
    begin(jobs, "crashed")
    (state,) = states(jobs)
    state.write_text("{}")
    result = go_on(jobs)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ValueError: expected a list; remove the file to begin anew*"])
    assert states(jobs) == [state]
    state.unlink()
    go_on(jobs).assert_outcomes(passed=1)


def test_a_new_run_that_resumes_nothing_loses_no_part(jobs: Project) -> None:
    begin(jobs, "crashed")
    (jobs.path / "go").touch()
    begin(jobs, "crashed").assert_outcomes(passed=1)
    assert counted(jobs) == "1231234"
    jobs.run(JSON, f"{RESUME}.previous").assert_outcomes(passed=1)
    assert counted(jobs) == "123123434"
    assert info(jobs)["resumed"] is True
    assert states(jobs) == []


def test_a_new_run_removes_what_no_journal_names(jobs: Project) -> None:
    left, other = jobs.path / f"{JOURNAL}.{'0' * 16}-7.state.unfinished", jobs.path / "run.json.state"
    left.touch()
    other.touch()
    (jobs.path / "go").touch()
    begin(jobs, "crashed").assert_outcomes(passed=1)
    assert not left.exists()
    assert other.exists()


def test_without_a_worker_it_is_the_same(jobs: Project) -> None:
    begin(jobs, "failed", "--throughput-isolation=none")
    (jobs.path / "go").touch()
    jobs.run(JSON, RESUME, "--throughput-isolation=none").assert_outcomes(passed=1)
    assert counted(jobs) == "12334"
    assert info(jobs)["resumed"] is True


def test_a_job_that_is_not_cut_short_leaves_nothing(jobs: Project) -> None:
    (jobs.path / "go").touch()
    begin(jobs, "crashed").assert_outcomes(passed=1)
    assert info(jobs)["resumed"] is False
    assert (states(jobs), (jobs.path / JOURNAL).exists()) == ([], False)
    begin(jobs, "crashed", "--benchmark-disable").assert_outcomes(passed=1)
    assert states(jobs) == []


def test_an_interrupted_job_keeps_its_ended_phases(jobs: Project) -> None:
    jobs.tests(PHASES)
    assert jobs.run(JSON).ret == pytest.ExitCode.INTERRUPTED
    (line,) = [json.loads(line) for line in (jobs.path / JOURNAL).read_text().splitlines() if "outcome" in line]
    assert line["case_id"].endswith("[load]")
    before = {metric["name"]: metric["value"] for metric in line["outcome"]["metrics"]}
    result = go_on(jobs)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*the job runs as a whole, for the phases that were not measured yet; load keep *"])
    found = {each["extra_info"]["phase"]: each["extra_info"] for each in jobs.json()["benchmarks"]}
    assert {phase: each["resumed"] for phase, each in found.items()} == {"load": True, "train": False, "save": False}
    after = {metric["name"]: metric["value"] for metric in found["load"]["metrics"]}
    assert after["pid"] == before["pid"]
    assert (jobs.path / "loaded").read_text() == "xx"


def test_the_line_of_the_running_case_shows_what_has_ended_and_what_is_left() -> None:
    ledger, written = Ledger(), list[str]()
    ledger.ask("training", "default", 1, {})
    progress = Progress(ledger, written.append, 70, nullcontext)
    progress.part("training", "fold 2 of 10, epoch 3 of 12:\x1b[31m accuracy 91.2 %", 245.0)
    progress.part("training", "phase 2 of 3, train (ended: load 2.0 s)", None)
    assert written == [
        "\r\x1b[2K[1/1] fold 2 of 10, epoch 3 of 12:\\x1b[31m accuracy 91.2 %, about 4:0",
        "\r\x1b[2K[1/1] phase 2 of 3, train (ended: load 2.0 s): training",
    ]


def test_a_journal_is_shown_with_what_has_begun(jobs: Project, capsys: pytest.CaptureFixture[str]) -> None:
    begin(jobs, "crashed")
    capsys.readouterr()
    assert main(["show", str(jobs.path / JOURNAL)]) == 0
    assert "test_it.py::test_it has begun: number 2 of 4" in capsys.readouterr().out


def test_what_cannot_be_saved_is_said_once_and_fails_nothing(jobs: Project) -> None:
    text = JOBS.replace(
        'with open(path, "w")', "raise OSError(28, 'No space left on \\x1b[31mdevice')\n        with open(path)"
    )
    (jobs.path / "jobs.py").write_text(text)
    (jobs.path / "go").touch()
    result = begin(jobs, "crashed")
    result.assert_outcomes(passed=1)
    lines = [line for line in result.outlines if "an interruption would lose what has ended" in line]
    assert [line.endswith("No space left on \\x1b[31mdevice") for line in lines] == [True]
