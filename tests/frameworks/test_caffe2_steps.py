"""What a step of Caffe2 tells of itself, what is refused, and what training does besides gradients."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from old_frameworks import Answer, Job, interpreter_of, run_jobs

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

def open_without_mkl(**axes):
    from dlworkloads.frameworks.caffe2 import workload
    libraries, workload._libraries = workload._libraries, object()
    try:
        return dlworkloads.opening.open_step(**axes)
    finally:
        workload._libraries = libraries

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


def test_a_caffe2_without_mkl_is_refused(ask: Callable[..., Outcome]) -> None:
    outcome = ask("observed:open_without_mkl")
    assert outcome.status == "unsupported"
    assert outcome.reason == "this Caffe2 was built without MKL, its fast products: nox -s env-caffe2"


DROPPED = Network("dropped", (4096,), Sequential(Dropout(0.75), Dense(2)))
NORMALISED = Network("normalised", (3, 5, 6), Sequential(BatchNorm(), GlobalAveragePool(), Dense(2)))
DENSE = Network("dense", (300,), Sequential(Dense(300), Dense(300)))


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Answer]:
    """What Caffe2 has computed of these networks, with the weights that it made itself where none are given."""
    zeros = {path: np.zeros(shape) for path, shape in DROPPED.parameters.items()}
    ones = (np.ones((1, 4096), np.float32), np.zeros(1, np.int64))
    batches = {each.name: [_batch(each)] for each in (NORMALISED, DENSE)}
    jobs = {
        **dict.fromkeys(("dropped", "dropped again"), Job(DROPPED, "training", zeros, [ones, ones], "fp32")),
        "normalised": Job(NORMALISED, "inference", {}, batches["normalised"], "fp32"),
        "dense": Job(DENSE, "inference", {}, batches["dense"], "fp32"),
        "dense again": Job(DENSE, "inference", {}, batches["dense"], "fp32"),
    }
    return dict(zip(jobs, run_jobs("caffe2", list(jobs.values()), tmp_path_factory.mktemp("caffe2")), strict=True))


def test_dropout_drops_other_values_in_each_step_and_scales_the_rest(answers: Mapping[str, Answer]) -> None:
    """The gradient of a weight is that of its logit times its input, which is 1 before dropout and 0 or 4 after it."""
    inputs = [each["1.weight"][0] / each["1.bias"][0] for each in answers["dropped"].outputs]
    assert not np.array_equal(*inputs)
    for each in inputs:
        assert set(np.unique(each)) == {0.0, 4.0}
        assert 0.7 < np.mean(each == 0) < 0.8


def test_another_training_drops_the_same_values(answers: Mapping[str, Answer]) -> None:
    for first, second in zip(answers["dropped"].outputs, answers["dropped again"].outputs, strict=True):
        np.testing.assert_array_equal(first["1.weight"], second["1.weight"])


def test_inference_uses_the_statistics_of_one_batch(answers: Mapping[str, Answer]) -> None:
    images, _ = _batch(NORMALISED)
    statistics = answers["normalised"].parameters
    np.testing.assert_allclose(statistics["0.running_mean"], images.mean((0, 2, 3)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(statistics["0.running_var"], images.var((0, 2, 3), ddof=1), rtol=1e-4)


def test_initial_weights_are_he_normal_and_always_the_same(answers: Mapping[str, Answer]) -> None:
    initial, again = answers["dense"].parameters, answers["dense again"].parameters
    for path, values in initial.items():
        np.testing.assert_array_equal(values, again[path])
        deviation = 0.0 if path.endswith("bias") else np.sqrt(2 / 300)
        assert values.std() == pytest.approx(deviation, rel=0.02) and abs(values.mean()) < 0.001
    assert not np.array_equal(initial["0.weight"], initial["1.weight"])


def _batch(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Return the images that a workload has at first, and labels."""
    return synthetic.images(4, network.input_shape), np.zeros(4, np.int64)
