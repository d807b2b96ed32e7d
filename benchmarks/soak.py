"""An endurance run: small cases with random faults for as long as you like, each of them accounted for.

One process conducts case after case, as pytest does, and keeps their journal. About every third case
meets a fault, drawn with a seed: a signal, an exit, an exception, garbage, a hang, a deaf worker, a
child left behind, more memory than is allowed. At the end stands what became of each kind, and
whether this process has grown, or anything of it lives on: ``python benchmarks/soak.py --minutes 60``.
Exit status 1 if a case got another status than its fault has, or something leaked.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

import pytest_throughput
from pytest_throughput.isolation.conductor import Conductor, Place
from pytest_throughput.isolation.interpreters import Interpreter
from pytest_throughput.isolation.protocol import Request
from pytest_throughput.isolation.staging import StagedPath
from pytest_throughput.measurement.plan import ONCE
from pytest_throughput.throughput.journal import Entry, Heading, Journal, read_journal
from pytest_throughput.throughput.ledger import TrialRecord

STEPS = """
import os, signal, subprocess, sys, threading, time
from pytest_throughput.measurement.step import OutOfMemory, Step, Unsupported

def well():
    return Step(lambda: None)

def fault(how):
    def run():
        if how.startswith("SIG"): os.kill(os.getpid(), getattr(signal, how))
        if how == "exit": os._exit(3)
        if how == "error": raise RuntimeError("broken")
        if how == "thread":
            thread = threading.Thread(target=lambda: 1 / 0)
            thread.start()
            thread.join()
        if how == "unsupported": raise Unsupported("not here")
        if how == "refused": raise OutOfMemory("12 GiB")
        if how == "garbage": os.write(1, os.urandom(2**20)); os.write(2, os.urandom(2**20))
        if how == "hang": time.sleep(1000)
        if how == "deaf": signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)
        if how == "child":
            sleeping = [sys.executable, "-c", "import time; time.sleep(1000)"]
            subprocess.Popen(sleeping, close_fds=False)
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "greedy": held = b"x" * (300 << 20); time.sleep(1000)
    return Step(run)
"""
FAULTS = {
    **dict.fromkeys(("SIGKILL", "SIGSEGV", "SIGBUS", "SIGABRT", "exit", "child"), "crashed"),
    **dict.fromkeys(("error", "thread"), "failed"),
    **dict.fromkeys(("hang", "deaf"), "timed_out"),
    **dict.fromkeys(("refused", "greedy"), "out_of_memory"),
    "unsupported": "unsupported",
    "garbage": "ok",
}
"""Each fault, and the status that its case must get."""
SLOW = ("hang", "deaf")
"""Each costs a timeout: drawn ten times less often than the others."""
SHARE_OF_FAULTS = 0.3
TIMEOUT_SECONDS = 5.0
MEMORY_LIMIT_BYTES = 250 << 20
READINGS = 12
"""Of this process's memory, over the whole run."""
MOST_GROWTH_BYTES = 4 << 20
"""Of this process between the first reading, when all is loaded, and the last."""


def main() -> int:
    """Prints the account; returns the exit status."""
    parser = argparse.ArgumentParser(description="Small cases with random faults, each accounted for.")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long; default 60")
    parser.add_argument("--seed", type=int, default=0, help="of the faults; default 0")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return soak(Path(folder), 60 * arguments.minutes, random.Random(arguments.seed))


def soak(folder: Path, seconds: float, chance: random.Random) -> int:
    """Runs for so many seconds, in a folder of its own."""
    (folder / "steps.py").write_text(STEPS)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    names, weights = list(FAULTS), [1 if name in SLOW else 10 for name in FAULTS]
    staged = StagedPath([Path(pytest_throughput.__file__).parent])
    conductors = [
        Conductor(
            isolation=isolation,
            staged=staged,
            pythonpath=[folder],
            threads=1,
            timeout_seconds=TIMEOUT_SECONDS,
            memory_limit_bytes=MEMORY_LIMIT_BYTES,
        )
        for isolation in ("framework", "trial")
    ]
    place = Place(Interpreter("default", "python", (sys.executable,)), trial=1)
    journal = Journal(folder / "soak.journal.jsonl", Heading({}, {}))
    me, began, outcomes = psutil.Process(), time.monotonic(), Counter[tuple[str, str]]()
    readings: list[tuple[float, int, int, int]] = []
    number, descriptors_before = 0, me.num_fds()
    while (elapsed := time.monotonic() - began) < seconds:
        if number % 50 == 0 and elapsed >= len(readings) * seconds / READINGS:
            readings.append((elapsed, number, me.memory_info().rss, me.num_fds()))
        fault = chance.choices(names, weights)[0] if chance.random() < SHARE_OF_FAULTS else "none"
        request = Request("steps:well", {}, ONCE) if fault == "none" else Request("steps:fault", {"how": fault}, ONCE)
        outcome, _ = chance.choice(conductors).conduct(request, place)
        outcomes[fault, outcome.status] += 1
        number += 1
        journal.add(Entry(f"case-{number}", "default", {"fault": fault}, TrialRecord(1, "", 1, outcome)))
    for conductor in conductors:
        conductor.close()
    staged.remove()
    journal.close()
    readings.append((time.monotonic() - began, number, me.memory_info().rss, me.num_fds()))
    return _account(folder, journal, outcomes, readings, descriptors_before)


def _account(
    folder: Path,
    journal: Journal,
    outcomes: Counter[tuple[str, str]],
    readings: list[tuple[float, int, int, int]],
    descriptors_before: int,
) -> int:
    print(f"{'fault':<12} {'cases':>6}  status")
    wrong = 0
    for (fault, status), count in sorted(outcomes.items()):
        right = status == FAULTS.get(fault, "ok")
        wrong += 0 if right else count
        print(f"{fault:<12} {count:>6}  {status}{'' if right else ' (WRONG)'}")
    print(f"\n{'minutes':>8} {'cases':>7} {'resident':>9} {'descriptors':>12}")
    for elapsed, number, resident_bytes, descriptors in readings:
        print(f"{elapsed / 60:>8.1f} {number:>7} {resident_bytes / 2**20:>5.1f} MiB {descriptors:>12}")
    kept = len(read_journal(journal.path).entries)
    problems = {
        f"{wrong} cases got another status than their fault has": wrong > 0,
        f"the journal holds {kept} cases of {sum(outcomes.values())}": kept != sum(outcomes.values()),
        "this process has grown": readings[-1][2] - readings[min(1, len(readings) - 1)][2] > MOST_GROWTH_BYTES,
        "a descriptor was lost": readings[-1][3] > descriptors_before,
        "a process lives on": bool(psutil.Process().children(recursive=True)),
        "a temporary file was left": {path.name for path in folder.iterdir()} != {"steps.py", journal.path.name},
    }
    found = [problem for problem, holds in problems.items() if holds]
    print("\n" + ("; ".join(found) if found else f"all {sum(outcomes.values())} cases accounted for; nothing leaked"))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
