"""What judging costs: seconds and memory of a large run against its baseline, on one core.

``python benchmarks/gate_scale.py`` makes a store of 20 accepted runs of 1,000 cases with 5 trials
each, and then, in a process of its own, imports the gate, reads the store and judges one run.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FINGERPRINT = {"cpu": {"model": "Any", "cores": 2}}


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds and memory of judging a large run.")
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=20, help="accepted ones")
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--judge", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.judge is not None:
        judge_once(options.judge)
        return
    with tempfile.TemporaryDirectory() as directory:
        make_store(Path(directory), options.cases, options.runs, options.trials)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        subprocess.run([sys.executable, __file__, f"--judge={directory}"], check=True, env=environment)


def make_store(directory: Path, cases: int, runs: int, trials: int) -> None:
    """Accept ``runs`` runs to judge by and one more, the latest, to judge."""
    from pytest_throughput.gate.baseline_store import Store
    from pytest_throughput.gate.judged import JudgedCase, JudgedRun, JudgedTrial

    generator = random.Random(1)
    ids = [f"training-pytorch-cuda-model{case}-b8-fp32-eager" for case in range(cases)]
    for run in range(runs + 1):
        results = {}
        for case_id in ids:
            rate = 90.0 if run == runs and case_id == ids[0] else 100.0
            figures = (JudgedTrial(one, rate * generator.lognormvariate(0, 0.01), 0.0) for one in range(1, trials + 1))
            axes: dict[str, str | int | None] = {
                "mode": "training",
                "framework": "pytorch",
                "device": "cuda",
                "model": case_id,
                "batch_size": 8,
            }
            results[case_id] = JudgedCase(case_id, "ok", tuple(figures), "0" * 16, "1" * 16, axes)
        started_at = f"2026-01-{1 + run % 28:02d}T{run // 28:02d}:00:00+00:00"
        Store(directory).accept(JudgedRun(started_at, FINGERPRINT, "a", {"torch": "2.12"}, results))


def judge_once(directory: Path) -> None:
    begun = time.perf_counter()
    from pytest_throughput.gate.baseline_store import Store
    from pytest_throughput.gate.judge import judge
    from pytest_throughput.gate.rules import Design, Rules

    imported = time.perf_counter()
    *history, head = Store(directory).read(FINGERPRINT).runs
    read = time.perf_counter()
    verdicts = judge(history, [head], design=Design.HISTORY, rules=Rules())
    judged = time.perf_counter()
    peak_mebibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{len(verdicts)} cases against {len(history)} runs: {judged - begun:.2f} s, {peak_mebibytes:.0f} MiB at most"
    )
    print(f"  importing {imported - begun:.2f} s, reading {read - imported:.2f} s, judging {judged - read:.2f} s")
    print(
        "  "
        + ", ".join(
            f"{count} {verdict}"
            for verdict, count in collections.Counter(one.verdict.value for one in verdicts).items()
        )
    )


if __name__ == "__main__":
    main()
