"""The environment variables of workers: what changes speed is known, whatever shell pytest was started from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from pytest_throughput.measurement.speed_variables import as_unicode, changes_speed, without_speed_variables

__all__ = ["KEEP_ALL", "THREAD_VARIABLES", "WorkerVariables", "parse_names", "parse_variable"]

KEEP_ALL = "all"
"""The value of ``--throughput-keep-env`` that keeps everything."""

THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "PJRT_NPROC",
)
"""Environment variables that set the threads of the libraries that frameworks compute with."""

_SET_OTHERWISE = {
    **dict.fromkeys(THREAD_VARIABLES, "the number of threads is given by --throughput-threads"),
    "CUDA_VISIBLE_DEVICES": "each worker is shown the device of its case; set the variable of the shell instead",
    "CUDA_DEVICE_ORDER": "each worker is shown the device of its case; set the variable of the shell instead",
    "PYTHONPATH": "the folders that workers import from are given by --throughput-pythonpath",
    "PYTHONHOME": "it belongs to one interpreter; put it into the command of --throughput-interpreter",
    "PYTHONSAFEPATH": "every worker is started with it",
}
"""Variables that workers get from elsewhere, and from where."""


@dataclass(frozen=True)
class WorkerVariables:
    """Which variables of the calling shell workers see, and which further ones they get."""

    kept: tuple[str, ...] = ()
    """The names of ``--throughput-keep-env``, and patterns or ``all`` for those that change speed."""
    given: Mapping[str, str] = field(default_factory=dict)
    """The variables of ``--throughput-env``."""

    def inherited(self, shell: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that workers see of the shell's."""
        return {**without_speed_variables(shell), **self._kept(shell)}

    def chosen(self, shell: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that the user has chosen, kept or given, which win over those of a case."""
        return {**self._kept(shell), **self.given}

    def removed(self, shell: Mapping[str, str]) -> list[str]:
        """Return the names of the shell's variables that workers do not see, and that nothing else sets for them."""
        seen = {*self.chosen(shell), *THREAD_VARIABLES}
        return sorted(name for name in shell if changes_speed(name) and name not in seen)

    def recorded(self, reported: Mapping[str, str], shell: Mapping[str, str]) -> dict[str, str]:
        """Return what a result records.

        ``reported``: the variables that change speed, as the worker has them. Those of its threads follow from another
        setting. What the user has chosen is recorded whatever its name is.
        """
        held = {name: value for name, value in reported.items() if name not in THREAD_VARIABLES}
        return {**held, **{name: as_unicode(value) for name, value in self.chosen(shell).items()}}

    def _kept(self, shell: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in shell.items() if name not in _SET_OTHERWISE and self._keeps(name)}

    def _keeps(self, name: str) -> bool:
        if name in self.kept:
            return True
        matches = KEEP_ALL in self.kept or any(fnmatchcase(name, pattern) for pattern in self.kept)
        return matches and changes_speed(name)


def parse_variable(text: str) -> tuple[str, str]:
    """Read ``NAME=VALUE``. Raise ValueError that says what was expected, or what sets the variable."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ValueError(f"expected NAME=VALUE, such as OMP_WAIT_POLICY=PASSIVE, got {text!r}")
    if name in _SET_OTHERWISE:
        raise ValueError(f"{name} cannot be given: {_SET_OTHERWISE[name]}")
    return name, value


def parse_names(text: str) -> tuple[str, ...]:
    """Read names and patterns that are separated by commas. Raise ValueError that says what was expected."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or any("=" in name for name in names):
        raise ValueError(
            f"expected names of variables separated by commas, such as OMP_PROC_BIND,TF_*, or {KEEP_ALL}, "
            f"got {text!r}; --throughput-env NAME=VALUE sets a variable"
        )
    return names
