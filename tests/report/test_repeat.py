"""The commands that repeat a case: their options, and the cases that have none."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import result_files
from reported_runs import suite_document

from pytest_throughput.report.combined import combined
from pytest_throughput.report.repeat import commands_of
from pytest_throughput.results.reader import read_run

CASE = ("training-pytorch-cpu-alexnet-b1-fp32-eager", "default")


def commands(folder: Path, *documents: dict[str, Any]) -> dict[tuple[str, str], str]:
    runs = [
        read_run(Path(result_files.write(folder, f"{index}.json", document)))
        for index, document in enumerate(documents)
    ]
    return dict(commands_of(combined(runs).cases))


def test_a_case_of_the_suite_has_its_axes_as_options(tmp_path: Path) -> None:
    found = commands(tmp_path, suite_document())
    assert shlex.split(found[CASE]) == [
        "pytest",
        "bench/test_training.py::test_training[pytorch-cpu-alexnet-b1-fp32-eager]",
        *("--model", "alexnet", "--batch-size", "1", "--precision", "fp32", "--device", "cpu"),
        *("--framework", "pytorch", "--execution", "eager"),
        *("--throughput-trials", "3", "--throughput-protocol", "quick", "--throughput-isolation", "trial"),
        *("--throughput-threads", "2", "--throughput-allocator", "tuned"),
    ]
    assert len(found) == len(suite_document()["throughput"]["cases"])


def test_the_installed_suite_is_selected_by_a_keyword(tmp_path: Path) -> None:
    words = shlex.split(commands(tmp_path, suite_document(folder=""))[CASE])
    selected = ["--mode", "training", "-k", "test_training[pytorch-cpu-alexnet-b1-fp32-eager]"]
    assert words[:5] == ["pytest-throughput-bench", *selected]


def test_a_case_that_failed_follows_from_the_others(tmp_path: Path) -> None:
    document = suite_document()
    document["throughput"]["cases"][0] |= {"status": "failed", "reason": "it raised", "trials": []}
    failed = document["throughput"]["cases"][0]["id"]
    words = shlex.split(commands(tmp_path, document)[failed, "default"])
    assert words[1] == "bench/test_inference.py::test_inference[pytorch-cpu-alexnet-b1-fp32-eager]"
    for each in document["throughput"]["cases"]:
        each |= {"trials": []}
    assert commands(tmp_path, document) == {}


def test_variables_and_odd_names_are_quoted(tmp_path: Path) -> None:
    settings = {"environment_variables": {"OMP_PROC_BIND": "a b; rm -rf $HOME"}, "allocator": "libfast.so"}
    command = commands(tmp_path, suite_document(settings=settings))[CASE]
    assert "--throughput-env 'OMP_PROC_BIND=a b; rm -rf $HOME'" in command
    assert "libfast" not in command


def test_the_hardware_of_combined_runs_is_no_option(tmp_path: Path) -> None:
    found = commands(tmp_path, suite_document(), suite_document(cpu="AMD EPYC 7763"))
    words = shlex.split(found[f"{CASE[0]} (AMD EPYC 7763)", "default"])
    assert words[words.index("--device") + 1] == "cpu"
    assert words[1] == "bench/test_training.py::test_training[pytorch-cpu-alexnet-b1-fp32-eager]"


def test_the_axes_of_another_project_are_no_options(tmp_path: Path) -> None:
    found = commands(tmp_path, result_files.our_document(0))
    case = result_files.CASES[0]
    first = f"t.py::t[{case}-default]"
    options = "--throughput-trials 5 --throughput-isolation trial --throughput-threads 2"
    assert found[case, "default"] == f"pytest {shlex.quote(first)} {options}"


def test_a_plain_benchmark_has_its_node_id_alone(tmp_path: Path) -> None:
    found = commands(tmp_path, result_files.plain_document(0, trials=1))
    assert found["bench.py::test_it[0]", "default"] == "pytest 'bench.py::test_it[0]'"


def test_other_environments_need_interpreters_that_no_file_names(tmp_path: Path) -> None:
    assert commands(tmp_path, result_files.our_document(0, environments=("base", "head"))) == {}


@pytest.mark.parametrize("fullname", ["-pevil::test_a", "--rootdir=/tmp/test_a", "@/tmp/words"])
def test_a_node_id_that_pytest_would_take_for_an_option_has_no_command(tmp_path: Path, fullname: str) -> None:
    document = result_files.plain_document(0, names=1, trials=1)
    document["benchmarks"][0]["fullname"] = fullname
    assert commands(tmp_path, document) == {}
