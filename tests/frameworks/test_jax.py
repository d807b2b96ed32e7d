"""What JAX compiles, counts and starts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dlworkloads.models.containers import Sequential
from dlworkloads.models.layers import BatchNorm, Conv2d, Dense, Dropout, Flatten, ReLU
from dlworkloads.models.network import Network

pytest.importorskip("jax")

TINY = Network("tiny", (3, 8, 8), Sequential(Conv2d(4, 3), BatchNorm(), ReLU(), Flatten(), Dropout(0.5), Dense(5)))


def compiled_text(workload: Any) -> str:
    return str(workload.function.lower(*workload.arguments()).compile().as_text())


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_nothing_is_computed_in_advance(open_workload: Callable[..., Any], mode: str) -> None:
    """Parameters, statistics, key, images and labels are arguments of what XLA has compiled; no tensor is constant."""
    text = compiled_text(open_workload("jax", TINY, mode))
    entry = text[text.index("ENTRY") :]
    given = {name for name, _ in re.findall(r"%(\S+) = \S+ parameter\((\d+)\)", entry)}
    batch_and_key = 1 if mode == "inference" else 3
    assert len(given) == len(TINY.parameters) + len(TINY.buffers) + batch_and_key
    constants = re.findall(r"= \w+\[([\d,]+)\]\S* constant\(", text)
    assert [shape for shape in constants if max(map(int, shape.split(","))) > 4] == []


def test_running_statistics_and_the_key_are_results(open_workload: Callable[..., Any]) -> None:
    workload = open_workload("jax", TINY, "training")
    (outputs,) = re.findall(r"entry_computation_layout=\{.*->\((.*)\)\}", compiled_text(workload).splitlines()[0])
    arrays = 1 + len(TINY.parameters) + len(TINY.buffers) + 1
    assert len(re.findall(r"\w+\[", outputs)) == arrays


def test_what_is_compiled_once_is_counted_once(open_workload: Callable[..., Any]) -> None:
    workload = open_workload("jax", TINY, "training")
    assert (workload.compilations(), workload.compile_seconds()) == (0, 0)
    output = workload.run()
    seconds = workload.compile_seconds()
    assert workload.compilations() == 1 and seconds > 0
    workload.is_finite(workload.run())
    assert (workload.compilations(), workload.compile_seconds()) == (1, seconds)
    assert workload.dtypes(output) == dict.fromkeys(("weights", "images", "computation"), "float32")
    workload.batch = [workload.upload(np.asarray(each)[:2]) for each in workload.batch]
    workload.run()
    assert workload.compilations() == 2


def test_the_first_eager_step_compiles_its_operations(open_workload: Callable[..., Any]) -> None:
    """BatchNorm's statistics, which are made from the same images before, compile none of them."""
    odd = Network("odd", (3, 13, 11), Sequential(Conv2d(7, 3), BatchNorm(), ReLU(), Flatten(), Dense(5)))
    workload = open_workload("jax", odd, "inference", execution="eager")
    workload.run()
    assert workload.compilations() > 1


def test_the_time_within_another_span_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from dlworkloads.runtimes import jax as runtime

    now = iter([2.0, 3.0, 5.0, 9.0])
    monkeypatch.setattr(runtime, "time", SimpleNamespace(perf_counter=lambda: next(now)))
    log = runtime.CompilerLog()
    for event, seconds in (("trace", 1.0), ("trace", 0.5), ("trace", 4.5), ("backend_compile_duration", 3.0)):
        log.note(f"/jax/core/compile/{event}", seconds)
    assert (log.seconds, log.compilations) == (4.5 + 3.0, 1)


def test_the_peak_of_an_earlier_case_is_not_reported(open_workload: Callable[..., Any]) -> None:
    workload = open_workload("jax", TINY, "inference")
    peaks = iter([700, 900])
    workload._peak_before = 700
    workload._device = SimpleNamespace(memory_stats=lambda: {"peak_bytes_in_use": next(peaks)})
    assert workload.peak_memory_bytes() is None
    assert workload.peak_memory_bytes() == 900


@pytest.mark.parametrize("threads", [1, 3])
def test_the_threads_are_as_many_as_asked_for(threads: int) -> None:
    """XLA starts its threads with JAX, so that each number needs a process of its own."""
    program = f"""
        from pathlib import Path
        from dlworkloads.opening import open_step
        axes = dict(mode="inference", framework="jax", device="cpu", model="letter_mlp", batch_size=1)
        step = open_step(**axes, precision="fp32", execution="compiled", threads={threads})
        step.wait(step.run())
        names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
        print(step.metadata["settings"]["threads"], names.count("tf_XLAEigen"))
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for name in ("PJRT_NPROC", "JAX_PLATFORMS"):
        environment.pop(name, None)
    command = [sys.executable, "-c", textwrap.dedent(program)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert list(map(int, ran.stdout.split())) == [threads, threads]
