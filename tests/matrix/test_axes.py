"""A field of `Case` with an `Axis` is all that a new axis of the matrix needs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dlworkloads.case import LARGEST_BATCH, Case

ROOT = Path(__file__).parents[2]
LAST_FIELD = '    """``nchw``, ``nhwc``, or None for the framework\'s own choice for the device."""\n'
NEW_FIELD = """
    strategy: Optional[str] = field(
        default=None, metadata=_axis("How ranks share the work.", "none", values=("ddp", "fsdp"))
    )

    ranks: int = field(
        default=1,
        metadata=_axis("The numbers of ranks.", "1", read=lambda text: [int(text)], name=lambda ranks: f"n{ranks}"),
    )
"""
SUITE = """
def test_inference(inference_case, measure_case, ranks):
    assert ranks == inference_case.ranks
    measure_case(inference_case)
"""


def test_a_new_axis_is_one_edit(tmp_path: Path) -> None:
    """The option, the id, the fixture and the argument of the opened step follow from the field."""
    package = shutil.copytree(ROOT / "fixtures/dlworkloads", tmp_path / "lib/dlworkloads")
    text = (package / "case.py").read_text()
    assert text.count(LAST_FIELD) == 1
    (package / "case.py").write_text(text.replace(LAST_FIELD, LAST_FIELD + NEW_FIELD))
    (tmp_path / "test_it.py").write_text(SUITE)
    (tmp_path / "conftest.py").write_text("pytest_plugins = ['pytest_throughput.plugin', 'dlworkloads.matrix']\n")

    folders = [tmp_path / "lib", ROOT / "plugins", ROOT / "tests/support"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, folders))
    plugins = ("-p", "no:cacheprovider", "-p", "short_protocols", "-p", "known_machine")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", *plugins, "--throughput-protocol=quick", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    point = ("--framework=numpy", "--device=cpu", "--model=letter_mlp", "--batch-size=1", "--throughput-lock=off")
    plain = run(*point, "--collect-only", "-q")
    assert "test_it.py::test_inference[numpy-cpu-letter_mlp-b1-fp32-eager]" in plain.stdout.splitlines(), plain.stderr
    options = ("--strategy=ddp", "--ranks=1,2", "--throughput-isolation=framework", "--throughput-threads=1")
    result = run(*point, *options, "--benchmark-json=run.json")
    assert result.returncode == 0, result.stdout + result.stderr
    found = json.loads((tmp_path / "run.json").read_text())["benchmarks"]
    found.sort(key=lambda benchmark: int(benchmark["extra_info"]["ranks"]))
    assert [(each["name"], each["extra_info"]["ranks"]) for each in found] == [
        ("test_inference[numpy-cpu-letter_mlp-b1-fp32-eager-ddp]", 1),
        ("test_inference[numpy-cpu-letter_mlp-b1-fp32-eager-ddp-n2]", 2),
    ]
    # The opened step gave back what it was opened with.
    assert [each["extra_info"]["strategy"] for each in found] == ["ddp", "ddp"]
    assert [each["extra_info"]["case_id"] for each in found] == [
        "inference-numpy-cpu-letter_mlp-b1-fp32-eager-ddp",
        "inference-numpy-cpu-letter_mlp-b1-fp32-eager-ddp-n2",
    ]
    assert found[1]["params"]["ranks"] == 2
    refused = run(*point, "--strategy=dp")
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert "unknown strategy 'dp'; expected some of: ddp, fsdp" in refused.stderr


@pytest.mark.parametrize(
    ("batch_size", "layout", "point"),
    [
        (8, None, "pytorch-cuda:1-vgg16-b8-tf32-eager"),
        (LARGEST_BATCH, "nhwc", "pytorch-cuda:1-vgg16-bmax-tf32-eager-nhwc"),
    ],
)
def test_an_id_names_each_axis_but_a_layout_that_is_not_given(batch_size: int, layout: str | None, point: str) -> None:
    case = Case("training", "pytorch", "cuda:1", "vgg16", batch_size, "tf32", "eager", layout)
    assert (case.point, case.id) == (point, f"training-{point}")
