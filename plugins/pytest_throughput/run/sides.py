"""Find the trials that are measured in turn: a case in several environments, or the cases of a work in one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from pytest_throughput.launch.launcher import Placement
from pytest_throughput.launch.pairs import MOST_SIDES
from pytest_throughput.launch.trials import Side
from pytest_throughput.run.collection import MeasuredItem
from pytest_throughput.run.session import ThroughputSession
from pytest_throughput.run.targets import Target, target_of
from pytest_throughput.worker.protocol import Request

__all__ = ["MeasuredAlone", "Sides", "side_of"]


class MeasuredAlone(Exception):
    """No other trial can be measured in turn with a trial. The text says why."""


def side_of(session: ThroughputSession, found: MeasuredItem, asked: Target) -> Side:
    """Return what a test measures, by the protocol of the run, and where; ``asked``: what its fixture is given."""
    settings = session.settings
    session.devices.add(asked.device)
    placement = Placement(
        interpreter=settings.interpreters.find(found.environment, asked.interpreter),
        trial=found.trial,
        devices=(session.devices.find(asked.device),),
        variables=tuple(asked.variables.items()),
    )
    request = Request(
        asked.target,
        dict(asked.arguments),
        settings.plan,
        settings.steps_per_round,
        profile=session.traces.profile_of(found),
    )
    return Side(request, placement, asked.items)


class Sides:
    """Finds the sides of a trial among the tests of the session."""

    def __init__(self, session: ThroughputSession) -> None:
        self._session = session

    def of(self, found: MeasuredItem, own: Side) -> list[tuple[MeasuredItem, Side]]:
        """Return the sides: the test, which is about to measure ``own``, and those that can be measured with it.

        All have the number of its trial. Raise MeasuredAlone if there is no other.
        """
        environments = self._session.settings.interpreters.environments
        others = self._environments(found, own) if len(environments) > 1 else self._contenders(found, own)
        cases = list(dict.fromkeys(each.case_id for each in self._session.items.values()))

        def place(side: tuple[MeasuredItem, Side]) -> tuple[int, int]:
            return cases.index(side[0].case_id), environments.index(side[0].environment)

        return sorted([(found, own), *others[: MOST_SIDES - 1]], key=place)

    def _environments(self, found: MeasuredItem, own: Side) -> list[tuple[MeasuredItem, Side]]:
        """Return the trials of the same case in other environments, which differ by their interpreters only."""
        interpreters = self._session.settings.interpreters
        names = " or ".join(name for name in interpreters.environments if name != found.environment)
        same = (each for each in self._with_its_number(found) if each.case_id == found.case_id)

        def side(each: MeasuredItem) -> Side:
            interpreter = interpreters.find(each.environment, own.placement.interpreter.name)
            request = replace(own.request, profile=self._session.traces.profile_of(each))
            return replace(own, request=request, placement=replace(own.placement, interpreter=interpreter))

        return [(each, side(each)) for each in self._to_come(same, f"its trial in {names}")]

    def _contenders(self, found: MeasuredItem, own: Side) -> list[tuple[MeasuredItem, Side]]:
        """Return the trials of other cases of the same work, whose tests say by a marker what they measure."""
        if target_of(found.item) is None:
            raise MeasuredAlone("its test has no marker throughput_target")
        same = (each for each in self._with_its_number(found) if each.work == found.work)
        others = self._to_come(same, "another case of its work")
        targets = [(each, target) for each in others if (target := target_of(each.item)) is not None]
        if not targets:
            raise MeasuredAlone("the tests of the other cases of its work have no marker throughput_target")
        sides = [
            (each, side_of(self._session, each, target))
            for each, target in targets
            if target.has_slices and not _may_be_skipped(each.item)
        ]
        sides = [(each, side) for each, side in sides if side.placement.devices == own.placement.devices]
        if not sides:
            raise MeasuredAlone("the other cases of its work use another device, have no slices, or may be skipped")
        return sides

    def _with_its_number(self, found: MeasuredItem) -> list[MeasuredItem]:
        """Return the other tests of trials with the same number."""
        return [each for each in self._session.items.values() if each.trial == found.trial and each is not found]

    def _to_come(self, others: Iterable[MeasuredItem], what: str) -> list[MeasuredItem]:
        """Return those whose trials were not measured yet. Raise MeasuredAlone without any; ``what`` names them."""
        asked = list(others)
        if not asked:
            raise MeasuredAlone(f"this run does not measure {what}")
        left = [each for each in asked if not self._was_measured(each)]
        if not left:
            raise MeasuredAlone(f"{what} was measured before")
        return left

    def _was_measured(self, member: MeasuredItem) -> bool:
        return self._session.trial_store is None or self._session.was_measured(member)


def _may_be_skipped(item: pytest.Item) -> bool:
    """Return whether the markers of pytest may skip the test: its trial would be measured in vain."""
    marks = list(item.iter_markers("skipif"))
    conditions = [condition for mark in marks for condition in (*mark.args, mark.kwargs.get("condition"))]
    return item.get_closest_marker("skip") is not None or any(conditions)
