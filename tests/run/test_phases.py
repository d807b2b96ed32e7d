"""A job of several phases: it runs once, and each of its tests has its part."""

from __future__ import annotations

from typing import Any

import pytest
from plugin_project import Project

JOBS = """
import os, time
from pytest_throughput import Metric, Once, OutOfMemory, Phase, Step, Unsupported

def job(ends=None, log="jobs", error=None):
    with open(log, "a") as file: file.write("x")

    def load():
        time.sleep(0.001)
        return [1] * 32

    def predict():
        time.sleep(0.001)
        if ends == "failed": raise RuntimeError("broken")
        if ends == "out_of_memory": raise OutOfMemory("12 GiB")
        if ends == "unsupported": raise Unsupported("not on this device")
        if ends == "crashed": os.kill(os.getpid(), 11)
        return 0.75

    def metrics(accuracy):
        return [Metric("accuracy", "", accuracy)]

    return Once(
        [Phase("load", load, items=len), Phase("predict", predict, items=10, unit="tokens", metrics=metrics),
         Phase("save", lambda: time.sleep(0.001))],
        metadata={"settings": {"omp": os.environ.get("OMP_NUM_THREADS")}, "given": os.environ.get("GIVEN")},
    )

def step():
    return Step(lambda: None)

def nothing():
    raise RuntimeError("cannot be opened")
"""
TESTS = """
import pytest

@pytest.mark.parametrize("phase", ["load", "predict", "save"])
def test_it(measure_isolated, phase):
    measure_isolated("jobs:job", {arguments}, phase=phase)
"""


@pytest.fixture
def jobs(project: Project) -> Project:
    (project.path / "jobs.py").write_text(JOBS)
    project.tests(TESTS.replace("{arguments}", "{}"))
    return project


def runs(project: Project) -> int:
    return len((project.path / "jobs").read_text())


def by_phase(project: Project) -> dict[str, dict[str, Any]]:
    return {benchmark["extra_info"]["phase"]: benchmark for benchmark in project.json()["benchmarks"]}


def metrics(benchmark: dict[str, Any]) -> dict[str, tuple[float, str, str]]:
    given = benchmark["extra_info"]["metrics"]
    *given, page_faults = given
    assert (page_faults["name"], page_faults["better"]) == ("page_faults_per_step", "lower")
    assert page_faults["value"] == benchmark["extra_info"]["page_faults_per_step"]
    return {metric["name"]: (metric["value"], metric["unit"], metric["better"]) for metric in given}


@pytest.mark.parametrize("isolation", ["trial", "framework", "none"])
def test_a_job_runs_once_and_each_test_has_its_phase(jobs: Project, isolation: str) -> None:
    result = jobs.run(f"--throughput-isolation={isolation}", "--benchmark-json=run.json")
    result.assert_outcomes(passed=3)
    assert runs(jobs) == 1
    found = by_phase(jobs)
    assert list(found) == ["load", "predict", "save"]
    seconds = {}
    for phase, benchmark in found.items():
        (seconds[phase],) = benchmark["stats"]["data"]
        assert seconds[phase] >= 0.001
        assert (benchmark["stats"]["rounds"], benchmark["stats"]["iterations"]) == (1, 1)
        assert benchmark["extra_info"]["settings"]["isolation"] == isolation
    load, predict, save = (found[phase]["extra_info"] for phase in found)
    assert (load["batch_size"], predict["batch_size"]) == (32, 10)
    assert load["images_per_second"] == 32 / seconds["load"]
    assert save["images_per_second"] is None
    assert list(metrics(found["load"]).items()) == [
        ("images_per_second", (32 / seconds["load"], "images/s", "higher")),
        ("seconds", (seconds["load"], "s", "lower")),
    ]
    assert list(metrics(found["predict"])) == ["tokens_per_second", "seconds", "accuracy"]
    assert metrics(found["predict"])["accuracy"] == (0.75, "", "higher")
    assert metrics(found["save"]) == {"seconds": (seconds["save"], "s", "lower")}


