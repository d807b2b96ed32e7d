"""A worker in the interpreter of ``nox -s env-caffe``: its launcher, its settings, and how Caffe's end is reported."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from old_frameworks import ROOT, interpreter_of

from pytest_throughput.launch.worker_process import Worker
from pytest_throughput.measurement.plan import ONCE
from pytest_throughput.worker.protocol import Outcome, Request
from pytest_throughput.worker.start import worker_arguments

AXES = {"mode": "inference", "framework": "caffe", "device": "cpu", "batch_size": 2, "precision": "fp32"}

STEPS = """
import caffe, resource, tempfile
from dlworkloads.case import Case
from dlworkloads.frameworks.caffe.blas import openblas_of
from dlworkloads.frameworks.caffe.workload import CaffeWorkload
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import BatchNorm, Conv2d, Dense, Dropout, Flatten, ReLU
from dlworkloads.models.network import Network
from dlworkloads.optimisers import Optimiser
from pytest_throughput import Step

def net_of(text):
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(text)
        file.flush()
        return caffe.Net(file.name, caffe.TEST)

def aborting():
    net_of("layer { name: 'x' type: 'Nothing' }")

def refused():
    limit = 1 << 30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    net = net_of("layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 500000000 } } }")
    return Step(lambda: net.blobs["x"].data)

def other_blas(library):
    openblas_of(library)

def repeated():
    body = Sequential(Conv2d(4, 3), BatchNorm(), ReLU(), Flatten(), Dropout(0.5), Dense(5))
    workload = CaffeWorkload(
        Case("update", "caffe", "cpu", "net", 4, "fp32", "graph"),
        Network("net", (3, 6, 5), body),
        Optimiser("sgd", 0.1, momentum=0.9),
    )
    weights = workload.parameters()
    found, kept = [], []
    for predicts in (False, True):
        workload.restart(weights)
        caffe.set_random_seed(1)
        for _ in range(3):
            output = workload.run()
            if predicts:
                before = workload.read(output)
                kept.append((output, before))
                images = workload.batch[0]
                predicted, other, again = (workload.predict(each) for each in (images, -images, images))
                assert (predicted == again).all() and not (predicted == other).any()
                assert not (predicted == before["logits"]).any()
                assert (workload.read(output)["logits"] == before["logits"]).all()
        found.append(workload.parameters())
    for output, before in kept:
        assert all((values == before[name]).all() for name, values in workload.read(output).items())
    for path, values in found[0].items():
        assert (values == found[1][path]).all() and not (values == weights[path]).all(), path
    workload.close()
    return Step(lambda: None)
"""


@pytest.fixture(scope="module")
def python() -> str:
    return interpreter_of("caffe")[0]


@pytest.fixture
def ask(python: str, tmp_path: Path) -> Iterator[Callable[..., Outcome]]:
    """Return a function that runs targets in one worker, one after the other."""
    (tmp_path / "steps.py").write_text(STEPS)
    path = os.pathsep.join([str(ROOT / "plugins"), str(ROOT / "fixtures"), str(tmp_path)])
    variables = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "GLOG_minloglevel": "2"}
    # A variable that is lost on the way makes the worker start itself anew.
    worker = Worker([python], variables, worker_arguments("tuned", {"OPENBLAS_NUM_THREADS": "2"}))
    yield lambda target, **arguments: worker.run(Request(target, arguments, ONCE), 60)
    worker.close()


def open_case(ask: Callable[..., Outcome], **axes: Any) -> Outcome:
    return ask("dlworkloads.opening:open_step", **{**AXES, "execution": "graph", **axes})


def test_a_case_is_measured_with_openblas_and_as_many_threads_as_asked_for(ask: Callable[..., Outcome]) -> None:
    for threads in (1, 2):
        outcome = open_case(ask, model="letter_mlp", threads=threads)
        assert (outcome.status, outcome.reason) == ("ok", None)
        settings = outcome.metadata["settings"]
        assert settings["threads"] == settings["threads_asked"] == threads
        assert settings["blas"].startswith("OpenBLAS ")
        assert settings["dtypes"] == dict.fromkeys(("weights", "images", "computation"), "float32")
    versions = outcome.metadata["versions"]
    assert (versions["caffe"], versions["python"][:4]) == ("1.0.0", "3.9.")
    assert settings["blas"].split()[1] == versions["openblas"]


def test_what_caffe_cannot_do_is_refused(ask: Callable[..., Outcome]) -> None:
    for axes, reason in (
        ({"model": "vit_b_16_32"}, "Caffe 1.0 has no layer for Tokens: ask for a network without it"),
        ({"model": "letter_mlp", "precision": "bf16"}, "Caffe computes in fp32 only, and the precision is bf16"),
        ({"model": "letter_mlp", "layout": "nhwc"}, "Caffe computes on nchw images only: ask for nchw"),
        ({"model": "letter_mlp", "mode": "update", "optimiser": "adam"}, "Caffe's adam is not the suite's"),
    ):
        outcome = open_case(ask, **axes)
        assert outcome.status == "unsupported" and (outcome.reason or "").startswith(reason)


def test_a_training_is_repeated_and_predictions_do_not_disturb_it(ask: Callable[..., Outcome]) -> None:
    outcome = ask("steps:repeated")
    assert (outcome.status, outcome.reason, outcome.details) == ("ok", None, None)


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_another_blas_is_refused(ask: Callable[..., Outcome], tmp_path: Path) -> None:
    library = tmp_path / "libblas.so.3"
    compile_it = ["cc", "-shared", "-nostdlib", "-xc", "-", "-o", str(library)]
    subprocess.run(compile_it, input="void cblas_sgemm(void) {}", text=True, check=True)
    outcome = ask("steps:other_blas", library=str(library))
    assert outcome.status == "unsupported"
    assert outcome.reason == f"Caffe multiplies matrices by {library}, which is not OpenBLAS: nox -s env-caffe"


def test_a_failed_check_of_caffe_is_a_crash_with_its_words(ask: Callable[..., Outcome]) -> None:
    outcome = ask("steps:aborting")
    assert outcome.status == "crashed"
    assert "SIGABRT" in (outcome.reason or "")
    assert "Check failed: registry.count(type) == 1 (0 vs. 1) Unknown layer type: Nothing" in (outcome.reason or "")
    assert " in net_of, " in (outcome.reason or "")


def test_an_allocation_that_caffe_is_refused_is_out_of_memory(ask: Callable[..., Outcome]) -> None:
    outcome = ask("steps:refused")
    assert outcome.status == "out_of_memory"
    assert "host allocation of size 2000000000 failed" in (outcome.reason or "")


def test_the_launcher_becomes_the_python_and_keeps_to_its_own_packages(python: str) -> None:
    program = "import os, sys; print(os.getpid(), sys.executable, [each for each in sys.path if 'elsewhere' in each])"
    variables = {**os.environ, "PYTHONHOME": "/elsewhere", "PYTHONUSERBASE": "/elsewhere", "A": "a b"}
    process = subprocess.Popen([python, "-c", program, "an argument"], env=variables, stdout=subprocess.PIPE, text=True)
    answer, _ = process.communicate()
    pid, executable, packages = answer.split(maxsplit=2)
    assert (pid, packages) == (str(process.pid), "[]\n")
    assert Path(executable).samefile(python)
