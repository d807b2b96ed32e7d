"""Trials and environments: node ids, case ids, and the order in which they run."""

from __future__ import annotations

import sys
from itertools import product

import pytest
from plugin_project import Project

from pytest_throughput.run.collection import measured

MATRIX = """
import pytest

def pytest_generate_tests(metafunc):
    if "model" in metafunc.fixturenames:
        metafunc.parametrize(("framework", "model"), [
            pytest.param(framework, model, id=f"{framework}-{model}",
                marks=pytest.mark.throughput_case(f"case-{framework}-{model}", framework=framework, model=model))
            for framework in ("pt", "tf") for model in ("vgg", "alex")
        ])

def test_case(measure_isolated, framework, model):
    measure_isolated("steps:sleep", {"milliseconds": 0.1}, interpreter=framework)

def test_plain(): pass
"""
BOTH = [f"--throughput-interpreter={name}/pt={sys.executable} -X utf8" for name in ("base", "head")]


def collected(project: Project, *arguments: str) -> list[str]:
    result = project.run("--collect-only", "-q", *arguments)
    return [line.removeprefix("test_it.py::test_") for line in result.outlines if "::" in line]


@pytest.fixture
def matrix(project: Project) -> Project:
    project.tests(MATRIX)
    return project


def test_a_single_trial_leaves_no_mark_and_has_the_frameworks_in_turn(matrix: Project) -> None:
    assert collected(matrix) == ["case[pt-vgg]", "case[tf-vgg]", "case[pt-alex]", "case[tf-alex]", "plain"]


def test_every_second_trial_goes_through_frameworks_and_environments_backwards(matrix: Project) -> None:
    cases = [f"{framework}-{model}" for model, framework in product(("vgg", "alex"), ("pt", "tf"))]
    turns = [f"{case}-{environment}" for case in cases for environment in ("base", "head")]
    works = turns[:4], turns[4:]
    backwards = [each for work in works for each in reversed(work)]
    assert collected(matrix, "--throughput-trials=3", *BOTH) == [
        *(f"case[{each}]" for each in turns),
        *(f"case[{each.replace('-base', '-t2-base').replace('-head', '-t2-head')}]" for each in backwards),
        *(f"case[{each.replace('-base', '-t3-base').replace('-head', '-t3-head')}]" for each in turns),
        "plain",
    ]


def test_drift_cancels_between_frameworks_over_two_trials(matrix: Project) -> None:
    ids = [each.replace("-t2", "") for each in collected(matrix, "--throughput-trials=2") if each != "plain"]
    places: dict[str, int] = {}
    for place, each in enumerate(ids):
        places[each] = places.get(each, 0) + place
    assert places["case[pt-vgg]"] == places["case[tf-vgg]"]
    assert places["case[pt-alex]"] == places["case[tf-alex]"]


def test_a_budget_ends_all_frameworks_equally_far(matrix: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0] * 5 + [1e6] * 10)  # Read at the start, and twice for each trial: spent after two trials.
    monkeypatch.setattr("pytest_throughput.run.budget.monotonic", lambda: next(seconds))
    cases = matrix.run_json("--throughput-budget=1m")["throughput"]["cases"]
    assert [case["id"] for case in cases if case["status"] == "ok"] == ["case-pt-vgg", "case-tf-vgg"]


def test_wherever_a_run_ends_it_has_measured_all_frameworks_equally_far(matrix: Project) -> None:
    ids = [each for each in collected(matrix, "--throughput-trials=3") if each != "plain"]
    for end in range(len(ids)):
        frameworks = [each.partition("[")[2][:2] for each in ids[:end]]
        assert abs(frameworks.count("pt") - frameworks.count("tf")) <= 1


def test_tests_without_axes_keep_their_order_in_each_trial(project: Project) -> None:
    project.tests(
        """
        import pytest

        @pytest.mark.parametrize("n", [3, 1, 2])
        def test_b(measure_step, n): measure_step(lambda: None)

        def test_a(measure_step): measure_step(lambda: None)
        """
    )
    ids = ["b[3]", "b[1]", "b[2]", "a"]
    later = ["b[3-t2]", "b[1-t2]", "b[2-t2]", "a[t2]"]
    assert collected(project, "--throughput-trials=2") == [*ids, *later]


def test_pairs_go_case_by_case_and_environments_in_turn(matrix: Project) -> None:
    ids = collected(matrix, "--throughput-order=paired", "--throughput-trials=4", "-k", "pt-vgg", *BOTH)
    turns = ["base", "head", "t2-head", "t2-base", "t3-base", "t3-head", "t4-head", "t4-base"]
    assert ids == [f"case[pt-vgg-{turn}]" for turn in turns]


def test_pairs_imply_a_fresh_process_for_each_trial(matrix: Project) -> None:
    arguments = ("--throughput-order=paired", "-k", "pt-vgg", *BOTH)
    document = matrix.run_json(*arguments)
    assert document["benchmarks"][0]["extra_info"]["settings"]["isolation"] == "trial"
    result = matrix.run(*arguments, "--throughput-isolation=framework")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--throughput-order: paired needs fresh processes*not framework*"])


