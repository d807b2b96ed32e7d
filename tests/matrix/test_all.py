"""The value ``all`` of an axis, and modes that a framework does not have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dlworkloads.frameworks.registry import FRAMEWORKS

ROOT = Path(__file__).parents[2]
CONFTEST = """
pytest_plugins = ["pytest_throughput.plugin", "dlworkloads.matrix"]

def pytest_throughput_frameworks():
    return ["fakes:MANY", "fakes:FEW"]
"""
FAKES = """
from dlworkloads.base.framework import Framework

class Many(Framework):
    def executions_for(self, mode, device):
        return tuple(each for each in self.executions if each != "frozen" or mode == "inference")

COMMON = dict(package="json", install="json", workload="fakes:WORKLOAD", devices=("cpu", "cuda"), by_default=False)
MANY = Many(
    name="many", display_name="Many", executions=("plain", "fast", "frozen"), default_execution="plain", **COMMON
)
FEW = Framework(
    name="few", display_name="Few", executions=("only",), default_execution="only", modes=("inference",),
    precisions=("fp32", "bf16"), layouts=("nhwc",), **COMMON
)
"""
BENCH = """
def test_inference(inference_case, measure_case):
    measure_case(inference_case)

def test_training(training_case, measure_case):
    measure_case(training_case)
"""

Cases = Callable[..., list[str]]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Two invented frameworks: one has much, the other inference in one execution and layout."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(fakes=FAKES, test_it=BENCH)
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    plain = ("-p", "no:cacheprovider", "-p", "known_machine", "--throughput-lock=off", "--batch-size=1")
    given = () if any(each.startswith("--model") for each in arguments) else ("--model=vgg16",)
    return project.runpytest_inprocess(*plain, *given, *arguments)


@pytest.fixture
def cases(project: pytest.Pytester) -> Cases:
    """``cases(…)``: mode, framework and what follows the batch size: ``training many fp32-plain``."""

    def cases(*arguments: str, framework: str = "many,few", device: str = "cpu") -> list[str]:
        result = run(project, "--collect-only", "-q", f"--framework={framework}", f"--device={device}", *arguments)
        assert result.ret == 0
        points = [line.partition("::test_")[2].rstrip("]").split("[") for line in result.outlines if "[" in line]
        return [f"{mode} {point.split('-')[0]} {point.partition('-b1-')[2]}" for mode, point in points]

    return cases


def test_all_takes_every_value_that_the_framework_has_in_the_mode(cases: Cases) -> None:
    assert cases("--execution=all", "--layout=all") == [
        *(f"inference many fp32-{how}-{layout}" for how in ("plain", "fast", "frozen") for layout in ("nchw", "nhwc")),
        "inference few fp32-only-nhwc",
        *(f"training many fp32-{how}-{layout}" for how in ("plain", "fast") for layout in ("nchw", "nhwc")),
    ]


@pytest.mark.parametrize(
    ("device", "precisions"), [("cpu", ["fp32", "bf16", "fp16"]), ("cuda:1", ["fp32", "tf32", "bf16", "fp16"])]
)
def test_all_takes_the_precisions_of_the_device(cases: Cases, device: str, precisions: list[str]) -> None:
    found = cases("--precision=all", "-k", "inference", device=device)
    assert [case for case in found if "many" in case] == [f"inference many {each}-plain" for each in precisions]
    assert [case for case in found if "few" in case] == ["inference few fp32-only", "inference few bf16-only"]


def test_all_beside_other_values_adds_what_is_missing(cases: Cases) -> None:
    """A value that is given by its name is measured in any case, so that its reason is shown."""
    named = ["only", "plain", "fast"]
    found = cases("--execution=only,all,fast", "-k", "training")
    assert found == [f"training many fp32-{execution}" for execution in named]
    found = cases("--precision=tf32,all", framework="few")
    assert found == [f"inference few {precision}-only" for precision in ("tf32", "fp32", "bf16")]


def test_a_network_that_is_not_the_suites_has_its_own_layout(cases: Cases) -> None:
    options = ("--model=mine:build", "--layout=all", "-k", "inference")
    assert cases(*options) == ["inference many fp32-plain", "inference few fp32-only"]
    # Any module of PyTorch can be converted.
    layouts = cases(*options, framework="pytorch,tensorflow")
    assert layouts == [
        "inference pytorch fp32-eager-nchw",
        "inference pytorch fp32-eager-nhwc",
        "inference tensorflow fp32-graph",
    ]


def test_the_preset_best_is_all_executions_and_layouts(cases: Cases) -> None:
    assert cases("--preset=best") == cases("--preset=quick", "--execution=all", "--layout=all")


def test_what_never_exists_on_a_cpu_is_left_out() -> None:
    pytorch = FRAMEWORKS["pytorch"]
    assert "compiled-graphs" not in pytorch.executions_for("inference", "cpu")
    assert "compiled-graphs" in pytorch.executions_for("training", "cuda")
    assert "compiled-frozen" in pytorch.executions_for("inference", "cpu")
    assert "compiled-frozen" not in pytorch.executions_for("training", "cuda")
    for framework in FRAMEWORKS.values():
        assert framework.default_execution in framework.executions_for("inference", "cpu")
        assert "tf32" not in framework.precisions_for("inference", "cpu")


@pytest.mark.parametrize("axis", ["framework", "device", "model", "batch-size", "preset"])
def test_all_is_no_value_of_other_options(project: pytest.Pytester, axis: str) -> None:
    assert run(project, "--collect-only", "--framework=many", f"--{axis}=all").ret == pytest.ExitCode.USAGE_ERROR


NO_CASE = "no case for test_it.py::test_training: no framework of this run has training (Few); --framework asks for *"


def test_a_test_of_a_mode_that_no_framework_has_is_left_out(project: pytest.Pytester) -> None:
    options = ("--framework=few", "--device=cpu", "--collect-only", "-q", "--throughput-trials=2")
    result = run(project, *options)
    assert result.ret == 0
    assert [line for line in result.outlines if line.startswith("test_it.py::")] == [
        "test_it.py::test_inference[few-cpu-vgg16-b1-fp32-only]",
        "test_it.py::test_inference[few-cpu-vgg16-b1-fp32-only-t2]",
    ]
    result.stdout.fnmatch_lines([NO_CASE])
    assert "no case" not in run(project, *options, "--framework=few,many").stdout.str()


@pytest.mark.parametrize(
    ("selection", "status"),
    [
        ("--ignore=nothing", pytest.ExitCode.NO_TESTS_COLLECTED),
        ("test_it.py::test_training", pytest.ExitCode.USAGE_ERROR),
    ],
)
def test_a_run_without_any_case_says_why(project: pytest.Pytester, selection: str, status: pytest.ExitCode) -> None:
    project.makepyfile(test_it=BENCH.partition("\n\n")[2])
    result = run(project, selection, "--framework=few", "--device=cpu", "-q")
    assert result.ret == status
    result.stdout.fnmatch_lines([NO_CASE])


def test_a_parameter_of_the_users_own_may_be_none(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_it="import pytest\n@pytest.mark.parametrize('framework', [None])\ndef test_mine(framework): pass\n"
    )
    run(project).assert_outcomes(passed=1)


def test_a_parameter_of_the_users_own_may_be_an_array(project: pytest.Pytester) -> None:
    """Arrays compare element by element."""
    project.makepyfile(
        test_it="import numpy, pytest\n@pytest.mark.parametrize('x', [numpy.arange(3)])\ndef test_mine(x): pass\n"
    )
    run(project).assert_outcomes(passed=1)
