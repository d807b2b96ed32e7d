"""The environments of the project: ``nox`` runs the checks, ``nox -s bench`` and ``nox -s gpu`` measure."""

from __future__ import annotations

import argparse
import ctypes
import os
import shlex
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2026.10.20"  # CommandFailed says with which status the command ended.
# pip and venv come with Python; an installer that resolves on its own may choose other builds of PyTorch.
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "tests", "env-theano", "tests_frameworks"]
# An old Python may be missing, also where CI is set: the environment that needs it is then skipped, and says so.
nox.options.error_on_missing_interpreters = False

CONSTRAINTS = ("--constraint", "constraints.txt")
# TensorFlow's CPU build is a distribution of its own: the extra's `tensorflow` is several times as large.
MEASURED = (".[data,images,jax,pytorch]", "tensorflow-cpu")
FRAMEWORKS = (".[data,images,jax,keras,onnx,openvino,pytorch]", "tensorflow-cpu")
WITH_FRAMEWORKS = ("tests/frameworks", "tests/docs")
# The frameworks bring different CUDA libraries, which conflict with each other. A worker needs nothing else.
GPU_FRAMEWORKS = {
    "pytorch": ("torch", "numpy", "pillow"),
    "tensorflow": ("tensorflow[and-cuda]", "numpy"),
    "jax": ("jax[cuda12]", "numpy", "pillow"),
}
# Frameworks whose last release is old have an environment each, with the versions of their time: constraints.txt pins
# those of today. Pillow loads the images of the mode `phases`.
THEANO = ("Theano==1.0.5", "numpy==1.23.5", "scipy==1.10.1", "six==1.16.0", "pillow==10.4.0")
# The program that makes it of Debian's packages: pip has no Caffe.
CAFFE = "fixtures/dlworkloads/frameworks/caffe/environment.py"
# The last release of PyTorch with Caffe2's library. None of these packages needs a further one.
CAFFE2 = (
    "--no-deps",
    *("torch==1.10.2", "numpy==1.22.4", "protobuf==3.20.3", "future==1.0.0", "six==1.17.0"),
    "typing_extensions==4.12.2",
)
# The requirements of the tests of pytest-benchmark 5.3, according to its tox.ini and its extras.
TOOLS_OF_PYTEST_BENCHMARK = (
    "pytest-benchmark[aspect,elasticsearch,histogram]",
    *("freezegun", "nbmake", "pygal==3.1.3", "pygaljs==1.0.2", "setuptools>=80", "pytest-xdist"),
)
OF_A_USER = "tests/project/of_a_user"
ENVIRONMENTS = Path(".nox")
BASELINES = Path("baselines")
BASELINE = "--throughput-baseline"
EXTRAS_OF_URLS = ("s3", "gs", "https")
AB_OPTIONS = ("--base", "--head", "--python")
# Trials in fresh processes, as verdicts need them.
REPEATED = ("--throughput-trials=3", "--throughput-isolation=trial")
ACCEPT = "--accept"


def old_python(version: str) -> str:
    """Return pyenv's Python of this version, else the version, by which nox looks on the path.

    pyenv's commands on the path do not start versions that are installed and not chosen.
    """
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return max(map(str, root.glob(f"versions/{version}.*/bin/python")), default=version)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure PyTorch, TensorFlow and JAX; arguments after -- go to pytest."""
    session.install(*CONSTRAINTS, *MEASURED)
    session.run("pytest", "bench/", "--benchmark-json=run.json", *session.posargs)


@nox.session
def ab(session: nox.Session) -> None:
    """Compare two versions: --base REQ --head REQ, and further arguments after --, which go to pytest."""
    session.install(*CONSTRAINTS, *MEASURED)
    end_with_status(session, *ab_command(session.posargs))


@nox.session(venv_backend="none")
def gpu(session: nox.Session) -> None:
    """Measure on the GPU, each framework in an environment of its own; arguments after -- go to pytest."""
    missing = why_no_gpu()
    if missing is not None:
        session.error(f"there is no GPU to measure on: {missing}")
    python = install(session, "gpu", ".[images]", *for_baseline(session.posargs))
    built = {name: install(session, f"gpu-{name}", *GPU_FRAMEWORKS[name]) for name in to_build(session.posargs)}
    end_with_status(session, *gpu_command(python, built, session.posargs, any(BASELINES.glob("**/*.json"))))


@nox.session
def gate(session: nox.Session) -> None:
    """Judge by the accepted runs in baselines/; --accept accepts the run instead; further arguments go to pytest.

    With --throughput-baseline, it judges by the runs there, or accepts there.
    """
    session.install(*CONSTRAINTS, *MEASURED, *for_baseline(session.posargs))
    for command in gate_commands(session.posargs):
        end_with_status(session, *command)


@nox.session(name="env-theano", python="3.11")
def env_theano(session: nox.Session) -> None:
    """Make .nox/env-theano, in which `--framework theano` is measured; skipped where an ingredient is missing."""
    if shutil.which("g++") is None:
        session.skip("Theano compiles with g++, which is not installed: apt-get install g++")
    flags = f"blas.ldflags=,base_compiledir={session.create_tmp()}"
    check = "import theano; assert theano.config.cxx; print('Theano', theano.__version__, 'with', theano.config.cxx)"
    fill(session, THEANO, check, {"THEANO_FLAGS": flags, "THEANORC": os.devnull})


@nox.session(name="env-caffe", venv_backend="none")
def env_caffe(session: nox.Session) -> None:
    """Make .nox/env-caffe, in which `--framework caffe` is measured; skipped where an ingredient is missing."""
    try:
        session.run(sys.executable, CAFFE, str(ENVIRONMENTS / "env-caffe"))
    except CommandFailed:
        session.skip("the lines above say what is missing for Caffe")


@nox.session(name="env-caffe2", python=old_python("3.9"))
def env_caffe2(session: nox.Session) -> None:
    """Make .nox/env-caffe2, in which `--framework caffe2` is measured; skipped where an ingredient is missing."""
    count = "len(workspace.RegisteredOperators())"
    check = f"from caffe2.python import core, workspace; print('Caffe2 with', {count}, 'operators')"
    fill(session, CAFFE2, check, {})


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests where no framework is installed; arguments after -- go to pytest."""
    run_tests_without_frameworks(session)


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def pythons(session: nox.Session) -> None:
    """Run the same tests in every Python that is there; arguments after -- go to pytest."""
    run_tests_without_frameworks(session)


