"""The allocator of workers: asked for, recorded, compared; and the page faults that it spares."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest
from plugin_project import Project

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries cannot be told")

STEPS = """
import ctypes
from pytest_throughput import Step

symbols = ctypes.CDLL(None)
symbols.malloc.argtypes, symbols.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
symbols.free.argtypes = [ctypes.c_void_p]

def step(mebibytes=40):
    def run():
        block = symbols.malloc(mebibytes << 20)
        ctypes.memset(block, 1, mebibytes << 20)
        symbols.free(block)
    return Step(run)
"""
PAGES = (40 << 20) // 4096


@pytest.fixture
def work(project: Project) -> Project:
    (project.path / "work.py").write_text(STEPS)
    project.tests("def test_it(measure_isolated): measure_isolated('work:step')\n")
    return project


def info(project: Project, *arguments: str) -> dict[str, Any]:
    (benchmark,) = project.run_json("--throughput-steps-per-round=1", *arguments)["benchmarks"]
    found: dict[str, Any] = benchmark["extra_info"]
    return found


@pytest.mark.parametrize(
    ("options", "asked", "allocator"),
    [
        ((), "tuned", "tuned"),
        (("--throughput-allocator=system",), "system", "system"),
        # This process was not started for it.
        (("--throughput-isolation=none",), None, "system"),
        # The user's own parameters win, and what holds is reported.
        (("--throughput-env=MALLOC_MMAP_MAX_=65536", "--throughput-env=MALLOC_TOP_PAD_=0"), "tuned", "system"),
    ],
)
def test_what_holds_is_recorded_with_its_page_faults(
    work: Project, options: tuple[str, ...], asked: str | None, allocator: str
) -> None:
    found = info(work, *options)
    assert (found["allocator_asked"], found["settings"]["allocator"]) == (asked, allocator)
    page_faults = found["page_faults_per_step"]
    assert page_faults < PAGES / 100 if allocator == "tuned" else page_faults >= PAGES
    (metric,) = [metric for metric in found["metrics"] if metric["name"] == "page_faults_per_step"]
    assert metric == {
        "name": "page_faults_per_step",
        "unit": "faults/step",
        "value": page_faults,
        "better": "lower",
    }
    assert found["metrics"][0]["name"] == "images_per_second"


def test_a_library_that_does_not_exist_is_refused(work: Project) -> None:
    result = work.run("--throughput-allocator=libjemalloc.so.2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*--throughput-allocator: expected tuned, system, or the file of a library *, got 'libjemalloc.so.2', which*"]
    )


def test_the_gate_compares_like_with_like(work: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_throughput.cli import main

    monkeypatch.chdir(work.path)
    work.run("--benchmark-json=base.json", "--throughput-allocator=system")
    assert main(["accept", "base.json", "--baseline", "kept"]) == 0
    work.run("--throughput-baseline=kept", "--benchmark-json=run.json")
    (case,) = work.json()["throughput"]["verdicts"]["cases"]
    assert (case["verdict"], case["code"]) == ("incomparable", "settings_changed")
    assert 'allocator was "system", is "tuned"' in case["reason"]


def test_the_heading_names_it(work: Project) -> None:
    work.run("--throughput-allocator=system").stdout.fnmatch_lines(["*; isolation trial; allocator system"])


def test_a_path_in_the_ini_file_is_relative_to_the_rootdir(work: Project) -> None:
    (work.path / "pytest.ini").write_text("[pytest]\nthroughput_allocator = lib/none.so\n")
    result = work.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*throughput_allocator in *pytest.ini: expected tuned, system, or the file *lib/none.so*"]
    )
    Path(work.path, "lib").mkdir()
    (work.path / "lib/none.so").write_bytes(b"")
    # It is no library, so the loader ignores it.
    found = info(work)
    assert (found["allocator_asked"], found["settings"]["allocator"]) == ("none.so", "system")
