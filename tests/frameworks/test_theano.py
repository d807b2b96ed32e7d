"""Theano, in the interpreter that ``nox -s env-theano`` makes, computes what the reference computes, in float64.

One process computes everything, since each compiles its own modules. It is skipped where there is no such interpreter.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from equal_maxima import to_every_maximum
from float32_agreement import BATCH_SIZE, SMALL, SUITE, batch, of_suite
from networks import googlenet_like, open_workload, random_weights, resnet_like, vit_like, with_auxiliary_heads
from old_frameworks import ROOT, Answer, Arrays, Job, interpreter_of, run_jobs
from reference_updates import updated

from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import BatchNorm, Conv2d, Dense, Flatten, ReLU
from dlworkloads.models.network import Network, without_dropout
from dlworkloads.optimisers import Optimiser
from pytest_throughput.launch.worker_process import Worker
from pytest_throughput.measurement.plan import ONCE
from pytest_throughput.worker.protocol import Request

STEPS = 3
UPDATED = Network("small", (3, 6, 5), Sequential(Conv2d(4, 3), BatchNorm(), ReLU(), Flatten(), Dense(5)))
OPTIMISERS = {
    "nesterov-decay": Optimiser("sgd", 0.1, decay=0.5, momentum=0.9, nesterov=True),
    "rmsprop-decay": Optimiser("rmsprop", 0.01, decay=0.5, rho=0.8, epsilon=1e-3),
    "adadelta-decay": Optimiser("adadelta", 1.0, decay=0.5, rho=0.8, epsilon=1e-3),
    "adam-decay": Optimiser("adam", 0.01, decay=0.5, beta_1=0.8, beta_2=0.9, epsilon=1e-3),
}
"""Every algorithm, and every part of one."""


def network(name: str) -> Network:
    return NETWORKS[name]() if name in NETWORKS else of_suite(name)


def job(network: Network, mode: str) -> Job:
    network = without_dropout(network if mode == "training" else network.for_inference())
    return Job(network, mode, random_weights(network), [batch(network, 0)])


JOBS = {
    **{
        f"{build.__name__}-{mode}": job(build(), mode)
        for build, mode in ((googlenet_like, "training"), (resnet_like, "training"), (resnet_like, "inference"))
    },
    **{
        name: Job(
            UPDATED,
            "update",
            random_weights(UPDATED),
            [batch(UPDATED, seed) for seed in range(STEPS)],
            optimiser=optimiser,
        )
        for name, optimiser in OPTIMISERS.items()
    },
}
NETWORKS = {**SMALL, "with_auxiliary_heads": with_auxiliary_heads}
OF_SUITE = [name for name in SUITE if name != "resnet152"]
"""The networks to compare in full runs; Theano takes minutes to optimise ResNet-152, which has ResNet-50's layers."""


def run(jobs: Mapping[str, Job], folder: Path, flags: str = "", *, in_c: bool = False) -> Mapping[str, Answer]:
    """Run the jobs in one process. Without ``in_c``, Theano compiles convolutions and pools alone, which is faster."""
    case = Case("training", "theano", "cpu", "any", BATCH_SIZE, "fp64", "compiled")
    usual = FRAMEWORKS["theano"].variables(case, 1)["THEANO_FLAGS"]
    # The C++ compiler takes most of the time.
    variables = {"THEANO_FLAGS": f"{usual},gcc.cxxflags=-O0,{flags}"}
    prepare = None if in_c else "theano_in_python:compile_convolutions_only"
    answers = run_jobs("theano", list(jobs.values()), folder, variables, prepare)
    return dict(zip(jobs, answers, strict=True))


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Answer]:
    return run(JOBS, tmp_path_factory.mktemp("theano"))


@pytest.mark.parametrize("name", [name for name in JOBS if name not in OPTIMISERS])
def test_every_layer_agrees_in_float64(answers: Mapping[str, Answer], name: str) -> None:
    assert_agreement(JOBS[name], answers[name].outputs[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NETWORKS, *OF_SUITE])
def test_every_network_agrees_in_float64(tmp_path: Path, name: str) -> None:
    jobs = {mode: job(network(name), mode) for mode in ("inference", "training")}
    for mode, answer in run(jobs, tmp_path).items():
        assert_agreement(jobs[mode], answer.outputs[0])


