"""The suite's own bench/ with each framework, from the options to the result file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlworkloads.frameworks.registry import FRAMEWORKS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("framework", "package"), [("pytorch", "torch"), ("tensorflow", "tensorflow")])
def test_a_case_goes_all_the_way(framework: str, package: str, tmp_path: Path) -> None:
    pytest.importorskip(package)
    file = tmp_path / "run.json"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    command = [
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--throughput-lock=off"),
        *("bench/", f"--framework={framework}", "--model=mnist_cnn", "--batch-size=4", "--device=cpu"),
        *(f"--benchmark-json={file}", "--throughput-threads=1", "--execution=eager,compiled-graphs"),
    ]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    document = json.loads(file.read_text())
    execution = FRAMEWORKS[framework].default_execution
    inference, training = document["benchmarks"]
    for benchmark, mode in ((inference, "inference"), (training, "training")):
        info = benchmark["extra_info"]
        assert info["case_id"] == f"{mode}-{framework}-cpu-mnist_cnn-b4-fp32-eager"
        assert info["images_per_second"] == pytest.approx(4 / benchmark["stats"]["median"])
        assert (info["framework"], info["device"], info["model"], info["mode"]) == (framework, "cpu", "mnist_cnn", mode)
        assert (info["batch_size"], info["precision"], info["execution"]) == (4, "fp32", "eager")
        assert info["parameters"] == 1_199_882
        assert info["flops_per_image"] > 10**7
        assert info["layout"] in ("nchw", "nhwc")
        assert info["versions"][package]
        assert info["settings"]["threads"] == 1
        assert info["build_seconds"] is info["first_step_seconds"] is None  # The cases share a process.
        assert benchmark["params"]["framework"] == framework
    assert inference["extra_info"]["network_hash"] == training["extra_info"]["network_hash"]
    assert training["extra_info"]["images_per_second"] < inference["extra_info"]["images_per_second"]
    statuses = {case["id"]: case["status"] for case in document["throughput"]["cases"]}
    assert statuses[f"inference-{framework}-cpu-mnist_cnn-b4-fp32-compiled-graphs"] == "unsupported"
    assert execution in FRAMEWORKS[framework].executions
