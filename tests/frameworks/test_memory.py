"""A framework whose allocator is really refused, in a worker of its own: out of memory, with what it asked for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from old_frameworks import interpreter_of

from pytest_throughput.launch.worker_process import Worker
from pytest_throughput.measurement.plan import ONCE
from pytest_throughput.worker.protocol import Request

ROOT = Path(__file__).parents[2]
LIMITED = """
import resource
from dataclasses import replace
import dlworkloads.opening

def open_step(**axes):
    # Limited only now: what a framework does where it cannot even be loaded is another question.
    step = dlworkloads.opening.open_step(**axes)
    (size,) = (line for line in open("/proc/self/status") if line.startswith("VmSize"))
    most = 1024 * int(size.split()[1]) + (1 << 30)
    def run():
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        return step.run()
    return replace(step, run=run)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc")
@pytest.mark.parametrize(
    ("framework", "package", "execution"),
    [
        ("pytorch", "torch", "eager"),
        ("tensorflow", "tensorflow", "graph"),
        ("onnxruntime", "onnxruntime", "graph"),
        ("caffe2", None, "graph"),
    ],
)
def test_an_allocator_that_is_refused(framework: str, package: str | None, execution: str, tmp_path: Path) -> None:
    """PyTorch raises an error. TensorFlow notes one, and oneDNN goes on without its memory: a segmentation fault.

    Without a ``package`` of this interpreter, the framework has an interpreter of its own.
    """
    if package is not None:
        pytest.importorskip(package)
    python = [sys.executable] if package is not None else interpreter_of(framework)
    (tmp_path / "limited.py").write_text(LIMITED)
    path = os.pathsep.join(map(str, [ROOT / "plugins", ROOT / "fixtures", tmp_path]))
    axes = {"model": "mnist_cnn", "mode": "inference", "device": "cpu", "precision": "fp32", "batch_size": 32768}
    worker = Worker(python, {**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""})
    try:
        arguments = {**axes, "framework": framework, "execution": execution, "threads": 1}
        outcome = worker.run(Request("limited:open_step", arguments, ONCE), 300)
    finally:
        worker.close()
    assert outcome.status == "out_of_memory", outcome.reason
    assert "allocat" in (outcome.reason or "")