@pytest.mark.parametrize("name", OPTIMISERS)
def test_updates_follow_the_formulas(answers: Mapping[str, Answer], name: str) -> None:
    """Losses before each update, all parameters after the last one, and the logits that the network then predicts."""
    pytest.importorskip("torch")
    asked, answer = JOBS[name], answers[name]
    weights: Arrays = {path: asked.weights[path] for path in UPDATED.parameters}
    reference = open_workload("pytorch", UPDATED, "training", precision="fp64", batch_size=BATCH_SIZE)
    reference.load(asked.weights)
    state: dict[str, dict[str, Any]] = {}
    for step, (images, labels) in enumerate(asked.batches):
        reference.load(weights)
        reference.batch = [reference.upload(images), reference.upload(labels)]
        gradients = reference.read(reference.run())
        assert answer.outputs[step]["loss"] == pytest.approx(float(gradients.pop("loss")), rel=1e-8)
        assert answer.outputs[step]["logits"].shape == (BATCH_SIZE, UPDATED.outputs)
        weights = updated(OPTIMISERS[name], step, weights, gradients, state)
    expected = {**weights, **{path: reference.parameters()[path] for path in UPDATED.buffers}}
    for path, values in expected.items():
        np.testing.assert_allclose(answer.parameters[path], values, rtol=1e-8, atol=1e-11, err_msg=path)
    inference = open_workload("pytorch", UPDATED, "inference", precision="fp64", batch_size=BATCH_SIZE)
    inference.load(expected)
    inference.batch = [inference.upload(asked.batches[0][0])]
    assert answer.predicted is not None
    np.testing.assert_allclose(answer.predicted, inference.read(inference.run())["logits"], rtol=1e-8, atol=1e-11)


def assert_agreement(asked: Job, found: Arrays) -> None:
    """Assert that outputs, loss and gradients are PyTorch's, with Theano's gradient of a maximum of equal values."""
    pytest.importorskip("torch")
    reference = open_workload("pytorch", asked.network, asked.mode, precision="fp64", batch_size=BATCH_SIZE)
    to_every_maximum(reference)
    reference.load(asked.weights)
    reference.batch = [reference.upload(each) for each in asked.batches[0]][: len(reference.batch)]
    expected = reference.read(reference.run())
    assert list(found) == list(expected)
    # A bias before BatchNorm has no gradient but rounding: it is compared with the others.
    rounding = 1e-6 * max(np.linalg.norm(values) for values in expected.values())
    for name, values in expected.items():
        assert found[name].shape == values.shape, name
        assert np.linalg.norm(found[name] - values) <= 1e-8 * max(np.linalg.norm(values), rounding), name


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("cxx=", r"finds no C\+\+ compiler; without one it computes in Python"),
        pytest.param("blas.ldflags=", "no BLAS to link", marks=pytest.mark.slow),
        pytest.param("optimizer=None", "not compiled 1 convolutions to CorrMM in C", marks=pytest.mark.slow),
    ],
)
def test_what_would_compute_in_python_is_refused(tmp_path: Path, flags: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        run({"small": job(UPDATED, "inference")}, tmp_path, flags)


@pytest.mark.slow
def test_a_layer_of_transformers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"SelfAttention.* of vit_like is not translated to Theano"):
        run({"vit_like": job(vit_like(), "inference")}, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["googlenet_like", "resnet_like"])
def test_every_layer_agrees_when_all_is_compiled(tmp_path: Path, name: str) -> None:
    asked = job(SMALL[name](), "training")
    assert_agreement(asked, run({name: asked}, tmp_path, in_c=True)[name].outputs[0])


@pytest.mark.slow
def test_a_worker_links_a_blas_and_leaves_no_compiled_module(tmp_path: Path) -> None:
    case = Case("training", "theano", "cpu", "letter_mlp", 4, "fp32", "compiled")
    variables = {
        **os.environ,
        **FRAMEWORKS["theano"].variables(case, 2),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "plugins"), str(ROOT / "fixtures")]),
        "OPENBLAS_NUM_THREADS": "2",
        "TMPDIR": str(tmp_path),
    }
    worker = Worker(interpreter_of("theano"), variables)
    outcome = worker.run(Request("dlworkloads.opening:open_step", {**case.to_json(), "threads": 2}, ONCE), 600)
    assert list(tmp_path.iterdir())
    worker.close()
    assert (outcome.status, outcome.reason) == ("ok", None)
    settings, versions = outcome.metadata["settings"], outcome.metadata["versions"]
    assert (settings["threads"], settings["blas_flags"]) == (2, "-lopenblas")
    assert settings["dtypes"] == dict.fromkeys(("weights", "images", "computation"), "float32")
    assert versions["theano"] == "1.0.5" and versions["blas"].startswith("OpenBLAS 0.3.18")
    assert list(tmp_path.iterdir()) == []
