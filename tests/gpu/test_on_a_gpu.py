"""On an NVIDIA GPU: the clocks agree, memory ends tidily, telemetry sees what it should. Skipped without one.

Bounds are wide: they detect a mistake, such as a wait that does not wait, but not the difference between two figures.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dlworkloads.presets import customary_precisions
from pytest_throughput.launch.worker_process import Worker
from pytest_throughput.measurement.plan import PLANS
from pytest_throughput.telemetry.gpus import Gpu, find_gpu, list_gpus, visibility
from pytest_throughput.telemetry.probe import GpuProbe
from pytest_throughput.worker.protocol import Outcome, Request

pytestmark = pytest.mark.gpu

ROOT = Path(__file__).parents[2]
PATH = os.pathsep.join([str(ROOT / "plugins"), str(ROOT / "fixtures")])
ADAPTIVE, PAPER = PLANS["adaptive"], PLANS["paper"]
CASE = {
    "mode": "inference",
    "framework": "pytorch",
    "device": "cuda",
    "model": "resnet50",
    "batch_size": 32,
    "precision": "fp32",
    "execution": "eager",
}


@pytest.fixture(scope="module")
def gpu() -> Gpu:
    """The first that can be seen."""
    found = find_gpu("cuda", list_gpus())
    if found is None:
        pytest.skip("NVML sees no GPU")
    return found


@pytest.fixture
def torch_on_gpu(gpu: Gpu) -> None:
    """Asked in another process: this one shall not hold a context on the GPU that it watches."""
    asked = "import torch, sys; sys.exit(not torch.cuda.is_available())"
    if subprocess.run([sys.executable, "-c", asked], capture_output=True, check=False).returncode:
        pytest.skip("PyTorch finds no CUDA device")


def run_trial(gpu: Gpu, plan: Any = ADAPTIVE, steps_per_round: int | None = None, **axes: Any) -> Outcome:
    """One case in a worker of its own."""
    case = {**CASE, **axes}
    worker = Worker([sys.executable], {**os.environ, "PYTHONPATH": PATH})
    variables = visibility("cuda", [gpu])
    request = Request("dlworkloads.opening:open_step", case, plan, steps_per_round, True, variables=variables)
    try:
        outcome = worker.run(request, 600)
    finally:
        worker.close()
    assert (outcome.status, outcome.reason) == ("ok", None), worker
    return outcome


def bench(folder: Path, *arguments: str) -> dict[str, Any]:
    """The result file of a run over this project's bench/."""
    file = folder / "run.json"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "bench/",
        "-p",
        "no:cacheprovider",
        f"--benchmark-json={file}",
        *arguments,
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    document: dict[str, Any] = json.loads(file.read_text())
    return document


def test_the_gpu_answers(gpu: Gpu) -> None:
    probe = GpuProbe(gpu)
    reading = probe.read(time.monotonic())
    probe.close()
    assert 100 < reading.values["sm_clock_mhz"] <= reading.values["highest_sm_clock_mhz"] < 10_000
    assert 0 < reading.values["temperature_celsius"] < 120
    assert reading.processes is not None, probe.unknown
    assert set(probe.unknown) <= {"energy_joules", "power_limited_seconds", "thermally_limited_seconds"}, probe.unknown


def test_a_worker_sees_the_gpu_that_was_chosen_by_uuid(gpu: Gpu, torch_on_gpu: None) -> None:
    asked = (
        "import torch; found = torch.cuda.get_device_properties(0); "
        "print(torch.cuda.device_count(), found.uuid, found.name, sep='|')"
    )
    environment = {**os.environ, **visibility("cuda", [gpu])}
    answer = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True)
    count, uuid, name = answer.stdout.strip().split("|")
    assert (count, f"GPU-{uuid}", name) == ("1", gpu.uuid, gpu.name)


