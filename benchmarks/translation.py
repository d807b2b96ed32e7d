"""Compare translated networks with networks that are written in the framework itself, interleaved in one process.

The comparison shows that a difference between two frameworks is not a difference between our translations. Each
comparison measures the same case by the same loop, once with our translation of the neutral network, and once with a
network that is written by hand in this file, or taken from ``keras.applications``. In JAX the whole step is written by
hand, since a network is not an object there. Both are opened in one process, in
alternating order, and run in blocks in random order. The interval is over processes: two copies of one network can
differ by some per cent throughout a process, depending on where their memory is. ``twin`` shows by how much: it
compares the hand-written network with another copy of itself.

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
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from scipy import stats

from dlworkloads import models
from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS, resolve
from dlworkloads.models.network import Network, without_dropout
from dlworkloads.opening import import_workload, open_step
from pytest_throughput import Step

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
    Comparison("pytorch", "resnet50", "translation:resnet50_in_pytorch", 4),
    Comparison("pytorch", "vgg16", "translation:vgg16_in_pytorch", 1),
    Comparison("tensorflow", "translation:vgg16_without_dropout", "keras:VGG16", 1),
    Comparison("tensorflow", "mnist_cnn", "translation:mnist_cnn_in_keras", 8),
    Comparison("jax", "vgg16", "translation:vgg16_in_jax", 1),
    Comparison("jax", "mnist_cnn", "translation:mnist_cnn_in_jax", 8),
    Comparison("keras-torch", "translation:vgg16_without_dropout", "keras:VGG16", 1),
    Comparison("keras-jax", "translation:vgg16_without_dropout", "keras:VGG16", 1),
    Comparison("keras-jax", "mnist_cnn", "translation:mnist_cnn_in_keras", 8),
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
        print(json.dumps(_ratios(**json.loads(options.in_process))))
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
    ratios: list[float] = json.loads(ran.stdout.splitlines()[-1])
    return ratios


def _ratios(cases: Sequence[dict[str, Any]], threads: int, pairs: int, seconds: float, seed: int) -> list[float]:
    """Return the ratio of the second case's seconds per step to the first's, for each pair of blocks."""
    order = (0, 1) if seed % 2 == 0 else (1, 0)
    opened = {placement: _open(Case(**cases[placement]), threads) for placement in order}
    steps = [opened[0], opened[1]]
    for step in steps:
        _block(step, 3)
    counts = [max(1, round(seconds / statistics.median(_block(step, 1) for _ in range(3)))) for step in steps]
    generator = random.Random(seed)
    ratios = []
    for _ in range(pairs):
        taken = {
            placement: _block(steps[placement], counts[placement]) / counts[placement]
            for placement in generator.sample((0, 1), 2)
        }
        ratios.append(taken[1] / taken[0])
    return ratios


def _open(case: Case, threads: int) -> Step:
    if case.framework == "jax" and ":" in case.model:
        # The same variables and precision as with our translation; the rest is written by hand.
        import_workload(FRAMEWORKS[case.framework], case, threads).prepare(case, threads)
        step: Step = resolve(case.model)(case)
        return step
    return open_step(**case.to_json(), threads=threads)


def _block(step: Step, count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        step.wait(step.run())
    return time.perf_counter() - started


def vgg16_without_dropout(case: Case) -> Network:
    """Return our VGG16 without dropout, as Keras' VGG16 is."""
    return without_dropout(models.build("vgg16"))


def vgg16_in_pytorch(case: Case) -> Any:
    """Return VGG16 written by hand in PyTorch."""
    from torch import nn

    layers: list[Any] = []
    inputs = 3
    for count, channels in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(count):
            layers += [nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU(inplace=True)]
            inputs = channels
        layers.append(nn.MaxPool2d(2))
    layers += [nn.Flatten(), nn.Linear(25088, 4096), nn.ReLU(inplace=True), nn.Dropout()]
    layers += [nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(4096, 1000)]
    return nn.Sequential(*layers), (3, 224, 224)


def resnet50_in_pytorch(case: Case) -> Any:
    """Return ResNet-50 written by hand in PyTorch."""
    import torch
    from torch import nn

    class Bottleneck(nn.Module):  # type: ignore[misc]  # torch has no types here
        def __init__(self, inputs: int, width: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(4 * width)
            self.relu = nn.ReLU(inplace=True)
            self.downsample = None
            if inputs != 4 * width:
                shortcut = nn.Conv2d(inputs, 4 * width, 1, stride, bias=False)
                self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * width))

        def forward(self, x: Any) -> Any:
            out = self.relu(self.bn1(self.conv1(x)))
            out = self.relu(self.bn2(self.conv2(out)))
            out = self.bn3(self.conv3(out))
            out += x if self.downsample is None else self.downsample(x)
            return self.relu(out)

    layers: list[Any] = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    layers.append(nn.MaxPool2d(3, 2, 1))
    inputs = 64
    for width, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(count):
            layers.append(Bottleneck(inputs, width, 1 if block else stride))
            inputs = 4 * width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000)]
    network = nn.Sequential(*layers)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
    return network, (3, 224, 224)