@pytest.mark.parametrize("isolation", ["trial", pytest.param("framework", marks=pytest.mark.slow), "none"])
@pytest.mark.parametrize("ends", ["failed", "out_of_memory", "unsupported", "crashed"])
def test_a_phase_that_fails_ends_the_job(jobs: Project, ends: str, isolation: str) -> None:
    """The phases before it stay measured, also where the worker has crashed."""
    if (ends, isolation) == ("crashed", "none"):
        pytest.skip("a crash of this process ends the run")
    jobs.tests(TESTS.replace("{arguments}", f'{{"ends": "{ends}"}}'))
    result = jobs.run(f"--throughput-isolation={isolation}", "--benchmark-json=run.json", "-rfs")
    is_skipped = ends in ("out_of_memory", "unsupported")
    result.assert_outcomes(passed=1, **({"skipped": 2} if is_skipped else {"failed": 2}))
    assert runs(jobs) == 1
    cases = jobs.json()["throughput"]["cases"]
    assert [case["status"] for case in cases] == ["ok", ends, ends]
    reasons = {"failed": "RuntimeError: broken", "out_of_memory": "12 GiB", "unsupported": "not on this device"}
    assert cases[1]["reason"].startswith(reasons.get(ends, "the worker was killed by SIGSEGV"))
    assert cases[2]["reason"] == "not measured, since phase predict failed"


