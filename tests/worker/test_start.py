"""How a worker begins: its allocator, and the variables that a wrapper may have lost."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.launch.worker_process import Worker
from pytest_throughput.measurement.allocator import SYSTEM, TUNED, preload_variables
from pytest_throughput.measurement.plan import ONCE
from pytest_throughput.measurement.speed_variables import without_speed_variables
from pytest_throughput.worker.protocol import Request
from pytest_throughput.worker.start import worker_arguments

ROOT = Path(__file__).parents[2]
STEP = """
import os
from pytest_throughput import Step

def step():
    return Step(lambda: None, metadata={"variables": dict(os.environ)})
"""
FAULTS = """
import ctypes, os, resource, sys
from pytest_throughput.measurement.allocator import allocator_in_use, keep_memory

def faults(mebibytes=40):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    ctypes.memset(block := malloc(mebibytes << 20), 1, mebibytes << 20)
    free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

symbols = ctypes.CDLL(None)
malloc, free = symbols.malloc, symbols.free
malloc.argtypes, malloc.restype, free.argtypes = [ctypes.c_size_t], ctypes.c_void_p, [ctypes.c_void_p]
if "keep" in sys.argv:
    keep_memory()
faults()
print(allocator_in_use(), faults())
"""
RELEASE = """
import ctypes
from pytest_throughput.measurement.allocator import give_back_free_memory, keep_memory
from pytest_throughput.measurement.memory import peak_resident_bytes, reset_peak_resident

keep_memory()
symbols = ctypes.CDLL(None)
symbols.malloc.restype, symbols.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
ctypes.memset(block := symbols.malloc(100 << 20), 1, 100 << 20)
symbols.free(block)
for release in (lambda: None, give_back_free_memory):
    release()
    if reset_peak_resident():
        print(peak_resident_bytes() >> 20)
