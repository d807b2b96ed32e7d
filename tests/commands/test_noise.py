"""``pytest-throughput doctor --noise``: what it says, with processes whose figures are drawn."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest
from fake_processes import FakeProcesses

from pytest_throughput.commands import noise
from pytest_throughput.gate import power
from pytest_throughput.launch import lock
from pytest_throughput.launch.equal_processes import NotMeasured, measure_equal_processes
from pytest_throughput.launch.lock import cpu_names
from pytest_throughput.telemetry import noise_causes

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _as_on_an_idle_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "FOLDER", tmp_path / "locks")
    monkeypatch.setattr(noise, "who_computes", lambda: "")
    monkeypatch.setattr(power, "_RUNS", 30)
    monkeypatch.setattr(noise_causes, "_BUSY_SHARE", 1.1)  # Whatever else this machine does.
    monkeypatch.setattr(noise_causes, "_STOLEN_SHARE", 1.1)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeProcesses], FakeProcesses]:
    """Return a function that makes the command measure the given processes."""

    def use(processes: FakeProcesses) -> FakeProcesses:
        monkeypatch.setattr(noise, "EqualWorkers", lambda interpreter: processes)
        monkeypatch.setattr(noise, "measure_equal_processes", partial(measure_equal_processes, clock=processes.clock))
        return processes

    return use


def test_the_noise_is_shown_with_what_the_gate_finds(
    command: Command, measured: Callable[[FakeProcesses], FakeProcesses]
) -> None:
    processes = measured(FakeProcesses(process=0.08, live=0.01, slices=0.03))
    status, output, errors = command("doctor", "--noise")
    assert status == 0
    assert "measuring for 60 s" in errors
    assert processes.is_closed
    assert re.search(r"two slices of one process +\d.\d %  +\d.\d to \d.\d %  +24\n", output)
    assert re.search(r"two processes, one after the other +\S+ %  +\S+ to \S+ %  +6\n", output)
    assert re.search(r"the two processes of a live pair +\S+ %  +\S+ to \S+ %  +6\n", output)
    assert "--throughput-allocator system a step takes" in output
    assert re.search(r"\n {32}runs of 1 case {10}runs of 10 cases\n", output)
    one = r"\d\.\d % \(\d\.\d % to \d\.\d %\)"
    assert re.search(rf"slowdown that 5 pairs find +{one} +{one}\n", output)
    assert re.search(r"pairs that find one of 5 % +4 \(4 to 5\) +4( \(\d+ to \d+\))?\n", output)
    assert len(output.splitlines()) <= 25
    assert max(map(len, output.splitlines())) <= 80


def test_much_noise_has_words_instead_of_numbers(
    command: Command, measured: Callable[[FakeProcesses], FakeProcesses]
) -> None:
    measured(FakeProcesses(process=1.0, live=2.0, slices=0.5, waiting_share=0.4))
    status, output, _ = command("doctor", "--noise")
    joined = " ".join(output.split())
    assert status == 0
    assert re.search(r"slowdown that 5 pairs find +>×10 +>×10\n", output)
    assert re.search(r"pairs that find one of 5 % +>100 +>100\n", output)
    assert "waited for a processor in 40 % of its time" in joined


def test_another_run_on_the_processors_is_not_disturbed(command: Command, tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    with (tmp_path / "locks" / f"{cpu_names()[0]}.lock").open("w") as held:
        held.write("4711")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        status, output, errors = command("doctor", "--noise")
    assert (status, output) == (15, "")
    assert "the run of process 4711 measures on these processors; repeat this when it has ended" in errors


def test_what_cannot_be_measured_has_a_reason(
    command: Command, measured: Callable[[FakeProcesses], FakeProcesses], monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = measured(FakeProcesses())

    def without_numpy() -> None:
        raise NotMeasured("/usr/bin/python3 cannot import numpy: No module named 'numpy'")

    monkeypatch.setattr(processes, "live_pair", without_numpy)
    status, output, errors = command("doctor", "--noise")
    assert (status, output) == (15, "")
    assert "the noise was not measured: /usr/bin/python3 cannot import numpy" in errors
    assert processes.is_closed


def test_an_interruption_ends_the_processes(
    command: Command, measured: Callable[[FakeProcesses], FakeProcesses], monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = measured(FakeProcesses())

    def interrupted(allocator: str) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(processes, "alone", interrupted)
    status, output, errors = command("doctor", "--noise")
    assert (status, output) == (130, "")
    assert errors.endswith("pytest-throughput: interrupted\n")
    assert processes.is_closed
