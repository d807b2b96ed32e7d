"""Trials measured beside an anchor: what they record, what excludes it, and how such runs are judged.

Steps take the seconds that a test wants them to, by a clock in the worker that stands still otherwise.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from typing import Any

import pytest
from plugin_project import Project

from pytest_throughput.cli import main
from pytest_throughput.results.anchor import digest_of

STEPS = """
import json, random, sys
from pathlib import Path
from pytest_throughput import Once, Phase, Step
from pytest_throughput.measurement import loop

now = 0.0
loop.MeasuringLoop.__init__.__kwdefaults__["clock"] = lambda: now
is_anchor = bool(sys.flags.utf8_mode)

def move(seconds):
    global now
    now += seconds

def step(trial=1):
    how = json.loads(Path(__file__).with_name("how.json").read_text())
    if is_anchor and how.get("broken"): raise RuntimeError("no such kernel")
    noise = random.Random(f"{how.get('hour')} {trial} {is_anchor}").lognormvariate(0, 0.003)
    seconds = 0.01 * noise * how.get("hour", 1.0) * (1.0 if is_anchor else how.get("slower", 2.0))
    version = how.get("anchor", "1") if is_anchor else "2"
    return Step(lambda: move(seconds), metadata={"versions": {"mine": version}}, products={"mine": product})

def product(size):
    with Path(__file__).with_name("products").open("a") as file: file.write("anchor " if is_anchor else "case ")
    raise RuntimeError("not measured here")

