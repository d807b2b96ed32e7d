"""What a step of Caffe2 tells of itself, what is refused, and what training does besides gradients."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from old_frameworks import Job, interpreter_of, run_jobs

from dlworkloads.data import synthetic
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import BatchNorm, Dense, Dropout, GlobalAveragePool
from dlworkloads.models.network import Network
from pytest_throughput.launch.worker_process import Worker
from pytest_throughput.measurement.plan import ONCE
from pytest_throughput.worker.protocol import Outcome, Request

ROOT = Path(__file__).parents[2]
AXES: Mapping[str, Any] = {
    "mode": "inference",
    "framework": "caffe2",
    "device": "cpu",
    "model": "mnist_cnn",
    "batch_size": 4,
    "precision": "fp32",
    "execution": "graph",
    "threads": 1,
}
OBSERVED = """
import os
from dataclasses import replace
import dlworkloads.opening
from caffe2.python import workspace

def with_setting(step, **setting):
    return replace(step, metadata={"settings": setting}, after_first_step=None)

# It records how many threads the first run starts.
def open_step(**axes):
    step = dlworkloads.opening.open_step(**axes)
    before = len(os.listdir("/proc/self/task"))
    step.run()
    return with_setting(step, started=len(os.listdir("/proc/self/task")) - before)

# It records which blobs a step that was closed has left.
def open_after_another(**axes):
    step = dlworkloads.opening.open_step(**axes)
    step.run()
    step.close()
    left = []
    for name in workspace.Workspaces():
        workspace.SwitchWorkspace(name)
        left += workspace.Blobs()
    return with_setting(dlworkloads.opening.open_step(**axes), left=left)
"""


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Outcome]]:
    """Return a function that runs one step of a case in a worker of Caffe2's interpreter."""
    folder = tmp_path_factory.mktemp("caffe2")
    (folder / "observed.py").write_text(OBSERVED)
    path = os.pathsep.join(map(str, [ROOT / "plugins", ROOT / "fixtures", folder]))
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in threads}
    worker = Worker(interpreter_of("caffe2"), {**environment, "PYTHONPATH": path})

    def run(target: str = "dlworkloads.opening:open_step", **axes: Any) -> Outcome:
        return worker.run(Request(target, {**AXES, **axes}, ONCE), 60)

    yield run
    worker.close()


def test_a_step_describes_itself(ask: Callable[..., Outcome]) -> None:
    outcome = ask()
    assert (outcome.status, outcome.reason) == ("ok", None)
    assert (
        outcome.metadata["settings"].items()
        >= {
            "layout": "nchw",
            "threads": 1,
            "threads_asked": 1,
            "inter_op_threads": 1,
            "autotune": None,
            "tf32_matmul": False,
            "tf32_convolution": False,
            "net_type": "simple",
            "blas": "mkl",
            "dtypes": {"weights": "float32", "images": "float32", "computation": "float32"},
        }.items()
    )
    versions = outcome.metadata["versions"]
    assert (versions["torch"], versions["mkl"]) == ("1.10.2", "2020.0.0")
    assert outcome.metadata["network_hash"] == "7cd78da41474eb27"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="there is no /proc")
def test_threads_are_those_asked_for(ask: Callable[..., Outcome]) -> None:
    """They are set in the process: its environment has no number of threads."""
    started = [ask("observed:open_step", threads=each).metadata["settings"]["started"] for each in (1, 2)]
    # MKL starts no more threads than there are processors.
    assert started == [0, min(2, len(os.sched_getaffinity(0))) - 1]
    assert ask(threads=2).metadata["settings"]["threads"] == 2


def test_a_closed_step_leaves_no_blob(ask: Callable[..., Outcome]) -> None:
    assert ask("observed:open_after_another", mode="training").metadata["settings"]["left"] == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"precision": "bf16"}, "Caffe2 has no bf16 on a CPU: ask for fp32"),
        ({"layout": "nhwc"}, "translated to Caffe2 in nchw: ask for that, or for none"),
        ({"execution": "eager"}, "no execution of Caffe2 'eager': the known ones are graph"),
        ({"device": "cuda"}, "the device is cuda: ask for cpu"),
        ({"model": "vit_b_16"}, "the translation to Caffe2 has no Tokens"),
        (
            {"mode": "update", "optimiser": "adam"},
            "Caffe2's adam is not the suite's formula: it adds epsilon to a root",
        ),
    ],
)
def test_what_it_cannot_do_is_refused(ask: Callable[..., Outcome], given: dict[str, str], message: str) -> None:
    outcome = ask(**given)
    assert outcome.status == "unsupported" and message in (outcome.reason or ""), outcome.reason


def test_dropout_drops_other_values_in_each_step_and_scales_the_rest(tmp_path: Path) -> None:
    """The gradient of a weight is that of its logit times its input, which is 1 before dropout and 0 or 4 after it."""
    network = Network("dropped", (4096,), Sequential(Dropout(0.75), Dense(2)))
    weights = {"1.weight": np.zeros((2, 4096)), "1.bias": np.zeros(2)}
    same = (np.ones((1, 4096), np.float32), np.zeros(1, np.int64))
    (answer,) = run_jobs("caffe2", [Job(network, "training", weights, [same, same], "fp32")], tmp_path)
    inputs = [each["1.weight"][0] / each["1.bias"][0] for each in answer.outputs]
    assert not np.array_equal(*inputs)
    for each in inputs:
        assert set(np.unique(each)) == {0.0, 4.0}
        assert 0.7 < np.mean(each == 0) < 0.8


def test_inference_uses_the_statistics_of_one_batch(tmp_path: Path) -> None:
    network = Network("normalised", (3, 5, 6), Sequential(BatchNorm(), GlobalAveragePool(), Dense(2)))
    images = synthetic.images(4, network.input_shape)
    job = Job(network, "inference", {}, [(images, np.zeros(4, np.int64))], "fp32")
    (answer,) = run_jobs("caffe2", [job], tmp_path)
    np.testing.assert_allclose(answer.parameters["0.running_mean"], images.mean((0, 2, 3)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(answer.parameters["0.running_var"], images.var((0, 2, 3), ddof=1), rtol=1e-4)
