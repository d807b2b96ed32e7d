"""Real results validate against the published JSON Schemas, broken ones do not, and docs/json.md names every key."""

from __future__ import annotations

import copy
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import result_files
from plugin_project import Project
from result_files import CASES

from pytest_throughput.cli import main
from pytest_throughput.launch import pairs

ROOT = Path(__file__).parents[2]
RUN, GATE = (json.loads((ROOT / f"docs/schema/{name}.schema.json").read_text()) for name in ("run-1", "gate-1"))
MAPS = {
    "tried",
    "unknown",
    "software_changes",
    "variable_changes",
    "versions",
    "labels",
    "environment_variables",
    "product_flops",
}
"""Objects whose names are not keys of the schema."""

STATUSES = """
import pytest

@pytest.mark.parametrize("how", ["ok", "unsupported", "out_of_memory", "failed", "crashed"])
def test_end(measure_isolated, how):
    measure_isolated("steps:end", {"how": how})

def test_here(measure_step):
    measure_step(lambda: sum(range(1000)), items=8, synchronize=lambda: None)

def test_plain(benchmark):
    benchmark(lambda: None)
"""
PAIRS = """
import pytest

@pytest.mark.throughput_case("inference-mine-b4", mode="inference", model="mine", batch_size=4)
def test_it(measure_isolated):
    measure_isolated("odd:open_step", items=4, interpreter="mine")
"""
ODD_STEP = """
from pytest_throughput import Step

def open_step():
    return Step(lambda: sum(range(10000)), metadata={"learning_rate": float("nan"), "versions": {"mine": "1"}})
"""

PHASES = """
import pytest

@pytest.mark.parametrize("phase", ["read", "count", "write"])
def test_job(measure_isolated, phase):
    measure_isolated("job:open_job", phase=phase)
"""
JOB = """
from pytest_throughput import Metric, Once, Phase

def open_job():
    def share(words):
        return [Metric("found", "", 0.5), Metric("loss", "", -1.25, "lower")]

    return Once([
        Phase("read", lambda: list(range(10000)), items=len),
        Phase("count", lambda: sorted(range(10000)), items=len, unit="words", metrics=share),
        Phase("write", lambda: sum(range(10000))),
    ])
"""


PROFILED = """
from pytest_throughput import Kernel, Step

def step(): return Step(lambda: None, profile=lambda steps, trace: [Kernel("sgemm", 2, 0.5, "matrix product")])
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.setattr(pairs, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(pairs, "LEAST_BLOCKS", 1)
    project = Project(pytester)
    yield project
    project.end_all()


def problems(schema: dict[str, Any], document: object) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def read(text: str) -> Any:
    """Parse JSON of RFC 8259, which has neither NaN nor infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def measured_in_pairs(project: Project) -> Any:
    (project.path / "odd.py").write_text(ODD_STEP)
    project.tests(PAIRS)
    interpreters = [f"--throughput-interpreter={side}/mine={sys.executable}" for side in ("base", "head")]
    order = ("--throughput-order=paired", "--throughput-gate=warn")
    assert project.run(*interpreters, *order, "--throughput-trials=2", "--benchmark-json=run.json").ret == 0
    return read((project.path / "run.json").read_text())


def test_the_schemas_are_schemas_and_the_run_contains_the_gate() -> None:
    for schema in (RUN, GATE):
        jsonschema.Draft202012Validator.check_schema(schema)
    assert RUN["$defs"]["gate"] == GATE


def test_results_of_every_status_validate(project: Project) -> None:
    project.tests(STATUSES)
    project.run("--throughput-trials=2", "--throughput-steps-per-round=2", "--benchmark-json=run.json")
    document = read((project.path / "run.json").read_text())
    assert problems(RUN, document) == []
    cases = document["throughput"]["cases"]
    assert [case["status"] for case in cases] == ["ok", "unsupported", "out_of_memory", "failed", "crashed", "ok"]
    assert [len(case["trials"]) for case in cases] == [2, 0, 0, 0, 0, 2]


