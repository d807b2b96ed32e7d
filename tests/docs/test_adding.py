"""The examples of docs/adding.md run as they stand there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dlworkloads.frameworks import FRAMEWORKS

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


def test_the_other_files_are_python_and_their_commands_name_them() -> None:
    for name in ("squeezenet.py", "mynets.py"):
        compile(FILES[name], name, "exec")
        module = name.removesuffix(".py")
        assert any(f"{module}:" in argument for command in COMMANDS for argument in command)


def test_the_files_that_are_named_are_there() -> None:
    paths = set(re.findall(r"`((?:fixtures|tests)/[\w/.]+)`", TEXT))
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