def test_with_one_environment_the_cases_of_a_work_follow_each_other_trial_by_trial(matrix: Project) -> None:
    works = [[f"case[pt-{model}{{}}]", f"case[tf-{model}{{}}]"] for model in ("vgg", "alex")]
    trials = [
        each.format("" if trial == 1 else f"-t{trial}")
        for work in works
        for trial in (1, 2, 3)
        for each in (work if trial % 2 else work[::-1])
    ]
    assert collected(matrix, "--throughput-order=paired", "--throughput-trials=3") == [*trials, "plain"]
    in_file = ("-o", "throughput_order=paired")
    assert collected(matrix, *in_file, "--throughput-trials=3") == [*trials, "plain"]
    result = matrix.run(*in_file, "--throughput-isolation=framework")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*throughput_order in *: paired needs fresh processes*not framework*"])


def test_trials_of_a_case_are_one_case(matrix: Project) -> None:
    document = matrix.run_json("--throughput-trials=2", "-k", "vgg", *BOTH)
    cases = document["throughput"]["cases"]
    assert [(case["id"], case["environment"], len(case["trials"])) for case in cases] == [
        ("case-pt-vgg", "base", 2),
        ("case-pt-vgg", "head", 2),
        ("case-tf-vgg", "base", 2),
        ("case-tf-vgg", "head", 2),
    ]
    assert cases[0]["images_per_second_low"] < cases[0]["images_per_second"] < cases[0]["images_per_second_high"]
    assert {
        (benchmark["params"]["throughput_trial"], benchmark["params"]["throughput_environment"])
        for benchmark in document["benchmarks"]
    } == set(product((1, 2), ("base", "head")))


@pytest.mark.slow
def test_one_worker_serves_a_framework_and_a_trial(matrix: Project) -> None:
    document = matrix.run_json("--throughput-trials=2", "--throughput-isolation=framework")
    pids: dict[tuple[str, int], set[int]] = {}
    for benchmark in document["benchmarks"]:
        key = benchmark["params"]["framework"], benchmark["params"]["throughput_trial"]
        pids.setdefault(key, set()).add(benchmark["extra_info"]["pid"])
    assert {len(each) for each in pids.values()} == {1}
    assert len(set.union(*pids.values())) == 4


@pytest.mark.parametrize(
    "parameters",
    [
        '@pytest.mark.parametrize("n", ["a-t2"])',
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("", '@pytest.mark.parametrize("n", [1])')),
    ],
)
def test_without_a_marker_the_case_is_the_node_id_without_its_trial(project: Project, parameters: str) -> None:
    argument = ", n" if parameters else ""
    project.tests(f"import pytest\n{parameters}\ndef test_it(measure_step{argument}): measure_step(lambda: None)\n")
    (alone,) = project.run_json()["throughput"]["cases"]
    (repeated,) = project.run_json("--throughput-trials=3")["throughput"]["cases"]
    assert alone["id"] == repeated["id"]
    assert [trial["trial"] for trial in repeated["trials"]] == [1, 2, 3]


def test_a_step_of_this_process_has_one_environment(project: Project) -> None:
    project.tests("def test_it(measure_step): measure_step(lambda: None)")
    assert collected(project, *BOTH) == ["it"]
    (case,) = project.run_json(*BOTH)["throughput"]["cases"]
    assert case["environment"] == "base"


def test_what_measures_nothing_is_no_case(pytester: pytest.Pytester) -> None:
    class Plain:
        fixturenames = ("benchmark", "tmp_path")

    assert measured(Plain(), None) is None  # type: ignore[arg-type]


@pytest.mark.slow
def test_fixtures_and_parameters_of_a_project_may_be_called_trial_and_environment(project: Project) -> None:
    (project.path / "conftest.py").write_text(
        "import pytest\n@pytest.fixture(params=['lab', 'field'])\ndef environment(request): return request.param\n"
    )
    project.tests(
        """
        import pytest

        @pytest.mark.parametrize("trial", ["t2", 2])
        def test_here(measure_step, trial, environment, throughput_trial, throughput_environment):
            assert (environment in ("lab", "field"), throughput_environment) == (True, "default")
            assert (trial in ("t2", 2), throughput_trial in (1, 2)) == (True, True)
            measure_step(lambda: None)

        @pytest.fixture
        def trial(): return "mine"

        def test_there(measure_isolated, trial, environment):
            measure_isolated("steps:sleep", {"milliseconds": 0.1, "of": [trial, environment]})
        """
    )
    document = project.run_json("--throughput-trials=2", "--throughput-protocol=paper")
    assert {case["id"]: len(case["trials"]) for case in document["throughput"]["cases"]} == {
        "test_it.py::test_here[lab-t2]": 2,
        "test_it.py::test_here[lab-2]": 2,
        "test_it.py::test_here[field-t2]": 2,
        "test_it.py::test_here[field-2]": 2,
        "test_it.py::test_there[lab]": 2,
        "test_it.py::test_there[field]": 2,
    }
    assert document["benchmarks"][0]["params"] == {
        "trial": "t2",
        "environment": "lab",
        "throughput_trial": 1,
        "throughput_environment": "default",
    }
