"""What a worker says, or a journal that a run goes on with, gives no orders to a terminal or a CI system."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress

import pytest
from mutations import HOSTILE, obeyed, replaced
from plugin_project import Project

pytestmark = pytest.mark.slow

STEPS = f"""
import os, sys, time
from pytest_throughput import OutOfMemory, Step, Unsupported
TEXT = {HOSTILE!r}

def end(how):
    sys.stderr.buffer.write(TEXT.encode("utf-8", "surrogatepass") + b"\\n\\xff\\n"); sys.stderr.flush()
    if how == "unsupported": raise Unsupported(TEXT)
    if how == "out_of_memory": raise OutOfMemory(TEXT)
    if how == "failed": raise RuntimeError(TEXT)
    if how == "named": raise type(TEXT, (Exception,), {{}})(TEXT)
    if how == "crashed": os._exit(3)
    facts = {{name: TEXT for name in ("implausible", "disturbed_by", "network_hash", "framework", TEXT)}}
    facts.update(settings={{"protocol": TEXT, TEXT: TEXT}}, versions={{TEXT: TEXT}}, peak={{"source": TEXT}})
    return Step(lambda: time.sleep(0.001), metadata=facts)
"""
TESTS = f"""
import pytest
WAYS = ["ok", "unsupported", "out_of_memory", "failed", "named", "crashed"]
@pytest.mark.parametrize("how", [
    pytest.param(how, marks=pytest.mark.throughput_case(how + {HOSTILE!r}, mode={HOSTILE!r}, model=how)) for how in WAYS
])
def test_it(measure_isolated, how): measure_isolated("steps:end", {{"how": how}})
def test_here(measure_step):
    def step(): raise RuntimeError({HOSTILE!r})
    measure_step(step)
"""
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def all_of(terminal: int) -> bytes:
    """Return what a run writes to its terminal, until it ends."""
    shown = b""
    with suppress(OSError):  # The other end has been closed.
        while part := os.read(terminal, 2**16):
            shown += part
    os.close(terminal)
    return shown


@pytest.fixture
def hostile(project: Project) -> Project:
    (project.path / "steps.py").write_text(STEPS, "utf-8", "surrogatepass")
    (project.path / "test_it.py").write_text(TESTS, "utf-8", "surrogatepass")
    return project


def test_nothing_that_a_worker_says_is_obeyed(hostile: Project) -> None:
    options = ["-p", "no:randomly", "--throughput-protocol=quick", "--benchmark-json=run.json", "--tb=short"]
    run = hostile.start(*options, "-rA", "-v")
    assert run.stdout is not None
    output = run.stdout.read()
    assert run.wait() == 1
    # pytest itself prints what the test in its own process raised, and the tests' names.
    assert obeyed(output) is None
    for message in ("unsupported: ", "out_of_memory: ", "crashed: the worker exited with status 3", "implausible: "):
        assert message in output
    assert output.count("\\x1b]0;owned\\x07") > 10
    assert len(hostile.json()["throughput"]["cases"]) == 7


def test_nothing_that_a_worker_says_is_obeyed_by_a_terminal(hostile: Project) -> None:
    run, terminal = hostile.start_on_a_terminal("--throughput-protocol=quick", "--throughput-isolation=framework")
    shown = all_of(terminal)
    assert run.wait() == 1
    # What erases the line of progress, and colours.
    text = COLOUR.sub("", shown.decode().replace("\r\x1b[2K", "").replace("\r\n", "\n")).partition("collected 7 items")[
        2
    ]
    assert "\\x1b]0;owned" in text
    assert obeyed(text) is None


def test_nothing_in_a_resumed_journal_is_obeyed(project: Project) -> None:
    ended = "def test_b(measure_step): raise KeyboardInterrupt\n"
    project.tests(f"def test_a(measure_step): measure_step(lambda: None)\n{ended}")
    assert project.start("-p", "no:randomly", "--throughput-protocol=quick", "--benchmark-json=run.json").wait() == 2
    journal = project.path / "run.json.journal.jsonl"
    whole = [json.loads(line) for line in journal.read_text().splitlines()]
    ways = [(0, "command", 0), (0, "settings", HOSTILE), (0, "fingerprint", HOSTILE)]
    for way in (*ways, (1, "case_id"), (1, "environment")):
        lines = replaced(whole, way, HOSTILE)
        lines[0]["settings"]["protocol"] = "another" if "command" in way else "quick"
        journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
        result = project.run("--throughput-resume=run.json.journal.jsonl", "--benchmark-json=run.json")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        said = result.stderr.str()
        assert "--throughput-resume: " in said and "\\x1b]0;owned\\x07" in said
        assert obeyed(said) is None


def test_nothing_in_a_damaged_trial_of_a_journal_is_obeyed(project: Project) -> None:
    project.tests(
        "def test_a(measure_step): measure_step(lambda: None)\ndef test_b(measure_step): raise KeyboardInterrupt\n"
    )
    options = ["-p", "no:randomly", "--throughput-protocol=quick", "--benchmark-json=run.json"]
    assert project.start(*options).wait() == 2
    journal = project.path / "run.json.journal.jsonl"
    heading, line = [json.loads(line) for line in journal.read_text().splitlines()]
    damaged = replaced(line, ("outcome", HOSTILE), HOSTILE)
    journal.write_text("".join(json.dumps(each) + "\n" for each in (heading, damaged)))
    run = project.start(*options, "--throughput-resume=run.json.journal.jsonl")
    assert run.stdout is not None
    said = run.stdout.read()
    assert run.wait() == 2
    assert "line 2 of the journal is damaged" in said
    assert obeyed(said) is None


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_an_encoding_lacks_is_escaped_in_a_run(project: Project, encoding: str) -> None:
    project.tests("def test_it(measure_step): measure_step(lambda: None)\n")
    variables = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    options = ["--throughput-protocol=quick", "--benchmark-json=run.json"]
    run = project.start(*options, environment=variables)
    assert run.stdout is not None
    output = run.stdout.buffer.read().decode(encoding)  # type: ignore[attr-defined]
    assert run.wait() == 0
    assert ("\\xb1 rounds" if encoding == "ascii" else "± rounds") in output


def test_colours_survive_an_encoding_that_lacks_a_character(project: Project) -> None:
    project.tests("def test_it(measure_step): measure_step(lambda: None)\n")
    run, terminal = project.start_on_a_terminal(
        "--throughput-protocol=quick", environment={"PYTHONIOENCODING": "ascii"}
    )
    text = all_of(terminal).decode("ascii")
    assert run.wait() == 0
    assert "\\xb1 rounds" in text and "\\x1b" not in text
