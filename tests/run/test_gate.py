"""The gate in a run: verdicts, exit statuses, confirmation, and that it never hides the results.

Steps take the seconds that a test wants them to, by a clock that stands still otherwise.
"""

from __future__ import annotations

import gc
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import virtual_clock
from plugin_project import Project

from pytest_throughput.cli import main
from pytest_throughput.gate import comparison  # NumPy cannot be imported twice, as by two runs within a test.
from pytest_throughput.gate.baseline_store import Store, StoreError
from pytest_throughput.measurement import loop

STEPS = """
import json, random
from pathlib import Path
import virtual_clock
from pytest_throughput import Step, Unsupported

def step(name, trial, environment):
    how = json.loads(Path("how.json").read_text())
    with open("measured", "a") as file: file.write(f"{name}{trial}{environment[0]} ")
    ending = how.get("ending", {}).get(name)
    if ending == "interrupt": raise KeyboardInterrupt
    if ending: raise RuntimeError(ending)
    if how.get("later", {}).get(name) == trial: raise KeyboardInterrupt
    noise = random.Random(f"{how['seed']} {name} {trial} {environment}").lognormvariate(
        0, how.get("noises", {}).get(name, how.get("noise", 0.004))
    )
    slower = how.get("slower", {}).get(name, 0) if environment != "base" else 0
    seconds = 0.01 * noise * (1 + slower)
    return Step(lambda: virtual_clock.move(seconds), metadata={"versions": {"steps": how.get("version", "1")}})
"""
TESTS = """
import pytest

@pytest.mark.parametrize("name", list("abcdef"))
def test_it(measure_isolated, name, throughput_trial, throughput_environment):
    measure_isolated("steps:step", {"name": name, "trial": throughput_trial, "environment": throughput_environment})

def test_plain(): pass
"""
PAIRS = tuple(f"--throughput-interpreter={name}/python={sys.executable}" for name in ("base", "head"))
BASELINE = "--throughput-baseline=kept"
NEAR = 0.027
"""A slowdown so near the threshold that it remains undecided."""
BARELY = 0.035
"""A slowdown that few trials show at the false-alarm rate of the run, but not at that of its first look."""


class Gated:
    """A project whose figures are made up, run in this process."""

    def __init__(self, project: Project, accepted: Path) -> None:
        self.project = project
        self._accepted = accepted
        (project.path / "steps.py").write_text(STEPS)
        project.tests(TESTS)

    def run(self, *arguments: str, seed: int = 9, trials: int = 3, **how: Any) -> pytest.RunResult:
        """``how``: ``slower``, ``noise``, ``noises`` (by name), ``ending`` and so on, of the steps."""
        (self.project.path / "how.json").write_text(json.dumps({"seed": seed, **how}))
        (self.project.path / "measured").unlink(missing_ok=True)
        common = ("--throughput-protocol=paper", "--throughput-isolation=none", f"--throughput-trials={trials}")
        return self.project.run(*common, "--benchmark-json=run.json", *arguments)

    def accept_some(self) -> None:
        """Accept four runs of the tests as they stand above, measured once and copied every other time."""
        if not self._accepted.exists():
            self.accept(4)
            shutil.copytree("kept", self._accepted)
        shutil.copytree(self._accepted, "kept", dirs_exist_ok=True)

    def accept(self, runs: int) -> None:
        """Accept this number of runs of these tests."""
        for seed in range(runs):
            self.run(seed=seed)
            assert main(["accept", "run.json", "--baseline", "kept"]) == 0

    @property
    def measured(self) -> list[str]:
        """The trials in the order in which they were measured, such as ``a1d``."""
        return (self.project.path / "measured").read_text().split()

    def verdicts(self) -> dict[str, str]:
        """Of each case, by its letter."""
        found = self.project.json()["throughput"]["verdicts"]["cases"]
        return {re.sub(r".*\[(.)\]", r"\1", case["id"]): case["verdict"] for case in found}


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("accepted") / "kept"


