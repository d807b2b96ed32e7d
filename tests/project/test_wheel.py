"""The installed distribution: the suite runs without a checkout, and its options disturb no other project."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "plugins", "fixtures", "bench")
POINT = ("--framework=numpy", "--device=cpu", "--model=letter_mlp", "--batch-size=1", "--throughput-lock=off")
MEASURES = "def test_measures(measure_step): measure_step(lambda: None)\n"
OWN_DEVICE = "def pytest_addoption(parser): parser.addoption('--device', default='mine')\n"

Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the distribution installed from its wheel, which is built from a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "source").mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / "source" / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*pip, *build, str(folder / "source")], check=True)
    (wheel,) = folder.glob("*.whl")
    install = ["install", "--no-deps", "--no-index", "--target", str(folder / "site")]
    subprocess.run([*pip, *install, str(wheel)], check=True)
    return folder / "site"


@pytest.fixture
def run(site: Path, tmp_path: Path) -> Run:
    """Runs a Python module in an empty folder, with the installed distribution in front of this checkout."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
        environment |= {"PYTHONPATH": str(site), "CUDA_VISIBLE_DEVICES": "", "PYTEST_ADDOPTS": "-p no:randomly"}
        command = [sys.executable, "-m", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


def test_the_files_of_the_report_are_installed(site: Path) -> None:
    installed = {path.name for path in (site / "pytest_throughput/report/html").iterdir()}
    assert installed >= {"page.css", "page.html.jinja", "page.js"}


def test_a_project_may_have_options_of_the_same_names(run: Run, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(OWN_DEVICE)
    (tmp_path / "test_it.py").write_text(
        MEASURES + "def test_device(pytestconfig): assert pytestconfig.getoption('--device') == 'theirs'\n"
    )
    result = run("pytest", "--device=theirs", "--throughput-protocol=quick", "--throughput-lock=off")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 passed" in result.stdout
    refused = run("pytest", "--framework=numpy")
    assert "unrecognized arguments: --framework=numpy" in refused.stderr


def test_the_suite_runs_without_a_checkout_beside_such_a_project(run: Run, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(OWN_DEVICE)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    result = run("pytest_throughput_bench", *POINT, "-k", "inference", "--benchmark-json=run.json")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "warning" not in result.stdout.lower()
    document = json.loads((tmp_path / "run.json").read_text())
    (benchmark,) = document["benchmarks"]
    assert benchmark["fullname"] == "test_inference.py::test_inference[numpy-cpu-letter_mlp-b1-fp32-eager]"
    assert benchmark["extra_info"]["case_id"] == "inference-numpy-cpu-letter_mlp-b1-fp32-eager"
    assert benchmark["extra_info"]["settings"]["isolation"] == "framework"  # The preset's, not the plugin's default.


def test_the_suite_measures_a_network_of_the_current_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from dlworkloads.models.small import letter_mlp\ndef build(case): return letter_mlp()\n"
    )
    options = ("--framework=numpy", "--device=cpu", "--model=mine:build", "--batch-size=2", "--throughput-lock=off")
    result = run("pytest_throughput_bench", *options, "-k", "inference")
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_help_of_the_suite_has_its_options(run: Run) -> None:
    result = run("pytest_throughput_bench", "--help")
    assert "--find-max-batch" in result.stdout and "--throughput-trials" in result.stdout


def test_pytest_takes_the_package_with_the_plugin_named(run: Run) -> None:
    result = run("pytest", "-p", "dlworkloads.matrix", "--pyargs", "pytest_throughput_bench", *POINT, "--collect-only")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "test_inference[numpy-cpu-letter_mlp-b1-fp32-eager]" in result.stdout


def test_the_script_is_installed(site: Path) -> None:
    assert (site / "bin/pytest-throughput-bench").exists()
