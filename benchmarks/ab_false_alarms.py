"""Compare a version with itself, many times over, and count the runs that find a change: all of them are false alarms.

Two environments with the same version of NumPy are made, each in a folder of its own, and measured as
``pytest-throughput ab`` does: live pairs, and more of them for undecided cases. The run's false-alarm rate is 1 %, so
that of 20 runs one with a regression is bad luck (18 %), and two are a fault (2 %).

    python benchmarks/ab_false_alarms.py --out false-alarms

measures 4 small cases of NumPy 20 times. A pair of a case takes 6 s, and a case has 5 to 10 pairs: a run takes 2 to 4
minutes, and all of them 40 to 80, on a machine with nothing else to do. What has been measured is kept in the folder,
and the same command goes on after an interruption. Other cases, or options of pytest, come after ``--``:

    python benchmarks/ab_false_alarms.py --out false-alarms -- --framework pytorch --model alexnet --batch-size 1
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from scipy.stats import binomtest

from pytest_throughput.commands.ab import paired_options
from pytest_throughput.environments.environment import Environments

ROOT = Path(__file__).parents[1]
CASES = ("--framework=numpy", "--model=letter_mlp,mnist_cnn", "--batch-size=1,8", "--mode=inference")
MOST_ALARMS = 1
"""The most runs with a regression, of 20, that the false-alarm rate explains."""


def measure(file: Path, options: list[str]) -> None:
    """Measure one run into the file, which appears when the run is complete."""
    command = [sys.executable, "-P", "-m", "pytest", "bench/", "-q", "--throughput-protocol=quick", *options]
    with open(file.with_suffix(".log"), "w") as log:
        part = file.with_suffix(".part.json").absolute()
        ended = subprocess.run([*command, f"--benchmark-json={part}"], cwd=ROOT, stdout=log, stderr=log, check=False)
    if ended.returncode not in (0, 10, 12):
        raise SystemExit(f"pytest ended with {ended.returncode}; see {log.name}")
    part.replace(file)


def verdicts(file: Path) -> Counter[str]:
    """Return how many cases of a run have each verdict."""
    return Counter(case["verdict"] for case in json.loads(file.read_text())["throughput"]["verdicts"]["cases"])


def rate(what: str, found: int, runs: int) -> str:
    interval = binomtest(found, runs).proportion_ci(0.95, method="exact")
    return f"{what}: {found} of {runs} ({100 * interval.low:.1f} to {100 * interval.high:.1f} %, 95 % interval)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="default 20")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="where environments and runs are kept"
    )
    parser.add_argument("--requirement", default=f"numpy=={version('numpy')}", help="default the installed NumPy")
    parser.add_argument("pytest_arguments", nargs="*", metavar="-- ARGUMENT", help="of pytest, in place of the cases")
    arguments = parser.parse_args()
    kept = arguments.out.absolute() / "environments"
    base, head = (Environments(folder=kept / side, say=print).get([arguments.requirement]) for side in ("base", "head"))
    options = [*paired_options(base, head), *(arguments.pytest_arguments or CASES)]
    found = []
    for number in range(1, arguments.runs + 1):
        file = arguments.out / f"run-{number:02}.json"
        if not file.exists():
            measure(file, options)
        found.append(verdicts(file))
        print(f"run {number}: {', '.join(f'{count} {verdict}' for verdict, count in found[-1].items())}", flush=True)
    alarms = sum(each["regressed"] > 0 for each in found)
    print(rate("runs with a case called regressed", alarms, len(found)))
    print(rate("runs with a case called improved", sum(each["improved"] > 0 for each in found), len(found)))
    undecided, cases = sum(each["inconclusive"] for each in found), sum(each.total() for each in found)
    print(rate("cases left undecided", undecided, cases))
    if alarms > MOST_ALARMS:
        raise SystemExit("more false alarms than the false-alarm rate explains")


if __name__ == "__main__":
    main()
