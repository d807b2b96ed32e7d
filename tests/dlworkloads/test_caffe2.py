"""What is known of Caffe2 without its interpreter."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dlworkloads.case import Case
from dlworkloads.frameworks import caffe2
from pytest_throughput.launch.worker_process import Worker
from pytest_throughput.measurement.plan import ONCE
from pytest_throughput.worker.protocol import Request

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("cpuinfo", "variables"),
    [
        ("vendor_id : AuthenticAMD\nflags : sse4_2 avx avx2\n", {"MKL_DEBUG_CPU_TYPE": "5"}),
        ("vendor_id : AuthenticAMD\nflags : sse4_2 avx\n", {}),
        ("vendor_id : GenuineIntel\nflags : avx avx2 avx512f\n", {}),
        (None, {}),
    ],
)
def test_mkl_is_told_to_use_avx2_on_processors_of_amd(
    cpuinfo: str | None, variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On those of Intel it chooses by itself, and AVX-512 where they have it."""
    file = tmp_path / "cpuinfo"
    if cpuinfo is not None:
        file.write_text(cpuinfo)
    monkeypatch.setattr(caffe2, "CPU_INFORMATION", str(file))
    case = Case("inference", "caffe2", "cpu", "alexnet", 1, "fp32", "graph")
    assert caffe2.FRAMEWORK.variables(case, 1) == variables


def test_a_torch_without_caffe2s_library_is_unsupported(tmp_path: Path) -> None:
    """Those from 1.11 to 2.2 have its Python files alone, whose import ends the process."""
    package = tmp_path / "caffe2/python"
    package.mkdir(parents=True)
    (tmp_path / "caffe2/__init__.py").touch()
    (package / "__init__.py").write_text("import sys\nsys.exit(1)\n")
    path = os.pathsep.join(map(str, [tmp_path, ROOT / "plugins", ROOT / "fixtures"]))
    worker = Worker([sys.executable], {**os.environ, "PYTHONPATH": path})
    axes = {"mode": "inference", "framework": "caffe2", "device": "cpu", "model": "mnist_cnn", "batch_size": 1}
    arguments = {**axes, "precision": "fp32", "execution": "graph", "threads": 1}
    outcome = worker.run(Request("dlworkloads.opening:open_step", arguments, ONCE), 60)
    worker.close()
    assert (outcome.status, outcome.reason) == (
        "unsupported",
        "this torch has Caffe2's Python files without its library: nox -s env-caffe2",
    )
