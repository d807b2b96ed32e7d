"""The sessions of nox; of ``nox -s gpu``, what it runs, and that it ends at once where there is no GPU."""

from __future__ import annotations

import ast
import importlib.util
import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from dlworkloads.frameworks.registry import FRAMEWORKS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def noxfile() -> ModuleType:
    pytest.importorskip("nox")
    specification = importlib.util.spec_from_file_location("noxfile_of_the_project", ROOT / "noxfile.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("arguments", "built"),
    [
        ("", ["pytorch", "tensorflow", "jax"]),
        ("--framework pytorch", ["pytorch"]),
        ("--framework=tensorflow,numpy", ["tensorflow"]),
        ("--throughput-interpreter pytorch='docker run -i image python'", ["tensorflow", "jax"]),
        ("--throughput-interpreter=pytorch=/opt/python --framework=pytorch", []),
        ("--throughput-interpreter=base/pytorch=/a --throughput-interpreter head/pytorch=/b", ["tensorflow", "jax"]),
        ("--model --framework", ["pytorch", "tensorflow", "jax"]),
    ],
)
def test_builds_an_environment_for_each_framework_that_has_none(
    noxfile: ModuleType, arguments: str, built: list[str]
) -> None:
    assert noxfile.to_build(shlex.split(arguments)) == built


def test_measures_with_the_environments_that_were_built(noxfile: ModuleType) -> None:
    command = noxfile.gpu_command("/e/python", {"pytorch": "/a b/python"}, ["--preset=full", "-k", "vgg16"], False)
    assert command == [
        *("/e/python", "-m", "pytest", "bench/", "--device=cuda", "--benchmark-json=run.json"),
        "--throughput-interpreter=pytorch='/a b/python'",
        *("--preset=full", "-k", "vgg16"),
    ]


def test_compares_versions_by_the_command_that_every_project_has(noxfile: ModuleType) -> None:
    given = "--base 'numpy==2.3.5' --framework=numpy --head=numpy -k vgg16 --base=scipy --basetemp x"
    assert noxfile.ab_command(shlex.split(given)) == [
        *("pytest-throughput", "ab", "--base=numpy==2.3.5", "--base=scipy", "--head=numpy", "--"),
        *("bench/", "--benchmark-json=run.json", "--framework=numpy", "-k", "vgg16", "--basetemp", "x"),
    ]


def test_gives_verdicts_where_there_is_a_baseline(noxfile: ModuleType) -> None:
    assert "--throughput-baseline=baselines" in noxfile.gpu_command("python", {}, [], True)


