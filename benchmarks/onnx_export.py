"""Compare the suite's ONNX models with those that PyTorch exports, in the same runtime, in turn in one process.

The suite builds its ONNX models by ONNX's graph API, while most users export theirs from PyTorch. For each network, the
suite's PyTorch network with the same weights is exported by ``torch.onnx.export``, and both models are compiled by the
runtime with the same settings. Blocks of their steps are run in turn, in random order. A line gives the median ratio of
images per second, ours ÷ exported, over the pairs of blocks, and the operators that only one of the models still has
when the runtime has optimised it.

Run it on an idle machine, with the project, PyTorch, both runtimes and ``onnxscript`` installed:
``python benchmarks/onnx_export.py``. ``--networks`` and ``--framework`` shorten it.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from itertools import product
from typing import Any

from dlworkloads import models
from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.opening import import_workload

NETWORKS = ("mnist_cnn:8", "googlenet:1", "resnet50:1", "vgg16:1", "vit_b_16:1")
RUNTIMES = ("onnxruntime", "openvino")

Step = Callable[[], object]


def main() -> None:
    """Compare each network in each runtime in a fresh process, and print a line for each."""
    parser = argparse.ArgumentParser(description="The suite's ONNX models against those that PyTorch exports.")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, metavar="NAME:BATCH", help=f"default {NETWORKS}")
    parser.add_argument("--framework", choices=RUNTIMES, help="only this one")
    parser.add_argument("--pairs", type=int, default=20, help="of blocks; default 20")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each block, at least one step; default 0.5")
    parser.add_argument("--threads", type=int, default=1, help="intra-op threads, default 1: the steadiest")
    parser.add_argument("--in-process", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_process:
        print(json.dumps(_compare(**json.loads(options.in_process))))
        return
    for network, runtime in product(options.networks, RUNTIMES):
        if options.framework in (None, runtime):
            model, _, batch_size = network.partition(":")
            task = {"runtime": runtime, "model": model, "batch_size": int(batch_size), "threads": options.threads}
            found = _in_a_fresh_process({**task, "pairs": options.pairs, "seconds": options.seconds})
            print(f"{network} {runtime}: {found['ratio']:.3f}; {found['operators']}", flush=True)


def _in_a_fresh_process(task: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, __file__, "--in-process", json.dumps(task)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"{task} failed:\n{ran.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def _compare(runtime: str, model: str, batch_size: int, threads: int, pairs: int, seconds: float) -> dict[str, Any]:
    """Return the median ratio of images per second, ours ÷ exported, and the operators that only one model has."""
    ours = _open(runtime, model, batch_size, threads)
    exported = _export(ours, model, batch_size, threads)
    steps = [_step(ours, each) for each in (ours.serialized(), exported)]
    counts = []
    for step in steps:
        _block(step, 3)
        counts.append(max(1, round(seconds / _block(step, 1))))
    generator = random.Random(0)
    ratios = []
    for _ in range(pairs):
        taken = {each: _block(steps[each], counts[each]) / counts[each] for each in generator.sample((0, 1), 2)}
        ratios.append(taken[1] / taken[0])
    counted = [OPERATORS[runtime](ours, each) for each in (ours.serialized(), exported)]
    return {
        "ratio": statistics.median(ratios),
        "operators": f"only ours {dict(counted[0] - counted[1])}, only exported {dict(counted[1] - counted[0])}",
    }


def _open(framework: str, model: str, batch_size: int, threads: int) -> Any:
    case = Case("inference", framework, "cpu", model, batch_size, "fp32", FRAMEWORKS[framework].default_execution)
    workload_class: Any = import_workload(FRAMEWORKS[framework], case, threads)
    workload_class.prepare(case, threads)
    return workload_class(case, models.build(model))


def _export(ours: Any, model: str, batch_size: int, threads: int) -> bytes:
    """Return the ONNX model of the suite's PyTorch network with our weights."""
    import torch

    workload = _open("pytorch", model, batch_size, threads)
    workload.load(ours.parameters())
    program = torch.onnx.export(workload.model, tuple(workload.batch), dynamo=True, verbose=False)
    exported: bytes = program.model_proto.SerializeToString()
    return exported


def _operators_of_onnxruntime(ours: Any, model: bytes) -> Counter[str]:
    """Return the operators of the model that ONNX Runtime writes after all optimisations."""
    import onnx
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = f"{folder}/optimised.onnx"
        options.log_severity_level = 4
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        optimised = onnx.load(options.optimized_model_filepath, load_external_data=False)
    return Counter(node.op_type for node in optimised.graph.node)


def _operators_of_openvino(ours: Any, model: bytes) -> Counter[str]:
    """Return the types of the nodes that OpenVINO executes."""
    compiled, _ = ours.compile(model, ours.batch[0])
    nodes = compiled.get_runtime_model().get_ops()
    types: Counter[str] = Counter(node.get_rt_info()["layerType"].value for node in nodes)
    del types["Const"]
    return types


OPERATORS = {"onnxruntime": _operators_of_onnxruntime, "openvino": _operators_of_openvino}


def _step(ours: Any, model: bytes) -> Step:
    """Return the step of another model, in the runtime of ours and on the same images."""
    step: Step
    _, step = ours.compile(model, ours.batch[0])
    return step


def _block(step: Step, count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        step()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
