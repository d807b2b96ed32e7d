"""Compare the suite's figures with those of loops that are tuned by hand, and the allocators with each other.

The table shows what a framework leaves unused when it is run as its users run it: for each network, framework and mode
the images per second of

- ``system``: the suite's step while the C library gives freed memory back (``--throughput-allocator system``);
- ``tuned``: the same step while it keeps freed memory, which is the suite's default;
- ``tuned nhwc``: the same in PyTorch's other layout;
- the loops written by hand in this file, in tuned processes: the network of the suite with frozen weights, fused
  kernels and channels last, by whatever means the framework offers its users without a change of precision.

Each figure comes from fresh processes in random order, so that slow minutes of the machine are shared by all. The
spread is the coefficient of variation between processes.

Run it on an idle machine, with the project and both frameworks installed: ``python benchmarks/hand_tuned.py``.
``--networks``, ``--mode`` and ``--processes`` shorten it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.models import build
from dlworkloads.opening import import_workload, open_step
from pytest_throughput.measurement.allocator import keep_memory
from pytest_throughput.measurement.speed_variables import without_speed_variables

Loop = Callable[[], object]

NETWORKS = ("alexnet:8", "googlenet:8", "resnet50:8", "vgg16:1")
MODES = ("inference", "training")
WARM_UP_STEPS = 5
LEAST_STEPS = 8


@dataclass(frozen=True)
class Variant:
    """One way to run a case."""

    name: str
    layout: str | None = None
    by_hand: bool = False
    keeps_memory: bool = True
    """Whether the C library keeps freed memory."""


SHIPPED = (Variant("system", keeps_memory=False), Variant("tuned"))
VARIANTS: Mapping[tuple[str, str], Sequence[Variant]] = {
    ("pytorch", "inference"): (
        *SHIPPED,
        Variant("tuned nhwc", "nhwc"),
        Variant("frozen by Inductor", "nhwc", True),
        Variant("frozen TorchScript", "nhwc", True),
    ),
    ("pytorch", "training"): (*SHIPPED, Variant("tuned nhwc", "nhwc"), Variant("compiled", "nhwc", True)),
    ("tensorflow", "inference"): (*SHIPPED, Variant("frozen graph", None, True), Variant("frozen, XLA", None, True)),
    ("tensorflow", "training"): (*SHIPPED, Variant("fused BatchNorm", None, True), Variant("XLA", None, True)),
}


def main() -> None:
    """Measure every variant of every case in fresh processes, in random order, and print the table."""
    parser = argparse.ArgumentParser(description="The suite's steps against loops that are tuned by hand.")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, metavar="NAME:BATCH", help=f"default {NETWORKS}")
    parser.add_argument("--framework", choices=("pytorch", "tensorflow"), help="only this one")
    parser.add_argument("--mode", choices=MODES, help="only this one")
    parser.add_argument("--processes", type=int, default=10, help="of each variant; default 10")
    parser.add_argument("--by-hand-processes", type=int, default=3, help="of each loop written by hand; default 3")
    parser.add_argument("--seconds", type=float, default=1.5, help="of steps in each process; default 1.5")
    parser.add_argument("--threads", type=int, default=2, help="intra-op threads; default 2")
    parser.add_argument("--in-process", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_process:
        print(json.dumps(_measure(**json.loads(options.in_process))))
        return
    print("| network | mode | framework | how | images/s | spread between processes | page faults a step |")
    print("|---|---|---|---|---|---|---|")
    for network, mode in product(options.networks, MODES):
        if options.mode in (None, mode):
            for row in _rows(network, mode, options):
                print(row, flush=True)


def _rows(network: str, mode: str, options: argparse.Namespace) -> Iterator[str]:
    """Yield a row of the table for each variant of each framework."""
    model, _, batch_size = network.partition(":")
    tasks = [
        (framework, variant)
        for (framework, its_mode), variants in VARIANTS.items()
        if its_mode == mode and options.framework in (None, framework)
        for variant in variants
        for _ in range(options.by_hand_processes if variant.by_hand else options.processes)
    ]
    random.Random(network).shuffle(tasks)
    found: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    for framework, variant in tasks:
        case = Case(
            mode, framework, "cpu", model, int(batch_size), "fp32", FRAMEWORKS[framework].default_execution
        ).to_json()
        task = {
            "case": {**case, "layout": variant.layout},
            "by_hand": variant.name if variant.by_hand else None,
            "keeps_memory": variant.keeps_memory,
            "threads": options.threads,
            "seconds": options.seconds,
        }
        found[framework, variant.name].append(_in_a_fresh_process(task))
    for (framework, name), figures in sorted(found.items(), key=lambda each: _place(each[0], mode)):
        rates = [each["images_per_second"] for each in figures]
        spread = f"{100 * statistics.stdev(rates) / statistics.fmean(rates):.1f} %" if len(rates) > 1 else "—"
        faults = statistics.median(each["page_faults_per_step"] for each in figures)
        yield (
            f"| {network} | {mode} | {framework} | {name} | {statistics.median(rates):.1f} | {spread} | {faults:,.0f} |"
        )


def _place(row: tuple[str, str], mode: str) -> tuple[str, int]:
    framework, name = row
    return framework, [variant.name for variant in VARIANTS[framework, mode]].index(name)


def _in_a_fresh_process(task: dict[str, Any]) -> dict[str, float]:
    ran = subprocess.run(
        [sys.executable, __file__, "--in-process", json.dumps(task)],
        env={**without_speed_variables(os.environ), "OMP_NUM_THREADS": str(task["threads"])},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        sys.exit(f"{task} failed:\n{ran.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return figures


def _measure(
    case: dict[str, Any], by_hand: str | None, keeps_memory: bool, threads: int, seconds: float
) -> dict[str, float]:
    """Return the median images per second and the minor page faults per step of one process."""
    if keeps_memory:
        keep_memory()
    loop = _suite_loop(case, threads) if by_hand is None else _loop_by_hand(Case(**case), by_hand, threads)
    for _ in range(WARM_UP_STEPS):
        loop()
    durations: list[float] = []
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    while sum(durations) < seconds or len(durations) < LEAST_STEPS:
        started = time.perf_counter()
        loop()
        durations.append(time.perf_counter() - started)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    return {
        "images_per_second": case["batch_size"] / statistics.median(durations),
        "page_faults_per_step": faults / len(durations),
    }


def _suite_loop(case: dict[str, Any], threads: int) -> Loop:
    step = open_step(**case, threads=threads)
    return lambda: step.wait(step.run())


def _loop_by_hand(case: Case, name: str, threads: int) -> Loop:
    """Return the loop of that name over the suite's network, images and labels."""
    if name == "fused BatchNorm":
        _fuse_batch_norm()
    workload_class: Any = import_workload(FRAMEWORKS[case.framework], case, threads)
    workload_class.prepare(case, threads)
    return BY_HAND[case.framework, name](workload_class(case, build(case.model)))


