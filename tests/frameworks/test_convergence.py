"""Whole trainings in real frameworks."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from networks import frameworks_to_test, open_workload

from dlworkloads import models
from dlworkloads.base.workload import Workload
from dlworkloads.convergence.own_defaults import own_initial_values, own_optimiser
from dlworkloads.convergence.phase import TrainingPhase
from dlworkloads.convergence.recipes import RECIPES
from dlworkloads.convergence.training import TrainedFold, Training
from dlworkloads.data.examples import Examples
from dlworkloads.data.folds import divide
from dlworkloads.data.sets import read_examples
from dlworkloads.data.weights import initial_values
from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import Dense, Dropout, ReLU
from dlworkloads.models.network import Network
from dlworkloads.optimisers import Optimiser
from pytest_throughput import Part, Unsupported

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("framework", ["pytorch"])
def test_a_whole_training_goes_all_the_way(framework: str, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("torch")
    file = tmp_path / "run.json"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    command = [
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--throughput-lock=off", "--throughput-threads=1"),
        *("bench/test_convergence.py", f"--framework={framework}", "--device=cpu", "--model=letter_mlp,alexnet"),
        *("--epochs=40", "--target-accuracy=0.12", f"--benchmark-json={file}"),
    ]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "40 epochs" in result.stdout
    document = json.loads(file.read_text())
    (benchmark,) = document["benchmarks"]
    info = benchmark["extra_info"]
    assert info["case_id"] == f"convergence-{framework}-cpu-letter_mlp-b128-fp32-eager-digits_4x4-e40"
    metrics = {metric["name"]: metric for metric in info["metrics"]}
    assert info["metrics"][0]["name"] == "seconds"
    assert [(name, metric["better"]) for name, metric in metrics.items()][:9] == [
        *(("seconds", "lower"), ("accuracy", "higher"), ("test_loss", "lower"), ("training_seconds", "lower")),
        *(("seconds_per_epoch", "lower"), ("images_per_second", "higher")),
        ("first_batch_seconds", "lower"),
        *(("epochs_to_12_percent", "lower"), ("seconds_to_12_percent", "lower")),
    ]
    assert (
        metrics["seconds"]["value"] > metrics["training_seconds"]["value"] > metrics["seconds_to_12_percent"]["value"]
    )
    assert (len(info["history"]), info["published_epochs"]) == (40, 300)
    assert info["history"][-1]["test_accuracy"] == metrics["accuracy"]["value"]
    assert info["did_not_learn"] is False
    assert (info["flops_per_image"], info["model_flops_utilisation"]) == (None, None)
    assert info["data_set"]["sha256"] == read_examples("digits_4x4", None, (16,)).sha256()
    assert info["settings"]["optimiser"]["decay"] == 1e-7
    assert info["settings"]["dtypes"]["computation"] == "float32"
    (unknown,) = [case for case in document["throughput"]["cases"] if "alexnet" in case["id"]]
    assert unknown["status"] == "unsupported"
    assert unknown["reason"].startswith("how to train alexnet is not known: ask for mnist_cnn, ")


def small() -> Network:
    return Network("small", (16,), Sequential(Dense(8), ReLU(), Dense(10)))


@pytest.mark.parametrize("framework", frameworks_to_test())
def test_without_dropout_a_training_equals_one_by_hand(framework: str) -> None:
    """With the same weights and batches, a training in float64 gives in every framework what NumPy gives."""
    pytest.importorskip("sklearn")
    network, recipe = small(), RECIPES["letter_mlp"]
    workload = open_workload(
        framework, network, "training", precision="fp64", batch_size=32, optimiser=recipe.optimiser
    )
    full = read_examples("digits_4x4", None, (16,))
    data = divide(Examples(full.inputs[:200], full.divisor, full.labels[:200]), "split")
    (fold,) = Training(workload, data, lambda fold: initial_values(network, fold)).run(2)

    weights = {path: value.astype(np.float64) for path, value in initial_values(network).items()}
    inputs = (data.examples.inputs.astype(np.float32) / np.float32(data.examples.divisor)).astype(np.float64)
    done = 0
    for epoch in range(2):
        order = np.random.default_rng((0, 0, epoch)).permutation(data.folds[0].train)
        for start in range(0, 128, 32):
            batch = order[start : start + 32]
            x, labels = inputs[batch], data.examples.labels[batch]
            hidden = np.maximum(x @ weights["0.weight"].T + weights["0.bias"], 0)
            logits = hidden @ weights["2.weight"].T + weights["2.bias"]
            g = np.exp(logits - logits.max(1, keepdims=True))
            g = (g / g.sum(1, keepdims=True) - np.eye(10)[labels]) / 32
            back = (g @ weights["2.weight"]) * (hidden > 0)
            gradients = {"2.weight": g.T @ hidden, "2.bias": g.sum(0), "0.weight": back.T @ x, "0.bias": back.sum(0)}
            for path, gradient in gradients.items():
                weights[path] -= 0.001 / (1 + 1e-7 * done) * gradient
            done += 1
    for path, values in workload.parameters().items():
        np.testing.assert_allclose(values, weights[path], rtol=1e-9, atol=1e-12)
    assert fold.epochs[1].loss < fold.epochs[0].loss


@pytest.mark.parametrize("framework", frameworks_to_test())
def test_nothing_is_compiled_in_an_epoch(framework: str) -> None:
    pytest.importorskip("sklearn")
    network, optimiser = small(), RECIPES["letter_mlp"].optimiser
    workload = open_workload(framework, network, "training", execution="compiled", batch_size=32, optimiser=optimiser)
    full = read_examples("digits_4x4", None, (16,))
    data = divide(Examples(full.inputs[:100], full.divisor, full.labels[:100]), "split")
    training = Training(workload, data, lambda fold: initial_values(network, fold))
    assert training.prepare() > 0
    compilations = workload.compilations()
    training.run(2)
    assert workload.compilations() == compilations > 0


@pytest.mark.parametrize("framework", frameworks_to_test())
def test_an_interrupted_training_goes_on_as_if_it_had_not_been(framework: str, tmp_path: Path) -> None:
    """Weights, the optimiser's state, its number of updates and the generator of dropout are restored exactly."""
    pytest.importorskip("sklearn")
    network = Network("small", (16,), Sequential(Dense(8), ReLU(), Dropout(0.5), Dense(10)))
    optimiser = Optimiser("sgd", 0.05, decay=0.1, momentum=0.9, nesterov=True)
    full = read_examples("digits_4x4", None, (16,))
    data = divide(Examples(full.inputs[:60], full.divisor, full.labels[:60]), "split")

    def begun() -> tuple[Workload, TrainingPhase]:
        workload = open_workload(framework, network, "training", precision="fp64", batch_size=16, optimiser=optimiser)
        training = Training(workload, data, lambda fold: initial_values(network, fold), clock=lambda: 0.0)
        return workload, TrainingPhase(training, workload, 3, "0" * 64)

    interrupted, phase = begun()
    running = phase.run()
    first = next(running)
    assert first.save is not None
    first.save(str(tmp_path / "state"))
    folds = _ended(running)  # It is not interrupted after all.
    whole = interrupted.training_state()

    later, phase = begun()
    phase.restore(str(tmp_path / "state"))
    compilations = later.compilations()
    assert _ended(phase.run()) == folds
    assert later.compilations() == compilations, "an epoch compiles nothing"
    found = later.training_state()
    assert found.keys() == whole.keys()
    for name, values in whole.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    for workload in (interrupted, later):
        workload.close()


