"""The options on allocator and environment variables of workers."""

from __future__ import annotations

import pytest

from pytest_throughput.launch.variables import WorkerVariables, parse_names, parse_variable
from pytest_throughput.measurement.allocator import SYSTEM, TUNED
from pytest_throughput.options.option import Option
from pytest_throughput.options.values import OptionValues

__all__ = ["WORKER_OPTIONS", "read_allocator", "read_variables"]

WORKER_OPTIONS = (
    Option(
        name="allocator",
        metavar="tuned|system|LIBRARY",
        default=TUNED,
        help="How workers allocate memory. 'tuned': the C library keeps freed memory, if it is glibc. 'system': the C "
        "library as it is. LIBRARY: the file of an allocator that is preloaded, such as libjemalloc.so.2.",
    ),
    Option(
        name="env",
        metavar="NAME=VALUE",
        read=parse_variable,
        repeatable=True,
        help="An environment variable of workers, which is recorded with each result. Can be given several times.",
    ),
    Option(
        name="keep-env",
        metavar="NAMES",
        read=parse_names,
        help="The variables of the calling shell that workers see although they change speed, such as "
        "OMP_PROC_BIND,TF_*, or 'all'. Workers see no other variables that change speed. They always see what "
        "selects devices, and what finds libraries, models or most caches.",
    ),
)


def read_variables(values: OptionValues, isolation: str) -> WorkerVariables:
    """Return the variables of workers. Raise pytest.UsageError if some are given and there is no worker."""
    if isolation == "none" and values.on_command_line("env"):
        raise pytest.UsageError(
            "--throughput-env sets variables of workers, and --throughput-isolation none starts none; "
            "set the variable of the shell, or ask for --throughput-isolation trial"
        )
    return WorkerVariables(kept=values("keep-env") or (), given=dict(values("env")))


def read_allocator(values: OptionValues) -> str:
    """Return ``tuned``, ``system``, or the absolute path of a library. Raise pytest.UsageError if it does not exist."""
    asked: str = values("allocator")
    if asked in (TUNED, SYSTEM):
        return asked
    folder = values.config.invocation_params.dir if values.on_command_line("allocator") else values.config.rootpath
    library = folder / asked
    if not library.is_file():
        raise pytest.UsageError(
            f"{values.spelled('allocator')}: expected {TUNED}, {SYSTEM}, or the file of a library such as "
            f"/usr/lib/libjemalloc.so.2, got '{asked}', which does not exist"
        )
    return str(library)
