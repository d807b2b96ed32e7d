"""What runs in a worker keeps to Python 3.9; walls that are no imports. Those of imports: `lint-imports`."""

from __future__ import annotations

import ast
import os
import subprocess
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
    *(path for path in sorted(WORKLOADS.rglob("*.py")) if path.name != "matrix.py"),
]


def test_python_3_9_can_run_what_runs_in_a_worker() -> None:
    vermin = Path(sysconfig.get_path("scripts"), "vermin")
    command = [str(vermin), "-t=3.9-", "--no-eval-annotations", "--no-tips", "--violations"]
    checked = subprocess.run([*command, *map(str, IN_WORKERS)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _packages(path: Path) -> set[str]:
    """Return the top-level packages that the file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("path", sorted((ROOT / "bench").glob("test_*.py")), ids=lambda path: path.name)
def test_a_benchmark_uses_both_through_fixtures(path: Path) -> None:
    assert _packages(path) <= {"__future__", "dlworkloads"}


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


@pytest.mark.slow
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
