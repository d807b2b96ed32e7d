"""Run further steps of an opened target under its framework's profiler, when everything has been measured."""

from __future__ import annotations

import gzip
import math
import os
import shutil
import sys
import traceback
from contextlib import suppress
from typing import Any, Dict, List, Optional

from pytest_throughput.measurement.forks import ending_forked_children
from pytest_throughput.measurement.kernel import Kernel, Profile, kernels_to_json
from pytest_throughput.measurement.step import Opened
from pytest_throughput.worker.failure import describe_error

__all__ = ["profile_info", "profiled"]


def profiled(opened: Opened, profile: Profile) -> Dict[str, Any]:
    """Return the metadata ``kernels`` and ``profile``. No error of the profiler is raised: it becomes the reason."""
    run = getattr(opened, "profile", None)
    if run is None:
        return profile_info(profile, reason="it has no function that profiles it (Step.profile)")
    plain = profile.trace_file[: -len(".gz")]
    _remove(plain, profile.trace_file)
    try:
        with ending_forked_children():
            kernels = _checked(run(profile.steps, plain))
        _compress(plain, profile.trace_file)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        _remove(plain, profile.trace_file)  # A trace that was cut off, such as on a full disk.
        with suppress(Exception):  # A step may have closed standard error.
            traceback.print_exc(file=sys.stderr)
        return profile_info(profile, reason=describe_error(type(error), error))
    info = profile_info(profile)
    info["kernels"] = kernels_to_json(kernels)
    info["profile"]["seconds_per_step"] = math.fsum(kernel.seconds for kernel in kernels) / profile.steps
    if os.path.isfile(profile.trace_file):
        info["profile"]["trace"] = profile.shown_as
    return info


def profile_info(profile: Profile, reason: Optional[str] = None) -> Dict[str, Any]:
    """Return the metadata of a trial that was not profiled; ``reason`` says why."""
    info = {"steps": profile.steps, "seconds_per_step": None, "trace": None, "reason": reason}
    return {"kernels": None, "profile": info}


def _compress(plain: str, compressed: str) -> None:
    """Replace a file by its compressed form, which Chrome and Perfetto read as well. Traces are 15 times as large."""
    if os.path.isfile(plain):
        with open(plain, "rb") as source, gzip.open(compressed, "wb", compresslevel=6) as target:
            shutil.copyfileobj(source, target)
        os.unlink(plain)


def _remove(*files: str) -> None:
    for file in files:
        with suppress(OSError):
            os.unlink(file)


def _checked(kernels: Any) -> List[Kernel]:
    found = list(kernels)
    if not found:
        raise ValueError("the profiler has recorded no operator")
    for kernel in found:
        if not isinstance(kernel, Kernel):
            raise TypeError(f"profile returned {type(kernel).__name__}; expected pytest_throughput.Kernel")
    return found
