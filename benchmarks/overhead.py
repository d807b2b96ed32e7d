"""Measure the overhead of the measuring loop against hand-written loops, interleaved in one run.

The benchmark answers three questions by ratios and differences within one process:

- does a step take as long as in a plain loop, whose time is divided by its number of steps?
- does the step of a translated network take as long as that of a network written by hand in the framework?
- how long does a round of an empty step last, beyond two bare readings of the clock?

Run it on an idle machine, with the project installed or on the path: ``python benchmarks/overhead.py``.
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.opening import open_step
from pytest_throughput import Step
from pytest_throughput.measurement.loop import measure
from pytest_throughput.measurement.plan import PLANS, Plan
from pytest_throughput.measurement.stopping import median_interval

BATCH_SIZE = 8
SIZES = {"small": ("mnist_cnn", 20), "large": ("alexnet", 2)}
"""The model of a step, and the number of rounds in a block, for each size."""


def main() -> None:
    """Compare each framework in a process of its own, as in a run."""
    parser = argparse.ArgumentParser(description="What measuring costs, as ratios in one interleaved run.")
    parser.add_argument("--pairs", type=int, default=60, help="of blocks, of our loop and another; default 60")
    parser.add_argument("--threads", type=int, default=1, help="intra-op threads, default 1: the steadiest")
    parser.add_argument("--framework", choices=tuple(FRAMEWORKS), help="only this one")
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_process:
        for size in SIZES:
            compare(options.framework, size, options.pairs, options.threads)
        return
    print(f"an empty step: a round lasts {1e6 * empty_round_seconds():.3f} µs more than two readings of the clock")
    for framework in [options.framework] if options.framework else FRAMEWORKS:
        arguments = [f"--framework={framework}", f"--pairs={options.pairs}", f"--threads={options.threads}"]
        sys.stdout.flush()
        subprocess.run([sys.executable, __file__, "--in-process", *arguments], check=True)


def compare(framework: str, size: str, pairs: int, threads: int) -> None:
    """Print the ratios of our images per second to those of the two hand-written loops."""
    model, rounds = SIZES[size]
    case = Case("training", framework, "cpu", model, BATCH_SIZE, "fp32", FRAMEWORKS[framework].default_execution)
    step = open_step(**case.to_json(), threads=threads)
    plan = replace(PLANS["paper"], warm_up_steps=0, min_rounds=rounds, max_rounds=rounds)
    hand_written = BY_HAND[framework](model)
    loops: dict[str, Callable[[], float]] = {
        "ours": lambda: measured(step, plan),
        "bare loop, same step": lambda: bare(step.run, rounds),
        "bare loop, hand-written network": lambda: bare(hand_written, rounds),
    }
    for loop in loops.values():
        loop()
    seconds = interleaved(loops, pairs)
    for name in list(loops)[1:]:
        ratios = [theirs / ours for ours, theirs in zip(seconds["ours"], seconds[name], strict=True)]
        low, high = median_interval(ratios) or (float("nan"), float("nan"))
        middle = statistics.median(ratios)
        print(f"{case.id} ({size}): {middle:.4f} × the images per second of a {name} (95 %: {low:.4f} to {high:.4f})")


def empty_round_seconds() -> float:
    """Return the time of an empty round without two readings of the clock, as the median over interleaved blocks."""
    rounds = 1000
    plan = replace(PLANS["paper"], warm_up_steps=0, min_rounds=rounds, max_rounds=rounds)

    def ours() -> float:
        return statistics.median(measure(Step(lambda: None), plan).round_seconds)

    def two_readings() -> float:
        seconds = []
        for _ in range(rounds):
            start = time.perf_counter()
            seconds.append(time.perf_counter() - start)
        return statistics.median(seconds)

    return statistics.median(ours() - two_readings() for _ in range(10))


def measured(step: Step, plan: Plan) -> float:
    """Return the mean seconds of a block of rounds in the loop under test."""
    return statistics.fmean(measure(step, plan, steps_per_round=1).round_seconds)


def bare(run: Callable[[], Any], steps: int) -> float:
    """Return the mean seconds of a block of steps in a plain loop, which also leaves out the first step."""
    run()
    start = time.perf_counter()
    for _ in range(steps):
        run()
    return (time.perf_counter() - start) / steps


def interleaved(loops: dict[str, Callable[[], float]], repetitions: int) -> dict[str, Sequence[float]]:
    """Return the seconds of each loop. Every repetition runs all loops once, in random order."""
    generator = random.Random(0)
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(repetitions):
        for name in generator.sample(list(loops), len(loops)):
            seconds[name].append(loops[name]())
    return dict(seconds)


def by_hand_in_pytorch(model: str) -> Callable[[], Any]:
    """Return a training step in plain PyTorch."""
    import torch
    from torch import nn

    small = [
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)),
        *(nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
    ]
    large = [
        *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(True), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(True), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(True), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(True)),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(3, 2), nn.Flatten()),
        *(nn.Dropout(), nn.Linear(9216, 4096), nn.ReLU(True), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(True)),
        nn.Linear(4096, 1000),
    ]
    network = nn.Sequential(*(small if model == "mnist_cnn" else large)).train()
    parameters = list(network.parameters())
    images = torch.randn(BATCH_SIZE, *((1, 28, 28) if model == "mnist_cnn" else (3, 224, 224)))
    axes = torch.randint(10, (BATCH_SIZE,))

    def step() -> Any:
        loss = nn.functional.cross_entropy(network(images), axes)
        return loss, torch.autograd.grad(loss, parameters)

    return step


def by_hand_in_tensorflow(model: str) -> Callable[[], Any]:
    """Return a training step in plain Keras and TensorFlow."""
    import keras
    import tensorflow as tf
    from keras import layers

    small = [
        *(layers.Conv2D(32, 3, activation="relu"), layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D()),
        *(layers.Dropout(0.25), layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dropout(0.5)),
        layers.Dense(10),
    ]
    large = [
        *(layers.ZeroPadding2D(2), layers.Conv2D(64, 11, 4, activation="relu"), layers.MaxPooling2D(3, 2)),
        *(layers.Conv2D(192, 5, padding="same", activation="relu"), layers.MaxPooling2D(3, 2)),
        *(layers.Conv2D(channels, 3, padding="same", activation="relu") for channels in (384, 256, 256)),
        *(layers.MaxPooling2D(3, 2), layers.Flatten(), layers.Dropout(0.5), layers.Dense(4096, activation="relu")),
        *(layers.Dropout(0.5), layers.Dense(4096, activation="relu"), layers.Dense(1000)),
    ]
    shape = (28, 28, 1) if model == "mnist_cnn" else (224, 224, 3)
    network = keras.Sequential([keras.Input(shape), *(small if model == "mnist_cnn" else large)])
    weights = [weight.value for weight in network.trainable_weights]
    images = tf.random.normal((BATCH_SIZE, *shape))
    axes = tf.random.uniform((BATCH_SIZE,), maxval=10, dtype=tf.int64)

    def step(images: Any, axes: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = network(images, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(axes, logits))
        return loss, tape.gradient(loss, weights)

    compiled = tf.function(step)
    return lambda: compiled(images, axes)


BY_HAND: dict[str, Callable[[str], Callable[[], Any]]] = {
    "pytorch": by_hand_in_pytorch,
    "tensorflow": by_hand_in_tensorflow,
}


if __name__ == "__main__":
    main()
