"""Run pytest on small cases for a given time, while random faults occur, and check the outcome.

About every third case has a fault, drawn with a seed: a signal, an exit, an exception, garbage output, a hang, a
worker that reads nothing, a child left behind, too much memory, a fork that returns twice, a line on the pipe of the
answers, closed standard streams or pipes, removed files of the imported packages, a thread or a timer that goes on.
Meanwhile the pytest process is watched from outside. At the end the benchmark prints the statuses of each kind of
fault, and whether the memory of pytest has grown or any process is left: ``python benchmarks/soak.py --minutes 60``.
The exit status is 1 if a case got another status than that of its fault, if a case that the budget did not skip got
none, or if something leaked.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

PLUGINS = Path(__file__).parents[1] / "plugins"
STEPS = """
import io, os, shutil, signal, subprocess, sys, threading, time
from pathlib import Path
import pytest_throughput
from pytest_throughput import OutOfMemory, Step, Unsupported

STAGED = Path(pytest_throughput.__file__).parents[1]
FORGED = b'{"id": "0", "pid": 1, "outcome": {"status": "unsupported", "reason": "forged"}}\\n'

class Mute(Exception):
    def __str__(self):
        raise ValueError("no words")

def pipes():
    held = [fd for fd in range(3, 20) if os.path.exists(f"/proc/self/fd/{fd}")]
    return [fd for fd in held if os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:")]

def write_stray():
    for fd in pipes():
        try: os.write(fd, FORGED)
        except OSError: pass  # That of the requests.

def spin():
    while True: pass

def well():
    return Step(lambda: time.sleep(0.02))

def fault(how):
    done = []
    def once():
        if how == "fork": os.fork()
        if how == "stray": write_stray()
        if how == "replaced": sys.stdout = sys.stderr = io.StringIO()
        if how == "closed": sys.stdout.close(); sys.stderr.close()
        if how == "mute": raise Mute
        if how == "busy": threading.Thread(target=spin, daemon=True).start()
        if how == "alarm": signal.alarm(3)
        if how == "unpiped":
            for fd in pipes(): os.close(fd)
        if how == "unstaged": assert STAGED.name.startswith("pytest-throughput-"); shutil.rmtree(STAGED)
    def close():
        if how == "badly closed": sys.exit(3)
    def run():
        if not done: done.append(True); once()
        if how.startswith("SIG"): os.kill(os.getpid(), getattr(signal, how))
        if how == "exit": os._exit(3)
        if how == "error": raise RuntimeError("broken")
        if how == "thread":
            thread = threading.Thread(target=lambda: 1 / 0)
            thread.start()
            thread.join()
        if how == "unsupported": raise Unsupported("not here")
        if how == "refused": raise OutOfMemory("12 GiB")
        if how == "garbage": os.write(1, os.urandom(2**16)); os.write(2, os.urandom(2**16))
        if how == "hang": time.sleep(1000)
        if how == "deaf": signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)
        if how == "child":
            sleeping = [sys.executable, "-c", "import time; time.sleep(1000)"]
            subprocess.Popen(sleeping, close_fds=False)
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "greedy": held = b"x" * (300 << 20); time.sleep(1000)
    return Step(run, close=close)
"""
TESTS = """
import json
import pytest

FAULTS = json.load(open("faults.json"))
CASES = [
    pytest.param(fault, marks=pytest.mark.throughput_case(f"{number:06}-{fault}"), id=f"{number:06}-{fault}")
    for number, fault in enumerate(FAULTS)
]

@pytest.mark.parametrize("fault", CASES)
def test_it(measure_isolated, fault):
    target = "steps:well" if fault == "none" else "steps:fault"
    measure_isolated(target, {} if fault == "none" else {"how": fault})
