"""Where the traces of ``--throughput-profile`` go: a folder beside the result file."""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import pytest

from pytest_throughput.measurement.kernel import Profile
from pytest_throughput.naming import DEFAULT_ENVIRONMENT, trial_id
from pytest_throughput.run.collection import MeasuredItem
from pytest_throughput.run.result_path import ResultPath
from pytest_throughput.worker.profiling import profile_info
from pytest_throughput.worker.protocol import Outcome

__all__ = ["Traces", "trace_name"]

_FOLDER = ".throughput"
_SUFFIX = ".profiles"
_LONGEST_STEM = 180
"""The most characters of a trace's name without its suffixes: file systems take 255 bytes."""


class Traces:
    """Names the trace of each trial that is profiled."""

    def __init__(self, config: pytest.Config, steps: int) -> None:
        """Profile ``steps`` steps of each trial; 0 for none."""
        self._config = config
        self._steps = steps

    def profile_of(self, found: MeasuredItem) -> Profile | None:
        """Return what to profile of a test's trial; None without ``--throughput-profile``."""
        if not self._steps:
            return None
        file = self._folder / trace_name(found.case_id, found.trial, found.environment)
        return Profile(self._steps, str(file), os.path.relpath(file, self._folder.parent))

    def described(self, outcome: Outcome) -> Outcome:
        """Return the outcome of a measured trial; if it should have been profiled and cannot be, with the reason."""
        if not self._steps or outcome.measurement is None or "profile" in outcome.metadata:
            return outcome
        is_phase = "phase" in outcome.metadata
        reason = "a job of phases runs once" if is_phase else "measure_step takes no profiler; use measure_isolated"
        info = profile_info(Profile(self._steps, "", ""), reason)
        return replace(outcome, metadata={**outcome.metadata, **info})

    @cached_property
    def _folder(self) -> Path:
        """The folder, which exists from now on if it can be made; a worker that cannot write there says so."""
        folder = self._path()
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _path(self) -> Path:
        json = self._config.getoption("benchmark_json", None)
        if isinstance(json, ResultPath) and json.is_replaceable:
            path = json.plain.absolute()
            return path.with_name(path.name.removesuffix(".json") + _SUFFIX)
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        return self._config.rootpath / _FOLDER / f"{now}-{os.getpid()}{_SUFFIX}"


def trace_name(case_id: str, trial: int, environment: str) -> str:
    """Return the file name of a trial's trace.

    It is ``CASE_ID.json.gz``, ``CASE_ID+tN.json.gz`` for trial N from the second on, or
    ``CASE_ID+tN+ENVIRONMENT.json.gz`` in an environment that is not the default one.

    Characters that a shell or a file system may treat specially, and ``+``, become ``_``. A name that was changed in
    this way, or cut, ends with a part of the hash of the original one, so that no two trials share a file.
    """
    parts = [case_id]
    if trial > 1 or environment != DEFAULT_ENVIRONMENT:
        parts.append(trial_id(trial))
    if environment != DEFAULT_ENVIRONMENT:
        parts.append(environment)
    stem = "+".join(re.sub(r"[^A-Za-z0-9._-]|^[.-]", "_", part) for part in parts)[:_LONGEST_STEM]
    if stem != "+".join(parts):
        stem += f"+{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]}"
    return f"{stem}.json.gz"
