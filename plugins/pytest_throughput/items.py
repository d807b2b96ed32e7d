"""The tests that measure: which they are, which case each belongs to, and their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_throughput.isolation.interpreters import DEFAULT_ENVIRONMENT
from pytest_throughput.measurement.facts import json_facts
from pytest_throughput.settings import Settings

__all__ = ["MeasuredItem", "in_order", "measured", "parametrize"]

_FIXTURES = ("measure_isolated", "measure_step")


@dataclass(frozen=True)
class MeasuredItem:
    """One test that measures: one trial of one case in one environment."""

    item: pytest.Item
    case_id: str
    environment: str
    trial: int
    labels: Mapping[str, Any] = field(default_factory=dict)


def parametrize(metafunc: pytest.Metafunc, settings: Settings) -> None:
    """Repeats a measuring test for every trial and environment; a single one leaves no mark in the id."""
    if not any(name in metafunc.fixturenames for name in _FIXTURES):
        return
    environments = settings.interpreters.environments
    if "measure_isolated" not in metafunc.fixturenames:
        environments = environments[:1]  # In this process there is but one interpreter.
    trials = range(1, settings.trials_and_reserve + 1)
    metafunc.parametrize("trial", trials, ids=_ids([f"t{trial}" for trial in trials]), indirect=True)
    metafunc.parametrize("environment", environments, ids=_ids(environments), indirect=True)


def _ids(names: Sequence[str]) -> list[Any]:
    return list(names) if len(names) > 1 else [pytest.HIDDEN_PARAM]


def measured(item: pytest.Item, settings: Settings) -> MeasuredItem | None:
    """What the test measures; None if it measures nothing."""
    if not any(name in getattr(item, "fixturenames", ()) for name in _FIXTURES):
        return None
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    trial, environment = parameters.get("trial", 1), parameters.get("environment", DEFAULT_ENVIRONMENT)
    marker = item.get_closest_marker("throughput_case")
    if marker is not None:
        labels = {name: _json_label(value) for name, value in marker.kwargs.items()}
        return MeasuredItem(item, marker.args[0], environment, trial, labels)
    case_id = item.nodeid
    if len(settings.interpreters.environments) > 1:
        case_id = _without(environment, case_id)
    if settings.trials_and_reserve > 1:
        case_id = _without(f"t{trial}", case_id)
    return MeasuredItem(item, case_id, environment, trial)


def _json_label(value: object) -> object:
    """The value of an axis, or its text where it is none of JSON, such as NaN or a type."""
    try:
        return str(value) if "not_finite" in json_facts({"label": value}) else value
    except ValueError:
        return str(value)


def _without(last_parameter: str, node_id: str) -> str:
    """``test[a-t2]`` becomes ``test[a]``, and ``test[t2]`` becomes ``test``."""
    return node_id.removesuffix(f"[{last_parameter}]").replace(f"-{last_parameter}]", "]")


def in_order(items: list[pytest.Item], settings: Settings) -> list[pytest.Item]:
    """The tests in the order to run them; those that measure nothing keep their places."""
    ours = {index: found for index, item in enumerate(items) if (found := measured(item, settings))}
    environments = settings.interpreters.environments
    cases: dict[str, int] = {}
    frameworks: dict[Any, int] = {}
    for each in ours.values():
        cases.setdefault(each.case_id, len(cases))
        frameworks.setdefault(each.labels.get("framework"), len(frameworks))

    def by_trials(each: MeasuredItem) -> tuple[int, ...]:
        framework = frameworks[each.labels.get("framework")]
        return each.trial, framework, environments.index(each.environment), cases[each.case_id]

    def paired(each: MeasuredItem) -> tuple[int, ...]:
        # A B B A: every other trial takes the environments backwards, so that drift cancels.
        place = environments.index(each.environment)
        return cases[each.case_id], each.trial, place if each.trial % 2 else -place

    key = paired if settings.order == "paired" else by_trials
    result = list(items)
    for index, each in zip(ours, sorted(ours.values(), key=key), strict=True):
        result[index] = each.item
    return result