def _ended(running: Generator[Part, None, list[TrainedFold]]) -> list[TrainedFold]:
    while True:
        try:
            next(running)
        except StopIteration as ended:
            return ended.value  # type: ignore[no-any-return]


def test_pytorchs_own_defaults_are_those_of_its_functions() -> None:
    torch = pytest.importorskip("torch")
    for algorithm, kind, names in (
        ("mnist_cnn", torch.optim.Adadelta, {"learning_rate": "lr", "rho": "rho", "epsilon": "eps"}),
        ("cifar10_cnn", torch.optim.RMSprop, {"rho": "alpha", "epsilon": "eps"}),
    ):
        own = own_optimiser("pytorch", RECIPES[algorithm].optimiser)
        defaults = inspect.signature(kind).parameters
        assert {name: getattr(own, name) for name in names} == {
            name: defaults[theirs].default for name, theirs in names.items()
        }
        assert own.decay == 0.0
    network = models.build("cifar10_cnn")
    values = own_initial_values("pytorch", network, 0)
    convolution, dense = torch.nn.Conv2d(32, 32, 3), torch.nn.Linear(2304, 512)
    for layer, path in ((convolution, "2"), (dense, "13")):
        assert values[f"{path}.weight"].shape == tuple(layer.weight.shape)
        for name in ("weight", "bias"):
            largest, theirs = np.abs(values[f"{path}.{name}"]).max(), float(getattr(layer, name).detach().abs().max())
            assert largest == pytest.approx(theirs, rel=0.1)


@pytest.mark.slow
def test_keras_own_defaults_are_those_of_its_functions() -> None:
    pytest.importorskip("tensorflow")
    import keras

    for model, kind, names in (
        ("mnist_cnn", keras.optimizers.Adadelta, ("learning_rate", "rho", "epsilon")),
        ("cifar10_cnn", keras.optimizers.RMSprop, ("rho", "epsilon")),
    ):
        own, defaults = own_optimiser("tensorflow", RECIPES[model].optimiser), inspect.signature(kind).parameters
        assert {name: getattr(own, name) for name in names} == {name: defaults[name].default for name in names}
    values = own_initial_values("tensorflow", models.build("mnist_cnn"), 0)
    theirs = np.array(keras.initializers.GlorotUniform(seed=0)((3, 3, 32, 64)))
    assert np.abs(values["2.weight"]).max() == pytest.approx(np.abs(theirs).max(), rel=0.01)
    assert not values["2.bias"].any()


def test_jax_itself_has_no_defaults() -> None:
    with pytest.raises(Unsupported, match="--own-defaults: jax itself has no defaults"):
        own_optimiser("jax", RECIPES["mnist_cnn"].optimiser)
