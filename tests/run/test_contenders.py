"""The cases of a work measured in turn: frameworks against frameworks, in a run with one environment."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from plugin_project import Project

from pytest_throughput.cli import main
from pytest_throughput.run import sides

PAIRED = "--throughput-order=paired"
TESTS = """
import pytest

def contender(framework, *marks, target="steps:sleep", **keywords):
    call = {"target": target, "arguments": {"milliseconds": 0.1}, "items": 4, **keywords}
    case = pytest.mark.throughput_case(f"sleep-{framework}", model="sleep", batch_size=4, framework=framework)
    return pytest.param(call, id=framework, marks=[case, pytest.mark.throughput_target(**call), *marks])

CONTENDERS = [contender("one"), contender("two"), contender("three")]

@pytest.mark.parametrize("call", CONTENDERS)
def test_it(measure_isolated, call):
    measure_isolated(**call)
"""


def with_contenders(*contenders: str) -> str:
    """Return the tests with other contenders."""
    before, _, after = TESTS.partition("CONTENDERS = [")
    return f"{before}CONTENDERS = [{', '.join(contenders)}]{after.partition(']')[2]}"


def trials_of(document: dict[str, Any]) -> dict[tuple[str, int], dict[str, Any]]:
    """Return ``extra_info`` of each trial by framework and number."""
    infos = [benchmark["extra_info"] for benchmark in document["benchmarks"]]
    return {(info["framework"], info["trial"]): info for info in infos}


def unpaired(project: Project, *arguments: str) -> dict[str, str | None]:
    found = trials_of(project.run_json(PAIRED, *arguments))
    return {name: info.get("unpaired") for (name, _), info in found.items()}


def test_the_cases_of_a_work_are_measured_in_turn_trial_by_trial(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.tests(TESTS)
    result = project.run(PAIRED, "--throughput-trials=2", "--benchmark-json=run.json", "-v")
    order = [line.partition("[")[2].partition("]")[0] for line in result.outlines if "PASSED" in line]
    assert order == ["one", "two", "three", "three-t2", "two-t2", "one-t2"]
    found = trials_of(project.json())
    assert len({info["pid"] for info in found.values()}) == 6
    for trial in (1, 2):
        infos = [found[name, trial] for name in ("one", "two", "three")]
        assert [info["pair"]["side"] for info in infos] == ["A", "B", "C"]
        assert len({info["pair"]["id"] for info in infos}) == len({info["pair"]["order"] for info in infos}) == 1
        assert {info["pair"]["ratio"] for info in infos} == {None}
        assert {info["settings"]["pairing"] for info in infos} == {"slices"}
        assert len({len(info["slices"]) for info in infos}) == 1
        assert {info["settings"]["isolation"] for info in infos} == {"trial"}
    assert found["one", 1]["pair"]["id"] != found["one", 2]["pair"]["id"]
    # The table compares them, and says how.
    assert any("÷ fastest" in line for line in result.outlines)
    (legend,) = [line for line in result.outlines if "÷ fastest: " in line]
    assert "and half its 95 % interval (measured in turn)" in legend
    capsys.readouterr()
    assert main(["show", "run.json"]) == 0
    shown = capsys.readouterr().out.splitlines()
    first = result.outlines.index(shown[0])
    assert result.outlines[first : first + len(shown)] == shown


def test_each_side_has_its_own_target_interpreter_and_variables(project: Project) -> None:
    (project.path / "mine.py").write_text(
        "import os, sys, time\nfrom pytest_throughput import Step\n"
        "def open_step(of): return Step(lambda: time.sleep(1e-4),\n"
        "    metadata={'of': of, 'utf8': sys.flags.utf8_mode, 'flag': os.environ.get('FLAG')})\n"
    )
    mine = 'contender("{0}", target="mine:open_step", arguments={{"of": "{0}"}}, interpreter="{0}"{1})'
    project.tests(with_contenders(mine.format("one", ""), mine.format("two", ', variables={"FLAG": "up"}')))
    interpreters = [f"--throughput-interpreter=two={sys.executable} -X utf8"]
    found = trials_of(project.run_json(PAIRED, *interpreters))
    said = [(info["of"], info["utf8"], info["flag"]) for info in found.values()]
    assert said == [("one", 0, None), ("two", 1, "up")]
    one, two = found.values()
    assert one["pair"]["id"] == two["pair"]["id"]
    # Two contenders are a live pair like any other.
    assert one["pair"]["ratio"] == pytest.approx(1 / two["pair"]["ratio"])


def test_a_contender_that_fails_has_its_own_reason_and_the_others_go_on(project: Project) -> None:
    broken = 'contender("two", target="steps:end", arguments={"how": "failed"})'
    project.tests(with_contenders('contender("one")', broken, 'contender("three")'))
    result = project.run(PAIRED, "--benchmark-json=run.json")
    result.assert_outcomes(passed=2, failed=1)
    found = trials_of(project.json())
    assert [(name, info["pair"]["side"]) for (name, _), info in found.items()] == [("one", "A"), ("three", "C")]
    assert found["one", 1]["pair"]["ratio"] == pytest.approx(1 / found["three", 1]["pair"]["ratio"])
    reasons = {case["id"]: case["reason"] for case in project.json()["throughput"]["cases"]}
    assert reasons == {"sleep-one": None, "sleep-two": "RuntimeError: broken", "sleep-three": None}


def test_what_is_not_selected_is_not_measured(project: Project) -> None:
    project.tests(TESTS)
    found = trials_of(project.run_json(PAIRED, "-k", "not two"))
    assert [(name, info["pair"]["side"]) for (name, _), info in found.items()] == [("one", "A"), ("three", "B")]
    result = project.run(PAIRED, "-k", "two", "--benchmark-json=run.json")
    ((_, info),) = trials_of(project.json()).items()
    assert info["unpaired"] == "this run does not measure another case of its work"
    assert info["settings"]["pairing"] == "trials"
    result.stdout.fnmatch_lines(["not measured in turn: sleep-two: this run does not measure another case of its work"])


def test_a_case_whose_test_does_not_say_what_it_measures_is_measured_alone(project: Project) -> None:
    project.tests(TESTS.replace(", pytest.mark.throughput_target(**call)", ""))
    reason = "its test has no marker throughput_target"
    assert unpaired(project, "-k", "not two") == {"one": reason, "three": reason}
    project.tests(
        TESTS.replace("marks=[case, ", "marks=[case, *([] if framework == 'one' else [").replace(
            "(**call), *marks]", "(**call)]), *marks]"
        )
    )
    assert unpaired(project) == {"one": reason, "two": None, "three": None}


def test_what_may_be_skipped_or_has_no_slices_is_measured_by_its_own_test(project: Project) -> None:
    marks = 'contender("two", pytest.mark.skip), contender("three", pytest.mark.skipif(True, reason="x"))'
    project.tests(
        with_contenders('contender("one")', marks, 'contender("four", pytest.mark.skipif(False, reason="x"))')
    )
    found = trials_of(project.run_json(PAIRED))
    assert [(name, info["pair"]["side"]) for (name, _), info in found.items()] == [("one", "A"), ("four", "B")]
    phases = ', target="jobs:open_job", items=1, arguments={}, phase="load"'
    project.tests(with_contenders('contender("one")', f'contender("two"{phases})'))
    (project.path / "jobs.py").write_text(
        "from pytest_throughput import Once, Phase\n"
        "def open_job(): return Once([Phase('load', lambda: sum(range(10**5)))])\n"
    )
    assert unpaired(project) == {
        "one": "the other cases of its work use another device, have no slices, or may be skipped",
        "two": "a job of phases runs once, and has no slices",
    }


def test_a_test_that_measures_something_else_than_its_marker_says_is_measured_again(project: Project) -> None:
    project.tests(TESTS.replace("(**call)\n", "(**{**call, 'arguments': {'milliseconds': 0.2}})\n"))
    assert unpaired(project, "-k", "not three") == {"one": None, "two": "another case of its work was measured before"}


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ('throughput_target("steps")', "target: expected 'module:function', which a worker imports, got 'steps'"),
        ('throughput_target("a:b", batch=1)', "*unexpected keyword argument 'batch'"),
        ("throughput_target()", "*missing 1 required positional argument: 'target'"),
    ],
)
def test_a_wrong_marker_is_refused(project: Project, marker: str, message: str) -> None:
    project.tests(
        f"import pytest\n@pytest.mark.{marker}\ndef test_it(measure_isolated): measure_isolated('steps:sleep')\n"
    )
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"ERROR: test_it.py::test_it: throughput_target takes the arguments of measure_isolated: {message}"]
    )


def test_what_does_not_fit_together_is_measured_one_after_the_other(project: Project) -> None:
    (project.path / "alone.py").write_text(
        "import os, time\nfrom pathlib import Path\nfrom pytest_throughput import OutOfMemory, Step\n"
        "taken = Path(__file__).with_name('taken')\n"
        "def open_step(of):\n"
        "    if taken.exists() and Path(f'/proc/{taken.read_text()}').exists(): raise OutOfMemory('two are too many')\n"
        "    taken.write_text(str(os.getpid()))\n"
        "    return Step(lambda: time.sleep(1e-4))\n"
    )
    alone = 'contender("{0}", target="alone:open_step", arguments={{"of": "{0}"}})'
    project.tests(with_contenders(*map(alone.format, ("one", "two", "three"))))
    reason = "the sides together ran out of memory: two are too many"
    assert unpaired(project) == {"one": reason, "two": reason, "three": reason}


def test_more_cases_than_a_group_can_have_form_further_groups(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sides, "MOST_SIDES", 2)
    project.tests(with_contenders(*(f'contender("{name}")' for name in ("one", "two", "three", "four"))))
    found = trials_of(project.run_json(PAIRED))
    groups = [[found[name, 1]["pair"]["id"] for name in names] for names in (("one", "two"), ("three", "four"))]
    assert [len(set(group)) for group in groups] == [1, 1]
    assert groups[0] != groups[1]


def test_a_run_that_ends_between_the_tests_of_a_group_has_all_sides(project: Project) -> None:
    project.tests(TESTS)
    (project.path / "conftest.py").write_text(
        "import pytest\n"
        "def pytest_runtest_teardown(item):\n"
        "    if not (item.path.parent / 'resumed').exists(): pytest.exit('ended')\n"
    )
    project.run("--benchmark-json=run.json", PAIRED)
    (project.path / "resumed").touch()
    lines = (project.path / "run.json.journal.jsonl").read_text().splitlines()
    assert {json.loads(line)["case_id"] for line in lines[1:]} == {"sleep-one", "sleep-two", "sleep-three"}
    found = trials_of(project.run_json(PAIRED, "--throughput-resume=run.json.journal.jsonl"))
    assert len({info["pair"]["id"] for info in found.values()}) == 1
    assert {info["resumed"] for info in found.values()} == {True}


def test_two_environments_are_compared_with_each_other_and_not_the_cases_of_a_work(project: Project) -> None:
    project.tests(TESTS)
    both = [f"--throughput-interpreter={name}/python={sys.executable} -X utf8" for name in ("base", "head")]
    document = project.run_json(PAIRED, *both, "-k", "not three", "--throughput-gate=warn")
    infos = [benchmark["extra_info"] for benchmark in document["benchmarks"]]
    pairs = {(info["framework"], info["environment"]): info["pair"] for info in infos}
    assert {key: pair["side"] for key, pair in pairs.items()} == {
        ("one", "base"): "A",
        ("one", "head"): "B",
        ("two", "base"): "A",
        ("two", "head"): "B",
    }
    for name in ("one", "two"):
        assert pairs[name, "base"]["id"] == pairs[name, "head"]["id"]
    assert pairs["one", "base"]["id"] != pairs["two", "base"]["id"]
    verdicts = document["throughput"]["verdicts"]["cases"]
    assert [verdict["id"] for verdict in verdicts] == ["sleep-one", "sleep-two"]
    for verdict, name in zip(verdicts, ("one", "two"), strict=True):
        assert verdict["ratio"] == pytest.approx(pairs[name, "head"]["ratio"])


def test_a_case_is_measured_in_turn_in_more_than_two_environments(project: Project) -> None:
    project.tests(TESTS)
    names = ("old", "base", "head")
    three = [f"--throughput-interpreter={name}/python={sys.executable} -X utf8" for name in names]
    document = project.run_json(PAIRED, *three, "-k", "one")
    infos = [benchmark["extra_info"] for benchmark in document["benchmarks"]]
    assert [(info["environment"], info["pair"]["side"]) for info in infos] == [
        ("old", "A"),
        ("base", "B"),
        ("head", "C"),
    ]


def test_an_accepted_run_of_two_contenders_is_not_judged_by_itself(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.tests(with_contenders('contender("one")', 'contender("two")'))
    project.run_json(PAIRED)
    assert main(["accept", "run.json", "--baseline", "kept"]) == 0
    assert main(["gate", "run.json", "--baseline", "kept"]) == 12
    assert "only the run itself is accepted" in capsys.readouterr().out
