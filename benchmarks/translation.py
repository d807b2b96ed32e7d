"""Compare translated networks with networks that are written in the framework itself, interleaved in one process.

The comparison shows that a difference between two frameworks is not a difference between our translations. Each
comparison measures the same case by the same loop, once with our translation of the neutral network, and once with a
network that is written by hand in ``networks_by_hand.py``, or taken from ``keras.applications``; in JAX the whole step
is written by hand, in ``steps_by_hand.py``. Both are opened in one process, in alternating order, and run in blocks in
random order (``steps_in_turn.py``). The interval is over processes: two copies of one network can differ by some per
cent throughout a process, depending on where their memory is. ``--twin`` shows by how much: it compares the
hand-written network with another copy of itself.

At the end, the time of training is compared with that of inference, on a large batch. Training does about three times
the work. Under 2 times, some gradients are not computed; over 4.5 times, something else is computed.

Run it on an idle machine, with the project installed: ``python benchmarks/translation.py``. It ends with exit status 1
if, with 95 % confidence, a translation is more than 2 % slower than by hand, or training is outside of 2 to 4.5.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from scipy import stats
from steps_in_turn import ratios

from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS

SLOWEST = 0.98
TRAINING_PER_INFERENCE = (2.0, 4.5)


@dataclass(frozen=True)
class Comparison:
    """Two networks in the same case."""

    framework: str
    ours: str
    theirs: str
    batch_size: int


COMPARISONS = (
    Comparison("pytorch", "resnet50", "networks_by_hand:resnet50_in_pytorch", 4),
    Comparison("pytorch", "vgg16", "networks_by_hand:vgg16_in_pytorch", 1),
    Comparison("tensorflow", "networks_by_hand:vgg16_without_dropout", "keras:VGG16", 1),
    Comparison("tensorflow", "mnist_cnn", "networks_by_hand:mnist_cnn_in_keras", 8),
    Comparison("jax", "vgg16", "steps_by_hand:vgg16_in_jax", 1),
    Comparison("jax", "mnist_cnn", "steps_by_hand:mnist_cnn_in_jax", 8),
    Comparison("keras-torch", "networks_by_hand:vgg16_without_dropout", "keras:VGG16", 1),
    Comparison("keras-jax", "networks_by_hand:vgg16_without_dropout", "keras:VGG16", 1),
    Comparison("keras-jax", "mnist_cnn", "networks_by_hand:mnist_cnn_in_keras", 8),
)
LARGE = (("resnet50", 8), ("vgg16", 4), ("cifar10_cnn", 128))
"""Networks and batch sizes to compare training with inference."""

MODES = ("inference", "training")
MEASURED = ("pytorch", "tensorflow", "jax")


def main() -> None:
    """Run every comparison in fresh processes, print a line for each, and judge."""
    parser = argparse.ArgumentParser(description="Our translations against hand-written networks, as ratios.")
    parser.add_argument("--processes", type=int, default=4, help="of each comparison; default 4")
    parser.add_argument("--pairs", type=int, default=20, help="of blocks in each process; default 20")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each block, at least one step; default 0.5")
    parser.add_argument("--threads", type=int, default=1, help="intra-op threads, default 1: the steadiest")
    parser.add_argument("--framework", choices=tuple(FRAMEWORKS), help="only this one")
    parser.add_argument("--execution", help="only this one")
    parser.add_argument("--mode", choices=MODES, help="only this one")
    parser.add_argument("--twin", action="store_true", help="compare each hand-written network with itself")
    parser.add_argument("--in-process", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_process:
        print(json.dumps(ratios(**json.loads(options.in_process))))
        return
    wrong = [*_translations(options), *([] if options.twin else _training_per_inference(options))]
    if any(wrong):
        sys.exit("not as it should be:\n" + "\n".join(filter(None, wrong)))


def _translations(options: argparse.Namespace) -> Iterator[str | None]:
    """Compare images per second, ours ÷ theirs; yield a line for each translation that is too slow, else None."""
    for each, mode in product(COMPARISONS, MODES):
        for execution in FRAMEWORKS[each.framework].executions:
            if execution not in ("compiled-frozen", "compiled-graphs") and _wanted(
                options, each.framework, execution, mode
            ):
                cases = [
                    Case(mode, each.framework, "cpu", model, each.batch_size, "fp32", execution)
                    for model in (each.theirs if options.twin else each.ours, each.theirs)
                ]
                line, _, high = _compare(f"{cases[0].id} / {cases[1].model}", cases, options)
                yield line if high < SLOWEST else None


def _training_per_inference(options: argparse.Namespace) -> Iterator[str | None]:
    """Compare seconds, training ÷ inference; yield a line for each ratio that is implausible, else None."""
    lowest, highest = TRAINING_PER_INFERENCE
    for framework, (model, batch_size) in product(MEASURED, LARGE):
        execution = FRAMEWORKS[framework].default_execution
        if options.mode is None and _wanted(options, framework, execution, None):
            cases = [Case(mode, framework, "cpu", model, batch_size, "fp32", execution) for mode in MODES]
            line, low, high = _compare(f"seconds of training / of {cases[0].id}", cases, options)
            yield line if high < lowest or low > highest else None


def _wanted(options: argparse.Namespace, framework: str, execution: str, mode: str | None) -> bool:
    given = (options.framework, options.execution, options.mode)
    return all(each in (None, axis) for each, axis in zip(given, (framework, execution, mode), strict=True))


def _compare(name: str, cases: Sequence[Case], options: argparse.Namespace) -> tuple[str, float, float]:
    """Print and return the ratio of the second case's seconds per step to the first's, with its interval."""
    medians = []
    for process in range(options.processes):
        task = {
            "cases": [case.to_json() for case in cases],
            "threads": options.threads,
            "pairs": options.pairs,
            "seconds": options.seconds,
            "seed": process,
        }
        medians.append(statistics.median(_in_a_fresh_process(task)))
    logarithms = [math.log(median) for median in medians]
    middle, half = statistics.fmean(logarithms), math.inf
    if len(logarithms) > 1:
        deviation = statistics.stdev(logarithms) / math.sqrt(len(logarithms))
        half = deviation * float(stats.t.ppf(0.975, len(logarithms) - 1))
    ratio, low, high = (math.exp(each) for each in (middle, middle - half, middle + half))
    processes = " ".join(f"{median:.3f}" for median in medians)
    line = f"{name}: {ratio:.3f} (95 %: {low:.3f} to {high:.3f}; by process {processes})"
    print(line, flush=True)
    return line, low, high


def _in_a_fresh_process(task: dict[str, Any]) -> list[float]:
    here = str(Path(__file__).parent)
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    ran = subprocess.run(
        [sys.executable, __file__, "--in-process", json.dumps(task)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        sys.exit(f"{task['cases']} failed:\n{ran.stderr[-2000:]}")
    found: list[float] = json.loads(ran.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
