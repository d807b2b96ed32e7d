"""A whole job in each framework: its phases, what they count, and that the network is really trained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlworkloads.case import PHASES
from dlworkloads.data.image_set import make_image_set
from dlworkloads.data.weights import initial_values
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.models import build
from dlworkloads.optimisers import Optimiser
from dlworkloads.phases.opening import open_job
from dlworkloads.verification import OtherThanAskedFor
from pytest_throughput import Once, Unsupported
from pytest_throughput.measurement.scenario import MeasuredPhase, measure_phase

Image = pytest.importorskip("PIL.Image")

ROOT = Path(__file__).parents[2]
JOB: dict[str, Any] = {
    "mode": "phases",
    "device": "cpu",
    "model": "cifar10_cnn",
    "batch_size": 5,
    "precision": "fp32",
    "threads": 1,
    "cache": "/nowhere",
}
Make = Callable[..., Path]


@pytest.fixture
def make_images(tmp_path: Path) -> Make:
    """``make_images(classes, train, validation)``: folders with so many images of each class, whose hues differ."""

    def make(classes: int = 2, train: int = 6, validation: int = 3) -> Path:
        random = np.random.default_rng(0)
        for split, count in (("train", train), ("validation", validation)):
            for label in range(classes):
                folder = tmp_path / split / f"class{label}"
                folder.mkdir(parents=True)
                for number in range(count):
                    pixels = random.integers(0, 80, (40 + number, 36, 3), np.uint8)
                    pixels[..., label % 3] += 150
                    Image.fromarray(pixels).save(folder / f"{number}.jpg")
        return tmp_path

    return make


def open_images(folder: Path, framework: str = "pytorch", **arguments: Any) -> Once:
    known = FRAMEWORKS[framework]
    for module in known.modules:
        pytest.importorskip(module)
    execution = known.default_execution
    return open_job(**{**JOB, "framework": framework, "execution": execution, "images": str(folder), **arguments})


def go_through(job: Once) -> dict[str, MeasuredPhase]:
    return {phase.name: measure_phase(phase) for phase in job.phases}


@pytest.mark.parametrize("framework", [name for name, known in FRAMEWORKS.items() if known.has_mode("phases")])
def test_a_job_goes_from_files_to_predictions(framework: str, make_images: Make) -> None:
    """12 images to train on make 2 batches of 5; the second batch to validate with has one image."""
    if FRAMEWORKS[framework].variables.__qualname__.startswith("_Keras"):
        pytest.skip("one process has one backend of Keras")
    job = open_images(make_images(), framework, checkpoint=True, loader_workers=0)
    found: dict[str, MeasuredPhase] = {}
    compile_seconds: dict[str, Any] = {}
    for phase in job.phases:
        found[phase.name] = measure_phase(phase)
        compile_seconds[phase.name] = job.metadata.get("compile_seconds")
    # The seconds of compiling belong to the first step.
    first = compile_seconds.pop("first_step")
    assert first > 0 if framework in ("jax", "theano") else first is None
    assert {*compile_seconds.values()} == {None}
    assert {name: phase.items for name, phase in found.items()} == {
        "index": 18,
        "load": 10,
        "build": None,
        "first_step": None,
        "compute": 20,
        "train": 10,
        "validate": 6,
        "predict": 6,
        "checkpoint": None,
    }
    metrics = {name: {metric.name: metric.value for metric in phase.metrics} for name, phase in found.items()}
    assert 0.01 < metrics["compute"]["real_to_random_ratio"] < 100
    assert [*metrics["train"]] == ["images_per_second", "seconds", "loss", "accuracy", "input_bound_ratio"]
    assert [*metrics["validate"]] == ["images_per_second", "seconds", "loss", "accuracy"]
    assert 0 < metrics["validate"]["loss"] < 10
    assert metrics["checkpoint"]["checkpoint_bytes"] >= 4 * build("cifar10_cnn").parameter_count
    assert job.metadata["parameters"] == 1_250_858
    assert job.metadata["layout"] == {"pytorch": "nchw", "theano": "nchw"}.get(framework, "nhwc")
    assert job.metadata["build_seconds"] is None
    settings = job.metadata["settings"]
    assert (settings["training_images"], settings["validation_images"], settings["image_size"]) == (12, 6, 32)
    assert settings["dtypes"] == {"weights": "float32", "images": "float32", "computation": "float32"}
    assert job.metadata["versions"][FRAMEWORKS[framework].package]
    assert job.close is not None
    job.close()


@pytest.mark.parametrize(("framework", "layout"), [("pytorch", "nhwc"), ("jax", "nchw")])
def test_a_job_is_done_in_the_other_layout(framework: str, layout: str, make_images: Make) -> None:
    """PyTorch takes images with their channels first in both layouts."""
    job = open_images(make_images(), framework, layout=layout)
    found = go_through(job)
    assert (found["train"].items, found["predict"].items) == (10, 6)
    assert job.metadata["layout"] == layout
    assert job.close is not None
    job.close()


def test_training_begins_with_the_same_weights_in_every_framework_and_learns(
    make_images: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What computes alone before has no influence."""
    monkeypatch.setattr("dlworkloads.phases.job.OPTIMISER", Optimiser("adam", 0.001))
    job = open_images(make_images(train=20), batch_size=4)
    phases = {phase.name: phase for phase in job.phases}
    for name in ("index", "load", "build", "first_step", "compute"):
        measure_phase(phases[name])
    workload = phases["train"].run.__self__._built  # type: ignore[attr-defined]
    initial = initial_values(build("cifar10_cnn"))
    for path, values in workload.parameters().items():
        np.testing.assert_array_equal(values, initial[path])
    for _ in range(3):
        measure_phase(phases["train"])
    predicted = phases["predict"].run()
    right = predicted == [0, 0, 0, 1, 1, 1]
    assert right.all()
    metrics = {metric.name: metric.value for metric in measure_phase(phases["validate"]).metrics}
    assert metrics["accuracy"] == right.mean()


