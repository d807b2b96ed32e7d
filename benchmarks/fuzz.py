"""Fuzz everything that reads files: result files, plain files of pytest-benchmark, journals, and baselines.

The commands show, judge and accept mutants of real files: ``python benchmarks/fuzz.py --mutants 200000 --seed 1
--processes 2``. In CI, ``tests/commands/test_fuzz.py`` tries a few. Each problem is printed with its command, and its
mutant is kept; the exit status is 1 if there was any problem.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT / "plugins"), str(ROOT / "tests/support")]

if TYPE_CHECKING:
    from mutations import RealFiles

BATCH = 500
"""The number of mutants of one seed."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    from mutations import write_real_files

    folder = Path(tempfile.mkdtemp(prefix="pytest-throughput-fuzz-"))
    real = write_real_files(folder)
    began, tried, problems = time.monotonic(), 0, 0
    with ProcessPoolExecutor(given.processes) as pool:
        batches = [pool.submit(try_batch, folder, real, seed, size) for seed, size in seeds(given.seed, given.mutants)]
        for number, batch in enumerate(as_completed(batches), 1):
            size, found = batch.result()
            tried, problems = tried + size, problems + len(found)
            print(*found, sep="\n", end="\n" if found else "", flush=True)
            if number % 20 == 0 or number == len(batches):
                print(
                    f"{tried} mutants, {problems} problems, {tried / (time.monotonic() - began):.0f} a second",
                    flush=True,
                )
    print(f"the mutants with problems are in {folder}")
    return 1 if problems else 0


def seeds(first: int, mutants: int) -> Iterator[tuple[int, int]]:
    """Yield the seed of each batch, and how many mutants it has."""
    for number, start in enumerate(range(0, mutants, BATCH)):
        yield first * 1_000_000 + number, min(BATCH, mutants - start)


def try_batch(folder: Path, real: RealFiles, seed: int, mutants: int) -> tuple[int, list[str]]:
    """Return the number of mutants tried, and the problems. Mutants with a problem stay in the folder."""
    from mutations import Fuzzer

    own = folder / str(seed)
    own.mkdir()
    fuzzer = Fuzzer(own, real, seed)
    problems = [problem for _ in range(mutants) for problem in fuzzer.try_one()]
    fuzzer.remove_all_but_problems()
    return mutants, problems


if __name__ == "__main__":
    sys.exit(main())