@pytest.fixture
def gated(project: Project, monkeypatch: pytest.MonkeyPatch, accepted: Path) -> Iterator[Gated]:
    monkeypatch.chdir(project.path)
    assert loop.MeasuringLoop.__init__.__kwdefaults__ is not None
    monkeypatch.setitem(loop.MeasuringLoop.__init__.__kwdefaults__, "clock", virtual_clock.read)
    monkeypatch.setattr(gc, "collect", lambda: 0)  # In each trial, and all that pytest holds.
    yield Gated(project, accepted)
    sys.modules.pop("steps", None)


def test_a_first_run_says_what_to_do(gated: Gated) -> None:
    result = gated.run(BASELINE)
    assert result.ret == 12
    result.stdout.fnmatch_lines(["*kept: no run is accepted*pytest-throughput accept run.json --baseline kept*"])
    assert gated.project.json()["throughput"]["verdicts"]["exit_status"] == 12
    result = gated.project.run(
        "--throughput-protocol=paper", "--throughput-isolation=none", BASELINE, "--throughput-gate=warn"
    )
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*repeat the run with --benchmark-json=run.json, and then pytest-throughput accept*"])


def test_github_shows_regressions_as_annotations_and_the_verdicts_in_its_summary(
    gated: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = gated.project.path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    gated.accept_some()
    result = gated.run(BASELINE, "--throughput-gate=warn", slower={"c": 0.1})
    annotation = r"::warning title=Throughput regressed::test_it\.py::test_it\[c\]: .* %25 slower \(95 %25 interval .*"
    (line,) = [line for line in result.outlines if line.startswith("::")]
    assert re.fullmatch(annotation, line)
    assert summary.read_text().startswith("### Throughput: 1 regressed, 5 unchanged\n")


def test_verdicts_stand_in_the_terminal_and_in_the_json(gated: Gated, capsys: pytest.CaptureFixture[str]) -> None:
    gated.accept_some()
    result = gated.run(BASELINE, slower={"c": 0.1}, version="2")
    assert result.ret == 10
    result.stdout.fnmatch_lines(
        [
            "*= throughput =*",
            "*= gate =*",
            "this run against 4 accepted runs of kept: 1 regressed, 5 unchanged",
            "regressed *test_it?c? * slower (95 % interval *",
            "steps: 1 → 2",
            "unchanged: test_it.py::test_it?a?, *",
        ]
    )
    assert gated.verdicts() == {**dict.fromkeys("abdef", "unchanged"), "c": "regressed"}
    found = gated.project.json()["throughput"]["verdicts"]
    assert found["software_changes"] == {"steps": {"base": "1", "head": "2"}}
    assert (found["schema"], found["exit_status"]) == (1, 10)
    capsys.readouterr()
    assert main(["gate", "run.json", "--baseline", "kept", "--format", "json"]) == 10
    of_file = json.loads(capsys.readouterr().out)
    assert (of_file["cases"], of_file["software_changes"]) == (found["cases"], found["software_changes"])


@pytest.mark.parametrize(
    ("how", "options", "expected"),
    [
        ({}, (), 0),
        ({"slower": {"c": 0.1}}, ("--throughput-gate=warn",), 0),
        ({"slower": {"c": 0.1}}, ("--throughput-gate=off",), 0),
        ({"slower": {"c": 0.1}}, ("--throughput-threshold=20%",), 0),
        ({"slower": {"c": 0.03}}, (), 0),
        ({"slower": {"c": 0.03}}, ("--throughput-fail-on=regressed,inconclusive",), 13),
        ({"slower": {"c": 0.1}}, ("--throughput-fail-on=missing",), 0),
        ({"slower": {"c": 0.1}, "ending": {"a": "broken"}}, (), 1),  # pytest's own wins.
    ],
)
def test_exit_statuses(gated: Gated, how: dict[str, Any], options: tuple[str, ...], expected: int) -> None:
    gated.accept_some()
    assert gated.run(BASELINE, *options, **how).ret == expected
    assert ("verdicts" in gated.project.json()["throughput"]) is ("--throughput-gate=off" not in options)


def test_results_that_cannot_be_written_come_last(gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_benchmark.session import BenchmarkSession

    gated.accept_some()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    full.__code__ = full.__code__.replace(co_name="save_json", co_filename="/x/pytest_benchmark/session.py")
    monkeypatch.setattr(BenchmarkSession, "handle_saving", full)
    for slower, expected in (({}, 14), ({"c": 0.1}, 10)):
        result = gated.run(BASELINE, slower=slower)
        assert result.ret == expected
        result.stdout.fnmatch_lines(["*= gate =*", "could not write *"])


@pytest.mark.parametrize(
    ("arguments", "is_missing"),
    [
        ((), True),
        (("-k", "not c"), False),
        (("--deselect", "test_it.py::test_it[c]"), False),
        (("test_it.py::test_it[a]", "test_it.py::test_it[b]"), False),
        (("test_other.py",), False),
    ],
)
def test_a_case_is_missing_unless_it_was_left_out(gated: Gated, arguments: tuple[str, ...], is_missing: bool) -> None:
    gated.accept_some()
    tests = TESTS.replace("abcdef", "abdef") if is_missing else TESTS
    gated.project.tests(tests)
    (gated.project.path / "test_other.py").write_text(TESTS)
    chosen = arguments if any(".py" in argument for argument in arguments[:1]) else (*arguments, "test_it.py")
    result = gated.run(BASELINE, "--throughput-fail-on=missing", *chosen, trials=2)
    if arguments == ("test_other.py",):
        assert result.ret == 12
    else:
        assert result.ret == (11 if is_missing else 0)
    assert (gated.verdicts().get("c") == "missing") is is_missing


@pytest.mark.slow
def test_axes_that_were_not_asked_for_are_not_missing(gated: Gated) -> None:
    marked = """
    import pytest
    NAMES = {names}
    @pytest.mark.parametrize("name", [
        pytest.param(name, marks=pytest.mark.throughput_case(f"case-{{name}}", model=name[0], size=len(name), x=0.5))
        for name in NAMES
    ])
    def test_it(measure_isolated, name, throughput_trial):
        measure_isolated("steps:step", {{"name": name, "trial": throughput_trial, "environment": "default"}})
    """

    def named(names: list[str]) -> None:
        gated.project.tests("\n".join(line[4:] for line in marked.format(names=names).splitlines()))

    named(["a", "aa", "b", "bb", "c", "cc"])
    gated.accept(3)
    named(["a", "aa", "b"])  # bb was lost; c was not asked for.
    result = gated.run(BASELINE)
    assert result.ret == 11
    found = gated.project.json()["throughput"]["verdicts"]["cases"]
    assert [case["id"] for case in found if case["verdict"] == "missing"] == ["case-bb"]
    assert [case["id"] for case in found] == ["case-a", "case-aa", "case-b", "case-bb"]
    result.stdout.fnmatch_lines(["missing *case-bb*", "not in this run, not asked for: 2 cases of the baseline"])


def test_a_case_that_breaks_is_failed(gated: Gated) -> None:
    gated.accept_some()
    result = gated.run(BASELINE, "-p", "no:cacheprovider", ending={"b": "broken"})
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert gated.verdicts()["b"] == "failed"
    result.stdout.fnmatch_lines(["failed *test_it?b? *failed now, and measured in the baseline*"])


def test_two_environments_are_compared_in_pairs(gated: Gated) -> None:
    result = gated.run(*PAIRS, "--throughput-gate=fail", trials=5, slower={"c": 0.1})
    assert result.ret == 10
    result.stdout.fnmatch_lines(["head against base, in pairs of trials: 1 regressed, 5 unchanged"])
    assert main(["compare", "--base", "run.json#base", "--head", "run.json#head"]) == 10
    # A baseline that stands in some addopts does not come between them.
    assert gated.run(*PAIRS, BASELINE, trials=5).ret == 0
    assert "verdicts" in gated.project.json()["throughput"]
    gated.run(*PAIRS, trials=1)
    assert "verdicts" not in gated.project.json()["throughput"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--throughput-gate=fail",), "nothing to judge by; give --throughput-baseline=DIR, or"),
        (("--throughput-confirm=2",), "nothing is judged; give --throughput-baseline=DIR"),
        (("--throughput-threshold=5%",), "--throughput-threshold: nothing is judged; give --throughput-baseline=DIR"),
        (("--throughput-false-alarm-rate=5%",), "in the ini file, as throughput_false_alarm_rate"),
        (("--throughput-fail-on=missing",), "--throughput-fail-on: nothing is judged"),
        (("--throughput-baseline=ftp://example.org/x",), "a URL that begins with s3, gs, https or file, got ftp://"),
        (("--throughput-baseline=http://127.0.0.1:9/x",), "could not read http://127.0.0.1:9/x: "),
        (("--throughput-baseline=test_it.py",), "expected a folder, and 'test_it.py' is a file"),
        ((BASELINE, "--throughput-threshold=3"), "expected a share such as 3% or 0.03, got '3'"),
        ((BASELINE, "--throughput-false-alarm-rate=0.9"), "at most 0.5"),
        ((BASELINE, "--throughput-fail-on=slow"), "cannot fail on 'slow'"),
        ((BASELINE, "--throughput-confirm=-1"), "expected a whole number of at least 0, got '-1'"),
        ((BASELINE, "--throughput-confirm=1001"), "expected a whole number of at most 1000, got '1001'"),
        (("--throughput-judge=seconds",), "--throughput-judge: nothing is judged; give --throughput-baseline=DIR"),
        ((BASELINE, "--throughput-judge=seconds,"), "expected names of metrics with commas"),
        ((BASELINE, "--throughput-thresholds=no.toml"), "no.toml: No such file or directory; expected a readable"),
        ((BASELINE, *(option.replace("base/", "old/") for option in PAIRS)), "this run has old, head; call them base"),
    ],
)
def test_what_contradicts_itself_is_refused_at_once(gated: Gated, options: tuple[str, ...], message: str) -> None:
    result = gated.run(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()
    assert not (gated.project.path / "measured").exists()
    assert not [*gated.project.path.rglob("*.journal.jsonl")]
    assert "--throughput-resume" not in result.stdout.str()


METRICS = """
import json
from pathlib import Path
from pytest_throughput import Metric, Once, Phase

def job(environment):
    grows = json.loads(Path("how.json").read_text())["grows"] if environment == "head" else 0
    size = Metric("model_bytes", "bytes", 1000 * (1 + grows), "lower")
    return Once([Phase("save", lambda: None, items=1, metrics=lambda _: [size])])
"""
SAVING = """
def test_save(measure_isolated, throughput_environment):
    measure_isolated("jobs:job", {"environment": throughput_environment}, phase="save")
"""


def test_metrics_of_a_job_are_judged_by_their_own_thresholds(gated: Gated) -> None:
    """The size is the same in every trial, and the seconds of an empty phase decide nothing."""
    (gated.project.path / "jobs.py").write_text(METRICS)
    gated.project.tests(SAVING)
    judging = (*PAIRS, "--throughput-gate=fail", "--throughput-judge=model_bytes,first_step_seconds")
    result = gated.run(*judging, trials=5, grows=0.2)
    sys.modules.pop("jobs", None)
    assert result.ret == 10
    result.stdout.fnmatch_lines(
        [
            "head against base, in pairs of trials: 1 regressed, 1 incomparable",
            "regressed *test_save (model_bytes) *1,000 bytes *1,200 bytes *0.833 (0.833 to 0.833) *20 % more*",
            "incomparable *test_save (first_step_seconds) *measure with --throughput-isolation trial",
        ]
    )
    (gated.project.path / "pyproject.toml").write_text(
        "[tool.pytest-throughput.thresholds]\n'*test_save' = { 'model_*' = '30%' }\n'*test_load' = '1%'\n"
    )
    result = gated.run(*judging, trials=5, grows=0.2)
    sys.modules.pop("jobs", None)
    assert result.ret == 12  # Nothing could be decided by the first step.
    result.stdout.fnmatch_lines(
        ["unchanged *test_save (model_bytes) *", "thresholds that no case of this run has: *load"]
    )
    found = gated.project.json()["throughput"]["verdicts"]["cases"]
    assert [(case["metric"], case["threshold"]) for case in found] == [
        ("model_bytes", 0.3),
        ("first_step_seconds", 0.03),
    ]
    (gated.project.path / "pyproject.toml").write_text("[tool.pytest-throughput.thresholds]\n'*' = 5\n")
    result = gated.run(*judging)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*pyproject.toml: *thresholds, '[*]': expected a share such as 3% or 0.03, got '5'"])


ACCURACY = """
import json, random
from pathlib import Path
from pytest_throughput import Metric, Once, Phase

def job(environment, trial):
    how = json.loads(Path("how.json").read_text())
    lost = how["loses"] if environment == "head" else 0
    value = 0.95 - lost + random.Random(f"{environment} {trial}").gauss(0, 0.004)
    return Once([Phase("training", lambda: None, metrics=lambda _: [Metric("accuracy", "", value)])])
"""
TRAINING = """
def test_training(measure_isolated, throughput_environment, throughput_trial):
    arguments = {"environment": throughput_environment, "trial": throughput_trial}
    measure_isolated("trainings:job", arguments, phase="training")
"""


@pytest.mark.parametrize(("loses", "verdict", "status"), [(0.08, "regressed", 10), (0.0, "unchanged", 0)])
def test_accuracy_that_is_lost_is_a_regression(gated: Gated, loses: float, verdict: str, status: int) -> None:
    """Lower is worse; the trials differ by their initial weights."""
    (gated.project.path / "trainings.py").write_text(ACCURACY)
    gated.project.tests(TRAINING)
    judging = (*PAIRS, "--throughput-gate=fail", "--throughput-judge=accuracy", "--throughput-threshold=3%")
    result = gated.run(*judging, trials=6, loses=loses)
    sys.modules.pop("trainings", None)
    assert result.ret == status
    (found,) = gated.project.json()["throughput"]["verdicts"]["cases"]
    assert (found["metric"], found["verdict"]) == ("accuracy", verdict)


class TestPlannedLooks:
    def test_trials_in_reserve_are_hidden_until_they_are_needed(self, gated: Gated) -> None:
        gated.accept_some()
        result = gated.run(BASELINE, "--throughput-confirm=4", "-k", "not f")
        result.stdout.fnmatch_lines(["collected 19 items / 3 deselected / 16 selected"])
        assert result.ret == 0 and "confirming" not in result.stdout.str()
        result.assert_outcomes(passed=16, deselected=3)
        assert len(gated.measured) == 15

    def test_undecided_cases_get_more_trials_in_the_same_run(self, gated: Gated) -> None:
        gated.accept_some()
        result = gated.run(BASELINE, "--throughput-confirm=2", slower={"c": NEAR})
        result.stdout.fnmatch_lines(["confirming with 2 more trials of 1 case (look 2 of 2): test_it.py::test_it?c?"])
        result.assert_outcomes(passed=21)
        assert gated.measured[-2:] == ["c4d", "c5d"]
        block = gated.project.json()["throughput"]
        assert [len(case["trials"]) for case in block["cases"]] == [3, 3, 5, 3, 3, 3]
        assert block["complete"] is True
        found = {case["id"][-2]: case for case in block["verdicts"]["cases"]}
        assert [(found[name]["look"], found[name]["trials_head"]) for name in "abcdef"] == [
            (2, 5) if name == "c" else (1, 3) for name in "abcdef"
        ]

    def test_an_early_look_needs_more_evidence_than_a_run_without_confirmation(self, gated: Gated) -> None:
        """What only the first trials show, the verdict over all trials need not."""
        steps = STEPS.replace("noise * (1 + slower)", "noise * (1 + slower * (trial <= 3))")
        gated.accept_some()
        (gated.project.path / "steps.py").write_text(steps)
        assert gated.run(BASELINE, slower={"c": BARELY}).ret == 10
        assert gated.run(BASELINE, "--throughput-confirm=6", slower={"c": BARELY}).ret == 0
        assert gated.verdicts()["c"] != "regressed"

    def test_clear_cases_are_decided_early_and_noisy_ones_use_all_pairs(self, gated: Gated) -> None:
        how: dict[str, Any] = {"slower": {"c": 1.0}, "noises": {"d": 0.1}}
        result = gated.run(*PAIRS, "--throughput-gate=fail", "--throughput-confirm=6", **how)
        assert result.ret == 10
        found = {case["id"][-2]: case for case in gated.project.json()["throughput"]["verdicts"]["cases"]}
        # Three pairs are too few for a doubling; four are enough.
        assert {name: (one["verdict"], one["look"], one["trials_head"]) for name, one in found.items()} == {
            **dict.fromkeys("abef", ("unchanged", 1, 3)),
            "c": ("regressed", 2, 4),
            "d": ("inconclusive", 4, 9),
        }
        result.stdout.fnmatch_lines(
            [
                "confirming with 1 more pair of 2 cases (look 2 of 4): test_it.py::test_it?d?, test_it.py::test_it?c?",
                "confirming with 2 more pairs of 1 case (look 3 of 4): test_it.py::test_it?d?",
                "confirming with 3 more pairs of 1 case (look 4 of 4): test_it.py::test_it?d?",
            ]
        )
        # The widest interval first, and every second pair backwards.
        turns = [f"d{n}{side}" for n in range(5, 10) for side in ("bh" if n % 2 else "hb")]
        assert gated.measured[36:] == ["d4h", "d4b", "c4h", "c4b", *turns]

    def test_fresh_processes_and_paired_order(self, project: Project) -> None:
        """With real workers; the figures are whatever they are."""
        project.tests("def test_it(measure_isolated): measure_isolated('steps:sleep')")
        order = ("--throughput-order=paired", "--throughput-trials=2", "--throughput-confirm=1")
        result = project.run(*PAIRS, *order, "--throughput-gate=warn", "--benchmark-json=run.json")
        assert result.ret == 0
        (base, head) = project.json()["throughput"]["cases"]
        assert [[trial["trial"] for trial in case["trials"]] for case in (base, head)] == [[1, 2, 3], [1, 2, 3]]
        pids = [benchmark["extra_info"]["pid"] for benchmark in project.json()["benchmarks"]]
        assert len(set(pids)) == 6

    def test_a_budget_that_is_spent_ends_it(self, gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
        gated.accept_some()
        # The clock is read when the run begins, for each of 20 trials before its fixtures and before it measures, and
        # after look 2.
        seconds = iter([0.0] * (1 + 2 * 20 + 1) + [1e6] * 10)
        monkeypatch.setattr("pytest_throughput.run.budget.monotonic", lambda: next(seconds))
        result = gated.run(BASELINE, "--throughput-confirm=6", "--throughput-budget=1m", slower={"c": NEAR})
        result.assert_outcomes(passed=21, skipped=1)
        result.stdout.fnmatch_lines(
            [
                "confirmation ended before look 3 of 4: --throughput-budget of 60.0 s is spent; cases that were *",
                "*to go on, repeat the command with --throughput-resume=*",
            ]
        )
        block = gated.project.json()["throughput"]
        assert block["complete"] is False
        assert block["verdicts"]["notes"][0].startswith("confirmation ended")
        assert [(case["look"], case["trials_head"]) for case in block["verdicts"]["cases"][2:4]] == [(3, 5), (1, 3)]

    def test_a_resumed_confirmation_comes_to_the_same_verdicts(self, gated: Gated) -> None:
        gated.accept_some()
        options = (BASELINE, "--throughput-confirm=6")
        how: dict[str, Any] = {"slower": {"c": NEAR, "e": 0.1}, "noises": {"d": 0.1}}
        gated.run(*options, **how)
        expected = gated.project.json()["throughput"]["verdicts"]["cases"]
        assert [(case["look"], case["trials_head"]) for case in expected[2:4]] == [(4, 9), (4, 9)]
        with pytest.raises(KeyboardInterrupt):
            gated.run(*options, **how, later={"c": 6})
        assert gated.measured[-1] == "c6d"
        assert gated.verdicts()["e"] == "regressed"
        result = gated.run(*options, "--throughput-resume=run.json.journal.jsonl", **how)
        assert result.ret == 10
        assert "c6d" in gated.measured and "c5d" not in gated.measured
        assert gated.project.json()["throughput"]["verdicts"]["cases"] == expected

    def test_what_stops_pytest_stops_it(self, gated: Gated) -> None:
        gated.accept_some()
        result = gated.run(BASELINE, "--throughput-confirm=2", "-x", ending={"a": "broken"}, slower={"c": 0.1})
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert gated.measured == ["a1d"]

    def test_it_is_for_runs_that_measure(self, gated: Gated) -> None:
        for option in ("--collect-only", "--benchmark-disable", "--benchmark-skip"):
            result = gated.run(BASELINE, "--throughput-confirm=2", option)
            assert (result.ret, "= gate =" in result.stdout.str()) == (0, False)


class TestNothingGetsInTheWay:
    def test_an_interrupted_run_is_judged_as_far_as_it_went(self, gated: Gated) -> None:
        gated.accept_some()
        with pytest.raises(KeyboardInterrupt):
            gated.run(BASELINE, later={"d": 3})
        assert gated.verdicts()["a"] == "unchanged"

    def test_a_run_that_is_interrupted_at_once_has_no_verdict(self, gated: Gated) -> None:
        gated.accept_some()
        with pytest.raises(KeyboardInterrupt):
            gated.run(BASELINE, ending={"a": "interrupt"})
        assert "verdicts" not in gated.project.json()["throughput"]

    def test_a_fault_of_the_gate_is_reported_and_hides_nothing(
        self, gated: Gated, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gated.accept_some()

        def broken(*_: Any, **__: Any) -> None:
            raise RuntimeError("a fault\x1b[2J")

        monkeypatch.setattr(comparison, "judge", broken)
        result = gated.run(BASELINE, "--throughput-confirm=1")
        assert result.ret == pytest.ExitCode.INTERNAL_ERROR
        result.stdout.fnmatch_lines(
            ["*= throughput =*", "the run could not be judged", r"RuntimeError: a fault\x1b[[]2J"]
        )
        assert len(gated.project.json()["benchmarks"]) == 18

    def test_a_baseline_that_cannot_be_read_any_more_costs_the_verdict_alone(
        self, gated: Gated, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(self: Store, fingerprint: Any) -> None:
            raise StoreError("could not read s3://runs: no answer within 60 s", was_writing=False)

        monkeypatch.setattr(Store, "read", away)
        result = gated.run(BASELINE)
        assert result.ret == pytest.ExitCode.INTERNAL_ERROR
        result.stdout.fnmatch_lines(
            [
                "the run could not be judged",
                "could not read s3://runs: no answer within 60 s; judge the result file by *",
            ]
        )
        assert len(gated.project.json()["benchmarks"]) == 18

    def test_hostile_baselines_are_left_out(self, gated: Gated) -> None:
        gated.accept_some()
        (folder,) = Path("kept").iterdir()
        (folder / "20990101T000000Z-0123456789abcdef.json").write_text('{"schema": 1, "cases": "x"}')
        result = gated.run(BASELINE)
        assert result.ret == 0
        result.stdout.fnmatch_lines(["*against 4 accepted runs*", "left out of the baseline: *0123456789abcdef*"])

    def test_plain_tests_are_none_of_its_business(self, gated: Gated) -> None:
        gated.project.tests("def test_plain(): pass")
        result = gated.run(BASELINE)
        assert (result.ret, "= gate =" in result.stdout.str()) == (0, False)

    def test_without_a_terminal(self, gated: Gated) -> None:
        gated.accept_some()
        assert gated.run(BASELINE, "--throughput-confirm=1", "-p", "no:terminal", slower={"c": 0.1}).ret == 10


def test_a_run_imports_what_judges_validates_and_draws_only_where_it_does_so(run_python: Callable[[str], str]) -> None:
    program = "import sys, pytest_throughput.plugin; print({'msgspec', 'numpy', 'rich', 'scipy'} & {*sys.modules})"
    assert run_python(program) == "set()"


@pytest.fixture
def run_python(pytester: pytest.Pytester) -> Callable[[str], str]:
    def run(program: str) -> str:
        result = pytester.run(sys.executable, "-c", program)
        assert result.ret == 0
        return result.outlines[0]

    return run