def test_the_options_it_gives_are_options_of_the_suite(noxfile: ModuleType) -> None:
    command = noxfile.gpu_command(
        sys.executable, {"pytorch": sys.executable}, ["--device=cpu", "--collect-only"], False
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    ran = subprocess.run(
        [*command, "-q", "-p", "no:cacheprovider", "--benchmark-json=/dev/null"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "test_training[pytorch-cpu-alexnet-b8-fp32-eager-nchw]" in ran.stdout


def test_without_a_gpu_it_fails_at_once_and_builds_nothing(noxfile: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "noxfile.py").write_text((ROOT / "noxfile.py").read_text())
    ran = subprocess.run(
        [sys.executable, "-m", "nox", "-s", "gpu", "--", "--preset=quick"],
        cwd=tmp_path,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "there is no GPU to measure on: " in ran.stdout + ran.stderr
    assert not list(tmp_path.glob(".nox/*/bin"))


def test_the_gate_judges_or_accepts(noxfile: ModuleType) -> None:
    measure = ["pytest", "bench/", "--benchmark-json=run.json", "--throughput-trials=3", "--throughput-isolation=trial"]
    judged = noxfile.gate_commands(["--model=vgg16", "--throughput-anchor=/opt/python"])
    assert judged == [[*measure, "--throughput-baseline=baselines", "--model=vgg16", "--throughput-anchor=/opt/python"]]
    accepted = noxfile.gate_commands(["--accept", "--model=vgg16"])
    assert accepted == [
        [*measure, "--model=vgg16"],
        ["pytest-throughput", "accept", "run.json", "--baseline=baselines"],
    ]
    url = "--throughput-baseline=s3://runs/main"
    assert noxfile.gate_commands([url, "-k", "x"]) == [[*measure, url, "-k", "x"]]
    assert noxfile.gate_commands(["--accept", "-k", "x", "--throughput-baseline", "s3://runs/main"]) == [
        [*measure, "-k", "x"],
        ["pytest-throughput", "accept", "run.json", "--baseline=s3://runs/main"],
    ]


def test_a_baseline_at_a_url_brings_its_packages(noxfile: ModuleType) -> None:
    assert noxfile.for_baseline(["--throughput-baseline", "s3://runs/main", "-k", "x"]) == [".[s3]"]
    assert noxfile.for_baseline(["--throughput-baseline=https://host/x"]) == [".[https]"]
    for other in ("--throughput-baseline=kept", "--throughput-baseline=memory://x", "-k s3://x"):
        assert noxfile.for_baseline([other]) == []


def test_nox_ends_with_the_status_of_the_gate(tmp_path: Path) -> None:
    """nox ends with 1 for any session that fails, so the session ends nox itself."""
    session = '\n\n@nox.session(venv_backend="none")\ndef ending(session):\n'
    session += "    end_with_status(session, sys.executable, '-c', 'raise SystemExit(13)')\n"
    (tmp_path / "noxfile.py").write_text((ROOT / "noxfile.py").read_text() + session)
    ran = subprocess.run([sys.executable, "-m", "nox", "-s", "ending"], cwd=tmp_path, capture_output=True, check=False)
    assert ran.returncode == 13


def test_what_takes_long_is_not_among_the_default_sessions(noxfile: ModuleType) -> None:
    assert noxfile.nox.options.sessions == ["lint", "tests", "env-theano", "tests_frameworks"]
    assert {"ab", "bench", "gate", "gpu", "neighbours", "package", "pythons", "slow"} <= vars(noxfile).keys()


def test_tests_that_need_a_framework_are_run_with_the_frameworks(noxfile: ModuleType) -> None:
    """Elsewhere they are skipped."""
    packages = {known.package for known in FRAMEWORKS.values()} | {"keras", "torchvision"}
    needing = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        skipping = [node.args[0] for node in calls if getattr(node.func, "attr", "") == "importorskip"]
        if any(not isinstance(name, ast.Constant) or name.value in packages for name in skipping):
            needing.add(path.relative_to(ROOT).parts[:2])
    assert {"/".join(folder) for folder in needing} <= {*noxfile.WITH_FRAMEWORKS, "tests/gpu"}


def test_the_driver_is_asked(noxfile: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    class Driver:
        """CUDA's driver, with so many GPUs, or an error."""

        def __init__(self, gpus: int, status: int = 0) -> None:
            self.gpus, self.status = gpus, status

        def cuInit(self, flags: int) -> int:
            return self.status

        def cuDeviceGetCount(self, count: object) -> int:
            count._obj.value = self.gpus  # type: ignore[attr-defined]
            return 0

    for driver, expected in (
        (Driver(2), None),
        (Driver(0), "the NVIDIA driver sees none (CUDA_VISIBLE_DEVICES?)"),
        (Driver(0, 803), "the NVIDIA driver answers with CUDA error 803"),
    ):
        monkeypatch.setattr(noxfile.ctypes, "CDLL", lambda name, driver=driver: driver)
        assert noxfile.why_no_gpu() == expected


class Session:
    """A session of nox of which one step fails."""

    def __init__(self, failing: str) -> None:
        self.failing = failing
        self.ran: list[tuple[str, ...]] = []

    def install(self, *requirements: str) -> None:
        self.run("install", *requirements)

    def run(self, *command: str, **options: object) -> None:
        from nox.command import CommandFailed

        self.ran.append(command)
        if command[0] == self.failing:
            raise CommandFailed

    def skip(self, reason: str) -> None:
        pytest.skip(reason)

    def create_tmp(self) -> str:
        return "/tmp"


@pytest.mark.parametrize(
    ("failing", "reason"),
    [
        ("install", "pip cannot install Theano==1.0.5 .*no network"),
        ("python", "it is installed and does not work here; the lines above say why"),
    ],
)
def test_an_old_framework_that_cannot_be_had_is_skipped_with_the_reason(
    noxfile: ModuleType, monkeypatch: pytest.MonkeyPatch, failing: str, reason: str
) -> None:
    monkeypatch.setattr(noxfile.shutil, "which", lambda program: f"/usr/bin/{program}")
    with pytest.raises(pytest.skip.Exception, match=reason):
        noxfile.env_theano(Session(failing))
    session = Session("nothing")
    noxfile.env_theano(session)
    assert [command[0] for command in session.ran] == ["install", "python"]


def test_theano_needs_a_compiler(noxfile: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noxfile.shutil, "which", lambda program: None)
    with pytest.raises(
        pytest.skip.Exception, match=r"compiles with g\+\+, which is not installed: apt-get install g\+\+"
    ):
        noxfile.env_theano(Session("nothing"))


@pytest.mark.parametrize(
    ("failing", "reason"), [("install", r"pip cannot install .*torch==1\.10\.2"), ("python", "does")]
)
def test_caffe2_is_installed_without_what_its_torch_asks_for(noxfile: ModuleType, failing: str, reason: str) -> None:
    with pytest.raises(pytest.skip.Exception, match=reason):
        noxfile.env_caffe2(Session(failing))
    session = Session("nothing")
    noxfile.env_caffe2(session)
    installation, check = session.ran
    assert installation[:2] == ("install", "--no-deps") and "from caffe2.python import" in check[-1]


def test_a_python_that_pyenv_has_not_chosen_is_found(
    noxfile: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert noxfile.old_python("3.9") == "3.9"
    python = tmp_path / "versions/3.9.18/bin/python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert noxfile.old_python("3.9") == str(python)
    assert noxfile.old_python("3.1") == "3.1"


def test_caffe_that_cannot_be_had_is_skipped(noxfile: ModuleType) -> None:
    with pytest.raises(pytest.skip.Exception, match="the lines above say what is missing for Caffe"):
        noxfile.env_caffe(Session(sys.executable))
    session = Session("nothing")
    noxfile.env_caffe(session)
    assert session.ran == [(sys.executable, noxfile.CAFFE, ".nox/env-caffe")]
    assert (ROOT / noxfile.CAFFE).exists()
