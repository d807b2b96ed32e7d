"""Frameworks that other packages bring, and what the pytest process knows of any framework."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from short_protocols import SHORT

from dlworkloads.frameworks.registry import FRAMEWORKS, OURS
from pytest_throughput.launch import pairs
from pytest_throughput.measurement.plan import PLANS

ROOT = Path(__file__).parents[2]

CONFTEST = """
pytest_plugins = ["pytest_throughput.plugin", "dlworkloads.matrix"]

def pytest_throughput_frameworks():
    return ["abacus:FRAMEWORK"]
"""
FRAMEWORK = """
from dlworkloads.base.framework import Framework

class Abacus(Framework):
    def variables(self, case, threads):
        return {"ABACUS_BEADS": str(case.batch_size), "ABACUS_ROWS": str(threads)}

FRAMEWORK = Abacus(
    name="abacus",
    display_name="Abacus",
    package="json",
    install="abacus-cpu",
    workload="abacus_workload:AbacusWorkload",
    executions=("by-hand", "compiled"),
    default_execution="by-hand",
    modes=("inference",),
)
"""
WORKLOAD = """
import os
import numpy as np
from dlworkloads.base.workload import Workload

BEADS = os.environ["ABACUS_BEADS"]  # It is there before this module is imported.

class AbacusWorkload(Workload):
    default_layout = "nchw"

    @staticmethod
    def prepare(case, threads):
        pass

    def set_up(self):
        pass

    def upload(self, values):
        return values

    def build(self, network):
        return np.ones((network.outputs, int(np.prod(network.input_shape))))

    def set_running_statistics(self, images):
        pass

    def inference_function(self):
        return lambda images: images.reshape(len(images), -1) @ self.model.T

    def read_settings(self):
        return {"beads": BEADS, "rows": os.environ["ABACUS_ROWS"]}

    def read_versions(self):
        return {"abacus": "1.0"}

    def wait(self, output):
        pass

    def read(self, output):
        return {"logits": output}

    def load(self, parameters):
        pass

    def parameters(self):
        return {}

    def release(self):
        pass
"""
BENCH = """
def test_inference(inference_case, measure_case):
    measure_case(inference_case)

def test_training(training_case, measure_case):
    measure_case(training_case)
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A user's project whose conftest.py brings a framework of its own."""
    folders = [ROOT / "plugins", ROOT / "fixtures", ROOT / "tests/support"]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, folders)))
    for name, plan in SHORT.items():
        monkeypatch.setitem(PLANS, name, plan)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(abacus=FRAMEWORK, abacus_workload=WORKLOAD, test_it=BENCH)
    return pytester


def run(project: pytest.Pytester, *arguments: str, alone: bool = False) -> pytest.RunResult:
    small = ("--device=cpu", "--model=letter_mlp", "--batch-size=8", "--throughput-threads=1")
    plain = ("-p", "no:cacheprovider", "-p", "known_machine", "--throughput-lock=off", "--throughput-protocol=quick")
    how = project.runpytest_subprocess if alone else project.runpytest_inprocess
    return how(*plain, *small, *arguments)


def test_a_framework_of_a_conftest_is_measured(project: pytest.Pytester) -> None:
    result = run(project, "--framework=abacus", "--benchmark-json=run.json")
    result.assert_outcomes(passed=1)
    (benchmark,) = json.loads((project.path / "run.json").read_text())["benchmarks"]
    info = benchmark["extra_info"]
    assert info["case_id"] == "inference-abacus-cpu-letter_mlp-b8-fp32-by-hand"
    assert "abacus:FRAMEWORK" not in json.dumps(benchmark["params"])
    assert (info["parameters"], info["unit"]) == (2_570, "images")
    assert info["versions"]["abacus"] == "1.0"
    assert (info["settings"]["beads"], info["settings"]["rows"]) == ("8", "1")
    assert info["images_per_second"] > 0


def test_a_framework_of_a_plug_in_is_known(project: pytest.Pytester) -> None:
    """The same hook, in a module that is loaded by its name, as an installed plug-in is."""
    (project.path / "conftest.py").unlink()
    project.makepyfile(brings_abacus=CONFTEST)
    project.syspathinsert()
    result = run(project, "-p", "brings_abacus", "--framework=abacus", "-k", "inference", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["*::test_inference[[]abacus-cpu-letter_mlp-b8-fp32-by-hand]"])


