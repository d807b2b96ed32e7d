"""Live pairs in a run: two environments are measured together, and each test has its own side."""

from __future__ import annotations

import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plugin_project import Project

from pytest_throughput.run import budget

ENVIRONMENTS = [f"--throughput-interpreter={name}/python={sys.executable} -X utf8" for name in ("base", "head")]
PAIRED = ("--throughput-order=paired", *ENVIRONMENTS)
ONE_CASE = """
import pytest
@pytest.mark.throughput_case("sleep")
def test_it(measure_isolated): measure_isolated("steps:sleep", {"milliseconds": 0.1}, items=4)
"""


def sides(document: dict[str, Any]) -> dict[tuple[str, int], dict[str, Any]]:
    """Return ``extra_info`` of each trial by environment and number."""
    infos = [benchmark["extra_info"] for benchmark in document["benchmarks"]]
    return {(info["environment"], info["trial"]): info for info in infos}


def test_both_sides_of_a_pair_are_ordinary_trials_that_say_how_they_were_measured(project: Project) -> None:
    project.tests(ONE_CASE)
    document = project.run_json(*PAIRED, "--throughput-trials=2", "--throughput-gate=warn")
    found = sides(document)
    assert sorted(found) == [("base", 1), ("base", 2), ("head", 1), ("head", 2)]
    assert len({info["pid"] for info in found.values()}) == 4
    for trial in (1, 2):
        base, head = found["base", trial], found["head", trial]
        assert (base["pair"]["side"], head["pair"]["side"]) == ("A", "B")
        assert base["pair"]["id"] == head["pair"]["id"]
        assert base["pair"]["order"] == head["pair"]["order"]
        assert (base["pair"]["stopped"], head["pair"]["stopped"]) == (True, True)
        assert base["settings"]["pairing"] == head["settings"]["pairing"] == "slices"
        # Any reader can check the pair's value.
        assert head["pair"]["statistic"] == "p10"
        logs = [
            math.log(a["p10_seconds"] / b["p10_seconds"]) for a, b in zip(base["slices"], head["slices"], strict=True)
        ]
        assert head["pair"]["ratio"] == pytest.approx(math.exp(statistics.median(logs)))
        means = [statistics.fmean(one["mean_seconds"] for one in side["slices"]) for side in (base, head)]
        assert head["pair"]["mean_ratio"] == pytest.approx(means[0] / means[1])
        assert base["pair"]["ratio"] == pytest.approx(1 / head["pair"]["ratio"])
    assert found["base", 1]["pair"]["id"] != found["base", 2]["pair"]["id"]
    for benchmark in document["benchmarks"]:
        seconds = iter(benchmark["stats"]["data"])
        for one in benchmark["extra_info"]["slices"]:
            rounds = [next(seconds) for _ in range(one["rounds"])]
            assert statistics.median(rounds) == pytest.approx(one["median_seconds"])
            assert statistics.fmean(rounds) == pytest.approx(one["mean_seconds"])
            assert np.quantile(rounds, 0.1) == pytest.approx(one["p10_seconds"])
        assert next(seconds, None) is None
    title = "head against base, in live pairs (by the 10th percentile of the seconds per step)"
    assert document["throughput"]["verdicts"]["title"] == title
    (verdict,) = document["throughput"]["verdicts"]["cases"]
    assert (verdict["trials_base"], verdict["trials_head"]) == (2, 2)
    assert verdict["ratio"] == pytest.approx(
        math.sqrt(found["head", 1]["pair"]["ratio"] * found["head", 2]["pair"]["ratio"])
    )


def test_a_side_whose_partner_is_not_run_is_measured_alone(project: Project) -> None:
    project.tests(ONE_CASE)
    document = project.run_json(*PAIRED, "test_it.py::test_it[head]")
    (info,) = sides(document).values()
    assert info["unpaired"] == "this run does not measure its trial in base"
    assert info["settings"]["pairing"] == "trials"
    assert "pair" not in info


