"""Read result files: ours, and plain ones of pytest-benchmark, which anyone may have written, and badly.

What comes out is checked: times and rates are finite and positive, texts are texts (and may hold
anything: show them by ``printable``), and a file that is something else is refused with one sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_throughput.naming import DEFAULT_ENVIRONMENT, ENVIRONMENT, TRIAL, without_trial
from pytest_throughput.results.statistics import geometric_mean_interval
from pytest_throughput.results.untrusted_json import Unreadable, parse_object, read_whole
from pytest_throughput.results.writer import MAX_RESULT_BYTES, SCHEMA
from pytest_throughput.text import printable
from pytest_throughput.worker.protocol import STATUSES

__all__ = ["MOST_CASES", "CaseResult", "RunResult", "TrialResult", "read_run"]

_MAX_SECONDS = 1e9
_LEAST = 1e-18
_MOST = 1e18
"""No rate and no time is as small or as large, and no product or quotient of two such overflows."""
MOST_CASES = 20_000
"""A table of more would take minutes, and gigabytes."""
_MOST_LABELS = 50
_LARGEST_WHOLE = 2**53


@dataclass(frozen=True)
class TrialResult:
    """One measured trial."""

    trial: int
    started_at: str | None
    items: float
    """What one step works through; 1 where that is unknown."""
    median_seconds: float
    """Per step; above zero."""
    seconds_per_step: tuple[float, ...]
    """One of each round; empty where the file does not hold them."""
    rounds: int | None
    rounds_disturbed: int | None
    first_step_seconds: float | None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """The benchmark's ``extra_info``, unchecked."""
    resumed: bool = False

    @property
    def images_per_second(self) -> float:
        """Items divided by the median seconds per step."""
        return self.items / self.median_seconds


@dataclass(frozen=True)
class CaseResult:
    """One case in one environment."""

    id: str
    environment: str
    axes: Mapping[str, Any]
    """Its axes, texts and whole numbers, by name; empty where they are unknown."""
    status: str | None
    """One of ``STATUSES``; None if it was not run."""
    reason: str | None
    implausible: str | None
    measured: tuple[TrialResult, ...]
    settings: Mapping[str, Any] | None = None
    network_hash: str | None = None

    @property
    def asked(self) -> Sequence[int]:
        """The trials that the file has."""
        return [trial.trial for trial in self.measured]

    def images_per_second(self) -> tuple[float | None, float | None, float | None]:
        """Geometric mean over the trials, and the ends of its 95 % interval; None where unknown."""
        if not self.measured:
            return None, None, None
        mean, low, high = geometric_mean_interval([trial.images_per_second for trial in self.measured])
        fresh = all(settings.get("isolation") != "none" for settings in self.fact("settings"))
        return (mean, low, high) if fresh else (mean, None, None)

    def fact(self, name: str) -> list[Any]:
        """A fact of each trial that knows it, unchecked, but that ``settings`` are objects."""
        values = [trial.metadata.get(name) for trial in self.measured]
        return [value for value in values if value is not None and (name != "settings" or isinstance(value, dict))]


@dataclass(frozen=True)
class RunResult:
    """One result file."""

    cases: tuple[CaseResult, ...]
    is_ours: bool
    """Whether this plugin has written it; else it is a plain one of pytest-benchmark."""
    complete: bool
    """Whether every trial that was asked for has ended; a plain file does not know, and says so."""
    fingerprint: Mapping[str, Any]
    """The hardware; empty where unknown."""
    machine_id: str | None = None
    """Which of the machines that are alike it was, hashed; None where unknown."""
    machine_info: Mapping[str, Any] = field(default_factory=dict)
    """What pytest-benchmark says of the machine, unchecked."""
    deselected: tuple[str, ...] | None = None
    written_at: str | None = None


class _NoItems(ValueError):
    """A result file that lacks the parameter that the user has named."""


