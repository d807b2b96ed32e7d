"""NVIDIA's own module on a library that answers as its driver's does: names, structures and units as they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

STEPS = """
import time
from pytest_throughput import Step

def work():
    return Step(lambda: time.sleep(0.4), metadata={"precision": "bf16", "flops_per_image": 1e12})
"""
TEST = "def test_it(measure_isolated): measure_isolated('steps:work', items=8, device='cuda')\n"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """That of a machine with the library."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("driver")
    source, library = ROOT / "tests/support/nvml_stub.c", folder / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    path = os.pathsep.join([str(ROOT / "plugins"), str(ROOT / "tests/support")])
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV", "CUDA"))}
    plugins = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p benchmark"}
    return {**inherited, **plugins, "LD_LIBRARY_PATH": str(folder), "PYTHONPATH": path}


def test_the_doctor_sees_the_gpu(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pytest_throughput", "doctor"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[:12] == [
        "GPUs",
        "    driver 580.65.06, for CUDA up to 13.2",
        "    GPU 0: NVIDIA H200, 139.70 GiB, GPU-stub",
        "        SM clock: 1755 of at most 1980 MHz",
        "        memory clock: 3201 MHz",
        "        clocks are lowered by: power limit",
        "        temperature: 61 °C",
        "        power: 650 of 700 W",
        "        energy counter: yes",
        "        memory in use: 8.38 GiB",
        "        persistence mode: on",
        "        processes: 4194305",
    ]


def test_a_trial_has_telemetry(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text(STEPS)
    (tmp_path / "test_it.py").write_text(TEST)
    arguments = ["--throughput-protocol=quick", "--throughput-lock=off", "--benchmark-json=run.json"]
    named = ("pytest_throughput.plugin", "known_machine", "short_protocols", "no:cacheprovider")
    plugins = [word for name in named for word in ("-p", name)]
    command = [sys.executable, "-m", "pytest", *plugins, *arguments]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (benchmark,) = json.loads((tmp_path / "run.json").read_text())["benchmarks"]
    info = benchmark["extra_info"]
    gpu, unknown = info["telemetry"]["gpu"], info["telemetry"]["unknown"]
    assert gpu["sm_clock_mhz"] == {"mean": 1755, "min": 1755, "highest_possible": 1980}
    assert (gpu["memory_clock_mhz"]["mean"], gpu["temperature_celsius"]["max"]) == (3201, 61)
    assert gpu["memory_peak_bytes"] == 9 * 10**9
    assert gpu["throttle_reasons"] == {"power limit": 1.0}
    assert gpu["power_limited_share"] == pytest.approx(0.5, rel=0.5)
    assert (gpu["thermally_limited_share"], unknown["thermally_limited_seconds"]) == (None, "not supported by this GPU")
    assert gpu["power_method"] == "energy counter"
    assert gpu["power_watts"] == pytest.approx(650, rel=0.5)
    assert info["images_per_joule"] == pytest.approx(info["images_per_second"] / gpu["power_watts"], rel=0.5)
    assert info["model_flops_utilisation"] == pytest.approx(info["images_per_second"] / 989.5)
    assert (gpu["foreign_processes"], info["disturbed_by"]) == (0, None)
