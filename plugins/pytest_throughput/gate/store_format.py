"""An accepted run as JSON, and back. Files may be damaged or hostile, and are validated by msgspec.

An invalid file raises ``DamagedFile``, which says what is wrong and where. Unknown members are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, field, to_builtins

from pytest_throughput.gate.judged import (
    MOST_METRICS,
    MOST_SETTINGS,
    JudgedCase,
    JudgedMetric,
    JudgedRun,
    JudgedTrial,
)
from pytest_throughput.results.anchor import Anchor
from pytest_throughput.results.untrusted_json import parse_object
from pytest_throughput.results.validation import convert, shown
from pytest_throughput.text import printable

__all__ = ["LONGEST_NOTE", "MOST_BYTES", "SCHEMA", "DamagedFile", "decode", "encode", "utc"]

SCHEMA = 1
MOST_BYTES = 64 * 2**20
LONGEST_NOTE = 200
"""The most characters of a note."""
_MOST_TRIALS = 1_000
_MOST_OF_FINGERPRINT = 10_000

_Text = Annotated[str, Meta(min_length=1, max_length=1_000)]
_Whole = Annotated[int, Meta(ge=-(2**53), le=2**53)]
"""A bounded whole number: arithmetic with thousands of digits would take long."""
_Value = Annotated[float, Meta(ge=1e-18, le=1e18)]


class _Metric(Struct):
    name: _Text
    unit: Annotated[str, Meta(max_length=1_000)]
    better: str


class _Anchor(Struct):
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
    ratio: _Value
    mean_ratio: _Value | None = None


class _Trial(Struct):
    number: Annotated[int, Meta(ge=1, le=_MOST_TRIALS)]
    disturbed_share: Annotated[float, Meta(ge=0, le=1)] | None = None
    value: _Value | UnsetType = UNSET
    images_per_second: _Value | UnsetType = UNSET
    """In files without ``metric``, in place of ``value``: the primary metric, or its reciprocal if lower is better."""
    further_values: Annotated[dict[_Text, _Value], Meta(max_length=MOST_METRICS)] | UnsetType = UNSET
    """The values of ``further_metrics`` by name; absent in files from before they were kept."""
    standard_errors: Annotated[dict[_Text, _Value], Meta(max_length=MOST_METRICS + 1)] | UnsetType = UNSET
    """The standard errors of its metrics by name, as far as the trial itself gives them; absent without any."""
    anchor: _Anchor | UnsetType = UNSET
    """The anchor that it was measured beside, and the speed relative to it; missing without one."""


class _Case(Struct):
    id: _Text
    status: _Text
    trials: Annotated[list[_Trial], Meta(max_length=_MOST_TRIALS)]
    axes: Annotated[dict[_Text, _Whole | _Text | None], Meta(max_length=50)]
    metric: _Metric | None = None
    further_metrics: Annotated[list[_Metric], Meta(max_length=MOST_METRICS)] | UnsetType = UNSET
    network_hash: _Text | None = None
    settings_digest: _Text | None = None
    settings: Annotated[dict[_Text, _Text], Meta(max_length=MOST_SETTINGS)] = field(default_factory=dict)
    """The settings of the digest; empty in files from before they were kept."""
    anchor_versions: Annotated[dict[_Text, _Text], Meta(max_length=MOST_SETTINGS)] | UnsetType = UNSET
    """The versions of the anchor of its last trial; missing without one."""


class _Run(Struct):
    schema: int
    started_at: _Text
    fingerprint: dict[str, Any]
    software: Annotated[dict[_Text, Any], Meta(max_length=200)]
    cases: Annotated[list[_Case], Meta(max_length=20_000)]
    individual: _Text | None = None
    """The hashed id of the machine."""
    note: Annotated[str, Meta(min_length=1, max_length=LONGEST_NOTE)] | UnsetType = UNSET
    """The intended change since the accepted run before; absent without a note. Versions without notes ignore it."""


class DamagedFile(ValueError):
    """A file is not an accepted run, or not one that this version reads."""


def encode(run: JudgedRun) -> bytes:
    """Return the run as JSON: trial summaries, never rounds; the same bytes for the same run."""
    cases = [
        _Case(
            id=case.id,
            status=case.status,
            trials=[
                _Trial(
                    one.number,
                    one.disturbed_share,
                    one.value,
                    further_values=dict(one.further_values) or UNSET,
                    standard_errors=dict(one.standard_errors) or UNSET,
                    anchor=UNSET if one.anchor is None else _Anchor(*one.anchor),
                )
                for one in case.trials
            ],
            axes=dict(case.axes),
            metric=None if case.metric is None else _encoded(case.metric),
            further_metrics=[_encoded(one) for one in case.further_metrics] or UNSET,
            network_hash=case.network_hash,
            settings_digest=case.settings_digest,
            settings=dict(case.settings),
            anchor_versions=dict(case.anchor_versions) or UNSET,
        )
        for case in run.cases.values()
    ]
    document = to_builtins(
        _Run(
            SCHEMA,
            run.started_at,
            dict(run.fingerprint),
            dict(run.software),
            cases,
            run.machine_id,
            run.note or UNSET,
        )
    )
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _encoded(metric: JudgedMetric) -> _Metric:
    return _Metric(metric.name, metric.unit, metric.better)


def decode(content: bytes) -> JudgedRun:
    """Return the run. Raise DamagedFile."""
    if len(content) > MOST_BYTES:
        raise DamagedFile(f"it takes {len(content)} bytes; expected at most {MOST_BYTES}")
    try:
        document = parse_object(content, constants=False)
    except ValueError as error:
        raise DamagedFile(f"no JSON: {error}") from None
    if document.get("schema") != SCHEMA:
        raise DamagedFile(f"schema {shown(document.get('schema'))}; this version reads schema {SCHEMA}")
    try:
        run = convert(document, _Run)
        # One by one: msgspec does not say which of them is wrong.
        software = {name: convert(version, _Text, f"software, {name}") for name, version in run.software.items()}
    except ValueError as error:
        raise DamagedFile(str(error)) from None
    _refuse_half_characters(document)
    utc(run.started_at)
    length = len(json.dumps(run.fingerprint))
    if length > _MOST_OF_FINGERPRINT:
        raise DamagedFile(f"fingerprint: expected at most {_MOST_OF_FINGERPRINT} characters, got {length}")
    cases = {case.id: _case(case) for case in run.cases}
    if len(cases) < len(run.cases):
        raise DamagedFile("cases: an id occurs twice")
    note = "" if run.note is UNSET else run.note
    return JudgedRun(run.started_at, run.fingerprint, run.individual, software, cases, note)


def _case(case: _Case) -> JudgedCase:
    try:
        metric = None if case.metric is None else _metric(case.metric)
        further = () if case.further_metrics is UNSET else tuple(map(_metric, case.further_metrics))
    except ValueError as error:
        raise DamagedFile(f"case {printable(case.id)}: {printable(str(error))}") from None
    names = [one.name for one in (metric, *further) if one is not None]
    if len(set(names)) < len(names):
        raise DamagedFile(f"case {printable(case.id)}: a metric occurs twice")
    return JudgedCase(
        id=case.id,
        status=case.status,
        trials=tuple(_trial(one, case, {each.name for each in further}) for one in case.trials),
        network_hash=case.network_hash,
        settings_digest=case.settings_digest,
        axes=case.axes,
        metric=metric,
        settings=case.settings,
        further_metrics=further,
        anchor_versions={} if case.anchor_versions is UNSET else case.anchor_versions,
    )


def _metric(metric: _Metric) -> JudgedMetric:
    return JudgedMetric(metric.name, metric.unit, metric.better)


def _trial(trial: _Trial, case: _Case, further: Collection[str]) -> JudgedTrial:
    values = {} if trial.further_values is UNSET else trial.further_values
    unnamed = next((name for name in values if name not in further), None)
    if unnamed is not None:
        where = f"case {printable(case.id)}: trial {trial.number} has a value of {printable(unnamed)}"
        raise DamagedFile(f"{where}, which further_metrics does not name")
    anchor = None if trial.anchor is UNSET else Anchor(trial.anchor.digest, trial.anchor.ratio, trial.anchor.mean_ratio)
    errors = {} if trial.standard_errors is UNSET else trial.standard_errors
    return JudgedTrial(trial.number, _value(trial, case), trial.disturbed_share, None, anchor, values, errors)


def _value(trial: _Trial, case: _Case) -> float:
    value = trial.images_per_second if case.metric is None and trial.value is UNSET else trial.value
    if value is UNSET:
        raise DamagedFile(f"case {printable(case.id)}: trial {trial.number} has no value")
    return value


def _refuse_half_characters(document: Any) -> None:
    """Raise DamagedFile for a text with a lone surrogate, which cannot be written to a file or a terminal."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise DamagedFile("it holds half a character; expected text that UTF-8 can represent") from None


def utc(started_at: str) -> datetime:
    """Return the moment. Raise DamagedFile for anything but a moment with its offset from UTC."""
    try:
        moment = datetime.fromisoformat(started_at)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise DamagedFile(f"started_at: expected ISO 8601 with an offset from UTC, got {started_at[:40]!r}")
    return moment
