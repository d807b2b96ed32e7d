"""What a run was asked for, and so which cases of a baseline it lacks without having left them out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_throughput.gate.runs import Axes, Run

__all__ = ["Scope", "expected_of"]


@dataclass(frozen=True)
class Scope:
    """The cases that were asked for, the values of each of their axes, and what was deselected."""

    asked: frozenset[str]
    """Ids."""
    values: Mapping[str, frozenset[object]]
    deselected: frozenset[str] | None
    """Ids of cases that ``-k``, ``-m`` or ``--deselect`` left out; None where nobody knows what was."""

    @classmethod
    def of(cls, cases: Iterable[tuple[str, Axes]], deselected: Iterable[str] | None) -> Scope:
        """Of the cases that were asked for, run or not: their ids and axes."""
        asked: set[str] = set()
        values: dict[str, set[object]] = {}
        for case_id, axes in cases:
            asked.add(case_id)
            for name, value in _named(case_id, axes).items():
                values.setdefault(name, set()).add(value)
        frozen = {name: frozenset(those) for name, those in values.items()}
        return cls(frozenset(asked), frozen, None if deselected is None else frozenset(deselected))

    def __or__(self, other: Scope) -> Scope:
        """Of two runs together: deselected is what both left out."""
        names = {*self.values, *other.values}
        values = {name: self.values.get(name, frozenset()) | other.values.get(name, frozenset()) for name in names}
        asked = self.asked | other.asked
        if self.deselected is None or other.deselected is None:
            return Scope(asked, values, None)
        return Scope(asked, values, self.deselected & other.deselected)

    def covers(self, case_id: str, axes: Axes) -> bool:
        """Whether each of the case's axis values is among this run's."""
        return all(value in self.values.get(name, ()) for name, value in _named(case_id, axes).items())

    def has_left_out(self, case_id: str) -> bool:
        """Whether the case was deselected, as far as is known."""
        return self.deselected is None or case_id in self.deselected


def _named(case_id: str, axes: Axes) -> Axes:
    """A case without axes has its file for one: ``pytest tests/test_a.py`` does not ask for those of test_b.py."""
    return axes or {"file": case_id.partition("::")[0]}


def expected_of(scope: Scope, base: Sequence[Run]) -> Callable[[str], bool]:
    """Whether a case of ``base``, runs in the order of time, was asked for and not deselected.

    What the latest run that could have had it lacks as well has been given up, and is not expected.
    """
    axes: dict[str, Axes] = {case.id: case.axes for run in base for case in run.cases.values()}
    scopes = [Scope.of(((case.id, case.axes) for case in run.cases.values()), ()) for run in base]

    def is_expected(case_id: str) -> bool:
        if case_id in scope.asked:
            return True
        if scope.has_left_out(case_id) or not scope.covers(case_id, axes[case_id]):
            return False
        able = (
            run for run, of in zip(reversed(base), reversed(scopes), strict=True) if of.covers(case_id, axes[case_id])
        )
        return case_id in next(able).cases

    return is_expected