def _frozen_by_inductor(workload: Any) -> Loop:
    import torch
    from torch._inductor import config

    config.freezing = True
    network = torch.compile(workload.model)
    (images,) = workload.batch

    def step() -> object:
        with torch.inference_mode():
            return network(images)

    # Freezing copies the weights into the compiled code: it needs to know that no gradient is wanted when it compiles.
    with torch.no_grad():
        network(images)
    return step


def _frozen_torch_script(workload: Any) -> Loop:
    import torch

    (images,) = workload.batch
    torch.jit.enable_onednn_fusion(True)
    with torch.no_grad():
        network = torch.jit.freeze(torch.jit.trace(workload.model, images))

    def step() -> object:
        with torch.no_grad():
            return network(images)

    return step


def _compiled(workload: Any) -> Loop:
    import torch

    # One compiled graph computes the logits and the loss; PyTorch compiles the backward pass with it.
    function = torch.compile(workload.function)
    trained = [parameter for parameter in workload.model.parameters() if parameter.requires_grad]

    def step() -> object:
        loss = function(*workload.batch)
        return loss, torch.autograd.grad(loss, trained)

    return step


def _frozen_graph(workload: Any, jit_compile: bool = False) -> Loop:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    (images,) = workload.batch
    traced = tf.function(lambda images: workload.model(images, training=False), autograph=False)
    frozen = convert_variables_to_constants_v2(traced.get_concrete_function(images))
    function = tf.function(frozen, jit_compile=True, autograph=False) if jit_compile else frozen
    return lambda: function(images)


def _xla(workload: Any) -> Loop:
    import tensorflow as tf

    function = tf.function(workload.training_function("cross_entropy"), jit_compile=True, autograph=False)
    return lambda: function(*workload.batch)


def _as_it_is(workload: Any) -> Loop:
    return lambda: workload.function(*workload.batch)


def _fuse_batch_norm() -> None:
    """Let Keras' BatchNormalization use TensorFlow's fused kernel in training, as Keras 2 did."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import tensorflow as tf

    def call(self: Any, images: Any, training: bool | None = None, mask: object = None) -> Any:
        normalised, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            images,
            self.gamma.value,
            self.beta.value,
            *(() if training else (self.moving_mean.value, self.moving_variance.value)),
            epsilon=self.epsilon,
            is_training=bool(training),
        )
        if training:
            for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + now * (1.0 - self.momentum))
        return normalised

    keras.layers.BatchNormalization.call = call


BY_HAND: Mapping[tuple[str, str], Callable[[Any], Loop]] = {
    ("pytorch", "frozen by Inductor"): _frozen_by_inductor,
    ("pytorch", "frozen TorchScript"): _frozen_torch_script,
    ("pytorch", "compiled"): _compiled,
    ("tensorflow", "frozen graph"): _frozen_graph,
    ("tensorflow", "frozen, XLA"): lambda workload: _frozen_graph(workload, jit_compile=True),
    ("tensorflow", "fused BatchNorm"): _as_it_is,
    ("tensorflow", "XLA"): _xla,
}


if __name__ == "__main__":
    main()
