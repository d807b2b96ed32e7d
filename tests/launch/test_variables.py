"""What workers see of the calling shell's environment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_throughput.launch.variables import WorkerVariables, parse_names, parse_variable
from pytest_throughput.measurement.speed_variables import (
    CHANGE_SPEED,
    LEAVE_SPEED,
    changes_speed,
    speed_variables,
    without_speed_variables,
)

SHELL = {
    "PATH": "/usr/bin",
    "LD_LIBRARY_PATH": "/opt/lib",
    "CUDA_VISIBLE_DEVICES": "0",
    "PYTHONPATH": "/a",
    "PYTHONHOME": "/b",
    "OMP_NUM_THREADS": "8",
    "OMP_PROC_BIND": "true",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
    "TF_VAR_password": "secret",
}
PAGE = (Path(__file__).parents[2] / "docs/variables.md").read_text()


@pytest.mark.parametrize(
    "name",
    [
        *("TF_XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS", "XLA_FLAGS", "MALLOC_ARENA_MAX", "GLIBC_TUNABLES", "LD_PRELOAD"),
        *(
            "OMP_NUM_THREADS",
            "KMP_BLOCKTIME",
            "GOMP_SPINCOUNT",
            "MKL_CBWR",
            "OPENBLAS_CORETYPE",
            "TCMALLOC_RELEASE_RATE",
        ),
        *("NVIDIA_TF32_OVERRIDE", "PYTORCH_CUDA_ALLOC_CONF", "ONEDNN_VERBOSE", "DNNL_MAX_CPU_ISA", "JAX_ENABLE_X64"),
        *("PJRT_NPROC", "XLA_PYTHON_CLIENT_MEM_FRACTION"),
        *("CUDA_LAUNCH_BLOCKING", "TORCHINDUCTOR_FREEZING", "TORCH_COMPILE_DEBUG", "ATEN_CPU_CAPABILITY"),
        *("THP_MEM_ALLOC_ENABLE", "PYTHONMALLOC", "PYTHONOPTIMIZE", "JAX_COMPILATION_CACHE_DIR"),
    ],
)
def test_what_changes_speed(name: str) -> None:
    assert changes_speed(name)


@pytest.mark.parametrize(
    "name",
    [
        *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME", "CUDA_PATH", "CUDA_CACHE_PATH", "JAX_PLATFORMS"),
        "XLA_PYTHON_CLIENT_PREALLOCATE",
        *("LD_LIBRARY_PATH", "TORCH_HOME", "KERAS_HOME", "TORCHINDUCTOR_CACHE_DIR", "PATH", "PYTHONPATH", "HOME"),
        *("TF_VAR_password", "TF_TOKEN_app_terraform_io", "TF_CLI_CONFIG_FILE", "NVIDIA_VISIBLE_DEVICES"),
        *("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "MY_OMP_NUM_THREADS", "tf_xla_flags"),
    ],
)
def test_what_selects_or_finds_something_or_is_not_ours(name: str) -> None:
    assert not changes_speed(name)


@pytest.mark.parametrize("name", ["CUDA_VERSION", "CUDNN_VERSION", "PYTORCH_VERSION", "PYTORCH_BUILD_VERSION"])
def test_what_an_image_says_of_itself_makes_two_images_no_less_comparable(name: str) -> None:
    assert not changes_speed(name)


def test_each_exception_is_one_of_a_pattern() -> None:
    for pattern, _ in LEAVE_SPEED:
        example = pattern.replace("*", "CUDA", 1) if pattern.startswith("*") else pattern
        assert not changes_speed(example)
        assert any(re.match(name.replace("*", ".*"), example) for name, _ in CHANGE_SPEED), pattern


def test_the_page_has_every_pattern_with_its_reason() -> None:
    for pattern, reason in (*CHANGE_SPEED, *LEAVE_SPEED):
        assert re.search(rf"`{re.escape(pattern)}`.*\| {re.escape(reason)} \|", PAGE), pattern


def test_by_default_nothing_that_changes_speed_is_seen() -> None:
    variables = WorkerVariables()
    assert set(variables.inherited(SHELL)) == {*SHELL} - {"OMP_NUM_THREADS", "OMP_PROC_BIND", "TF_XLA_FLAGS"}
    assert variables.chosen(SHELL) == {}
    # The number of threads is set anew.
    assert variables.removed(SHELL) == ["OMP_PROC_BIND", "TF_XLA_FLAGS"]


@pytest.mark.parametrize(
    ("kept", "chosen", "removed"),
    [
        (("all",), {"OMP_PROC_BIND", "TF_XLA_FLAGS"}, []),
        (("OMP_*",), {"OMP_PROC_BIND"}, ["TF_XLA_FLAGS"]),
        # Patterns are for what changes speed: the others, which may be secrets, stay in the environment alone.
        (("*",), {"OMP_PROC_BIND", "TF_XLA_FLAGS"}, []),
        (("TF_XLA_FLAGS", "OMP_NUM_THREADS"), {"TF_XLA_FLAGS"}, ["OMP_PROC_BIND"]),
        # Workers get these from elsewhere.
        (("CUDA_*", "PYTHON*"), set(), ["OMP_PROC_BIND", "TF_XLA_FLAGS"]),
        # It wins over the value that a case sets.
        (("PATH",), {"PATH"}, ["OMP_PROC_BIND", "TF_XLA_FLAGS"]),
    ],
)
def test_what_is_kept(kept: tuple[str, ...], chosen: set[str], removed: list[str]) -> None:
    variables = WorkerVariables(kept)
    assert set(variables.chosen(SHELL)) == chosen
    assert variables.removed(SHELL) == removed
    assert chosen <= set(variables.inherited(SHELL))


def test_what_is_kept_by_its_name_is_recorded_whatever_that_is() -> None:
    variables = WorkerVariables(kept=("MY_MODE",))
    assert variables.recorded({}, {"MY_MODE": "fast", "HOME": "/home/me"}) == {"MY_MODE": "fast"}


def test_what_is_given_wins_and_is_recorded_whatever_its_name_is() -> None:
    variables = WorkerVariables(("all",), {"TF_XLA_FLAGS": "", "MINE": "1"})
    assert variables.chosen(SHELL) == {"OMP_PROC_BIND": "true", "TF_XLA_FLAGS": "", "MINE": "1"}
    assert WorkerVariables(given={"TF_XLA_FLAGS": ""}).removed(SHELL) == ["OMP_PROC_BIND"]
    reported = {"OMP_NUM_THREADS": "2", "OMP_PROC_BIND": "true", "TF_XLA_FLAGS": ""}
    assert variables.recorded(reported, {}) == {"OMP_PROC_BIND": "true", "TF_XLA_FLAGS": "", "MINE": "1"}


def test_reads_a_variable() -> None:
    assert parse_variable("XLA_FLAGS=--a=b --c") == ("XLA_FLAGS", "--a=b --c")
    assert parse_variable("EMPTY=") == ("EMPTY", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected NAME=VALUE, such as OMP_WAIT_POLICY=PASSIVE, got ''"),
        ("NAME", "expected NAME=VALUE"),
        ("=VALUE", "expected NAME=VALUE"),
        (
            "OMP_NUM_THREADS=4",
            "OMP_NUM_THREADS cannot be given: the number of threads is given by --throughput-threads",
        ),
        ("CUDA_VISIBLE_DEVICES=1", "CUDA_VISIBLE_DEVICES cannot be given: each worker is shown the device of its case"),
        ("PYTHONPATH=/a", "PYTHONPATH cannot be given: .* --throughput-pythonpath"),
    ],
)
def test_refuses_what_is_no_variable_or_is_set_otherwise(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_variable(text)


@pytest.mark.parametrize("text", ["", "A,,B", "A,", "A=B"])
def test_refuses_what_is_no_list_of_names(text: str) -> None:
    with pytest.raises(ValueError, match="expected names of variables separated by commas"):
        parse_names(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_variable, parse_names):
        try:
            found = parse(text)
        except ValueError:
            continue
        assert found


@given(st.dictionaries(st.sampled_from([*SHELL, "TF_\udcff"]), st.text() | st.just("\udcff")))
def test_every_variable_changes_speed_or_does_not(shell: dict[str, str]) -> None:
    found, others = speed_variables(shell), without_speed_variables(shell)
    assert len(found) + len(others) == len(shell)
    assert list(found) == sorted(found)
    for name, value in found.items():
        if "\udcff" in value or not value.isascii():
            continue
        assert (name + value).encode()