def test_results_of_phases_validate(project: Project) -> None:
    (project.path / "job.py").write_text(JOB)
    project.tests(PHASES)
    assert project.run("--throughput-trials=2", "--benchmark-json=run.json").ret == 0
    document = read((project.path / "run.json").read_text())
    assert problems(RUN, document) == []
    infos = {each["extra_info"]["phase"]: each["extra_info"] for each in document["benchmarks"]}
    names = {phase: [metric["name"] for metric in info["metrics"]] for phase, info in infos.items()}
    assert names == {
        "read": ["images_per_second", "seconds", "page_faults_per_step"],
        "count": ["words_per_second", "seconds", "found", "loss", "page_faults_per_step"],
        "write": ["seconds", "page_faults_per_step"],
    }
    assert {phase: info["stop_reason"] for phase, info in infos.items()} == dict.fromkeys(names, "once")
    has_rate = {phase: info["images_per_second"] is not None for phase, info in infos.items()}
    assert has_rate == {"read": True, "count": False, "write": False}
    # The block has what is not counted in images by its seconds alone.
    trials = [trial for case in document["throughput"]["cases"] for trial in case["trials"]]
    assert [trial["images_per_second"] is not None for trial in trials] == [True] * 2 + [False] * 4
    assert all(trial["median_seconds"] > 0 for trial in trials)


@pytest.mark.parametrize("options", [["-k", "failed"], ["-k", "ok", "--throughput-isolation=none"]])
def test_results_without_a_figure_or_a_worker_validate(project: Project, options: list[str]) -> None:
    project.tests(STATUSES)
    project.run(*options, "--benchmark-json=run.json")
    assert problems(RUN, read((project.path / "run.json").read_text())) == []


def test_an_interrupted_result_validates(project: Project) -> None:
    project.tests(STATUSES)
    project.run("-x", "-k", "failed or here", "--throughput-trials=2", "--benchmark-json=run.json")
    document = read((project.path / "run.json").read_text())
    assert document["throughput"]["complete"] is False
    assert {case["status"] for case in document["throughput"]["cases"]} == {"failed", None}
    assert problems(RUN, document) == []


def test_verdicts_in_a_result_validate_and_broken_results_do_not(project: Project) -> None:
    document = measured_in_pairs(project)
    assert problems(RUN, document) == []
    info, block = document["benchmarks"][0]["extra_info"], document["throughput"]
    assert info["not_finite"] == ["learning_rate"]
    assert problems(GATE, block["verdicts"]) == []
    broken: list[tuple[list[str | int], Any]] = [
        (["throughput", "schema"], 2),
        (["throughput", "complete"], "yes"),
        (["throughput", "fingerprint"], None),
        (["throughput", "cases", 0, "status"], "fine"),
        (["throughput", "cases", 0, "status"], None),
        (["throughput", "cases", 0, "id"], ""),
        (["throughput", "cases", 0, "images_per_second"], "fast"),
        (["throughput", "cases", 0, "images_per_second"], 0),
        (["throughput", "cases", 0, "trials", 0, "median_seconds"], None),
        (["throughput", "cases", 0, "trials", 0, "rounds"], 1.5),
        (["throughput", "cases", 0, "trials", 0, "images_per_second"], 0),
        (["throughput", "verdicts", "cases", 0, "verdict"], "slower"),
        (["throughput", "verdicts", "cases", 0, "ratio"], "1.0"),
        (["throughput", "verdicts", "exit_status"], "10"),
        (["benchmarks", 0, "stats", "data"], [None]),
        (["benchmarks", 0, "extra_info", "trial"], 0),
        (["benchmarks", 0, "extra_info", "settings", "isolation"], "docker"),
        (["benchmarks", 0, "extra_info", "disturbance", "steal_seconds"], -1),
        (["benchmarks", 0, "extra_info", "metrics"], None),
        (["benchmarks", 0, "extra_info", "phase"], None),
        (["benchmarks", 0, "extra_info", "pair", "order"], "ABAB"),
        (["benchmarks", 0, "extra_info", "slices", 0, "rounds"], 0),
        (["benchmarks", 0, "extra_info", "settings", "pairing"], "duet"),
        (["benchmarks", 0, "extra_info", "metrics"], [{"name": "a", "unit": "s", "value": 1.0, "better": "left"}]),
    ]
    for path, value in broken:
        changed = copy.deepcopy(document)
        place = changed
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        assert problems(RUN, changed) != [], path
    for key in ("case_id", "images_per_second", "metrics", "settings", "resumed"):
        lacking = copy.deepcopy(document)
        del lacking["benchmarks"][0]["extra_info"][key]
        # Without a case id it is a benchmark of someone else.
        assert (problems(RUN, lacking) == []) == (key == "case_id"), key


