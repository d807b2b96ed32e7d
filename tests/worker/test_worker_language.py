"""What runs in a worker keeps to Python 3.9 and to the walls between the packages."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from pytest_throughput.launch.worker_process import Worker
from pytest_throughput.measurement.plan import PLANS
from pytest_throughput.worker.protocol import Request

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugins/pytest_throughput"
WORKLOADS = ROOT / "fixtures/dlworkloads"

IN_WORKERS = [
    PLUGIN / "__init__.py",
    *sorted((PLUGIN / "measurement").glob("*.py")),
    *sorted((PLUGIN / "worker").glob("*.py")),
    *(path for path in sorted(WORKLOADS.rglob("*.py")) if path.name not in ("matrix.py", "presets.py")),
]
FRAMEWORKS = {"torch", "tensorflow", "keras", "jax", "torchvision"}


def imported(path: Path) -> set[str]:
    """Every module that the file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names.add(node.module or "")
    return names


def packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


@pytest.mark.parametrize("path", IN_WORKERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_worker_needs_the_standard_library_numpy_and_its_framework(path: Path) -> None:
    allowed = {*sys.stdlib_module_names, "numpy", "pytest_throughput", "dlworkloads"}
    if path.parent.name in ("frameworks", "external"):
        allowed |= FRAMEWORKS
    if path.name == "numpy.py":
        allowed.add("threadpoolctl")
    assert packages(path) <= allowed


def test_python_3_9_can_run_what_runs_in_a_worker() -> None:
    vermin = Path(sysconfig.get_path("scripts"), "vermin")
    command = [str(vermin), "-t=3.9-", "--no-eval-annotations", "--no-tips", "--violations"]
    checked = subprocess.run([*command, *map(str, IN_WORKERS)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("path", sorted(PLUGIN.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_plugin_knows_no_framework(path: Path) -> None:
    assert packages(path).isdisjoint({*FRAMEWORKS, "dlworkloads"})


@pytest.mark.parametrize("path", sorted((PLUGIN / "measurement").glob("*.py")), ids=lambda path: path.name)
def test_measuring_knows_the_standard_library_alone(path: Path) -> None:
    assert packages(path) <= {*sys.stdlib_module_names, "pytest_throughput"}
    ours = {name for name in imported(path) if name.startswith("pytest_throughput")}
    assert all(name.startswith("pytest_throughput.measurement") for name in ours)


@pytest.mark.parametrize("path", sorted(WORKLOADS.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_networks_know_of_the_plugin_what_measuring_needs(path: Path) -> None:
    ours = {name for name in imported(path) if name.startswith("pytest_throughput")}
    if path.name == "matrix.py":
        assert "pytest" in imported(path)
    else:
        assert "pytest" not in imported(path)
        # The public API, or a module of it.
        assert all(name == "pytest_throughput" or name.startswith("pytest_throughput.measurement") for name in ours)


@pytest.mark.parametrize("path", sorted((WORKLOADS / "frameworks").glob("*.py")), ids=lambda path: path.name)
def test_no_framework_knows_another(path: Path) -> None:
    others = {name for name in imported(path) if name.startswith("dlworkloads.frameworks")}
    assert others <= {"dlworkloads.frameworks.base"}
    assert len(packages(path) & {"torch", "tensorflow", "jax"}) <= 1


@pytest.mark.parametrize("path", sorted((ROOT / "bench").glob("test_*.py")), ids=lambda path: path.name)
def test_a_benchmark_uses_both_through_fixtures(path: Path) -> None:
    assert packages(path) <= {"__future__", "dlworkloads"}


def test_no_private_attribute_of_pytest_benchmark_is_touched() -> None:
    for path in PLUGIN.rglob("*.py"):
        text = path.read_text()
        assert "_benchmarksession" not in text
        assert "import pytest_benchmark" not in text
        assert "benchmark._" not in text


def _python_3_9() -> list[str] | None:
    for command in (["python3.9"], ["env", "PYENV_VERSION=3.9", "python3.9"]):
        try:
            if subprocess.run([*command, "-c", ""], capture_output=True, check=False).returncode == 0:
                return command
        except FileNotFoundError:
            pass
    return None


def test_a_worker_really_runs_in_python_3_9(tmp_path: Path) -> None:
    python = _python_3_9()
    if python is None:
        pytest.skip("there is no python3.9 on the path")
    (tmp_path / "steps.py").write_text("from pytest_throughput import Step\ndef nothing(): return Step(lambda: None)\n")
    path = os.pathsep.join([str(ROOT / "plugins"), str(tmp_path)])
    worker = Worker(python, {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"})
    outcome = worker.run(Request("steps:nothing", {}, PLANS["adaptive"]), 60)
    worker.close()
    assert (outcome.status, outcome.reason) == ("ok", None)
    assert outcome.metadata["versions"]["python"].startswith("3.9.")