@nox.session
def tests_frameworks(session: nox.Session) -> None:
    """Run the tests of networks and frameworks, with every framework; arguments after -- go to pytest."""
    session.install(*CONSTRAINTS, *FRAMEWORKS, ".[dev,slow-tests]")
    session.run("pytest", "-m", "not slow", *(session.posargs or ["-n", "2", *WITH_FRAMEWORKS]))


@nox.session
def slow(session: nox.Session) -> None:
    """Run the tests that are too heavy for every change, and properties with more examples; arguments go to pytest."""
    session.install(*CONSTRAINTS, *FRAMEWORKS, ".[dev,slow-tests]")
    what = ("-m", "slow or hypothesis", "--hypothesis-profile=thorough")
    session.run("pytest", *what, *(session.posargs or ["-n", "2", "tests/"]))


@nox.session
def neighbours(session: nox.Session) -> None:
    """Run pytest-benchmark's own tests with this plugin loaded; arguments after -- go to pytest."""
    session.install(*CONSTRAINTS, ".", *TOOLS_OF_PYTEST_BENCHMARK)
    # Outside of the project: the tests start pytest in temporary folders, which would find our pytest.ini above them.
    with tempfile.TemporaryDirectory() as folder:
        # Only the source distribution has the tests; the constraints set its version.
        source = ("--no-deps", "--no-binary=pytest-benchmark", "pytest-benchmark")
        session.run("pip", "download", "--quiet", *CONSTRAINTS, *source, "--dest", folder)
        (archive,) = Path(folder).glob("pytest_benchmark-*.tar.gz")
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")
        environment = {"COLUMNS": "80", "PYTHONPATH": "tests"}
        with session.chdir(Path(folder) / archive.name.removesuffix(".tar.gz")):
            session.run("pytest", "--ignore=src", "-p", "pytest_throughput.plugin", *session.posargs, env=environment)