def job(): return Once([Phase("load", lambda: sum(range(10**4)))])
"""
ONE = """
import pytest
@pytest.mark.throughput_case("a")
def test_it(measure_isolated, throughput_trial): measure_isolated("steps:step", {"trial": throughput_trial}, items=4)
"""
HEAD = f"--throughput-interpreter=python={sys.executable} -X utf8=0"
COMMAND = f"{sys.executable} -X utf8=1"
ANCHOR = f"--throughput-anchor={COMMAND}"


def versions(mine: str = "1") -> dict[str, str]:
    return {"mine": mine, "python": ".".join(map(str, sys.version_info[:3]))}


@pytest.fixture
def beside(project: Project) -> Project:
    (project.path / "steps.py").write_text(STEPS)
    (project.path / "how.json").write_text("{}")
    project.tests(ONE)
    return project


def info(document: dict[str, Any], case_id: str = "a") -> dict[str, Any]:
    (found,) = [each["extra_info"] for each in document["benchmarks"] if each["extra_info"]["case_id"] == case_id]
    return dict(found)


def test_a_trial_holds_the_ratio_to_its_anchor(beside: Project, capsys: pytest.CaptureFixture[str]) -> None:
    result = beside.run("--benchmark-json=run.json", HEAD, ANCHOR)
    assert result.ret == 0
    found = info(beside.json())
    anchor = found["anchor"]
    assert (anchor["digest"], anchor["versions"]) == (digest_of(versions()), versions())
    assert found["versions"] == versions("2")
    assert (found["settings"]["isolation"], found["environment"]) == ("trial", "default")
    assert "pairing" not in found["settings"]
    # Any reader can check the ratio.
    pairs = list(zip(anchor["slices"], found["slices"], strict=True))
    logs = [math.log(one["p10_seconds"] / other["p10_seconds"]) for one, other in pairs]
    assert anchor["ratio"] == found["pair"]["ratio"] == pytest.approx(math.exp(statistics.median(logs)))
    means = [statistics.fmean(slice_["mean_seconds"] for slice_ in side) for side in zip(*pairs, strict=True)]
    assert anchor["mean_ratio"] == found["pair"]["mean_ratio"] == pytest.approx(means[0] / means[1])
    assert anchor["ratio"] == pytest.approx(0.5, rel=0.02)
    assert anchor["images_per_second"] == pytest.approx(4 / 0.01, rel=0.02)
    assert found["images_per_second"] == pytest.approx(4 / 0.02, rel=0.02)
    # The anchor is no case, and no peak comes from it.
    assert (beside.path / "products").read_text() == "case "
    assert [case["environment"] for case in beside.json()["throughput"]["cases"]] == ["default"]
    line = f"measured beside the anchor {anchor['digest']} (mine 1, python {versions()['python']})"
    result.stdout.fnmatch_lines(["throughput anchor: for *", f"*{line}*"])
    result.stdout.no_fnmatch_line("*not measured in live pairs*")
    capsys.readouterr()
    assert main(["show", "run.json"]) == 0
    assert line in capsys.readouterr().out


def test_what_cannot_be_anchored_says_why(beside: Project) -> None:
    (beside.path / "how.json").write_text('{"broken": true}')
    beside.tests(
        """
        def test_broken(measure_isolated): measure_isolated("steps:step")
        def test_other(measure_isolated): measure_isolated("steps:step", interpreter="other")
        def test_job(measure_isolated): measure_isolated("steps:job", phase="load")
        def test_here(measure_step): measure_step(lambda: None)
        """
    )
    result = beside.run("--benchmark-json=run.json", HEAD, f"--throughput-anchor=python={COMMAND}")
    assert result.ret == 0
    reasons = {
        "broken": "the anchor is failed: RuntimeError: no such kernel",
        "other": "--throughput-anchor names none for other",
        "job": "a job of phases runs once, and has no slices",
        "here": "measure_step measures in pytest's own process; use measure_isolated",
    }
    for name, reason in reasons.items():
        found = info(beside.json(), f"test_it.py::test_{name}")
        assert found["anchor"] == {"reason": reason}
        assert not found.keys() & {"unpaired", "pair", "slices"}
        result.stdout.fnmatch_lines([f"measured without the anchor: test_it.py::test_{name}: {reason}"])


def test_a_side_that_fails_fails_as_it_does_without_an_anchor(beside: Project) -> None:
    beside.tests(
        """
        def test_it(measure_isolated): measure_isolated("only_there:step")
        """
    )
    (beside.path / "only_there.py").write_text(
        "from steps import is_anchor, step as open_step\n"
        "def step():\n    if not is_anchor: raise RuntimeError('not here')\n    return open_step()\n"
    )
    result = beside.run("--benchmark-json=run.json", HEAD, ANCHOR)
    result.assert_outcomes(failed=1)
    (case,) = beside.json()["throughput"]["cases"]
    assert (case["status"], case["reason"]) == ("failed", "RuntimeError: not here")


def test_two_that_do_not_fit_together_are_measured_one_after_the_other(beside: Project) -> None:
    beside.tests('def test_it(measure_isolated): measure_isolated("alone:step")')
    (beside.path / "alone.py").write_text(
        "import os\nfrom pathlib import Path\nfrom pytest_throughput import OutOfMemory\n"
        "from steps import step as open_step\n"
        "taken = Path(__file__).with_name('taken')\n"
        "def step():\n"
        "    if taken.exists() and Path(f'/proc/{taken.read_text()}').exists(): raise OutOfMemory('two are too many')\n"
        "    taken.write_text(str(os.getpid()))\n"
        "    return open_step()\n"
    )
    found = info(beside.run_json(HEAD, ANCHOR), "test_it.py::test_it")
    assert found["unpaired"] == "the sides together ran out of memory: two are too many"
    assert found["anchor"]["slices"] is None
    assert found["anchor"]["ratio"] == pytest.approx(0.5, rel=0.02)
    assert found["anchor"]["mean_ratio"] == pytest.approx(0.5, rel=0.02)
    assert found["anchor"]["digest"] == digest_of(versions())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--throughput-anchor=/no/such/python",), "--throughput-anchor: the command of anchor/* is '/no/such/python'"),
        (("--throughput-anchor=",), "expected [NAME=]COMMAND"),
        ((ANCHOR, ANCHOR), "--throughput-anchor: two anchors for every framework"),
        ((ANCHOR, "--throughput-isolation=none"), "it needs fresh processes, --throughput-isolation trial, not none"),
        ((ANCHOR, "--throughput-isolation=framework"), "--throughput-isolation trial, not framework"),
        (
            (ANCHOR, "--throughput-order=paired"),
            "--throughput-order paired measures the cases of a work with each other; leave out one of them",
        ),
        (
            (
                ANCHOR,
                f"--throughput-interpreter=base/python={COMMAND}",
                f"--throughput-interpreter=head/python={COMMAND}",
            ),
            "and this run compares base and head with each other; leave out --throughput-anchor",
        ),
    ],
)
def test_what_contradicts_an_anchor_is_refused(beside: Project, options: tuple[str, ...], message: str) -> None:
    result = beside.run(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()


def test_an_anchor_of_the_ini_file_is_for_runs_of_one_environment(beside: Project) -> None:
    (beside.path / "pytest.ini").write_text(f"[pytest]\nthroughput_anchor = {COMMAND}\n")
    two = [f"--throughput-interpreter={name}/python={sys.executable} -X utf8=0" for name in ("base", "head")]
    for options in (two, [f"--throughput-interpreter=python={COMMAND}"]):
        result = beside.run("--collect-only", *options)
        assert result.ret == 0
        assert ("throughput anchor: " in result.stdout.str()) is (options is not two)
    # Of an order that measures the cases of a work with each other and an anchor, the one on the command line wins.
    assert "throughput anchor: " not in beside.run("--collect-only", "--throughput-order=paired").stdout.str()
    (beside.path / "pytest.ini").write_text("[pytest]\nthroughput_order = paired\n")
    assert "throughput anchor: " in beside.run("--collect-only", ANCHOR).stdout.str()


def test_a_run_is_not_resumed_beside_another_anchor(beside: Project) -> None:
    (beside.path / "conftest.py").write_text("import pytest\ndef pytest_runtest_teardown(item): pytest.exit('ended')\n")
    beside.tests("def test_it(measure_step): measure_step(lambda: None)")
    beside.run("--benchmark-json=run.json", ANCHOR, "--throughput-trials=2")
    resume = ("--throughput-trials=2", "--throughput-resume=run.json.journal.jsonl")
    result = beside.run("--benchmark-json=run.json", f"{ANCHOR} -B", *resume)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*was measured with other settings (anchors then *"])


@pytest.mark.slow
def test_a_slowdown_is_found_in_another_hour_and_a_changed_anchor_begins_anew(beside: Project) -> None:
    def run(*options: str, **how: Any) -> pytest.RunResult:
        (beside.path / "how.json").write_text(json.dumps(how))
        return beside.run("--benchmark-json=run.json", HEAD, ANCHOR, "--throughput-trials=3", *options)

    for hour in (1.0, 1.3, 0.8):
        run(hour=hour)
        assert main(["accept", "run.json", "--baseline", "kept"]) == 0
    gate = "--throughput-baseline=kept"
    assert run(gate, hour=1.5).ret == 0
    result = run(gate, hour=0.6, slower=2.2)
    assert result.ret == 10
    (verdict,) = beside.json()["throughput"]["verdicts"]["cases"]
    assert (verdict["verdict"], verdict["anchor"]) == ("regressed", digest_of(versions()))
    assert verdict["ratio"] == pytest.approx(1 / 1.1, rel=0.01)
    result.stdout.fnmatch_lines([f"compared by the speed relative to the anchor {digest_of(versions())} (*): 1 case"])
    result = run(gate, hour=1.0, anchor="1.1")
    assert result.ret == 12
    result.stdout.fnmatch_lines(["new: a: measured beside another anchor than the baseline (*; mine was 1, is 1.1)*"])