def test_a_side_that_fails_leaves_the_other_an_ordinary_trial(project: Project) -> None:
    project.tests(
        """
        import pytest
        @pytest.mark.throughput_case("it")
        def test_it(measure_isolated): measure_isolated("only_in_base:open_step")
        """
    )
    (project.path / "only_in_base.py").write_text(
        "import sys\nfrom pytest_throughput import Step\n"
        "def open_step():\n"
        "    if not sys.flags.utf8_mode: raise RuntimeError('not here')\n"
        "    return Step(lambda: None)\n"
    )
    two = [
        f"--throughput-interpreter={name}/python={sys.executable} -X utf8={name == 'base':d}"
        for name in ("base", "head")
    ]
    result = project.run("--benchmark-json=run.json", "--throughput-order=paired", *two)
    result.assert_outcomes(passed=1, failed=1)
    (info,) = sides(project.json()).values()
    assert (info["environment"], info["settings"]["pairing"]) == ("base", "trials")
    assert info["unpaired"] == "the other side is failed: RuntimeError: not here"
    reasons = {case["environment"]: case["reason"] for case in project.json()["throughput"]["cases"]}
    assert reasons == {"base": None, "head": "RuntimeError: not here"}


def test_arguments_that_depend_on_the_environment_cannot_be_paired(project: Project) -> None:
    project.tests(
        """
        def test_it(measure_isolated, throughput_environment):
            measure_isolated("steps:sleep", {"milliseconds": 0.1, "of": throughput_environment})
        """
    )
    found = sides(project.run_json(*PAIRED))
    assert found["base", 1]["settings"]["pairing"] == "slices"
    assert (found["base", 1]["of"], found["head", 1]["of"]) == ("base", "head")
    assert found["head", 1]["settings"]["pairing"] == "trials"


def test_a_step_of_this_process_says_what_to_use_instead(project: Project) -> None:
    project.tests("def test_it(measure_step): measure_step(lambda: None)")
    result = project.run("--benchmark-json=run.json", *PAIRED)
    (info,) = sides(project.json()).values()
    assert info["unpaired"] == "measure_step measures in pytest's own process; use measure_isolated"
    result.stdout.fnmatch_lines(["not measured in turn: test_it.py::test_it (base): measure_step*measure_isolated"])


def test_confirmation_adds_live_pairs(project: Project) -> None:
    project.tests(ONE_CASE)
    options = ("--throughput-trials=1", "--throughput-confirm=1", "--throughput-gate=warn")
    found = sides(project.run_json(*PAIRED, *options))
    assert sorted(found) == [("base", 1), ("base", 2), ("head", 1), ("head", 2)]
    assert found["base", 2]["pair"]["id"] == found["head", 2]["pair"]["id"]


def test_a_job_of_phases_is_measured_one_after_the_other(project: Project) -> None:
    project.tests('def test_it(measure_isolated): measure_isolated("jobs:open_job", phase="load")')
    (project.path / "jobs.py").write_text(
        "from pytest_throughput import Once, Phase\n"
        "def open_job(): return Once([Phase('load', lambda: sum(range(10**5)))])\n"
    )
    found = sides(project.run_json(*PAIRED))
    assert {info["settings"]["pairing"] for info in found.values()} == {"trials"}
    assert {info["unpaired"] for info in found.values()} == {"a job of phases runs once, and has no slices"}


def test_what_does_not_fit_together_is_measured_one_after_the_other(project: Project) -> None:
    project.tests(ONE_CASE.replace("steps:sleep", "alone:open_step").replace('{"milliseconds": 0.1}', "{}"))
    (project.path / "alone.py").write_text(
        "import os, time\nfrom pathlib import Path\nfrom pytest_throughput import OutOfMemory, Step\n"
        "taken = Path(__file__).with_name('taken')\n"
        "def open_step():\n"
        "    if taken.exists() and Path(f'/proc/{taken.read_text()}').exists():\n"
        "        with open('refused', 'a') as file: file.write('x')\n"
        "        raise OutOfMemory('two are too many')\n"
        "    taken.write_text(str(os.getpid()))\n"
        "    return Step(lambda: time.sleep(1e-4))\n"
    )
    found = sides(project.run_json(*PAIRED, "--throughput-trials=2"))
    assert len(found) == 4
    assert {info["unpaired"] for info in found.values()} == {"the sides together ran out of memory: two are too many"}
    assert {info["settings"]["pairing"] for info in found.values()} == {"trials"}
    # The second pair does not exhaust the memory again.
    assert (project.path / "refused").read_text() == "x"