def read_run(path: Path, items_param: str | None = None) -> RunResult:
    """Reads a JSON of this plugin or of pytest-benchmark. Raises Unreadable if it is something else.

    ``items_param``: the parameter, or key of ``extra_info``, of a plain file that says what one call
    works through; without one the rates of a plain file are calls per second.
    """
    try:
        document = parse_object(read_whole(path, MAX_RESULT_BYTES))
        benchmarks = _list_of_objects(document, "benchmarks", "the file")
        block = document.get("throughput")
        if block is None:
            return _few_enough(_plain(document, benchmarks, items_param))
        if not isinstance(block, dict):
            raise ValueError("its throughput is no object")
        if block.get("schema") != SCHEMA:
            raise ValueError(f"its schema is {_shown(block.get('schema'))}, and this version reads {SCHEMA}")
        return _few_enough(_ours(document, block, benchmarks))
    except Unreadable:
        raise
    except _NoItems as error:
        raise Unreadable(path, f"{error}; expected by --items-param a name that every benchmark has") from None
    except ValueError as error:
        raise Unreadable(path, f"is no result file: {error}") from None


def _few_enough(result: RunResult) -> RunResult:
    if len(result.cases) > MOST_CASES:
        raise ValueError(f"it has {len(result.cases):,} cases; expected at most {MOST_CASES:,}")
    return result


def _ours(document: Mapping[str, Any], block: Mapping[str, Any], benchmarks: Sequence[dict[str, Any]]) -> RunResult:
    found: dict[tuple[str, str, int], dict[str, Any]] = {}
    for benchmark in benchmarks:
        info = benchmark.get("extra_info")
        if isinstance(info, dict) and isinstance(info.get("case_id"), str):
            found[info["case_id"], str(info.get("environment")), _whole(info, "trial", info["case_id"])] = benchmark
    cases = []
    seen = set()
    for case in _list_of_objects(block, "cases", "throughput"):
        case_id = _text(case, "id", "a case")
        where = printable(case_id)[:200]
        environment, status = _text(case, "environment", where), case.get("status")
        if status is not None and status not in STATUSES:
            raise ValueError(f"the status of {where} is {_shown(status)}; expected one of {', '.join(STATUSES)}")
        trials = []
        for trial in _list_of_objects(case, "trials", where):
            number = _whole(trial, "trial", where)
            trials.append(_our_trial(trial, number, found.get((case_id, environment, number), {}), where))
        # Of what is given twice, there is no saying which is true.
        if (case_id, environment) in seen:
            raise ValueError(f"it gives the case {where} twice")
        seen.add((case_id, environment))
        if len({trial.trial for trial in trials}) < len(trials):
            raise ValueError(f"it gives a trial of {where} twice")
        cases.append(
            CaseResult(
                id=case_id,
                environment=environment,
                axes=_axes(case.get("labels")),
                status=status,
                reason=_optional_text(case.get("reason")),
                implausible=_optional_text(case.get("implausible")),
                measured=tuple(trials),
                settings=_optional_object(case.get("settings")),
                network_hash=_optional_text(case.get("network_hash")),
            )
        )
    deselected = block.get("deselected")
    return RunResult(
        cases=tuple(cases),
        is_ours=True,
        complete=block.get("complete") is True,
        fingerprint=_optional_object(block.get("fingerprint")) or {},
        machine_id=_optional_text(block.get("individual")),
        machine_info=_optional_object(document.get("machine_info")) or {},
        deselected=tuple(map(str, deselected)) if isinstance(deselected, list) else None,
        written_at=_optional_text(document.get("datetime")),
    )


def _our_trial(trial: Mapping[str, Any], number: int, benchmark: Mapping[str, Any], where: str) -> TrialResult:
    info = _optional_object(benchmark.get("extra_info")) or {}
    median = _seconds(trial, "median_seconds", where)
    rate = _positive(trial.get("images_per_second"), f"images_per_second of {where}")
    return TrialResult(
        trial=number,
        started_at=_optional_text(trial.get("started_at")),
        items=rate * median,
        median_seconds=median,
        seconds_per_step=_samples(benchmark.get("stats"), where),
        rounds=_optional_whole(trial.get("rounds")),
        rounds_disturbed=_optional_whole(trial.get("rounds_disturbed")),
        first_step_seconds=_optional_positive(info.get("first_step_seconds")),
        metadata=info,
        resumed=trial.get("resumed") is True,
    )