"""
FAULTS = {
    **dict.fromkeys(("SIGKILL", "SIGSEGV", "SIGBUS", "SIGABRT", "exit", "child", "stray", "unpiped"), "crashed"),
    **dict.fromkeys(("error", "thread", "mute"), "failed"),
    **dict.fromkeys(("hang", "deaf"), "timed_out"),
    **dict.fromkeys(("refused", "greedy"), "out_of_memory"),
    "unsupported": "unsupported",
    **dict.fromkeys(("garbage", "fork", "replaced", "closed", "badly closed", "unstaged", "busy", "alarm"), "ok"),
}
"""Each fault, and the status that its case must get."""
SLOW = ("hang", "deaf")
"""The faults that cost a timeout. They are drawn ten times less often than the others."""
SHARE_OF_FAULTS = 0.3
CASES_A_MINUTE = 150
"""The number of cases, which is more than can be measured, so that the budget ends the run."""
OPTIONS = (
    *("-p", "pytest_throughput.plugin", "-p", "no:cacheprovider", "-p", "no:randomly", "-q", "--tb=line"),
    *("--throughput-protocol=paper", "--throughput-isolation=framework", "--throughput-timeout=15"),
    *("--throughput-memory-limit=250M", "--throughput-lock=off", "--benchmark-json=run.json"),
)
READINGS = 12
"""The number of readings of the pytest process over the whole run."""
MOST_BYTES_A_CASE = 40 << 10
"""The growth of pytest that is allowed: it keeps every result, with its samples and reports, until it writes them."""


@dataclass(frozen=True)
class Reading:
    """The state of the pytest process at one moment."""

    minutes: float
    cases: int
    resident_bytes: int
    descriptors: int


def main() -> int:
    """Print the account, and return the exit status."""
    parser = argparse.ArgumentParser(description="Small cases with random faults, each accounted for.")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long; default 60")
    parser.add_argument("--seed", type=int, default=0, help="of the faults; default 0")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return soak(Path(folder), arguments.minutes, random.Random(arguments.seed))


def soak(folder: Path, minutes: float, chance: random.Random) -> int:
    """Run for so many minutes in the folder, and return the exit status."""
    names, weights = list(FAULTS), [1 if name in SLOW else 10 for name in FAULTS]
    faults = [
        chance.choices(names, weights)[0] if chance.random() < SHARE_OF_FAULTS else "none"
        for _ in range(max(1, round(CASES_A_MINUTE * minutes)))
    ]
    (folder / "faults.json").write_text(json.dumps(faults))
    (folder / "steps.py").write_text(STEPS)
    (folder / "test_soak.py").write_text(TESTS)
    temporary = folder / "temporary"
    temporary.mkdir()
    mark = uuid.uuid4().hex
    began = time.monotonic()
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *OPTIONS, f"--throughput-budget={round(60 * minutes)}s"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(PLUGINS), "TMPDIR": str(temporary), "SOAK": mark},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            readings, peak_bytes = _watch(process, folder / "run.json.journal.jsonl", began, minutes)
        finally:
            process.kill()
            process.wait()
    problems = _account(folder, process.returncode)
    problems |= _growth(readings, peak_bytes)
    left = [each.info for each in psutil.process_iter(["pid", "cmdline", "environ"]) if _is_of(each, mark)]
    files = sorted(path.name for path in temporary.iterdir())
    print(f"left behind: {len(left)} processes, {len(files)} temporary files (expected: none)")
    problems |= {f"left behind: {left} {files}": bool(left or files)}
    found = [problem for problem, holds in problems.items() if holds]
    if found:
        print("".join((folder / "output").read_text().splitlines(keepends=True)[-30:]))
    print("FOUND: " + "; ".join(found) if found else "every case is accounted for, and nothing leaked")
    return 1 if found else 0


def _watch(process: subprocess.Popen[bytes], journal: Path, began: float, minutes: float) -> tuple[list[Reading], int]:
    """Read the process repeatedly until it ends; return the readings and its peak memory in bytes."""
    watched, readings, cases, peak_bytes = psutil.Process(process.pid), list[Reading](), 0, 0
    print(f"{'minute':>7} {'cases':>7} {'pytest holds':>13} {'descriptors':>12}", flush=True)
    read_bytes = 0
    while process.poll() is None:
        try:
            if journal.exists():
                with journal.open("rb") as file:
                    file.seek(read_bytes)
                    new = file.read()
                read_bytes += len(new)
                cases += new.count(b"\n") - (1 if read_bytes == len(new) and new else 0)  # The first is the heading.
            elapsed = (time.monotonic() - began) / 60
            peak_bytes = max(peak_bytes, _most_resident_bytes(process.pid))
            # The first reading is taken once everything is loaded, and none while the table is drawn.
            due = max(1, len(readings)) * minutes / READINGS
            if cases and (not readings or (elapsed >= due and elapsed < minutes)):
                readings.append(Reading(elapsed, cases, watched.memory_info().rss, watched.num_fds()))
                print(_line(readings[-1]), flush=True)
        except (psutil.Error, OSError):
            break
        time.sleep(1)
    process.wait()
    return readings, peak_bytes


def _line(reading: Reading) -> str:
    held = f"{reading.resident_bytes / 2**20:.1f} MiB"
    return f"{reading.minutes:>7.1f} {reading.cases:>7} {held:>13} {reading.descriptors:>12}"


def _most_resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next((1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


def _account(folder: Path, exit_status: int) -> dict[str, bool]:
    """Print the statuses of each fault; return each problem, and whether it occurred."""
    document: dict[str, Any] = json.loads((folder / "run.json").read_text())
    cases = document["throughput"]["cases"]
    outcomes = Counter((case["id"].partition("-")[2], case["status"]) for case in cases if case["status"] is not None)
    print(f"\n{'fault':<12} {'cases':>6}  {'expected':<14} {'got':<14}")
    wrong = 0
    for (fault, status), count in sorted(outcomes.items()):
        expected = FAULTS.get(fault, "ok")
        wrong += 0 if status == expected else count
        print(f"{fault:<12} {count:>6}  {expected:<14} {status:<14}{'' if status == expected else ' WRONG'}".rstrip())
    asked = len(json.loads((folder / "faults.json").read_text()))
    ended = sum(outcomes.values())
    # The budget ends the run between two cases, so only cases at the end may have no status.
    skipped = sum(case["status"] is None for case in cases[:ended])
    lines = (folder / "run.json.journal.jsonl").read_bytes().count(b"\n") if ended < asked else ended + 1
    print(f"\ncases: {ended} ended, {wrong} of them with another status than expected; {asked - ended} of {asked} left")
    print(f"unaccounted: {asked - len(cases)} cases without a row, {skipped} passed over (expected: none)")
    measured = sum(status == "ok" for _, status in outcomes.elements())
    return {
        f"{wrong} cases got another status than their fault has": wrong > 0,
        f"{asked - len(cases)} cases are not in the JSON, {skipped} were passed over": len(cases) < asked
        or skipped > 0,
        f"{len(document['benchmarks'])} benchmarks of {measured}": len(document["benchmarks"]) != measured,
        f"the journal holds {lines - 1} trials of {ended}": lines - 1 != ended,
        f"the exit status was {exit_status}": exit_status != 1,
    }


def _growth(readings: list[Reading], peak_bytes: int) -> dict[str, bool]:
    if len(readings) < 3:
        return {f"only {len(readings)} readings: run it longer": True}
    first, last = readings[1], readings[-1]
    each = (last.resident_bytes - first.resident_bytes) / max(1, last.cases - first.cases)
    print(
        f"memory of pytest: {readings[0].resident_bytes / 2**20:.1f} MiB at the first case, "
        f"{last.resident_bytes / 2**20:.1f} MiB at case {last.cases}, {peak_bytes / 2**20:.1f} MiB at most (writing)"
    )
    print(
        f"growth of pytest: {each / 2**10:.1f} KiB a case, which is what it keeps of each until it writes them "
        f"(expected: at most {MOST_BYTES_A_CASE >> 10})"
    )
    print(f"descriptors of pytest: {first.descriptors}, then {last.descriptors} (expected: no more)")
    return {
        f"pytest grew by {each / 2**10:.1f} KiB a case": each > MOST_BYTES_A_CASE,
        "a descriptor was lost": last.descriptors > max(first.descriptors, readings[0].descriptors),
    }


def _is_of(process: psutil.Process, mark: str) -> bool:
    return (process.info["environ"] or {}).get("SOAK") == mark


if __name__ == "__main__":
    sys.exit(main())