def test_a_run_that_ends_between_the_tests_of_a_pair_has_both_sides(project: Project) -> None:
    project.tests(ONE_CASE)
    (project.path / "conftest.py").write_text(
        "import pytest\n"
        "def pytest_runtest_teardown(item):\n"
        "    if not (item.path.parent / 'resumed').exists(): pytest.exit('ended')\n"
    )
    project.run("--benchmark-json=run.json", *PAIRED)
    (project.path / "resumed").touch()
    lines = (project.path / "run.json.journal.jsonl").read_text().splitlines()
    assert {json.loads(line)["environment"] for line in lines[1:]} == {"base", "head"}
    found = sides(project.run_json(*PAIRED, "--throughput-resume=run.json.journal.jsonl"))
    assert found["base", 1]["pair"]["id"] == found["head", 1]["pair"]["id"]
    assert (found["base", 1]["resumed"], found["head", 1]["resumed"]) == (True, True)


def test_no_signal_comes_between_the_sides_of_a_pair(project: Project) -> None:
    project.tests(ONE_CASE)
    (project.path / "conftest.py").write_text(
        "import os, signal\n"
        "from pytest_throughput.results.journal import Journal\n"
        "add = Journal.add\n"
        "def interrupted(self, ended): add(self, ended); os.kill(os.getpid(), signal.SIGINT)\n"
        "Journal.add = interrupted\n"
    )
    run = project.start("--throughput-protocol=quick", "--benchmark-json=run.json", *PAIRED)
    output, _ = run.communicate()
    assert run.returncode == pytest.ExitCode.INTERRUPTED, output
    lines = (project.path / "run.json.journal.jsonl").read_text().splitlines()
    assert {json.loads(line)["environment"] for line in lines[1:]} == {"base", "head"}


def test_a_budget_ends_between_pairs(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.tests(ONE_CASE)
    (project.path / "conftest.py").write_text(
        "def pytest_runtest_teardown(item): (item.path.parent / 'spent').touch()\n"
    )
    spent = project.path / "spent"
    monkeypatch.setattr(budget, "monotonic", lambda: 1e9 if spent.exists() else 0.0)
    # It is spent by the end of the first test, which has measured the trial of the second one, too.
    found = sides(project.run_json(*PAIRED, "--throughput-trials=3", "--throughput-budget=60s"))
    assert {key[1] for key in found} == {1}
    assert len(found) == 2


def test_two_worktrees_of_a_package_are_paired_by_a_path_each(project: Project) -> None:
    project.tests('def test_it(measure_isolated): measure_isolated("open_mine:open_step")')
    (project.path / "open_mine.py").write_text(
        "import mine, time\nfrom pytest_throughput import Step\n"
        "def open_step(): return Step(lambda: time.sleep(1e-4), metadata={'versions': {'mine': mine.VERSION}})\n"
    )
    for side in ("base", "head"):
        (project.path / side).mkdir()
        (project.path / side / "mine.py").write_text(f"VERSION = {side!r}\n")
    page = (Path(__file__).parents[2] / "docs/own-steps.md").read_text()
    wrapper = project.path / "with-path"
    wrapper.write_text(page.partition("```sh\n")[2].partition("```")[0])
    wrapper.chmod(0o755)
    two = [
        f"--throughput-interpreter={side}/python=./with-path {project.path / side} {sys.executable}"
        for side in ("base", "head")
    ]
    found = sides(project.run_json("--throughput-order=paired", *two))
    assert {key[0]: info["versions"]["mine"] for key, info in found.items()} == {"base": "base", "head": "head"}
    assert all(info["pair"]["stopped"] for info in found.values())