def test_the_compute_capability_is_that_of_the_framework(gpu: Gpu, torch_on_gpu: None) -> None:
    asked = "import torch; print(*torch.cuda.get_device_capability(0))"
    environment = {**os.environ, **visibility("cuda", [gpu])}
    answer = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True)
    assert gpu.compute_capability == tuple(map(int, answer.stdout.split()))


def test_the_default_preset_measures_what_the_gpus_generation_is_used_with(
    gpu: Gpu, torch_on_gpu: None, tmp_path: Path
) -> None:
    document = bench(tmp_path, "--framework=pytorch", "--device=cuda", "--model=resnet50", "--batch-size=32")
    found = {
        (info["precision"], info["execution"], info["layout"])
        for benchmark in document["benchmarks"]
        if (info := benchmark["extra_info"])
    }
    assert gpu.compute_capability is not None
    assert {precision for precision, _, _ in found} == set(customary_precisions(gpu.compute_capability))
    assert {execution for _, execution, _ in found} == {"eager", "compiled"}
    assert all(layout == ("nhwc" if precision in ("bf16", "fp16") else "nchw") for precision, _, layout in found)
    for benchmark in document["benchmarks"]:
        info = benchmark["extra_info"]
        assert sum(benchmark["stats"]["data"]) * benchmark["stats"]["iterations"] >= 5.0
        assert info["images_per_joule"] is not None, info["telemetry"]["unknown"]
        assert info["implausible"] is None


BARE_LOOP = """
import json, statistics, sys, time
import torch
from dlworkloads.opening import open_step
from pytest_throughput.measurement.loop import measure
from pytest_throughput.measurement.plan import PLANS

step = open_step(**json.loads(sys.argv[1]))
found = measure(step, PLANS["gpu"])
seconds = []
for _ in range(20):
    started = time.perf_counter()
    for _ in range(found.steps_per_round):
        step.run()
    torch.cuda.synchronize()
    seconds.append((time.perf_counter() - started) / found.steps_per_round)
print(statistics.median(found.seconds_per_step) / statistics.median(seconds))
"""


