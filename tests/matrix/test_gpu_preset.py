"""What is measured on a GPU without any option: the preset ``gpu``, with precisions by compute capability."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlworkloads.presets import PRESETS, customary_precisions
from pytest_throughput.measurement.plan import PLANS

ROOT = Path(__file__).parents[2]


def shown(*arguments: str, capability: str | None = None) -> str:
    """What pytest prints when it collects this project's own bench/ where NVML sees one GPU."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "CUDA"))}
    environment["PYTHONPATH"] = str(ROOT / "tests/support")
    if capability is not None:
        environment["CAPABILITY"] = capability
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "one_gpu", "bench/test_training.py"]
    ran = subprocess.run(
        [*command, "--collect-only", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def cases(*arguments: str, capability: str | None = None) -> list[str]:
    lines = shown("-q", *arguments, capability=capability).splitlines()
    return [line.partition("[")[2].rstrip("]") for line in lines if "::" in line]


def test_a_gpu_is_measured_by_its_own_preset() -> None:
    found = cases("--framework=pytorch,tensorflow", capability="9.0")
    assert len(found) == len(set(found)) == 3 * 3 * 2 * (2 + 2)
    assert {case for case in found if "-resnet50-b32-" in case} == {
        "pytorch-cuda-resnet50-b32-tf32-eager-nchw",
        "pytorch-cuda-resnet50-b32-tf32-compiled-nchw",
        "pytorch-cuda-resnet50-b32-bf16-eager-nhwc",
        "pytorch-cuda-resnet50-b32-bf16-compiled-nhwc",
        "tensorflow-cuda-resnet50-b32-tf32-eager",
        "tensorflow-cuda-resnet50-b32-tf32-compiled",
        "tensorflow-cuda-resnet50-b32-bf16-eager",
        "tensorflow-cuda-resnet50-b32-bf16-compiled",
    }


def test_every_option_that_is_given_wins() -> None:
    given = ("--framework=pytorch", "--model=mnist_cnn", "--precision=fp16", "--execution=compiled-graphs")
    assert cases(*given, "--layout=nchw", "--batch-size=8") == [
        "pytorch-cuda-mnist_cnn-b8-fp16-compiled-graphs-nchw",
    ]


@pytest.mark.parametrize(
    ("capability", "precisions"),
    [
        (None, ["fp32"]),
        ((3, 7), ["fp32"]),
        ((6, 0), ["fp32"]),
        ((7, 0), ["fp32", "fp16"]),
        ((7, 5), ["fp32", "fp16"]),
        ((8, 0), ["tf32", "bf16"]),
        ((12, 0), ["tf32", "bf16"]),
    ],
)
def test_the_precisions_are_those_of_the_generation(capability: tuple[int, int] | None, precisions: list[str]) -> None:
    assert list(customary_precisions(capability)) == precisions


@pytest.mark.slow
def test_where_the_generation_is_unknown_it_is_fp32_and_the_header_says_so() -> None:
    options = ("--framework=pytorch", "--model=vgg16", "--batch-size=1")
    text = shown(*options)
    assert "NVML does not give the compute capability of cuda, so the precision is fp32; --precision asks for" in text
    assert "[pytorch-cuda-vgg16-b1-fp32-compiled-nchw]" in text and "bf16-eager" not in text
    assert "compute capability" not in shown(*options, "--precision=bf16")
    assert "compute capability" not in shown(*options, "--device=cpu")


def test_its_rounds_last_five_seconds() -> None:
    plan = PLANS[PRESETS["gpu"].protocol]
    assert plan.min_seconds == 5.0 < plan.max_seconds
    # None: K follows from the length of a round.
    assert plan.target is not None
