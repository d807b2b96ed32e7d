"""Read result files of this plugin, and plain ones of pytest-benchmark. No content of a file is trusted.

The results are checked: times and rates are finite and positive, texts are texts (with any content: show them by
``printable``). Any other file is refused with one sentence.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct, to_builtins

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.naming import without_trial
from pytest_throughput.results.ended_trial import other_metadata
from pytest_throughput.results.file_format import (
    MOST_CASES,
    Block,
    CaseBlock,
    MetricBlock,
    OurBenchmark,
    TrialBlock,
)
from pytest_throughput.results.model import (
    LEAST_FIGURE,
    MOST_FIGURE,
    RATE,
    CaseResult,
    RunResult,
    TrialResult,
    rate_unit,
)
from pytest_throughput.results.plain_file import NoItems, plain_result
from pytest_throughput.results.untrusted_json import Unreadable, parse_object, read_whole
from pytest_throughput.results.validation import convert, shown
from pytest_throughput.results.writer import MAX_RESULT_BYTES, SCHEMA
from pytest_throughput.text import printable
from pytest_throughput.worker.protocol import STATUSES

__all__ = ["read_run"]

T = TypeVar("T")

_LARGEST_WHOLE = 2**53

Benchmarks = Mapping[tuple[str, str | None, int], tuple[OurBenchmark, dict[str, Any]]]
"""The benchmark of each trial, by case, environment and trial: the checked parts, and ``extra_info``."""


class _Document(Struct):
    benchmarks: list[dict[str, Any]]
    machine_info: Any = None
    datetime: Any = None


def read_run(path: Path, items_param: str | None = None) -> RunResult:
    """Read a JSON file of this plugin or of pytest-benchmark. Raise Unreadable for any other file.

    ``items_param``: the parameter, or key of ``extra_info``, of a plain file that says what one call
    works through; without one the rates of a plain file are calls per second.
    """
    if path.suffix == ".jsonl":
        how = "`pytest-throughput show` shows it, and its run with --throughput-resume goes on"
        raise Unreadable(path, f"is a journal, expected a result file: {how}")
    try:
        content = parse_object(read_whole(path, MAX_RESULT_BYTES))
        document = convert(content, _Document)
        block = content.get("throughput")
        if block is None:
            result = plain_result(document.benchmarks, items_param)
        else:
            result = _our_result(block, document.benchmarks)
        if len(result.cases) > MOST_CASES:
            raise ValueError(f"it has {len(result.cases):,} cases; expected at most {MOST_CASES:,}")
    except Unreadable:
        raise
    except NoItems as error:
        raise Unreadable(path, f"{error}; expected by --items-param a name that every benchmark has") from None
    except ValueError as error:
        raise Unreadable(path, f"is no result file: {error}") from None
    return replace(
        result,
        machine_info=document.machine_info if isinstance(document.machine_info, dict) else {},
        written_at=document.datetime if isinstance(document.datetime, str) else None,
    )


def _our_result(value: Any, benchmarks: Sequence[dict[str, Any]]) -> RunResult:
    if isinstance(value, dict) and value.get("schema") != SCHEMA:
        raise ValueError(f"its schema is {shown(value.get('schema'))}, and this version reads {SCHEMA}")
    block = convert(value, Block, "throughput")
    found = _by_trial(benchmarks)
    cases = tuple(_case(case, found) for case in block.cases)
    # Of two cases with the same key, either could be the right one, so the file is refused.
    twice = _given_twice([case.key for case in cases])
    if twice is not None:
        raise ValueError(f"it gives the case {_short(twice[0])} twice")
    return RunResult(
        cases=cases,
        complete=block.complete,
        fingerprint=block.fingerprint or {},
        machine_id=block.individual,
        deselected=None if block.deselected is None else tuple(block.deselected),
        verdicts=() if block.verdicts is None else (to_builtins(block.verdicts),),
    )


def _by_trial(benchmarks: Sequence[dict[str, Any]]) -> Benchmarks:
    found = {}
    for index, benchmark in enumerate(benchmarks):
        info = benchmark.get("extra_info")
        if isinstance(info, dict) and isinstance(info.get("case_id"), str):
            checked = convert(benchmark, OurBenchmark, f"benchmarks[{index}]")
            one = checked.extra_info
            found[one.case_id, one.environment, one.trial] = checked, info
    return found


def _case(block: CaseBlock, benchmarks: Benchmarks) -> CaseResult:
    where = _short(block.id)
    if block.status is not None and block.status not in STATUSES:
        expected = ", ".join(STATUSES)
        raise ValueError(f"the status of {where} is {shown(block.status)}; expected one of {expected}")
    if _given_twice([trial.trial for trial in block.trials]) is not None:
        raise ValueError(f"it gives a trial of {where} twice")
    axes = _axes(block.labels or {})
    return CaseResult(
        id=block.id,
        environment=block.environment,
        axes=axes,
        status=block.status,
        reason=block.reason,
        implausible=block.implausible,
        trials=tuple(_trial(trial, block, axes, benchmarks) for trial in block.trials),
        settings=block.settings,
        network_hash=block.network_hash,
        node_id=_node_id(block, benchmarks),
    )


def _node_id(case: CaseBlock, benchmarks: Benchmarks) -> str | None:
    """Return the node id of the first trial, which selects all of them; None if no trial has one."""
    for number in sorted(trial.trial for trial in case.trials):
        benchmark, _ = benchmarks.get((case.id, case.environment, number), (None, {}))
        if benchmark is not None and benchmark.fullname is not None:
            return without_trial(benchmark.fullname, number)
    return None


def _trial(trial: TrialBlock, case: CaseBlock, axes: Mapping[str, Any], benchmarks: Benchmarks) -> TrialResult:
    benchmark, info = benchmarks.get((case.id, case.environment, trial.trial), (None, {}))
    stats = None if benchmark is None else benchmark.stats
    metadata = other_metadata(info, axes)
    metadata.pop("implausible", None)  # This belongs to the case.
    if not isinstance(metadata.get("settings"), dict):
        metadata.pop("settings", None)
    return TrialResult(
        trial=trial.trial,
        items=1 if trial.images_per_second is None else _items(trial.images_per_second * trial.median_seconds),
        median_seconds=trial.median_seconds,
        metrics=_metrics(
            trial.images_per_second,
            rate_unit(axes),
            [] if benchmark is None else benchmark.extra_info.metrics or [],
            f"trial {trial.trial} of {_short(case.id)}",
        ),
        seconds_per_step=(stats and stats.data) or (),
        rounds=trial.rounds,
        rounds_disturbed=trial.rounds_disturbed,
        first_step_seconds=None if benchmark is None else benchmark.extra_info.first_step_seconds,
        started_at=trial.started_at,
        resumed=trial.resumed,
        metadata=metadata,
    )


def _metrics(rate: float | None, unit: str, blocks: Sequence[MetricBlock], where: str) -> tuple[Metric, ...]:
    """Return the metrics, the primary one first; that of the rate has the value that the case gives.

    Raise ValueError if there is none, if one is given twice, or if the primary one is not above zero.
    """
    try:
        metrics = [Metric(block.name, block.unit, block.value, block.better, block.standard_error) for block in blocks]
    except ValueError as error:
        raise ValueError(f"the metrics of {where}: {printable(str(error))}") from None
    if _given_twice([metric.name for metric in metrics]) is not None:
        raise ValueError(f"the metrics of {where} give a name twice")
    if rate is not None:
        if not any(metric.name == RATE for metric in metrics):
            metrics.insert(0, Metric(RATE, unit, rate))
        metrics = [replace(metric, value=rate) if metric.name == RATE else metric for metric in metrics]
    if not metrics or not LEAST_FIGURE <= metrics[0].value <= MOST_FIGURE:
        value = shown(metrics[0].value if metrics else None)
        expected = f"expected a number from {LEAST_FIGURE:g} to {MOST_FIGURE:g}"
        raise ValueError(f"the primary metric of {where} is {value}; {expected}")
    return tuple(metrics)


def _items(product: float) -> float:
    """Return the items of a step from rate times seconds, which differs from a whole number only by rounding."""
    return round(product) if math.isclose(product, round(product), rel_tol=1e-12) else product


def _axes(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Return the axes with values that are texts or whole numbers; other values are converted to text."""
    return {name: value if _is_axis_value(value) else printable(repr(value)[:200]) for name, value in labels.items()}


def _is_axis_value(value: Any) -> bool:
    """Return whether an axis may have the value. Long integers become texts, since sets of them may be slow."""
    return value is None or type(value) is str or (type(value) is int and abs(value) <= _LARGEST_WHOLE)


def _given_twice(values: Sequence[T]) -> T | None:
    """Return a value that occurs more than once; None without any."""
    if len(set(values)) == len(values):
        return None
    return Counter(values).most_common(1)[0][0]


def _short(text: str) -> str:
    return printable(text)[:200]