@pytest.mark.parametrize("arguments", ["{}", '{"ends": "failed"}'])
def test_phases_that_are_measured_need_no_budget(
    jobs: Project, monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    """The budget is spent as soon as the job has run. Its later phases are results; another job does not begin."""
    log = jobs.path / "jobs"
    monkeypatch.setattr("pytest_throughput.run.budget.monotonic", lambda: 1e9 if log.exists() else 0.0)
    another = "\ndef test_other(measure_isolated): measure_isolated('jobs:job', {'log': 'other'}, phase='load')\n"
    step = "def test_step(measure_step): measure_step(int)\n"
    phases = TESTS.replace('"load", ', '"load", "lode", ')
    jobs.tests(phases.replace("{arguments}", arguments) + another + step)
    jobs.run("--throughput-budget=20m", "--benchmark-json=run.json")
    statuses = {case["id"].rpartition("::")[2]: case["status"] for case in jobs.json()["throughput"]["cases"]}
    failed = "ok" if arguments == "{}" else "failed"
    assert statuses == {
        "test_it[load]": "ok",
        "test_it[lode]": "failed",
        "test_it[predict]": failed,
        "test_it[save]": failed,
        "test_other": None,
        "test_step": None,
    }
    assert runs(jobs) == 1
    assert not (jobs.path / "other").exists()


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("'jobs:job', phase='lode'", "jobs:job has no phase 'lode'; its phases are: load, predict, save"),
        ("'jobs:job'", "jobs:job goes through phases: name one by phase=NAME: load, predict, save"),
        ("'jobs:step', phase='load'", "jobs:step returned a Step, which has no phase 'load'; leave phase out"),
        ("'jobs:nothing', phase='load'", "RuntimeError: cannot be opened"),
        ("'jobs:job', phase='load', items=2", "*ValueError: phase: leave out items and largest*"),
        ("'jobs:job', variables={'A': 1}", "*TypeError: variables: expected texts by name*got {'A': 1}"),
        ("'jobs:job', variables={'A=B': ''}", "*ValueError: variables: expected names of *, got 'A=B'"),
    ],
)
def test_a_phase_that_is_not_there_is_a_failure(jobs: Project, call: str, reason: str) -> None:
    jobs.tests(f"def test_it(measure_isolated): measure_isolated({call})")
    result = jobs.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*{reason}*".replace("[", "[[]")])


def test_each_trial_runs_the_job_once(jobs: Project) -> None:
    jobs.run("--throughput-trials=2", "--benchmark-json=run.json").assert_outcomes(passed=6)
    assert runs(jobs) == 2
    trials = [(each["extra_info"]["phase"], each["extra_info"]["trial"]) for each in jobs.json()["benchmarks"]]
    assert sorted(trials) == [(phase, trial) for phase in ("load", "predict", "save") for trial in (1, 2)]


def test_phases_that_are_deselected_are_not_recorded(jobs: Project) -> None:
    jobs.run("-k", "predict", "--benchmark-json=run.json").assert_outcomes(passed=1, deselected=2)
    assert (runs(jobs), list(by_phase(jobs))) == (1, ["predict"])


def test_a_disabled_benchmark_runs_the_job_once(jobs: Project) -> None:
    jobs.run("--benchmark-disable").assert_outcomes(passed=3)
    assert runs(jobs) == 1


def test_a_phase_that_is_measured_again_runs_the_job_again(jobs: Project) -> None:
    """As under pytest-repeat, or where two cases differ in what the job is not given."""
    jobs.tests(
        """
        import pytest

        @pytest.mark.parametrize("phase", ["load", "predict"])
        @pytest.mark.parametrize("time", [1, 2])
        def test_it(measure_isolated, phase, time):
            measure_isolated("jobs:job", phase=phase)
        """
    )
    jobs.run().assert_outcomes(passed=4)
    assert runs(jobs) == 2


def test_a_job_that_an_exception_ends_is_not_run_again(jobs: Project) -> None:
    """As of pytest-timeout, or, in this process, of sys.exit()."""
    with (jobs.path / "jobs.py").open("a") as file:
        file.write(
            """
def leaving():
    open("jobs", "a").write("x")
    raise SystemExit(3)
"""
        )
    jobs.tests(TESTS.replace("jobs:job", "jobs:leaving").replace("{arguments}", "{}"))
    result = jobs.run("--throughput-isolation=none", "--benchmark-json=run.json")
    result.assert_outcomes(failed=3)
    assert runs(jobs) == 1
    assert {case["reason"] for case in jobs.json()["throughput"]["cases"]} == {"sys.exit(3)"}


def test_variables_reach_the_worker_before_it_starts_and_split_workers(project: Project) -> None:
    (project.path / "jobs.py").write_text(
        """
import os
AT_START = dict(line.split("=", 1) for line in open("/proc/self/environ").read().split("\\0") if "=" in line)
from pytest_throughput import Step

def step():
    return Step(lambda: None, metadata={"given": AT_START.get("GIVEN"), "pid": os.getpid()})
"""
    )
    project.tests(
        """
        import os, pytest

        @pytest.mark.parametrize("given", ["1", "1 ", "2"])
        @pytest.mark.parametrize("again", [0, 1])
        def test_it(measure_isolated, given, again):
            measure_isolated("jobs:step", variables={"GIVEN": given.strip()})
            assert "GIVEN" not in os.environ
        """
    )
    document = project.run_json("--throughput-isolation=framework")
    infos = [benchmark["extra_info"] for benchmark in document["benchmarks"]]
    # In the order of the run: "1" and "1 " are the same to a worker.
    assert [info["given"] for info in infos] == ["1", "1", "2", "1", "1", "2"]
    assert infos[0]["pid"] == infos[1]["pid"] != infos[2]["pid"]


def test_in_this_process_variables_are_not_set(jobs: Project) -> None:
    """A framework that has been imported would not notice them."""
    jobs.tests(
        """
        import os

        def test_it(measure_isolated):
            measure_isolated("jobs:job", phase="load", variables={"GIVEN": "yes"})
            assert "GIVEN" not in os.environ
        """
    )
    jobs.run("--throughput-isolation=none", "--benchmark-json=run.json").assert_outcomes(passed=1)
    assert by_phase(jobs)["load"]["extra_info"]["given"] is None


def test_a_run_that_goes_on_measures_the_phases_that_are_left(jobs: Project) -> None:
    jobs.tests(
        TESTS.replace("{arguments}", "{}")
        + """
@pytest.fixture(autouse=True)
def interrupted(request):
    import os, signal
    yield
    if "predict" in request.node.name and not os.path.exists("interrupted"):
        open("interrupted", "w").close()
        os.kill(os.getpid(), signal.SIGINT)
"""
    )
    first = jobs.start("--throughput-protocol=quick", "--benchmark-json=run.json")
    first.communicate()
    assert first.returncode == pytest.ExitCode.INTERRUPTED
    again = jobs.run("--benchmark-json=run.json", "--throughput-resume=run.json.journal.jsonl")
    again.assert_outcomes(passed=3)
    assert runs(jobs) == 2
    found = by_phase(jobs)
    assert {phase: found[phase]["extra_info"]["resumed"] for phase in found} == {
        "load": True,
        "predict": True,
        "save": False,
    }
    assert metrics(found["predict"])["accuracy"] == (0.75, "", "higher")
