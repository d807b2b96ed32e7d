"""The environment of workers: what changes speed is removed unless it is asked for, recorded, and compared."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from plugin_project import Project

STEPS = """
import os
from pytest_throughput import Step

def step():
    seen = {name: os.environ.get(name) for name in ("TF_XLA_FLAGS", "OMP_PROC_BIND", "LD_LIBRARY_PATH", "GIVEN")}
    return Step(lambda: None, metadata={"seen": seen})
"""
TESTS = """
def test_it(measure_isolated):
    measure_isolated("work:step", variables={"GIVEN": "by the test"})
"""
WRAPPER = """#!/bin/sh
exec env -i KMP_BLOCKTIME=7 OMP_PROC_BIND=close "PYTHONPATH=$PYTHONPATH" "$@"
"""


@pytest.fixture
def work(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    (project.path / "work.py").write_text(STEPS)
    project.tests(TESTS)
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=2")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/lib")
    return project


def info(project: Project, *arguments: str) -> dict[str, Any]:
    (benchmark,) = project.run_json(*arguments)["benchmarks"]
    found: dict[str, Any] = benchmark["extra_info"]
    return found


@pytest.mark.parametrize(
    ("options", "flags", "given", "recorded"),
    [
        ((), None, "by the test", {}),
        (
            ("--throughput-keep-env=TF_*",),
            "--tf_xla_auto_jit=2",
            "by the test",
            {"TF_XLA_FLAGS": "--tf_xla_auto_jit=2"},
        ),
        (("--throughput-env=TF_XLA_FLAGS=", "--throughput-env=GIVEN=1"), "", "1", {"TF_XLA_FLAGS": "", "GIVEN": "1"}),
    ],
)
def test_what_changes_speed_is_removed_kept_or_given(
    work: Project, options: tuple[str, ...], flags: str | None, given: str, recorded: dict[str, str]
) -> None:
    found = info(work, *options)
    assert found["seen"] == {
        "TF_XLA_FLAGS": flags,
        "OMP_PROC_BIND": None,
        "LD_LIBRARY_PATH": "/opt/lib",
        "GIVEN": given,
    }
    assert found["settings"]["environment_variables"] == recorded
    assert found["removed_variables"] == ([] if recorded else ["TF_XLA_FLAGS"])


def test_a_removed_variable_is_said_once(work: Project) -> None:
    result = work.run("--throughput-trials=2")
    assert (
        result.stdout.str().count("workers did not see TF_XLA_FLAGS of the calling shell: --throughput-keep-env") == 1
    )


def test_in_this_process_everything_holds_and_is_recorded(work: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = info(work, "--throughput-isolation=none")
    held = found["settings"]["environment_variables"]
    assert held.items() >= {"TF_XLA_FLAGS": "--tf_xla_auto_jit=2", "OMP_NUM_THREADS": "3"}.items()
    assert found["removed_variables"] == []


def test_what_a_container_brings_is_recorded(work: Project) -> None:
    wrapper = work.path / "container"
    wrapper.write_text(WRAPPER)
    wrapper.chmod(0o755)
    found = info(work, f"--throughput-interpreter=python={wrapper} {sys.executable}")
    assert found["settings"]["environment_variables"] == {"KMP_BLOCKTIME": "7", "OMP_PROC_BIND": "close"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--throughput-env=OMP_NUM_THREADS=4"], "the number of threads is given by --throughput-threads"),
        (["--throughput-env=A=1", "--throughput-isolation=none"], "--throughput-isolation none starts none; set"),
    ],
)
def test_contradictions_are_refused(work: Project, options: list[str], message: str) -> None:
    result = work.run(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()


def test_the_gate_compares_like_with_like_and_names_the_variable(
    work: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_throughput.cli import main

    monkeypatch.chdir(work.path)
    work.run("--benchmark-json=base.json")
    assert main(["accept", "base.json", "--baseline", "kept"]) == 0
    again = work.run(
        "--throughput-baseline=kept", "--throughput-env=OMP_WAIT_POLICY=PASSIVE", "--benchmark-json=run.json"
    )
    (case,) = work.json()["throughput"]["verdicts"]["cases"]
    assert (case["verdict"], case["code"]) == ("incomparable", "settings_changed")
    assert 'environment_variables.OMP_WAIT_POLICY was not set, is "PASSIVE"' in case["reason"]
    assert again.ret == 12
