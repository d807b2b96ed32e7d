"""The examples of docs/adding.md run as they stand there."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import open_workload

from dlworkloads import models
from dlworkloads.case import Case
from dlworkloads.frameworks.registry import FRAMEWORKS
from pytest_throughput import Unsupported

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/adding.md").read_text()
FILES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", TEXT, re.DOTALL))
COMMANDS = [line.split() for line in re.findall(r"^pytest bench/ .*$", TEXT, re.MULTILINE)]


@pytest.mark.parametrize("framework", ["numpy", "pytorch", "tensorflow"])
def test_a_network_of_the_users_own_is_measured(framework: str, tmp_path: Path) -> None:
    pytest.importorskip(FRAMEWORKS[framework].package)
    (command,) = (each for each in COMMANDS if "squeezenet:squeezenet" in each)
    (tmp_path / "squeezenet.py").write_text(FILES["squeezenet.py"])
    # Run from another folder than the checkout: "." is the rootdir.
    places = {"bench/": str(ROOT / "bench"), ".": str(tmp_path)}
    arguments = [places.get(argument, argument) for argument in command[1:]]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *arguments, "--benchmark-json=run.json", "-k", "inference"),
            *(f"--framework={framework}", "--batch-size=1", "--device=cpu", "--preset=quick", "-p", "no:cacheprovider"),
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (benchmark,) = json.loads((tmp_path / "run.json").read_text())["benchmarks"]
    info = benchmark["extra_info"]
    # As of torchvision's squeezenet1_1, of 0.349 G multiply-adds.
    assert (info["parameters"], info["flops_per_image"]) == (1_235_496, 698_303_872)
    assert info["model"] == "squeezenet:squeezenet"
    assert info["images_per_second"] > 0


def test_a_framework_of_the_users_own_is_measured(tmp_path: Path) -> None:
    for name in ("blas.py", "blas_workload.py", "conftest.py", "test_speed.py"):
        (tmp_path / name).write_text(FILES[name])
    (command,) = re.findall(r"^pytest test_speed.py .*$", TEXT, re.MULTILINE)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    path = os.pathsep.join([str(ROOT / "plugins"), str(ROOT / "fixtures")])
    ran = subprocess.run(
        [
            *(sys.executable, "-m", *command.split(), "--benchmark-json=run.json", "-p", "no:cacheprovider"),
            *("--device=cpu", "--preset=quick", "--throughput-lock=off"),
        ],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    infos = [each["extra_info"] for each in json.loads((tmp_path / "run.json").read_text())["benchmarks"]]
    measured = {(info["framework"], info["batch_size"]): info for info in infos}
    assert set(measured) == {(framework, size) for framework in ("blas", "numpy") for size in (1, 64)}
    assert len({info["network_hash"] for info in infos}) == 1
    assert {info["unit"] for info in infos} == {"images"}


def test_the_framework_of_the_example_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It agrees with the suite's own, as the page asks for, and refuses what it says that it refuses."""
    (tmp_path / "blas_workload.py").write_text(FILES["blas_workload.py"])
    monkeypatch.syspath_prepend(tmp_path)
    kind = importlib.import_module("blas_workload").BlasWorkload
    monkeypatch.delitem(sys.modules, "blas_workload")
    case = Case("inference", "blas", "cpu", "letter_mlp", 3, "fp32", "eager")
    workload = kind(case, models.build("letter_mlp"))
    reference = open_workload("numpy", models.build("letter_mlp"), "inference")
    workload.load(reference.parameters())
    np.testing.assert_allclose(
        workload.read(workload.run())["logits"], reference.read(reference.run())["logits"], rtol=1e-4
    )
    workload.close()
    with pytest.raises(Unsupported, match="BLAS computes in fp32"):
        kind.prepare(replace(case, precision="bf16"), 1)
    with pytest.raises(Unsupported, match="BLAS has no Conv2d"):
        kind(replace(case, model="mnist_cnn"), models.build("mnist_cnn"))


def test_the_other_files_are_python_and_their_commands_name_them() -> None:
    for name in ("squeezenet.py", "mynets.py"):
        compile(FILES[name], name, "exec")
        module = name.removesuffix(".py")
        assert any(f"{module}:" in argument for command in COMMANDS for argument in command)


def test_the_files_that_are_named_are_there() -> None:
    paths = set(re.findall(r"`((?:fixtures|tests)/[\w/.]+)`", TEXT))
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
