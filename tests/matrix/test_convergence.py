"""The options of whole trainings, and which cases they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlworkloads.case import OWN_DEFAULTS, Case
from dlworkloads.combinations import Combinations
from dlworkloads.convergence.recipes import RECIPES
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.models import build
from dlworkloads.presets import PRESETS

ROOT = Path(__file__).parents[2]
GIVEN = ("--framework=pytorch", "--device=cpu", "--model=mnist_cnn")

Run = Callable[..., pytest.RunResult]


def cases(asked: Mapping[str, Sequence[Any]] | None = None, *, has_data_dir: bool = False) -> Sequence[Case]:
    given = {"framework": ["pytorch"], "device": ["cpu"], **(asked or {})}
    combinations = Combinations(given, PRESETS["quick"], FRAMEWORKS, lambda device: None, lambda names: names)
    return replace(combinations, has_data_dir=has_data_dir).cases("convergence")


def test_every_network_with_a_recipe_is_trained_on_digits_unless_there_are_files() -> None:
    assert [case.id for case in cases()] == [
        "convergence-pytorch-cpu-mnist_cnn-b128-fp32-eager-digits",
        "convergence-pytorch-cpu-cifar10_cnn-b128-fp32-eager-digits",
        "convergence-pytorch-cpu-cifar100_cnn-b128-fp32-eager-digits",
        "convergence-pytorch-cpu-letter_mlp-b128-fp32-eager-digits_4x4",
    ]
    assert [case.data for case in cases(has_data_dir=True)] == ["mnist", "cifar10", "cifar100", "letter"]


def test_what_changes_the_training_is_in_the_id() -> None:
    asked: Mapping[str, Sequence[Any]] = {
        "model": ["mnist_cnn"],
        "evaluation": ["split", "10-fold"],
        "epochs": [3],
        "own_defaults": [OWN_DEFAULTS],
    }
    split, ten = cases(asked)
    assert split.point == "pytorch-cpu-mnist_cnn-b128-fp32-eager-digits-e3-own-defaults"
    assert ten.point == "pytorch-cpu-mnist_cnn-b128-fp32-eager-digits-10-fold-e3-own-defaults"


def test_other_modes_have_none_of_these_axes() -> None:
    case = Case("training", "pytorch", "cpu", "mnist_cnn", 8, "fp32", "eager")
    assert not {"data", "evaluation", "epochs", "own_defaults"} & case.axes.keys()


def test_a_recipe_is_for_each_network_of_the_document() -> None:
    for name, recipe in RECIPES.items():
        network = build(name)
        assert recipe.epochs == (300 if name == "letter_mlp" else 12)
        assert network.loss == "cross_entropy"


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run(…)``: pytest in this process, in the folder of the checkout."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return lambda *arguments: pytester.runpytest_inprocess("-p", "no:cacheprovider", *GIVEN, *arguments)


def test_whole_trainings_run_only_where_their_file_is_named(run: Run) -> None:
    everything = run("bench/", "--collect-only", "-q", "--batch-size=8")
    assert not [line for line in everything.outlines if "convergence" in line]
    named = run("bench/test_convergence.py", "--collect-only", "-q")
    (line,) = [line for line in named.outlines if "::" in line]
    assert line == "bench/test_convergence.py::test_convergence[pytorch-cpu-mnist_cnn-b128-fp32-eager-digits]"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--epochs=0", "cannot read the number of epochs '0'; expected 1 to 1000"),
        ("--epochs=x", "cannot read the number of epochs 'x'"),
        ("--data=imagenet", "unknown data 'imagenet'; expected some of: mnist, cifar10, cifar100, letter, digits"),
        ("--evaluation=5-fold", "unknown evaluation '5-fold'; expected some of: split, 10-fold"),
        ("--data-dir=nowhere", "there is no folder 'nowhere'; expected one with the files of a data set"),
        ("--target-accuracy=97", "expected a number from 0.0001 to 1, such as 0.97, got '97'"),
        ("--target-accuracy=1e-300", "expected a number from 0.0001 to 1, such as 0.97, got '1e-300'"),
        ("--target-accuracy=nan", "expected a number from 0.0001 to 1, such as 0.97, got 'nan'"),
    ],
)
def test_wrong_values_are_refused(run: Run, option: str, message: str) -> None:
    result = run("bench/test_convergence.py", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()


def test_missing_files_fail_the_test_with_where_to_get_them(run: Run, tmp_path: Path) -> None:
    result = run("bench/test_convergence.py", f"--data-dir={tmp_path}", "--throughput-lock=off")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*--data-dir: * has no train-images-idx3-ubyte.gz; get it from https://*"])


def test_data_that_do_not_fit_the_network_fail_the_test(run: Run) -> None:
    result = run("bench/test_convergence.py", "--data=cifar10", "--throughput-lock=off")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*--data cifar10: its examples do not fit an input of (1, 28, 28); *: mnist, digits"])


@pytest.mark.parametrize("model", ["torchvision:resnet18", "alexnet"])
def test_a_network_without_a_recipe_is_unsupported_whatever_the_data(run: Run, model: str) -> None:
    result = run("bench/test_convergence.py", f"--model={model}", "--data=digits", "--throughput-lock=off", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines([f"*how to train {model} is not known: ask for mnist_cnn, *"])


def test_the_largest_batch_of_a_training_is_not_searched(run: Run) -> None:
    pytest.importorskip("sklearn")
    limited = ("--find-max-batch", "--throughput-memory-limit=8G")
    result = run("bench/test_convergence.py", *limited, "--throughput-lock=off", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*the largest batch of a job is not searched: leave --find-max-batch out*"])
