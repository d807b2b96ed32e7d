"""The matrix: which cases the options make, what they are called, and how they are refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy
import pytest

from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS
from dlworkloads.models import names
from pytest_throughput.suite import Settings

ROOT = Path(__file__).parents[2]
FRAMEWORK_MODULES = ("torch", "tensorflow", "keras", "jax")

_STEPS = ("inference", "training")
"""The modes that `bench/` measures unless a file is named."""

Run = Callable[..., pytest.RunResult]
Collected = Callable[..., list[str]]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("bench/", …)``: pytest in this process, in the folder of the checkout."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    def run(*arguments: str, plugins: Sequence[object] = ()) -> pytest.RunResult:
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments, plugins=plugins)

    return run


@pytest.fixture
def collected(run: Run) -> Collected:
    """``collected(…)``: the cases in the order of the run: ``training[pytorch-cpu-...]``."""

    def collected(*arguments: str) -> list[str]:
        result = run("bench/", "--collect-only", "-q", *arguments)
        assert result.ret == 0
        return [line.rpartition("::test_")[2] for line in result.outlines if "::" in line]

    return collected


def run_alone(*arguments: str, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """pytest in a process of its own, as a user starts it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    environment = {**environment, "CUDA_VISIBLE_DEVICES": "", **variables}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_options_make_the_product_of_their_values(collected: Collected) -> None:
    ids = collected(
        *("--framework=pytorch", "--device=cpu,cuda:1", "--model=vgg16", "--batch-size=1,4"),
        *("--precision=fp32,bf16", "--execution=eager,compiled", "--layout=nhwc"),
    )
    assert len(ids) == len(set(ids)) == 2 * 2 * 2 * 2 * 2
    assert ids[0] == "inference[pytorch-cpu-vgg16-b1-fp32-eager-nhwc]"
    assert ids[-1] == "training[pytorch-cuda:1-vgg16-b4-bf16-compiled-nhwc]"


def test_a_node_id_of_the_matrix_selects_all_trials(run: Run) -> None:
    node_id = "bench/test_inference.py::test_inference[numpy-cpu-mnist_cnn-b8-fp32-eager]"
    options = ("--framework=numpy", "--model=mnist_cnn", "--batch-size=8,16", "--device=cpu")
    result = run(node_id, "--collect-only", "-q", "--throughput-trials=2", *options)
    assert [line for line in result.outlines if "::" in line] == [node_id, node_id[:-1] + "-t2]"]


def test_each_framework_has_its_own_default_execution_and_layout(collected: Collected) -> None:
    ids = collected("--framework=pytorch,tensorflow", "--model=mnist_cnn", "--batch-size=8", "--device=cpu")
    assert ids == [
        "inference[pytorch-cpu-mnist_cnn-b8-fp32-eager]",
        "inference[tensorflow-cpu-mnist_cnn-b8-fp32-graph]",
        "training[pytorch-cpu-mnist_cnn-b8-fp32-eager]",
        "training[tensorflow-cpu-mnist_cnn-b8-fp32-graph]",
    ]


@pytest.mark.parametrize(
    ("option", "sizes"),
    [("1:8", [1, 2, 4, 8]), ("3:20", [4, 8, 16]), ("32,8,8", [32, 8]), ("7", [7]), ("1:4,100", [1, 2, 4, 100])],
)
def test_batch_sizes(collected: Collected, option: str, sizes: list[int]) -> None:
    ids = collected("bench/test_training.py", "--framework=pytorch", "--model=vgg16", f"--batch-size={option}")
    assert [case.split("-")[3] for case in ids if case.startswith("training")] == [f"b{size}" for size in sizes]


