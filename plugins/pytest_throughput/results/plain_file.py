"""Results of pytest-benchmark alone: a case counts calls, or the items per call that a parameter gives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.naming import DEFAULT_ENVIRONMENT, ENVIRONMENT, TRIAL, without_trial
from pytest_throughput.results.file_format import PlainBenchmark
from pytest_throughput.results.model import LEAST_FIGURE, MOST_FIGURE, CaseResult, RunResult, TrialResult
from pytest_throughput.results.validation import convert, shown
from pytest_throughput.text import printable

__all__ = ["NoItems", "plain_result"]

_MOST_CHARACTERS_OF_A_UNIT = 50


class NoItems(ValueError):
    """A result file lacks the parameter that the user has named."""


def plain_result(benchmarks: Sequence[Mapping[str, Any]], items_param: str | None) -> RunResult:
    """Return the benchmarks as a run, with a case for each node id. Raise ValueError for an invalid benchmark.

    ``items_param``: see ``read_run``. Raise NoItems where a benchmark lacks it.
    """
    trials: dict[str, list[TrialResult]] = {}
    for index, benchmark in enumerate(benchmarks):
        one = convert(benchmark, PlainBenchmark, f"benchmarks[{index}]")
        parameters = one.params if isinstance(one.params, dict) else {}
        info = one.extra_info if isinstance(one.extra_info, dict) else {}
        items = 1.0 if items_param is None else _items(one.fullname, items_param, parameters, info)
        number = parameters.get(TRIAL)
        number = number if type(number) is int and 0 <= number <= 2**53 else None
        same = trials.setdefault(_case_id(one.fullname, number or 1, parameters.get(ENVIRONMENT)), [])
        same.append(
            TrialResult(
                trial=number or len(same) + 1,
                items=items,
                median_seconds=one.stats.median,
                metrics=(_rate(items / one.stats.median, items_param),),
                seconds_per_step=one.stats.data or (),
                rounds=one.stats.rounds,
            )
        )
    # Of the settings of the measurement, only the parameter that gives the items is known.
    settings = {"items_param": items_param}
    cases = [
        CaseResult(case_id, DEFAULT_ENVIRONMENT, {}, "ok", trials=tuple(of), settings=settings, node_id=case_id)
        for case_id, of in trials.items()
    ]
    return RunResult(tuple(cases), is_ours=False)


def _rate(value: float, items_param: str | None) -> Metric:
    if items_param is None:
        return Metric("calls_per_second", "calls/s", value)
    return Metric("items_per_second", f"{printable(items_param, _MOST_CHARACTERS_OF_A_UNIT)}/s", value)


def _items(fullname: str, items_param: str, parameters: Mapping[str, Any], info: Mapping[str, Any]) -> float:
    where, name = printable(fullname)[:200], printable(items_param)
    given = parameters.get(items_param, info.get(items_param))
    if given is None:
        raise NoItems(f"{where} has no {name} among its params and its extra_info")
    try:  # Parameters that a test gives as texts stay texts.
        items = float(given) if type(given) in (str, int, float) else math.nan
    except (ValueError, OverflowError):
        items = math.nan
    if not LEAST_FIGURE <= items <= MOST_FIGURE:
        raise ValueError(
            f"{name} of {where} is {shown(given)}; expected a number from {LEAST_FIGURE:g} to {MOST_FIGURE:g}"
        )
    return items


def _case_id(name: str, trial: int, environment: object) -> str:
    """Return the node id without its trial, which may be followed by an environment."""
    found = without_trial(name, trial)
    return without_trial(name, trial, environment) if found == name and isinstance(environment, str) else found