@nox.session
def package(session: nox.Session) -> None:
    """Build dist/, check it, and use the wheel alone, in an empty environment, on a project of a user."""
    session.install(*CONSTRAINTS, "build", "twine")
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build")
    session.run("twine", "check", "--strict", *map(str, Path("dist").iterdir()))
    (wheel,) = Path("dist").glob("*.whl")
    shutil.rmtree(ENVIRONMENTS / "wheel", ignore_errors=True)
    programs = Path(install(session, "wheel", str(wheel))).parent
    # Outside of the project: its pytest.ini and conftest.py are above no other folder.
    with tempfile.TemporaryDirectory() as folder, session.chdir(shutil.copytree(OF_A_USER, f"{folder}/of_a_user")):
        for command in (
            ("pytest", "speed.py", "--throughput-protocol=quick", "--benchmark-json=run.json"),
            ("pytest-throughput", "show", "run.json"),
            ("pytest-throughput", "report", "run.json", "-o", "report.html"),
            ("pytest-throughput", "accept", "run.json", "--baseline=baselines"),
            ("pytest-throughput-bench", "--framework=numpy", "--model=letter_mlp", "--batch-size=1"),
        ):
            session.run(str(programs / command[0]), *command[1:], external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format, types and imports, in an environment without the frameworks."""
    session.install(*CONSTRAINTS, ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


def run_tests_without_frameworks(session: nox.Session) -> None:
    session.install(*CONSTRAINTS, ".[dev]")
    # Four processes for two cores: many tests wait for processes that they have started.
    spread = ["-n", "4", "--dist", "worksteal"]
    others = [f"--ignore={folder}" for folder in WITH_FRAMEWORKS]
    session.run("pytest", "-m", "not slow", *(session.posargs or [*spread, *others, "tests/"]))


def end_with_status(session: nox.Session, *command: str) -> None:
    """Run a command; if it fails, end nox with its exit status. nox itself would end with 1, whatever the status."""
    try:
        session.run(*command)
    except CommandFailed as failed:
        sys.exit(failed.return_code or 1)


def gate_commands(arguments: Sequence[str]) -> list[list[str]]:
    """Return the commands of ``nox -s gate``. The arguments are last where it measures: they take precedence."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(ACCEPT, action="store_true")
    parser.add_argument(BASELINE, dest="baseline", default=str(BASELINES))
    own, of_pytest = parser.parse_known_args(arguments)
    measure = ["pytest", "bench/", "--benchmark-json=run.json", *REPEATED]
    if not own.accept:
        return [[*measure, f"{BASELINE}={own.baseline}", *of_pytest]]
    return [[*measure, *of_pytest], ["pytest-throughput", "accept", "run.json", f"--baseline={own.baseline}"]]


def for_baseline(arguments: Sequence[str]) -> list[str]:
    """Return the requirement of a baseline at a URL: the extra that is called as its scheme."""
    schemes = [value.partition("://")[0] for value in values_of(BASELINE, arguments)]
    return [f".[{scheme}]" for scheme in schemes if scheme in EXTRAS_OF_URLS]


def why_no_gpu() -> str | None:
    """Return why CUDA's driver sees no GPU, or None if it sees one. No framework is installed yet to ask."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "no NVIDIA driver is installed (libcuda.so.1), or the container was started without it (--gpus all)"
    count = ctypes.c_int(0)
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if status != 0:
        return f"the NVIDIA driver answers with CUDA error {status}"
    return None if count.value else "the NVIDIA driver sees none (CUDA_VISIBLE_DEVICES?)"


def fill(session: nox.Session, requirements: Sequence[str], check: str, environment: Mapping[str, str]) -> None:
    """Install an old framework into the session's own environment, which pytest finds there by its name, and check it.

    ``check`` is a short program. Skip the session, with the reason, where installing or checking fails: nothing else
    depends on it.
    """
    try:
        session.install(*requirements)
    except CommandFailed:
        session.skip(f"pip cannot install {' '.join(requirements)}, as it says above (no network, or no such release)")
    try:
        session.run("python", "-c", check, env=environment)
    except CommandFailed:
        session.skip("it is installed and does not work here; the lines above say why")


def install(session: nox.Session, name: str, *packages: str) -> str:
    """Install packages into the environment of that name, and make it if necessary. Return its Python."""
    python = ENVIRONMENTS / name / "bin" / "python"
    if not python.exists():
        session.run(sys.executable, "-m", "venv", str(ENVIRONMENTS / name), external=True)
    session.run(str(python), "-m", "pip", "install", "--quiet", *CONSTRAINTS, *packages, external=True)
    return str(python.absolute())


def ab_command(arguments: Sequence[str]) -> list[str]:
    """Return the command that compares two versions. What is no option of its own goes to pytest."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for option in AB_OPTIONS:
        parser.add_argument(option, dest=option, action="append", default=[])
    own, of_pytest = parser.parse_known_args(arguments)
    given = [f"{option}={value}" for option in AB_OPTIONS for value in vars(own)[option]]
    return ["pytest-throughput", "ab", *given, "--", "bench/", "--benchmark-json=run.json", *of_pytest]


def to_build(arguments: Sequence[str]) -> list[str]:
    """Return the frameworks that are asked for, without those whose interpreter is given."""
    asked = [name for value in values_of("--framework", arguments) for name in value.split(",")]
    given = {value.partition("=")[0].rpartition("/")[2] for value in values_of("--throughput-interpreter", arguments)}
    return [name for name in GPU_FRAMEWORKS if name in (asked or GPU_FRAMEWORKS) and name not in given]


def gpu_command(python: str, built: Mapping[str, str], arguments: Sequence[str], has_baseline: bool) -> list[str]:
    """Return the command that measures. The arguments are last, so that they take precedence."""
    interpreters = [f"--throughput-interpreter={name}={shlex.quote(path)}" for name, path in built.items()]
    baseline = [f"{BASELINE}={BASELINES}"] if has_baseline else []
    usual = ["--device=cuda", "--benchmark-json=run.json"]
    return [python, "-m", "pytest", "bench/", *usual, *baseline, *interpreters, *arguments]


def values_of(option: str, arguments: Sequence[str]) -> list[str]:
    """Return the values of an option, given as ``--option value`` or ``--option=value``."""
    separate = [value for name, value in pairwise(arguments) if name == option]
    return separate + [each.partition("=")[2] for each in arguments if each.startswith(f"{option}=")]
