"""What a step does to its process takes nothing back that was measured."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import pytest

from pytest_throughput import Step
from pytest_throughput.launch.worker_process import Worker
from pytest_throughput.measurement.plan import ONCE, PLANS, Plan
from pytest_throughput.worker.protocol import Outcome, Request
from pytest_throughput.worker.trial import run_opened_step

PLUGINS = Path(__file__).parents[2] / "plugins"

STEPS = """
import io, os, sys
from pytest_throughput import Step

class Junk:
    def flush(self): sys.exit(4)

def streams(how):
    done = []
    def run():
        if done: return
        done.append(True)
        if how == "replaced": sys.stdout = sys.stderr = io.StringIO()
        if how == "none": sys.stdout = sys.stderr = None
        if how == "junk": sys.stdout = sys.stderr = Junk()
        if how == "closed": sys.stdout.close(); sys.stderr.close()
        if how == "detached": sys.stdout.detach(); sys.stderr.detach()
        if how == "descriptors": os.close(1); os.close(2)
    def close():
        raise RuntimeError("and nowhere to say so")
    return Step(run, close=close, metadata={"how": how})

def printing():
    def run():
        print("printed", end="")
        print("warned", file=sys.stderr)
        os.write(1, b"written")
    return Step(run)

def elsewhere():
    os.chdir("/")
    return Step(lambda: None)

def where():
    return Step(lambda: None, metadata={"folder": os.getcwd()})

def exits():
    return Step(lambda: sys.exit(3))
"""


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    (tmp_path / "steps.py").write_text(STEPS)
    environment = {**os.environ, "PYTHONPATH": f"{PLUGINS}{os.pathsep}{tmp_path}", "PYTHONSAFEPATH": "1"}
    worker = Worker([sys.executable], environment)
    yield worker
    worker.close()


def once(function: str, **arguments: object) -> Request:
    return Request(f"steps:{function}", arguments, ONCE)


@pytest.mark.parametrize("how", ["replaced", "none", "junk", "closed", "detached", "descriptors"])
def test_standard_streams_that_are_gone_lose_no_result(worker: Worker, how: str) -> None:
    """And the next case of the worker has them back."""
    outcome = worker.run(once("streams", how=how), 60)
    assert (outcome.status, outcome.metadata["how"]) == ("ok", how)
    worker.new_stderr()
    assert worker.run(once("printing"), 60).status == "ok"
    said = worker.new_stderr()
    assert all(words in said for words in ("printed", "warned", "written"))


def test_each_case_begins_in_the_folder_of_pytest(worker: Worker) -> None:
    assert worker.run(once("elsewhere"), 60).status == "ok"
    assert worker.run(once("where"), 60).metadata["folder"] == os.getcwd()


@pytest.mark.parametrize("name", ["with spaces; exit 1 #", "new\nline", "colon:", "\udcff"])
def test_the_folder_of_pytest_may_have_any_name(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It travels in the request: a wrapper such as ``ssh`` hands arguments to a shell."""
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    assert worker.run(once("where"), 60).metadata["folder"] == str(tmp_path / name)


