"""Keras on PyTorch and on JAX pass the tests of `keras_backends.py`, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from networks import TESTED_FRAMEWORK

from dlworkloads import cuda_device
from dlworkloads.frameworks.registry import FRAMEWORKS

HERE = Path(__file__).parent
OF_EVERY_FRAMEWORK = (
    "test_auxiliary_heads.py",
    "test_convergence.py::test_an_interrupted_training_goes_on_as_if_it_had_not_been",
    "test_modes.py::test_batch_statistics_move_in_training",
    "test_modes.py::test_closing_frees_the_network_even_if_the_step_is_kept",
    "test_modes.py::test_dropout_drops_in_training_and_each_time_others",
    "test_modes.py::test_dropout_keeps_all_in_inference",
    "test_modes.py::test_inference_uses_the_statistics_of_at_most_8_images_and_keeps_them",
    "test_modes.py::test_outputs_that_are_no_numbers_are_seen",
    "test_update_steps.py",
)
"""The tests that hold for these two as they are."""
BACKENDS = pytest.mark.parametrize("framework", ["keras-torch", "keras-jax"])


@BACKENDS
def test_small_networks(framework: str) -> None:
    _run(framework, "not slow", "keras_backends.py", *OF_EVERY_FRAMEWORK)


@pytest.mark.slow
@BACKENDS
def test_every_network(framework: str) -> None:
    _run(framework, "slow", "keras_backends.py", *OF_EVERY_FRAMEWORK)


@pytest.mark.slow
@BACKENDS
def test_updates(framework: str) -> None:
    _run(framework, "slow or not slow", "test_updates.py")


@pytest.mark.gpu
@BACKENDS
def test_on_a_gpu(framework: str) -> None:
    if cuda_device.first() is None:
        pytest.skip("there is no CUDA device")
    _run(framework, "gpu", "test_gpu.py")


def _run(framework: str, marks: str, *tests: str) -> None:
    for module in ("torch", *FRAMEWORKS[framework].modules):
        pytest.importorskip(module)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", marks]
    # XLA otherwise spends most of the time on making faster what runs once.
    environment = {**os.environ, TESTED_FRAMEWORK: framework, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    environment.pop("KERAS_BACKEND", None)
    ran = subprocess.run(
        [*command, *tests],
        cwd=HERE,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-2000:]