def mnist_cnn_in_keras(case: Case) -> Any:
    """Return the network of Keras' MNIST example."""
    import keras
    from keras import layers

    relu: Callable[..., Any] = keras.activations.relu
    network = [
        layers.Conv2D(32, 3, activation=relu),
        layers.Conv2D(64, 3, activation=relu),
        layers.MaxPooling2D(),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(128, activation=relu),
        layers.Dropout(0.5),
        layers.Dense(10),
    ]
    return keras.Sequential([keras.Input((28, 28, 1)), *network]), (28, 28, 1)


def vgg16_in_jax(case: Case) -> Step:
    """Return a step of VGG16 written by hand in JAX."""
    import jax
    from jax import numpy as jnp

    sizes: list[tuple[int, ...]] = []
    inputs = 3
    for channels in (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512):
        sizes.append((3, 3, inputs, channels))
        inputs = channels
    sizes += [(25088, 4096), (4096, 4096), (4096, 1000)]

    def forward(parameters: Any, x: Any, keys: Any) -> Any:
        layers = iter(parameters)
        for count in (2, 2, 3, 3, 3):
            for _ in range(count):
                x = jax.nn.relu(_convolve_in_jax(x, next(layers), "SAME"))
            x = _max_pool_in_jax(x)
        x = x.reshape(x.shape[0], -1)
        for index in range(2):
            weight, bias = next(layers)
            x = jax.nn.relu(x @ weight + bias)
            if keys is not None:
                x = jnp.where(jax.random.bernoulli(keys[index], 0.5, x.shape), x / 0.5, 0)
        weight, bias = next(layers)
        return x @ weight + bias

    return _step_in_jax(case, sizes, (224, 224, 3), 1000, forward)


def mnist_cnn_in_jax(case: Case) -> Step:
    """Return a step of the network of Keras' MNIST example, written by hand in JAX."""
    import jax
    from jax import numpy as jnp

    def forward(parameters: Any, x: Any, keys: Any) -> Any:
        first, second, (weight, bias), (last_weight, last_bias) = parameters
        x = jax.nn.relu(_convolve_in_jax(x, first, "VALID"))
        x = _max_pool_in_jax(jax.nn.relu(_convolve_in_jax(x, second, "VALID")))
        if keys is not None:
            x = jnp.where(jax.random.bernoulli(keys[0], 0.75, x.shape), x / 0.75, 0)
        x = jax.nn.relu(x.reshape(x.shape[0], -1) @ weight + bias)
        if keys is not None:
            x = jnp.where(jax.random.bernoulli(keys[1], 0.5, x.shape), x / 0.5, 0)
        return x @ last_weight + last_bias

    sizes: list[tuple[int, ...]] = [(3, 3, 1, 32), (3, 3, 32, 64), (9216, 128), (128, 10)]
    return _step_in_jax(case, sizes, (28, 28, 1), 10, forward)


def _convolve_in_jax(x: Any, layer: Any, padding: str) -> Any:
    from jax import lax

    kernel, bias = layer
    return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")) + bias


def _max_pool_in_jax(x: Any) -> Any:
    from jax import lax

    return lax.reduce_window(x, -math.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def _step_in_jax(
    case: Case, sizes: Sequence[tuple[int, ...]], shape: tuple[int, ...], classes: int, forward: Callable[..., Any]
) -> Step:
    """Return the step of a function of parameters, images and two keys for dropout, as its author would time it."""
    import jax
    from jax import numpy as jnp

    drawn = jax.random.split(jax.random.key(1), len(sizes) + 2)
    parameters = [
        (jax.random.normal(key, size) * math.sqrt(2 / math.prod(size[:-1])), jnp.zeros(size[-1]))
        for key, size in zip(drawn[2:], sizes, strict=True)
    ]
    images = jax.random.normal(drawn[0], (case.batch_size, *shape))
    labels = jax.random.randint(drawn[1], (case.batch_size,), 0, classes)
    key = jax.random.key(2)

    def train(parameters: Any, key: Any, images: Any, labels: Any) -> Any:
        key, *keys = jax.random.split(key, 3)

        def loss(parameters: Any) -> Any:
            likely = jax.nn.log_softmax(forward(parameters, images, keys))
            return -jnp.take_along_axis(likely, labels[:, None], 1).mean()

        return jax.value_and_grad(loss)(parameters), key

    def infer(parameters: Any, images: Any) -> Any:
        return forward(parameters, images, None)

    function: Any = infer if case.mode == "inference" else train
    if case.execution == "compiled":
        function = jax.jit(function)

    def run() -> Any:
        nonlocal key
        if case.mode == "inference":
            return function(parameters, images)
        gradients, key = function(parameters, key, images, labels)
        return gradients

    return Step(run, jax.block_until_ready)


if __name__ == "__main__":
    main()
