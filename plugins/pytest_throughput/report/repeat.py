"""The command that measures a case again: pytest with the node id of its test, and the options that its file records.

A test of the suite exists only if the options of the matrix ask for its case, so that its command has its axes as
options. A test is known as one of the suite by its node id, which is made of the case id:
``bench/test_training.py::test_training[pytorch-cpu-vgg16-b8-fp32-eager]`` for
``training-pytorch-cpu-vgg16-b8-fp32-eager``.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_throughput.measurement.allocator import SYSTEM, TUNED
from pytest_throughput.naming import DEFAULT_ENVIRONMENT
from pytest_throughput.report.combined import DEVICE, on_its_hardware
from pytest_throughput.results.model import CaseResult

__all__ = ["NOT_RECORDED", "commands_of"]

NOT_RECORDED = (
    "A command lacks what a file does not record: interpreters, anchors, the order of trials, and folders of images or "
    "data. Add these options if the run had them."
)
"""What to know of the commands."""
_AXES_OF_THE_SUITE = {"mode", "framework", "device", "model", "batch_size", "precision", "execution"}
_NO_OPTIONS = ("mode", "phase")
"""Axes without an option: the node id names them."""
_FLAGS = ("own_defaults",)
"""Axes whose option has no value."""
_NO_NODE_ID = ("-", "@")
"""What begins a word that pytest takes for an option, or for the name of a file with options."""
_ASKED_BY_VALUE = ("protocol", "isolation", "threads")
"""Settings that are the value of the option of their name."""


def commands_of(cases: Sequence[CaseResult]) -> Mapping[tuple[str, str], str]:
    """Return the commands by the keys of the cases, without those that cannot be known.

    The test of a case that was not measured is in no file; in the suite it follows from those of the same mode. A case
    in another environment than the default one needs interpreters, which no file names.
    """
    named = [case for case in cases if not (case.node_id or "").startswith(_NO_NODE_ID)]
    tests = {str(case.axes["mode"]): test for case in named if (test := _suite_test(case)) is not None}
    commands = {}
    for case in named:
        if case.environment != DEFAULT_ENVIRONMENT:
            continue
        is_unmeasured = case.node_id is None and _point(case) is not None
        test = tests.get(str(case.axes["mode"])) if is_unmeasured else _suite_test(case)
        if test is not None:
            commands[case.key] = shlex.join(_of_the_suite(case, test))
        elif case.node_id is not None:
            commands[case.key] = shlex.join(["pytest", case.node_id, *_settings(case)])
    return commands


def _suite_test(case: CaseResult) -> str | None:
    """Return the node id without its parameters, if a test of the suite measured the case."""
    mode, point, node_id = case.axes.get("mode"), _point(case), case.node_id
    if point is None or node_id is None or not node_id.endswith(f"test_{mode}.py::test_{mode}[{point}]"):
        return None
    return node_id.removesuffix(f"[{point}]")


def _point(case: CaseResult) -> str | None:
    """Return the id without the mode, as in a node id of the suite; None if the case has not the axes of the suite."""
    case_id, _ = on_its_hardware(case)
    mode = f"{case.axes.get('mode')}-"
    return case_id.removeprefix(mode) if case.axes.keys() >= _AXES_OF_THE_SUITE and case_id.startswith(mode) else None


def _of_the_suite(case: CaseResult, test: str) -> Iterator[str]:
    """Yield the words of the command. Without a checkout a node id has no folder, and a keyword selects the test."""
    point = _point(case)
    if "/" in test:
        yield from ("pytest", f"{test}[{point}]")
    else:
        name = test.partition("::")[2]
        yield from ("pytest-throughput-bench", "--mode", str(case.axes["mode"]), "-k", f"{name}[{point}]")
    for name, value in case.axes.items():
        option = f"--{name.replace('_', '-')}"
        if value is None or name in _NO_OPTIONS:
            continue
        if name in _FLAGS:
            yield option
        elif name == "batch_size" and value == 0:
            yield "--find-max-batch"
        else:
            yield from (option, str(on_its_hardware(case)[1] if name == DEVICE else value))
    yield from _settings(case)


def _settings(case: CaseResult) -> Iterator[str]:
    """Yield the options that cases of one run may differ in first, so that its commands have the same end."""
    if len(case.trials) > 1:
        yield from ("--throughput-trials", str(len(case.trials)))
    settings: Mapping[str, Any] = case.settings or {}
    for name in _ASKED_BY_VALUE:
        if settings.get(name) is not None:
            yield from (f"--throughput-{name}", str(settings[name]))
    if settings.get("allocator") in (SYSTEM, TUNED):
        yield from ("--throughput-allocator", settings["allocator"])
    variables = settings.get("environment_variables")
    for name, value in variables.items() if isinstance(variables, dict) else ():
        yield from ("--throughput-env", f"{name}={value}")