def test_a_first_step_in_another_precision_fails(make_images: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    phases = {phase.name: phase for phase in open_images(make_images()).phases}
    for name in ("index", "load", "build"):
        measure_phase(phases[name])
    workload = phases["train"].run.__self__._built  # type: ignore[attr-defined]
    monkeypatch.setattr(workload, "dtypes", lambda output: {"computation": "bfloat16"})
    with pytest.raises(OtherThanAskedFor, match="--precision fp32 asks for computation in float32, but found bfloat16"):
        measure_phase(phases["first_step"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"classes": 11, "train": 1, "validation": 1}, "has 11 classes, and cifar10_cnn distinguishes 10; expected"),
        ({"train": 2}, "train has 4 images, fewer than one batch of 5; --batch-size asks for a smaller one"),
    ],
)
def test_folders_that_do_not_fit_are_refused(make_images: Make, given: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError) as raised:
        measure_phase(open_images(make_images(**given)).phases[0])
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": "letter_mlp"}, "letter_mlp takes inputs of shape (16,), not square images in colour"),
        ({"model": "torchvision:resnet18"}, "networks of the suite, and the model is torchvision:resnet18"),
        ({"batch_size": 0}, "the largest batch of a job is not searched: leave --find-max-batch out"),
        ({"execution": "compiled-graphs"}, "compiled-graphs takes every batch from one address: ask for eager or"),
        ({"framework": "numpy"}, "NumPy does inference only"),
    ],
)
def test_what_has_no_phases_is_unsupported(given: dict[str, Any], message: str) -> None:
    with pytest.raises(Unsupported) as raised:
        open_images(Path("/nowhere"), **given)
    assert message in str(raised.value)


def test_without_pillow_a_case_is_unsupported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The loader of TensorFlow does without, but the small set has to be made."""
    for name in ("PIL", "PIL.Image"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "dlworkloads.data.pillow_images", raising=False)
    with pytest.raises(Unsupported, match="Pillow, which decodes images here, is not installed: pip install pillow"):
        import_module("dlworkloads.data.pillow_images")
    with pytest.raises(
        Unsupported, match="Pillow, which is not installed: pip install pillow, or give your own folders"
    ):
        make_image_set(str(tmp_path))


@pytest.mark.slow
def test_a_job_goes_all_the_way_through_pytest(make_images: Make, tmp_path: Path) -> None:
    """One job for all tests of it, in a worker with processes that load; then with a file that cannot be read."""
    pytest.importorskip("torch")
    # Whole batches: an epoch of training drops the remainder, which might be the file that cannot be read.
    folder = make_images(train=5)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    command = [
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--throughput-lock=off", "bench/test_phases.py"),
        *("--framework=pytorch", "--model=cifar10_cnn", "--batch-size=5", "--device=cpu", "--throughput-threads=1"),
        *(f"--images={folder}", "--loader-workers=2", f"--benchmark-json={tmp_path}/run.json"),
    ]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    document = json.loads((tmp_path / "run.json").read_text())
    case = "phases-pytorch-cpu-cifar10_cnn-b5-fp32-eager-w2"
    infos = {benchmark["extra_info"]["case_id"]: benchmark["extra_info"] for benchmark in document["benchmarks"]}
    assert list(infos) == [f"{case}-{phase}" for phase in PHASES]
    train = infos[f"{case}-train"]
    assert (train["phase"], train["loader_workers"], train["batch_size"]) == ("train", 2, 10)
    assert train["settings"]["images"] == str(folder)
    assert {info["build_seconds"] for info in infos.values()} == {None}
    next((folder / "train").glob("*/0.jpg")).write_bytes(b"no picture")
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == pytest.ExitCode.TESTS_FAILED
    cases = json.loads((tmp_path / "run.json").read_text())["throughput"]["cases"]
    assert [each["status"] for each in cases] == ["ok", *["failed"] * (len(PHASES) - 1)]
    assert "/0.jpg cannot be decoded (" in cases[1]["reason"]


def test_a_training_that_diverged_is_no_result(make_images: Make) -> None:
    phases = {phase.name: phase for phase in open_images(make_images()).phases}
    for name in ("index", "load", "build", "first_step", "compute"):
        measure_phase(phases[name])
    job = phases["train"].run.__self__  # type: ignore[attr-defined]
    job._built.load({"0.weight": np.full_like(initial_values(build("cifar10_cnn"))["0.weight"], np.nan)})
    with pytest.raises(ValueError, match="the mean loss is nan: the training has diverged"):
        measure_phase(phases["train"])