def test_frameworks_are_collected_once_a_run(project: pytest.Pytester) -> None:
    project.makeconftest(CONFTEST.replace("    return", "    print('collecting frameworks')\n    return"))
    result = run(project, "--framework=abacus", "--execution=by-hand,compiled", "--collect-only", "-q", "-s")
    assert len([line for line in result.outlines if "::test_inference" in line]) == 2
    assert (result.outlines + result.errlines).count("collecting frameworks") == 1


def test_options_and_help_know_it(project: pytest.Pytester) -> None:
    names = ", ".join([*FRAMEWORKS, "abacus"])
    shown = " ".join(project.runpytest_inprocess("--help").stdout.str().split())
    assert f"Values: {names}. Default: those of pytorch, tensorflow and jax that are installed" in shown
    assert "Values: eager, compiled, compiled-frozen, compiled-graphs, graph, by-hand, all. Default" in shown
    result = run(project, "--framework=abakus")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*unknown framework 'abakus'; expected some of: {names}"])


def test_it_is_skipped_where_its_package_is_missing(project: pytest.Pytester) -> None:
    project.makepyfile(abacus=FRAMEWORK.replace('"json"', '"no_abacus_here"'))
    result = run(project, "--framework=abacus", "-k", "inference", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*Abacus is not installed in*: pip install abacus-cpu"])


def test_one_with_an_environment_of_its_own_names_the_session_that_makes_it(project: pytest.Pytester) -> None:
    lacking = FRAMEWORK.replace('"json"', '"no_abacus_here"').replace(
        "    modes", "    own_environment=True,\n    modes"
    )
    project.makepyfile(abacus=lacking)
    result = run(project, "--framework=abacus", "-k", "inference", "-rs")
    result.stdout.fnmatch_lines([f"*Abacus is not installed in {sys.executable}: nox -s env-abacus"])


def test_a_module_that_only_the_worker_lacks_is_reported_with_where_it_was_searched(project: pytest.Pytester) -> None:
    (project.path / "elsewhere").mkdir()
    (project.path / "abacus.py").rename(project.path / "elsewhere/abacus.py")
    project.makeconftest("import sys\nsys.path.insert(0, 'elsewhere')\n" + CONFTEST)
    result = run(project, "--framework=abacus", "-k", "inference")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*No module named 'abacus' (searched *--throughput-pythonpath*"])


def test_cases_with_different_variables_share_no_worker(project: pytest.Pytester) -> None:
    options = ("--framework=abacus", "--batch-size=1,8", "-k", "inference", "--throughput-isolation=framework")
    run(project, *options, "--benchmark-json=run.json").assert_outcomes(passed=2)
    benchmarks = json.loads((project.path / "run.json").read_text())["benchmarks"]
    assert [each["extra_info"]["settings"]["beads"] for each in benchmarks] == ["1", "8"]


def test_frameworks_are_measured_in_turn_each_with_its_own_variables(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(pairs, "LEAST_BLOCKS", 1)
    options = ("--framework=abacus,numpy", "--model=mnist_cnn", "--batch-size=1", "-k", "inference")
    run(project, *options, "--throughput-order=paired", "--benchmark-json=run.json").assert_outcomes(passed=2)
    infos = [each["extra_info"] for each in json.loads((project.path / "run.json").read_text())["benchmarks"]]
    assert [(info["framework"], info["pair"]["side"]) for info in infos] == [("abacus", "A"), ("numpy", "B")]
    assert [info["settings"].get("beads") for info in infos] == ["1", None]
    assert infos[0]["pair"]["id"] == infos[1]["pair"]["id"]


@pytest.mark.slow
def test_cases_with_different_variables_share_no_process_of_pytest(project: pytest.Pytester) -> None:
    options = ("--framework=abacus", "--batch-size=1,8", "-k", "inference", "-rs")
    result = run(project, *options, "--throughput-isolation=none", alone=True)
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*Abacus needs ABACUS_BEADS=8, but this process already has ABACUS_BEADS=1 for*"])


@pytest.mark.parametrize(
    ("option", "beads"),
    [
        ("--throughput-env=ABACUS_BEADS=12", "12"),
        ("--throughput-keep-env=ABACUS_BEADS", "7"),
        ("--throughput-isolation=trial", "1"),
    ],
)
def test_a_variable_that_the_user_chooses_wins(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, option: str, beads: str
) -> None:
    monkeypatch.setenv("ABACUS_BEADS", "7")
    options = ("--framework=abacus", "-k", "inference", "--batch-size=1", "--benchmark-json=run.json")
    run(project, *options, option).assert_outcomes(passed=1)
    (benchmark,) = json.loads((project.path / "run.json").read_text())["benchmarks"]
    assert benchmark["extra_info"]["settings"]["beads"] == beads


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('["abacus"]', "gave 'abacus'; expected a list of MODULE:ATTRIBUTE"),
        ("[7]", "gave 7; expected a list of MODULE:ATTRIBUTE"),
        ("7", "gave 7; expected a list of MODULE:ATTRIBUTE"),
        ('["no_such_module:FRAMEWORK"]', "cannot be imported (ModuleNotFoundError: No module named 'no_such_module')"),
        ('["abacus:NOTHING"]', "cannot be imported (AttributeError: module 'abacus' has no attribute 'NOTHING')"),
        ('["abacus:Abacus"]', "gave 'abacus:Abacus', which is of the type type; expected a list"),
        ('["abacus:FRAMEWORK", "copy_of_abacus:FRAMEWORK"]', "two frameworks are called abacus: abacus:FRAMEWORK and"),
    ],
)
def test_what_is_no_framework_is_refused(project: pytest.Pytester, given: str, message: str) -> None:
    project.makepyfile(copy_of_abacus=FRAMEWORK)
    project.makeconftest(CONFTEST.replace('["abacus:FRAMEWORK"]', given))
    result = run(project, "--collect-only")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()


SLATE = FRAMEWORK.replace("abacus", "slate").replace("Abacus", "Slate")
OWNERS = [("abacus", FRAMEWORK), ("slate", SLATE)]


@pytest.mark.parametrize(
    ("options", "missing", "measured"),
    [
        ([], "", ["abacus", "slate"]),
        ([], "slate", ["abacus"]),
        ([], "abacus slate", ["abacus", "slate"]),
        (["--framework=slate,numpy"], "", ["slate"]),
        (["--framework=numpy"], "", None),
    ],
)
def test_frameworks_may_share_a_collection_of_networks(
    project: pytest.Pytester, options: list[str], missing: str, measured: list[str] | None
) -> None:
    """A network of the collection is measured in all of them that are installed, or that --framework names."""
    for name, text in OWNERS:
        text = text.replace('package="json"', 'package="not_here"' if name in missing else 'package="json"')
        project.makepyfile(**{name: text.replace("    modes", "    zoo='beads',\n    by_default=False,\n    modes")})
    project.makeconftest(CONFTEST.replace('["abacus:FRAMEWORK"]', '["abacus:FRAMEWORK", "slate:FRAMEWORK"]'))
    given = ("--device=cpu", "--model=beads:soroban,letter_mlp", "--batch-size=8", "--precision=fp32", *options)
    result = project.runpytest_inprocess("--collect-only", "-q", *given)
    if measured is None:
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*is a network of abacus and slate, but --framework asks for numpy only: add *"])
        return
    shown = [line for line in result.outlines if "test_inference[" in line]
    frameworks = {
        model: [line.split("[")[1].split("-")[0] for line in shown if model in line]
        for model in ("beads:soroban", "letter_mlp")
    }
    assert frameworks["beads:soroban"] == measured
    if not options:  # They are not among the default frameworks of other networks.
        assert not {"abacus", "slate"} & {*frameworks["letter_mlp"]}


@pytest.mark.parametrize("reference", OURS)
def test_what_is_known_of_a_framework_needs_no_import_of_it(reference: str) -> None:
    program = (
        f"import sys; from dlworkloads.frameworks.registry import Registry; Registry([{reference!r}]);"
        "print([name for name in ('torch', 'tensorflow', 'keras', 'jax', 'numpy') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
