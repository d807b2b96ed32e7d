"""The scope of a run: which cases it was asked to measure, and so which cases of a baseline are missing from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_throughput.gate.judged import Axes, JudgedRun

__all__ = ["Scope", "expected_of"]


@dataclass(frozen=True)
class Scope:
    """The cases that were asked for, the values of each of their axes, and what was deselected."""

    asked: frozenset[str]
    """Ids of cases."""
    values: Mapping[str, frozenset[object]]
    """Values of each axis, by its name."""
    deselected: frozenset[str] | None
    """Ids of cases that ``-k``, ``-m`` or ``--deselect`` left out; None where that is unknown."""

    @classmethod
    def of(cls, cases: Iterable[tuple[str, Axes]], deselected: Iterable[str] | None) -> Scope:
        """Return the scope of a run, given the ids and axes of all cases it was asked for, measured or not."""
        asked: set[str] = set()
        values: dict[str, set[object]] = {}
        for case_id, axes in cases:
            asked.add(case_id)
            for name, value in _named(case_id, axes).items():
                values.setdefault(name, set()).add(value)
        frozen = {name: frozenset(those) for name, those in values.items()}
        return cls(frozenset(asked), frozen, None if deselected is None else frozenset(deselected))

    def __or__(self, other: Scope) -> Scope:
        """Return the scope of two runs together; a case is deselected only if both deselected it."""
        names = {*self.values, *other.values}
        values = {name: self.values.get(name, frozenset()) | other.values.get(name, frozenset()) for name in names}
        asked = self.asked | other.asked
        if self.deselected is None or other.deselected is None:
            return Scope(asked, values, None)
        return Scope(asked, values, self.deselected & other.deselected)

    def covers(self, case_id: str, axes: Axes) -> bool:
        """Return whether each axis value of the case is among the values of this run."""
        return all(value in self.values.get(name, ()) for name, value in _named(case_id, axes).items())

    def has_left_out(self, case_id: str) -> bool:
        """Return whether the case was deselected, or may have been."""
        return self.deselected is None or case_id in self.deselected


def _named(case_id: str, axes: Axes) -> Axes:
    """Return the case's axes, or else its test file as its only axis, since pytest may have been given other files."""
    return axes or {"file": case_id.partition("::")[0]}


def expected_of(scope: Scope, base: Sequence[JudgedRun]) -> Callable[[str], bool]:
    """Return a function that says whether a case of ``base`` was asked for and not deselected.

    ``base``: runs ordered by time. A case that is also missing from the latest of these runs whose axis
    values include it was removed from the suite, and is not expected.
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