def test_the_largest_batch_is_an_axis_of_its_own(collected: Collected) -> None:
    ids = collected(
        *("--framework=pytorch", "--device=cpu", "--model=vgg16,mnist_cnn", "--find-max-batch"),
        "--throughput-memory-limit=1G",
    )
    assert ids == [
        f"{mode}[pytorch-cpu-{model}-bmax-fp32-eager]"
        for mode in ("inference", "training")
        for model in ("vgg16", "mnist_cnn")
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device=cpu"], "as in --throughput-memory-limit 8G"),
        (["--device=cuda", "--batch-size=8"], "leave --batch-size out"),
        (["--device=cuda", "--throughput-isolation=framework"], "--throughput-isolation trial, not framework"),
    ],
)
def test_a_search_that_cannot_be_is_refused(run: Run, options: list[str], message: str) -> None:
    result = run("bench/", "--collect-only", "-q", "--framework=pytorch", "--find-max-batch", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--framework=pytoch", "unknown framework 'pytoch'; expected some of: pytorch, tensorflow"),
        ("--model=vgg17", f"unknown model 'vgg17'; expected some of: {', '.join(names())}, torchvision:NAME"),
        ("--device=gpu", "unknown device 'gpu'; expected some of: cpu, cuda, cuda:N"),
        ("--device=cuda:", "unknown device 'cuda:'; expected some of: cpu, cuda, cuda:N"),
        ("--precision=fp8", "unknown precision 'fp8'; expected some of: fp32, tf32, bf16, fp16"),
        (
            "--execution=lazy",
            "unknown execution 'lazy'; expected some of: eager, compiled, compiled-frozen, compiled-graphs, graph",
        ),
        ("--layout=chwn", "unknown layout 'chwn'; expected some of: nchw, nhwc"),
        ("--batch-size=0", "cannot read the batch size '0'; expected numbers such as 1,8,32, or 1:512"),
        ("--batch-size=5:7", "cannot read the batch size '5:7'; expected"),
        ("--batch-size=many", "cannot read the batch size 'many'; expected"),
        ("--throughput-interpreter=pytoch=python", "no framework is called pytoch; expected some of: pytorch"),
        ("--throughput-interpreter=default/pytorch=python", "'default' is what has no ENVIRONMENT/"),
        ("--preset=slow", "argument --preset: invalid choice: 'slow' (choose from"),
    ],
)
def test_a_bad_value_is_refused_with_what_was_expected(run: Run, option: str, message: str) -> None:
    result = run("bench/", "--collect-only", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()


def test_quick_has_what_fits_into_five_minutes(collected: Collected) -> None:
    cases = collected("--preset=quick", "--framework=pytorch,tensorflow", "--device=cpu")
    assert collected("--framework=pytorch,tensorflow", "--device=cpu") == cases
    works = [("inference", model, size) for model in ("alexnet", "googlenet", "resnet50") for size in (1, 8)]
    works += [("inference", "vgg16", 1), ("training", "alexnet", 8), ("training", "resnet50", 8)]
    pytorch = {
        f"{mode}[pytorch-cpu-{model}-b{size}-fp32-eager-{layout}]"
        for mode, model, size in works
        for layout in (("nchw", "nhwc") if size == 8 else ("nchw",))
    }
    assert set(cases) == pytorch | {f"{mode}[tensorflow-cpu-{model}-b{size}-fp32-graph]" for mode, model, size in works}
    assert len(cases) == len(set(cases)) == 23
    jax = collected("--framework=jax", "--device=cpu")
    assert set(jax) == {f"{mode}[jax-cpu-{model}-b{size}-fp32-compiled]" for mode, model, size in works}


def test_a_preset_yields_to_every_option_that_is_given(collected: Collected) -> None:
    pytorch = ("--preset=quick", "--framework=pytorch", "--device=cpu")
    assert len(collected(*pytorch, "--batch-size=2")) == 4 + 2
    assert collected(*pytorch, "--model=googlenet,vgg16") == [
        *(f"inference[pytorch-cpu-{work}-fp32-eager]" for work in ("googlenet-b1", "googlenet-b8", "vgg16-b1")),
        *(f"training[pytorch-cpu-{work}-fp32-eager]" for work in ("googlenet-b1", "googlenet-b8", "vgg16-b1")),
    ]
    assert len(collected(*pytorch, "--layout=nhwc")) == 7 + 2
    paper = collected("--preset=paper", "--framework=pytorch", "--device=cuda", "--model=vgg16")
    assert paper == [
        f"{mode}[pytorch-cuda-vgg16-b{size}-fp32-eager]"
        for mode in ("inference", "training")
        for size in (4, 8, 16, 32)
    ]


def test_best_has_every_execution_and_layout(collected: Collected) -> None:
    frameworks = ("pytorch", "tensorflow")
    cases = collected("--preset=best", f"--framework={','.join(frameworks)}", "--device=cpu")
    executions = [FRAMEWORKS[name].executions_for(mode, "cpu") for name in frameworks for mode in _STEPS]
    layouts, models, batch_sizes = 2, 3, 2
    assert len(cases) == len(set(cases)) == sum(map(len, executions)) * layouts * models * batch_sizes
    assert "inference[pytorch-cpu-vit_b_16-b32-fp32-compiled-nhwc]" in cases
    assert "inference[tensorflow-cpu-vgg16-b1-fp32-eager-nchw]" in cases
    external = ("--framework=pytorch", "--model=torchvision:resnet18", "--batch-size=1", "--execution=eager")
    inference, *_ = collected("--preset=best", "--device=cpu", *external)
    assert inference == "inference[pytorch-cpu-torchvision:resnet18-b1-fp32-eager-nchw]"


@pytest.mark.parametrize(
    ("given", "protocol", "isolation"),
    [
        ([], "quick", "framework"),
        (["-o", "throughput_isolation=trial"], "quick", "trial"),
        (["-o", "throughput_protocol=paper", "--throughput-isolation=none"], "paper", "none"),
        (["-o", "throughput_protocol=paper", "--throughput-protocol=adaptive"], "adaptive", "framework"),
    ],
)
def test_a_preset_yields_to_the_ini_file(run: Run, given: list[str], protocol: str, isolation: str) -> None:
    found = []

    class Look:
        @staticmethod
        def pytest_collection_finish(session: pytest.Session) -> None:
            found.append(Settings.from_pytest_config(session.config))

    run("bench/", "--collect-only", "-q", "--framework=pytorch", "--preset=quick", *given, plugins=[Look()])
    assert [(settings.plan.name, settings.isolation) for settings in found] == [(protocol, isolation)]


def test_full_and_sweep_have_every_power_of_two(collected: Collected) -> None:
    sweep = collected("--preset=sweep", "--framework=pytorch", "--device=cpu")
    assert len(sweep) == 10 * 2
    assert sweep[0] == "update[pytorch-cpu-alexnet-b1-fp32-eager-momentum]"
    assert len(collected("--preset=full", "--framework=pytorch,tensorflow")) == 2 * 2 * 10 * len(names())


def test_collecting_imports_no_framework(tmp_path: Path) -> None:
    (tmp_path / "look.py").write_text(
        "import sys\n"
        "def pytest_collection_finish(session):\n"
        f"    print('imported:', [name for name in {FRAMEWORK_MODULES} if name in sys.modules])\n"
    )
    result = run_alone("bench/", "--preset=full", "--collect-only", "-q", "-p", "look", PYTHONPATH=str(tmp_path))
    assert "imported: []" in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("how", ["as it is", "nothing installed"])
def test_a_checkout_works_from_another_folder(how: str, tmp_path: Path) -> None:
    arguments = [str(ROOT / "bench"), "--collect-only", "-q", "--framework=pytorch"]
    variables = {}
    if how == "nothing installed":
        # No entry point is looked at, so that only the checkout's conftest.py can load the plugin.
        arguments += ["-p", "pytest_benchmark.plugin"]
        variables = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    result = run_alone(*arguments, cwd=tmp_path, **variables)
    assert result.returncode == 0, result.stderr
    assert "[pytorch-cpu-alexnet-b1-fp32-eager-nchw]" in result.stdout


def test_the_default_is_what_the_interpreters_have(collected: Collected, tmp_path: Path) -> None:
    """An interpreter without site-packages has no framework; every framework then says what it misses."""
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
    bare.chmod(0o755)
    fake = tmp_path / "fake"
    fake.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path / "site"} exec {sys.executable} -S "$@"\n')
    fake.chmod(0o755)
    (tmp_path / "site/tensorflow").mkdir(parents=True)

    def frameworks(**commands: Path) -> set[str]:
        given = [f"--throughput-interpreter={name}={command}" for name, command in commands.items()]
        return {case.partition("[")[2].partition("-")[0] for case in collected(*given)}

    assert frameworks(pytorch=bare, tensorflow=fake, jax=bare) == {"tensorflow"}
    assert frameworks(pytorch=bare, tensorflow=bare, jax=bare) == {"pytorch", "tensorflow", "jax"}


def test_a_missing_framework_is_a_skip_that_says_what_to_install(run: Run, tmp_path: Path) -> None:
    """In a Python that has numpy, and nothing else."""
    for package in ("numpy", "numpy.libs"):
        (tmp_path / package).symlink_to(Path(numpy.__file__).parents[1] / package)
    result = run(
        *("bench/", "--framework=pytorch", "--model=mnist_cnn", "--batch-size=1", "-rs", "-k", "inference"),
        *(f"--throughput-interpreter=pytorch={sys.executable} -S", f"--throughput-pythonpath={tmp_path}"),
    )
    assert result.ret == 15  # Nothing was measured.
    assert "unsupported: PyTorch is not installed in" in result.stdout.str()
    assert "pip install torch" in result.stdout.str()


def test_a_case_survives_json() -> None:
    case = Case("training", "pytorch", "cpu", "vgg16", 8, "fp32", "eager")
    assert case.id == "training-pytorch-cpu-vgg16-b8-fp32-eager"
    assert Case(**json.loads(json.dumps(case.to_json()))) == case
