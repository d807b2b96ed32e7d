"""Find the tests that measure, the case of each, and their order."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pytest

from pytest_throughput.measurement.metadata import RESERVED, json_metadata
from pytest_throughput.naming import (
    DEFAULT_ENVIRONMENT,
    ENVIRONMENT,
    TRIAL,
    trial_id,
    without_environment,
    without_trial,
    work_of,
)
from pytest_throughput.options.settings import Settings
from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.worker.protocol import Outcome

__all__ = ["MeasuredItem", "in_order", "measured", "parametrize"]

_FIXTURES = ("measure_isolated", "measure_step")


@dataclass(frozen=True)
class MeasuredItem:
    """One test that measures: one trial of one case in one environment."""

    item: pytest.Item
    case_id: str
    environment: str
    trial: int
    first: str
    """The node id of the case's first trial in the environment."""
    axes: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def work(self) -> Hashable:
        """The case without its framework, execution and layout: see ``work_of``."""
        return work_of(self.case_id, self.axes)

    @property
    def key(self) -> tuple[str, str, int]:
        """The case, environment and number, which identify the trial."""
        return self.case_id, self.environment, self.trial

    def ended(self, started_at: str, items: int, outcome: Outcome) -> EndedTrial:
        """Return the trial as it ended. See ``EndedTrial`` for the arguments."""
        return EndedTrial(self.case_id, self.environment, self.axes, self.trial, started_at, items, outcome)


def parametrize(metafunc: pytest.Metafunc, settings: Settings) -> None:
    """Repeat a measuring test for every trial and environment. The first trial and a single environment have no id."""
    if not any(name in metafunc.fixturenames for name in _FIXTURES):
        return
    environments = _environments(metafunc.fixturenames, settings)
    trials = range(1, settings.most_trials + 1)
    # Names are then comparable between runs with different numbers of trials, as --benchmark-compare requires.
    ids: list[Any] = [pytest.HIDDEN_PARAM, *map(trial_id, trials[1:])]
    metafunc.parametrize(TRIAL, trials, ids=ids, indirect=True)
    shown: Sequence[Any] = environments if len(environments) > 1 else [pytest.HIDDEN_PARAM]
    metafunc.parametrize(ENVIRONMENT, environments, ids=shown, indirect=True)


def _environments(fixtures: Iterable[str], settings: Settings) -> Sequence[str]:
    """Return the environments in which a test with these fixtures is measured."""
    environments = settings.interpreters.environments
    return environments if "measure_isolated" in fixtures else environments[:1]  # measure_step has one interpreter.


def measured(item: pytest.Item, settings: Settings) -> MeasuredItem | None:
    """Return the trial that the test measures; None if it measures nothing."""
    fixtures = getattr(item, "fixturenames", ())
    if not any(name in fixtures for name in _FIXTURES):
        return None
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    trial, environment = parameters.get(TRIAL, 1), parameters.get(ENVIRONMENT, DEFAULT_ENVIRONMENT)
    is_shown = len(_environments(fixtures, settings)) > 1
    first = without_trial(item.nodeid, trial, environment if is_shown else None)
    marker = item.get_closest_marker("throughput_case")
    if marker is not None:
        reserved = [name for name in RESERVED if name in marker.kwargs]
        if reserved:
            names = ", ".join(reserved)
            raise pytest.UsageError(
                f"{item.nodeid}: throughput_case has {names}, reserved for what pytest-throughput records; rename them"
            )
        axes = {name: _json_axis(value) for name, value in marker.kwargs.items()}
        return MeasuredItem(item, marker.args[0], environment, trial, first, axes)
    case_id = without_environment(first, environment) if is_shown else first
    return MeasuredItem(item, case_id, environment, trial, first)


def _json_axis(value: object) -> object:
    """Return the value of an axis, or its text if JSON has no such value, as for NaN or a type."""
    try:
        return str(value) if "not_finite" in json_metadata({"label": value}) else value
    except ValueError:
        return str(value)


def in_order(items: list[pytest.Item], settings: Settings) -> list[pytest.Item]:
    """Return the tests in the order to run them. Tests that measure nothing keep their places.

    Every second trial goes through the frameworks and environments of a work backwards (A B B A), so that drift cancels
    between them. Works keep their order: all trials of a case are then equally far apart, as independent as each
    other. With the order ``paired``, trials that are measured in turn follow each other.
    """
    ours = {index: found for index, item in enumerate(items) if (found := measured(item, settings))}
    environments = settings.interpreters.environments
    cases: dict[str, int] = {}
    works: dict[Hashable, int] = {}
    for each in ours.values():
        cases.setdefault(each.case_id, len(cases))
        works.setdefault(each.work, len(works))

    def by_trials(each: MeasuredItem) -> tuple[int, ...]:
        turn = cases[each.case_id] * len(environments) + environments.index(each.environment)
        return each.trial, works[each.work], turn if each.trial % 2 else -turn

    def paired(each: MeasuredItem) -> tuple[int, ...]:
        case = cases[each.case_id]
        compared = case, environments.index(each.environment)
        group, place = compared if len(environments) > 1 else (works[each.work], case)
        return group, each.trial, place if each.trial % 2 else -place

    key = paired if settings.order == "paired" else by_trials
    result = list(items)
    for index, each in zip(ours, sorted(ours.values(), key=key), strict=True):
        result[index] = each.item
    return result