def test_trials_beside_an_anchor_and_without_it_validate(project: Project) -> None:
    (project.path / "odd.py").write_text(ODD_STEP)
    project.tests(PAIRS + "def test_other(measure_step): measure_step(lambda: None)\n")
    options = (f"--throughput-anchor={sys.executable}", "--throughput-protocol=paper")
    assert project.run(*options, "--benchmark-json=run.json").ret == 0
    document = read((project.path / "run.json").read_text())
    assert problems(RUN, document) == []
    for place, benchmark in enumerate(document["benchmarks"]):
        anchor = benchmark["extra_info"]["anchor"]
        for name in anchor:
            broken = copy.deepcopy(document)
            del broken["benchmarks"][place]["extra_info"]["anchor"][name]
            assert problems(RUN, broken) != [], name


def test_profiled_trials_validate(project: Project) -> None:
    (project.path / "profiled.py").write_text(PROFILED)
    project.tests(
        """
        def test_a(measure_isolated): measure_isolated("profiled:step")
        def test_b(measure_isolated): measure_isolated("steps:sleep")
        """
    )
    assert project.run("--throughput-profile=2", "--throughput-isolation=none", "--benchmark-json=run.json").ret == 0
    document = read((project.path / "run.json").read_text())
    assert problems(RUN, document) == []
    infos = [benchmark["extra_info"] for benchmark in document["benchmarks"]]
    (place,) = [place for place, info in enumerate(infos) if info["kernels"] is not None]
    for key in ("name", "calls", "seconds", "share", "class"):
        broken = copy.deepcopy(document)
        del broken["benchmarks"][place]["extra_info"]["kernels"][0][key]
        assert problems(RUN, broken) != [], key


def test_trials_of_a_larger_group_validate(project: Project) -> None:
    project.tests(
        """
        import pytest

        @pytest.mark.throughput_target("steps:sleep", {"milliseconds": 0.1})
        @pytest.mark.parametrize("framework", [
            pytest.param(name, marks=pytest.mark.throughput_case(name, framework=name, model="m")) for name in "abc"
        ])
        def test_it(measure_isolated, framework):
            measure_isolated("steps:sleep", {"milliseconds": 0.1})
        """
    )
    assert project.run("--throughput-order=paired", "--benchmark-json=run.json").ret == 0
    document = read((project.path / "run.json").read_text())
    assert problems(RUN, document) == []
    pairs_found = [benchmark["extra_info"]["pair"] for benchmark in document["benchmarks"]]
    assert [(pair["side"], pair["ratio"], pair["mean_ratio"]) for pair in pairs_found] == [
        (letter, None, None) for letter in "ABC"
    ]


def test_further_keys_validate(project: Project) -> None:
    def extended(value: Any) -> Any:
        if isinstance(value, list):
            return [extended(each) for each in value]
        if isinstance(value, dict):
            inner = {name: each if name in MAPS else extended(each) for name, each in value.items()}
            return {**inner, "key_of_a_later_version": [1]}
        return value

    document = extended(measured_in_pairs(project))
    metric = {"name": "images_per_second", "unit": "images/s", "value": 8.5, "better": "higher", "later": None}
    document["benchmarks"][0]["extra_info"]["metrics"] = [metric]
    assert problems(RUN, document) == []


def test_every_verdict_of_the_command_line_validates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    accepted = [
        result_files.write(tmp_path, f"b{seed}.json", result_files.our_document(seed, trials=3)) for seed in range(3)
    ]
    main(["accept", *accepted, "--baseline", "kept"])
    head = result_files.our_document(
        9,
        cases=[*CASES[:5], "training-pt-cpu-vgg-b64"],
        slower={CASES[0]: 0.30, CASES[1]: -0.30},
        status={CASES[3]: "crashed"},
        version="2.13",
    )
    head["throughput"]["cases"][4]["network_hash"] = "another"
    file = result_files.write(tmp_path, "h.json", head)
    capsys.readouterr()
    assert main(["gate", file, "--baseline", "kept", "--format", "json"]) == 10
    judgement = read(capsys.readouterr().out)
    assert problems(GATE, judgement) == []
    assert {case["verdict"] for case in judgement["cases"]} >= {
        *("regressed", "improved", "failed", "incomparable", "new", "missing")
    }
    assert main(["gate", file, "--baseline", "none", "--format", "json"]) == 12
    assert problems(GATE, read(capsys.readouterr().out)) == []


def test_the_page_names_every_key() -> None:
    def keys(schema: Any) -> Iterator[str]:
        if isinstance(schema, dict):
            yield from schema.get("properties", {})
            for each in schema.values():
                yield from keys(each)

    named = set(re.findall(r"`(?:stats\.)?(\w+)`", (ROOT / "docs/json.md").read_text()))
    assert set(keys(RUN)) - named == set()
