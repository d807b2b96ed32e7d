"""Several runs as one: which trials are pooled, and how different hardware is told apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import result_files
from reported_runs import suite_document

from pytest_throughput.report.combined import combined, hardware_names, on_its_hardware
from pytest_throughput.results.model import RunResult
from pytest_throughput.results.reader import read_run

CASE = "training-pytorch-cpu-alexnet-b1-fp32-eager"


def read(folder: Path, name: str, document: dict[str, Any]) -> RunResult:
    return read_run(Path(result_files.write(folder, name, document)))


@pytest.fixture
def run(tmp_path: Path) -> RunResult:
    return read(tmp_path, "a.json", suite_document())


def test_one_run_stays_as_it_is(run: RunResult) -> None:
    assert combined([run]) is run


def test_trials_of_the_same_hardware_are_pooled(run: RunResult, tmp_path: Path) -> None:
    other = read(tmp_path, "b.json", suite_document(seed=1))
    both = combined([run, other])
    assert [case.id for case in both.cases] == [case.id for case in run.cases]
    case = next(case for case in both.cases if case.id == CASE)
    assert [trial.trial for trial in case.trials] == [1, 2, 3, 4, 5, 6]
    of_each = [next(each for each in one.cases if each.id == CASE) for one in (run, other)]
    medians = [trial.median_seconds for each in of_each for trial in each.trials]
    assert [trial.median_seconds for trial in case.trials] == medians
    assert (both.fingerprint, both.complete) == (run.fingerprint, True)


def test_the_worst_status_and_the_reason_are_kept(run: RunResult, tmp_path: Path) -> None:
    document = suite_document(seed=1)
    block = next(each for each in document["throughput"]["cases"] if each["id"] == CASE)
    block |= {"status": "crashed", "reason": "ended by SIGSEGV", "trials": []}
    document["throughput"]["complete"] = False
    both = combined([run, read(tmp_path, "b.json", document)])
    case = next(case for case in both.cases if case.id == CASE)
    assert (case.status, case.reason, len(case.trials)) == ("crashed", "ended by SIGSEGV", 3)
    assert case.node_id == "bench/test_training.py::test_training[pytorch-cpu-alexnet-b1-fp32-eager]"
    assert not both.complete


def test_other_hardware_has_cases_of_its_own(run: RunResult, tmp_path: Path) -> None:
    other = read(tmp_path, "b.json", suite_document(cpu="AMD EPYC 7763"))
    both = combined([run, other])
    assert len(both.cases) == 2 * len(run.cases)
    assert {case.axes["device"] for case in both.cases} == {"cpu (A processor)", "cpu (AMD EPYC 7763)"}
    assert len({case.key for case in both.cases}) == len(both.cases)
    assert {on_its_hardware(case) for case in both.cases} == {(case.id, "cpu") for case in run.cases}
    assert on_its_hardware(run.cases[0]) == (run.cases[0].id, "cpu")


def test_hardware_of_the_same_name_is_told_apart(tmp_path: Path) -> None:
    documents = [suite_document(cases=1) for _ in range(4)]
    documents[1]["throughput"]["fingerprint"]["cpu"]["threads"] = 4
    documents[2]["throughput"]["fingerprint"]["cpu"]["cores"] = 3
    runs = [read(tmp_path, f"{index}.json", document) for index, document in enumerate(documents)]
    names = ["A processor, 2 threads, no. 1", "A processor, 4 threads", "A processor, 2 threads, no. 3"]
    assert hardware_names(runs) == [*names, names[0]]


def test_gpus_name_the_hardware(tmp_path: Path) -> None:
    document = suite_document(cases=1)
    document["throughput"]["fingerprint"]["gpus"] = [{"name": "NVIDIA L4"}, {"name": "NVIDIA T4"}, None]
    assert hardware_names([read(tmp_path, "a.json", document)]) == ["NVIDIA L4, NVIDIA T4"]


def test_plain_files_of_other_machines(tmp_path: Path) -> None:
    document = result_files.plain_document(0)
    other = json.loads(json.dumps(document))
    other["machine_info"]["cpu"]["brand_raw"] = "B"
    runs = [read(tmp_path, "a.json", document), read(tmp_path, "b.json", other)]
    both = combined(runs)
    assert len(both.cases) == 12
    assert both.cases[0].id == "bench.py::test_it[0] (A)"
    assert not both.is_ours