def _plain(document: Mapping[str, Any], benchmarks: Sequence[Mapping[str, Any]], items_param: str | None) -> RunResult:
    trials: dict[str, list[TrialResult]] = {}
    for benchmark in benchmarks:
        name = _text(benchmark, "fullname", "a benchmark")
        where = printable(name)[:200]
        stats = benchmark.get("stats")
        if not isinstance(stats, dict):
            raise ValueError(f"{where} has no stats")
        parameters = _optional_object(benchmark.get("params")) or {}
        info = _optional_object(benchmark.get("extra_info")) or {}
        items: float = 1
        if items_param is not None:
            given = parameters.get(items_param, info.get(items_param))
            if given is None:
                raise _NoItems(f"{where} has no {printable(items_param)} among its params and its extra_info")
            # Parameters that a test gives as texts stay texts.
            items = _positive(_number_of(given), f"{printable(items_param)} of {where}")
        number = _optional_whole(parameters.get(TRIAL))
        same = trials.setdefault(_case_id(name, number or 1, parameters.get(ENVIRONMENT)), [])
        same.append(
            TrialResult(
                trial=number or len(same) + 1,
                started_at=None,
                items=items,
                median_seconds=_seconds(stats, "median", where),
                seconds_per_step=_samples(stats, where),
                rounds=_optional_whole(stats.get("rounds")),
                rounds_disturbed=None,
                first_step_seconds=None,
            )
        )
    # What calls are counted by is all that is known of how they were measured.
    settings = {"items_param": items_param}
    cases = [
        CaseResult(name, DEFAULT_ENVIRONMENT, {}, "ok", None, None, tuple(of), settings) for name, of in trials.items()
    ]
    return RunResult(
        tuple(cases),
        is_ours=False,
        complete=True,
        fingerprint={},
        machine_info=_optional_object(document.get("machine_info")) or {},
        written_at=_optional_text(document.get("datetime")),
    )


def _case_id(name: str, trial: int, environment: object) -> str:
    """Return the node id without its trial, whether or not an environment stands behind that."""
    found = without_trial(name, trial)
    return without_trial(name, trial, environment) if found == name and isinstance(environment, str) else found


def _samples(stats: Any, where: str) -> tuple[float, ...]:
    data = stats.get("data") if isinstance(stats, dict) else None
    if data is None:
        return ()
    if not isinstance(data, list):
        raise ValueError(f"the data of {where} are no list")
    return tuple(_positive(value, f"data of {where}", least=0.0) for value in data)


def _list_of_objects(place: Mapping[str, Any], name: str, where: str) -> list[dict[str, Any]]:
    value = place.get(name)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError(f"{where} has no list of objects called {name}")
    return value


def _text(place: Mapping[str, Any], name: str, where: str) -> str:
    value = place.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{where} has no text called {name}")
    return value


def _optional_text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _optional_object(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _whole(place: Mapping[str, Any], name: str, where: str) -> int:
    value = _optional_whole(place.get(name))
    if value is None:
        raise ValueError(f"{name} of {printable(where)[:200]} is {_shown(place.get(name))}; expected a whole number")
    return value


def _optional_whole(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= _LARGEST_WHOLE else None


def _seconds(place: Mapping[str, Any], name: str, where: str) -> float:
    seconds = _positive(place.get(name), f"{name} of {where}")
    if seconds > _MAX_SECONDS:
        raise ValueError(f"{name} of {where} is {seconds:g} s, which no step lasts")
    return seconds


def _positive(value: Any, what: str, least: float = _LEAST) -> float:
    if type(value) not in (int, float) or not (least <= value <= _MOST):
        raise ValueError(f"{what} is {_shown(value)}; expected a number above zero, from {_LEAST:g} to {_MOST:g}")
    return float(value)


def _optional_positive(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and 0 <= value <= _MAX_SECONDS else None


def _number_of(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _axes(value: Any) -> dict[str, Any]:
    """Return axes as texts and whole numbers; whatever else they are is shown as text."""
    axes = _optional_object(value) or {}
    if len(axes) > _MOST_LABELS:
        raise ValueError(f"a case has {len(axes)} axes; expected at most {_MOST_LABELS}")
    return {name: given if _is_label(given) else _shown(given) for name, given in axes.items()}


def _is_label(value: Any) -> bool:
    return value is None or type(value) is str or (type(value) is int and abs(value) <= _LARGEST_WHOLE)


def _shown(value: Any) -> str:
    return printable(repr(value)[:200])
