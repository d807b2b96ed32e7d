"""A sweep over batch sizes under a limit on memory, on this project's own bench/."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_sweep_shows_where_memory_ends_and_goes_on(tmp_path: Path) -> None:
    """Half a megabyte an image and more, whatever NumPy and its threads need besides."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    options = ["--framework=numpy", "--device=cpu", "--model=mnist_cnn,letter_mlp", "--batch-size=1:512"]
    options += ["--throughput-isolation=framework", "--throughput-protocol=paper", "--throughput-threads=1"]
    options += ["--throughput-memory-limit=100M", "--throughput-lock=off", f"--benchmark-json={tmp_path}/run.json"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "bench/test_inference.py", *options]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    document = json.loads((tmp_path / "run.json").read_text())
    found = {(case["labels"]["model"], case["labels"]["batch_size"]): case for case in document["throughput"]["cases"]}
    sizes = [2**power for power in range(10)]
    assert set(found) == {(model, size) for model in ("mnist_cnn", "letter_mlp") for size in sizes}
    statuses = {key: case["status"] for key, case in found.items()}
    assert [statuses["mnist_cnn", size] for size in (1, 2, 4, 8)] == ["ok"] * 4
    assert [statuses["mnist_cnn", size] for size in (128, 256, 512)] == ["out_of_memory"] * 3
    assert found["mnist_cnn", 512]["reason"].endswith("--throughput-memory-limit is 100 MiB; killed")
    assert [statuses["letter_mlp", size] for size in sizes] == ["ok"] * 10
    # No batch was measured that is smaller than the one that was asked for.
    for benchmark in document["benchmarks"]:
        info = benchmark["extra_info"]
        assert f"-b{info['batch_size']}-" in info["case_id"]
    assert document["throughput"]["complete"] is True