def test_the_folder_of_pytest_may_be_gone(worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert worker.run(once("printing"), 60).status == "ok"


def test_a_step_that_exits_ends_its_worker(worker: Worker) -> None:
    outcome = worker.run(once("exits"), 60)
    assert (outcome.status, outcome.reason) == ("crashed", "the worker exited with status 3")


@pytest.mark.parametrize("argument", [{1}, float("nan"), {"a": [float("inf")]}, {(1, 2): 3}])
def test_arguments_that_are_no_json_fail_with_a_reason(worker: Worker, argument: object) -> None:
    outcome = worker.run(once("streams", how=argument), 60)
    assert outcome.status == "failed"
    assert (outcome.reason or "").startswith("the arguments of steps:streams are not JSON: ")


def measured(plan: Plan = ONCE, run: Callable[[], object] = int, **fields: Any) -> Outcome:
    with redirect_stderr(io.StringIO()):
        return run_opened_step(Step(run, **fields), plan)


def exits(*_: object) -> Any:
    raise SystemExit(3)


def breaks(*_: object) -> Any:
    raise RuntimeError("broken")


@pytest.mark.parametrize("fault", [exits, breaks])
@pytest.mark.parametrize("where", ["close", "check", "peak_memory_bytes"])
def test_what_follows_the_rounds_takes_nothing_back(where: str, fault: Callable[..., Any]) -> None:
    faulty: dict[str, Any] = {where: fault}
    outcome = measured(**faulty)
    assert outcome.status == "ok"
    assert outcome.measurement is not None


def test_an_interruption_while_closing_is_raised() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured(close=interrupted)


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


def mute() -> None:
    raise Mute


def test_an_error_without_words_fails_by_its_name() -> None:
    outcome = measured(run=mute)
    assert (outcome.status, outcome.reason) == ("failed", "Mute")
    assert "mute" in (outcome.details or "")


def test_an_error_that_cannot_be_classified_fails_by_its_name() -> None:
    """Frameworks recognise their own out-of-memory errors by the text."""
    outcome = measured(run=mute, is_out_of_memory=lambda error: "RESOURCE_EXHAUSTED" in str(error))
    assert (outcome.status, outcome.reason) == ("failed", "Mute")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_without_words_in_a_thread_fails_the_case() -> None:
    def run() -> None:
        thread = threading.Thread(target=mute)
        thread.start()
        thread.join()

    outcome = measured(run=run)
    assert (outcome.status, outcome.reason) == ("failed", "in a thread: Mute")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ends_by_sys_exit_fails_nothing() -> None:
    """As in Python, where that is how a thread ends itself."""

    def run() -> None:
        thread = threading.Thread(target=sys.exit)
        thread.start()
        thread.join()

    assert run_opened_step(Step(run), ONCE).status == "ok"


def test_an_error_whose_traceback_cannot_be_had_fails_by_its_name() -> None:
    class Closed(Exception):
        def __getattribute__(self, name: str) -> object:
            if name == "__traceback__":
                raise RuntimeError(name)
            return super().__getattribute__(name)

    def run() -> None:
        raise Closed("what was wrong")

    outcome = run_opened_step(Step(run), ONCE)
    assert (outcome.status, outcome.reason, outcome.details) == ("failed", "Closed: what was wrong", None)


def test_an_error_of_many_megabytes_is_cut() -> None:
    def run() -> None:
        raise RuntimeError("x" * 10**8)

    outcome = measured(run=run)
    assert outcome.status == "failed"
    assert len(outcome.reason or "") < 20_000
    assert len(outcome.details or "") <= 100_000


def test_facts_that_are_not_finite_are_null() -> None:
    outcome = measured(metadata={"loss": float("nan")}, peak_memory_bytes=lambda: float("inf"))
    assert outcome.status == "ok"
    assert outcome.metadata["loss"] is outcome.metadata["peak_memory_bytes"] is None
    assert outcome.metadata["peak_memory_bytes_in_all"] is None
    assert outcome.metadata["not_finite"] == ["loss", "peak_memory_bytes"]


@pytest.mark.parametrize("metadata", [{"a": {1}}, {"settings": 5}, {"versions": "2.13"}, {(1, 2): 3}])
def test_facts_that_are_no_json_fail_the_case(metadata: Any) -> None:
    outcome = measured(PLANS["paper"], metadata=metadata)
    assert outcome.status == "failed"
    assert (outcome.reason or "").startswith("the step's metadata are not JSON: ")


def test_names_of_pairs_are_refused_in_metadata() -> None:
    outcome = measured(PLANS["paper"], metadata={"pair": "en-de", "unpaired": 3})
    assert outcome.status == "failed"
    assert (
        outcome.reason
        == "the step's metadata have pair, unpaired, reserved for what pytest-throughput records; rename them"
    )