"""

needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no mallopt")


def variables(**further: str) -> dict[str, str]:
    return {**without_speed_variables(os.environ), "PYTHONPATH": str(ROOT / "plugins"), **further}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An allocator that can be preloaded, in a folder whose name a shell would split."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    file = tmp_path_factory.mktemp("lib") / "libstub.so.1"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", file, ROOT / "tests/support/allocator_stub.c"], check=True
    )
    return file


def begun(
    tmp_path: Path, *arguments: str, wrapper: str = "", **environment: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """The recorded settings of a trial in a worker that began with these arguments, and its variables."""
    (tmp_path / "steps.py").write_text(STEP)
    path = os.pathsep.join([str(ROOT / "plugins"), str(tmp_path)])
    command = [*wrapper.split(), *([f"PYTHONPATH={path}"] if wrapper else []), sys.executable]
    worker = Worker(command, variables(PYTHONPATH=path, **environment), arguments)
    outcome = worker.run(Request("steps:step", {}, ONCE), 60)
    worker.close()
    assert outcome.status == "ok", outcome.reason
    return dict(outcome.metadata["settings"]), dict(outcome.metadata["variables"])


@needs_glibc
@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ((), {}, SYSTEM),
        (("keep",), {}, TUNED),
        ((), {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "-1"}, TUNED),
        # What the user has chosen stays.
        (("keep",), {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_MMAP_MAX_": "65536"}, SYSTEM),
    ],
)
def test_what_is_reported_is_what_page_faults_show(
    arguments: tuple[str, ...], environment: dict[str, str], expected: str
) -> None:
    command = [sys.executable, "-c", FAULTS, *arguments]
    ran = subprocess.run(command, env=variables(**environment), capture_output=True, text=True, check=True)
    allocator, faults = ran.stdout.split()
    assert allocator == expected
    assert (int(faults) < 100) == (expected == TUNED), faults


@needs_glibc
def test_kept_memory_can_be_given_back(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RELEASE]
    ran = subprocess.run(command, env=variables(), capture_output=True, text=True, check=True)
    if not ran.stdout:
        pytest.skip("this kernel cannot restart the count of the peak memory")
    kept, given_back = map(int, ran.stdout.split())
    assert kept >= 100 > given_back


@needs_glibc
@pytest.mark.parametrize("wrapper", ["", "env -i"])
@pytest.mark.parametrize("allocator", [TUNED, SYSTEM])
def test_no_wrapper_loses_the_allocator(tmp_path: Path, allocator: str, wrapper: str) -> None:
    settings, held = begun(tmp_path, allocator, wrapper=wrapper)
    assert (settings["allocator"], settings["environment_variables"]) == (allocator, {})
    # For programs that the worker starts.
    assert (held.get("MALLOC_MMAP_MAX_") == "0") == (allocator == TUNED)


@needs_glibc
@pytest.mark.parametrize("wrapper", ["", "env -i"])
def test_a_library_is_preloaded(tmp_path: Path, library: Path, wrapper: str) -> None:
    settings, held = begun(tmp_path, *worker_arguments(str(library), {}), wrapper=wrapper)
    assert (settings["allocator"], settings["environment_variables"]) == ("libstub.so.1", {})
    assert held["LD_PRELOAD"] == str(library)
    assert "PYTEST_THROUGHPUT_STARTED_ANEW" not in held


@needs_glibc
def test_what_a_container_preloads_is_reported(tmp_path: Path, library: Path) -> None:
    settings, _ = begun(tmp_path, TUNED, LD_PRELOAD=str(library))
    assert settings["allocator"] == "libstub.so.1"
    assert settings["environment_variables"] == {"LD_PRELOAD": str(library)}


@needs_glibc
def test_a_library_that_the_container_lacks_is_not_reported(tmp_path: Path) -> None:
    settings, held = begun(tmp_path, "/no/such/library.so")
    assert settings["allocator"] == SYSTEM
    assert "LD_PRELOAD" not in held


def test_variables_that_a_wrapper_lost_are_there_before_python_starts(tmp_path: Path) -> None:
    chosen = {"PYTHONHASHSEED": "0", "XLA_FLAGS": "--a=b; echo 'c' $HOME"}
    settings, held = begun(tmp_path, *worker_arguments(SYSTEM, chosen), wrapper="env -i")
    assert chosen.items() <= held.items()
    assert settings["environment_variables"] == {"XLA_FLAGS": chosen["XLA_FLAGS"]}


@pytest.mark.parametrize(
    ("library", "environment", "expected"),
    [
        ("/a/libtcmalloc.so.4", {}, {"LD_PRELOAD": "/a/libtcmalloc.so.4"}),
        ("/a/libx.so", {"LD_PRELOAD": "/b/libiomp5.so /a/libx.so"}, {"LD_PRELOAD": "/a/libx.so:/b/libiomp5.so"}),
        (
            "/a/libjemalloc.so.2",
            {},
            {
                "LD_PRELOAD": "/a/libjemalloc.so.2",
                "MALLOC_CONF": "oversize_threshold:1,background_thread:true,metadata_thp:auto",
            },
        ),
        (
            "/a/libjemalloc.so.2",
            {"MALLOC_CONF": "narenas:1"},
            {"LD_PRELOAD": "/a/libjemalloc.so.2", "MALLOC_CONF": "narenas:1"},
        ),
    ],
)
def test_a_library_gets_the_settings_of_pytorchs_launcher(
    library: str, environment: dict[str, str], expected: dict[str, str]
) -> None:
    assert preload_variables(library, environment) == expected
    # A worker that has them needs nothing more.
    assert preload_variables(library, {**environment, **expected}) == expected


@given(st.dictionaries(st.text(min_size=1), st.text() | st.just("\udcff")))
def test_arguments_survive_a_shell(variables: dict[str, str]) -> None:
    arguments = worker_arguments(TUNED, variables)
    for argument, (name, value) in zip(arguments[1:], variables.items(), strict=True):
        assert unquote(argument, errors="surrogateescape") == f"{name}={value}"
        assert argument.isascii() and not set(argument) & set(" \n\t'\"\\$`;&|<>(){}[]*?!#^")


def test_the_settings_are_json(tmp_path: Path) -> None:
    settings, _ = begun(tmp_path, SYSTEM, TF_XLA_FLAGS="\udcff")
    assert json.dumps(settings["environment_variables"]) == '{"TF_XLA_FLAGS": "\\\\xff"}'