@pytest.mark.parametrize(("batch_size", "execution"), [(1, "eager"), (32, "eager"), (32, "compiled")])
def test_a_bare_loop_is_as_fast(gpu: Gpu, torch_on_gpu: None, batch_size: int, execution: str) -> None:
    """The same step in the same process, seconds later: within 1 %."""
    axes = {**CASE, "batch_size": batch_size, "execution": execution}
    environment = {**os.environ, **visibility("cuda", [gpu]), "PYTHONPATH": PATH}
    command = [sys.executable, "-c", BARE_LOOP, json.dumps(axes)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert float(ran.stdout) == pytest.approx(1.0, abs=0.01)


def test_the_devices_clock_agrees_with_ours(gpu: Gpu, torch_on_gpu: None) -> None:
    outcome = run_trial(gpu)
    assert outcome.measurement is not None
    seconds = statistics.median(outcome.measurement.seconds_per_step)
    assert outcome.measurement.steps_per_round > 1
    assert outcome.metadata["device_seconds"] == pytest.approx(seconds, rel=0.05)
    assert 0 < outcome.metadata["enqueue_ratio"] <= 1


def test_twice_the_work_takes_twice_as_long(gpu: Gpu, torch_on_gpu: None) -> None:
    """It would not if launches were timed."""
    seconds = {
        batch_size: statistics.median(measured.seconds_per_step)
        for batch_size in (64, 128)
        if (measured := run_trial(gpu, batch_size=batch_size).measurement) is not None
    }
    assert 1.6 < seconds[128] / seconds[64] < 2.4


@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_a_small_network_waits_for_the_host_and_a_large_one_does_not(
    gpu: Gpu, framework: str, request: pytest.FixtureRequest
) -> None:
    if framework == "pytorch":
        request.getfixturevalue("torch_on_gpu")
    else:
        asked = "import tensorflow, sys; sys.exit(not tensorflow.config.list_physical_devices('GPU'))"
        if subprocess.run([sys.executable, "-c", asked], capture_output=True, check=False).returncode:
            pytest.skip("TensorFlow finds no CUDA device")
    execution = {"pytorch": "eager", "tensorflow": "graph"}[framework]
    axes: dict[str, Any] = {"framework": framework, "execution": execution}
    small = run_trial(gpu, model="resnet152", batch_size=1, precision="bf16", **axes)
    large = run_trial(gpu, model="vgg16", batch_size=64, **axes)
    assert large.metadata["enqueue_ratio"] < 0.5 < small.metadata["enqueue_ratio"]


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_recording_cuda_graphs_is_in_no_round(gpu: Gpu, torch_on_gpu: None, mode: str) -> None:
    outcome = run_trial(gpu, PAPER, mode=mode, execution="compiled-graphs", batch_size=8)
    assert outcome.measurement is not None
    rounds = outcome.measurement.round_seconds
    assert rounds[0] < 2 * statistics.median(rounds)
    eager = run_trial(gpu, PAPER, mode=mode, batch_size=8)
    assert outcome.metadata["enqueue_ratio"] < eager.metadata["enqueue_ratio"]


def test_a_run_reports_watts_clocks_and_the_share_of_the_peak(gpu: Gpu, torch_on_gpu: None, tmp_path: Path) -> None:
    document = bench(
        tmp_path, "--framework=pytorch", "--device=cuda", "--model=vgg16", "--batch-size=64", "--preset=full"
    )
    for benchmark in document["benchmarks"]:
        info = benchmark["extra_info"]
        found = info["telemetry"]["gpu"]
        assert found is not None, info["telemetry"]["unknown"]
        assert found["readings"] >= 10
        assert found["sm_clock_mhz"]["min"] > 100
        assert found["memory_peak_bytes"] >= info["peak_memory_bytes"]
        assert found["power_method"] in ("energy counter", "mean of the power sensor"), info["telemetry"]["unknown"]
        assert 20 < found["power_watts"] < 1.1 * (gpu.power_limit_watts or 2000)
        assert info["images_per_joule"] == pytest.approx(info["images_per_second"] / found["power_watts"], rel=0.05)
        assert found["foreign_processes"] == 0, "another process computes on this GPU: run these tests alone"
        if info["model_flops_utilisation"] is not None:
            assert 0.05 < info["model_flops_utilisation"] < 1
        assert info["implausible"] is None


def test_a_sweep_goes_on_where_memory_has_ended(gpu: Gpu, torch_on_gpu: None, tmp_path: Path) -> None:
    too_large = 2 ** ((gpu.memory_bytes or 2**37) // (25 << 20)).bit_length()
    document = bench(
        tmp_path,
        *("--framework=pytorch", "--device=cuda", "--model=vgg16", f"--batch-size=1,{too_large},2"),
        *("--throughput-protocol=paper", "-k", "test_training"),
    )
    cases = document["throughput"]["cases"]
    assert [case["status"] for case in cases] == ["ok", "out_of_memory", "ok"]
    assert "GiB" in cases[1]["reason"]


def test_the_largest_batch_is_found(gpu: Gpu, torch_on_gpu: None, tmp_path: Path) -> None:
    document = bench(
        tmp_path,
        *("--framework=pytorch", "--device=cuda", "--model=vgg16", "--find-max-batch"),
        *("--throughput-protocol=paper", "-k", "test_training"),
    )
    (benchmark,) = document["benchmarks"]
    info = benchmark["extra_info"]
    assert info["batch_size"] == info["largest_batch"]["fits"] < info["largest_batch"]["refused"]
    assert info["largest_batch"]["refused"] - info["batch_size"] <= max(1, info["batch_size"] / 50)
    assert info["telemetry"]["gpu"]["memory_peak_bytes"] > 0.5 * (gpu.memory_bytes or 0)
