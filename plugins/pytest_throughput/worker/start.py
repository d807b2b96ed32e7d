"""The start of a worker: the allocator and the variables that must be there before Python begins.

They come as arguments of the worker's program, since a wrapper may lose environment variables.
"""

from __future__ import annotations

import os
import sys
from typing import Dict, List, Mapping, Sequence
from urllib.parse import quote, unquote

from pytest_throughput.measurement.allocator import SYSTEM, TUNED, keep_memory, preload_variables

__all__ = ["begin", "worker_arguments"]

_STARTED_ANEW = "PYTEST_THROUGHPUT_STARTED_ANEW"
_PLAIN = "/=-_.,:+@"
"""Characters that no shell interprets: a wrapper may hand the arguments to one, as ssh does."""


def worker_arguments(allocator: str, variables: Mapping[str, str]) -> List[str]:
    """Return the arguments with which a worker begins.

    ``allocator``: ``tuned``, ``system`` or the path of a library. ``variables``: those that the user has chosen.
    """
    texts = [allocator, *(f"{name}={value}" for name, value in variables.items())]
    return [quote(text, _PLAIN, errors="surrogateescape") for text in texts]


def begin(arguments: Sequence[str]) -> Dict[str, str]:
    """Make the allocator and the variables hold in this process, if need be by starting it anew, once.

    Return its environment variables, without those that the allocator needs.
    """
    allocator, *others = [unquote(text, errors="surrogateescape") for text in arguments] or [SYSTEM]
    wanted = dict(text.split("=", 1) for text in others)
    preloads = allocator not in (TUNED, SYSTEM) and os.path.exists(allocator)
    if preloads:
        wanted.update(preload_variables(allocator, {**os.environ, **wanted}))
    lacking = {name: value for name, value in wanted.items() if os.environ.get(name) != value}
    if os.environ.pop(_STARTED_ANEW, None) is None and lacking:
        os.environ.update({**lacking, _STARTED_ANEW: "1"})
        own = getattr(sys, "orig_argv", ("", "-m", "pytest_throughput.worker.main", *arguments))[1:]
        os.execv(sys.executable, [sys.executable, *own])
    alone = preload_variables(allocator, {}) if preloads else {}
    held = {name: value for name, value in os.environ.items() if alone.get(name) != value}
    if allocator == TUNED:
        keep_memory()
    return held
