"""An accepted run as JSON, and back: nothing in a file is believed before it has been looked at.

Files may be damaged or come from strangers. What is read is checked for its type, its range and its
size, and whatever is wrong is one :class:`DamagedFile` that says where.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pytest_throughput.gate.runs import Axes, CaseResult, Run, Trial
from pytest_throughput.results.untrusted_json import parse_object

__all__ = ["MOST_BYTES", "SCHEMA", "DamagedFile", "decode", "encode", "utc"]

SCHEMA = 1
MOST_BYTES = 32 * 2**20
_MOST_CASES = 20_000
_MOST_TRIALS = 1_000
_MOST_AXES = 50
_MOST_CHARACTERS = 1_000
_MOST_VERSIONS = 200
_MOST_OF_FINGERPRINT = 10_000
_LEAST_RATE, _LARGEST_RATE = 1e-18, 1e18


class DamagedFile(ValueError):
    """Not an accepted run, or not one that this version reads."""


def encode(run: Run) -> bytes:
    """The same bytes for the same run: trial summaries, never rounds."""
    document = {
        "schema": SCHEMA,
        "started_at": run.started_at,
        "fingerprint": dict(run.fingerprint),
        "individual": run.machine_id,
        "software": dict(run.software),
        "cases": [
            {
                "id": case.id,
                "status": case.status,
                "network_hash": case.network_hash,
                "settings_digest": case.settings_digest,
                "axes": dict(case.axes),
                "trials": [
                    {
                        "number": trial.number,
                        "images_per_second": trial.images_per_second,
                        "disturbed_share": trial.disturbed_share,
                    }
                    for trial in case.trials
                ],
            }
            for case in run.cases.values()
        ],
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def decode(content: bytes) -> Run:
    """Raises DamagedFile."""
    if len(content) > MOST_BYTES:
        raise DamagedFile(f"it takes {len(content)} bytes; expected at most {MOST_BYTES}")
    try:
        document = parse_object(content, constants=False)
    except ValueError as error:
        raise DamagedFile(f"no JSON: {error}") from None
    if document.get("schema") != SCHEMA:
        raise DamagedFile(f"schema {str(document.get('schema'))[:40]!r}; this version reads schema {SCHEMA}")
    started_at = _text(document, "started_at")
    utc(started_at)
    fingerprint = _mapping(document, "fingerprint")
    _check_fingerprint(fingerprint)
    software = _mapping(document, "software")
    if len(software) > _MOST_VERSIONS:
        raise DamagedFile(f"software: expected at most {_MOST_VERSIONS} versions, got {len(software)}")
    cases = [_case(one) for one in _list(document, "cases", _MOST_CASES)]
    by_id = {case.id: case for case in cases}
    if len(by_id) < len(cases):
        raise DamagedFile("cases: an id occurs twice")
    return Run(
        started_at=started_at,
        fingerprint=fingerprint,
        machine_id=_text_or_none(document, "individual"),
        software={_checked(name, "software"): _text(software, name) for name in software},
        cases=by_id,
    )


def _check_fingerprint(fingerprint: Mapping[str, Any]) -> None:
    length = len(json.dumps(fingerprint))
    if length > _MOST_OF_FINGERPRINT:
        raise DamagedFile(f"fingerprint: expected at most {_MOST_OF_FINGERPRINT} characters, got {length}")


def utc(started_at: str) -> datetime:
    """Raises DamagedFile for anything but a moment with its offset from UTC."""
    try:
        moment = datetime.fromisoformat(started_at)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise DamagedFile(f"started_at: expected ISO 8601 with an offset from UTC, got {started_at[:40]!r}")
    return moment


def _case(value: object) -> CaseResult:
    if not isinstance(value, dict):
        raise DamagedFile("cases: expected an object for each")
    return CaseResult(
        id=_text(value, "id"),
        status=_text(value, "status"),
        network_hash=_text_or_none(value, "network_hash"),
        settings_digest=_text_or_none(value, "settings_digest"),
        trials=tuple(_trial(one) for one in _list(value, "trials", _MOST_TRIALS)),
        axes=_axes(value),
    )


def _axes(value: Mapping[str, Any]) -> Axes:
    axes = _mapping(value, "axes")
    if len(axes) > _MOST_AXES:
        raise DamagedFile(f"axes: expected at most {_MOST_AXES}, got {len(axes)}")
    return {
        _checked(name, "axes"): given if given is None or _is_whole(given) else _text(axes, name)
        for name, given in axes.items()
    }


def _is_whole(value: object) -> bool:
    """Whether it is a whole number, and none so long that it takes long to work with."""
    return type(value) is int and abs(value) <= 2**53


def _trial(value: object) -> Trial:
    if not isinstance(value, dict):
        raise DamagedFile("trials: expected an object for each")
    number = value.get("number")
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= _MOST_TRIALS:
        raise DamagedFile(f"number: expected 1 to {_MOST_TRIALS}, got {str(number)[:40]!r}")
    share = value.get("disturbed_share")
    images_per_second = _number(value, "images_per_second")
    if not _LEAST_RATE <= images_per_second <= _LARGEST_RATE:
        raise DamagedFile(
            f"images_per_second: expected {_LEAST_RATE:g} to {_LARGEST_RATE:g}, so more than 0, got {images_per_second}"
        )
    return Trial(number, images_per_second, None if share is None else _share(_number(value, "disturbed_share")))


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise DamagedFile(f"disturbed_share: expected 0 to 1, got {value}")
    return value


def _number(mapping: Mapping[str, Any], key: str) -> float:
    value = mapping.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise DamagedFile(f"{key}: expected a number, got {str(value)[:40]!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise DamagedFile(f"{key}: expected a finite number")
    return number


def _text(mapping: Mapping[str, Any], key: str) -> str:
    return _checked(mapping.get(key), key)


def _text_or_none(mapping: Mapping[str, Any], key: str) -> str | None:
    return None if mapping.get(key) is None else _text(mapping, key)


def _checked(value: object, key: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_CHARACTERS:
        raise DamagedFile(f"{key[:40]}: expected a text of 1 to {_MOST_CHARACTERS} characters")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise DamagedFile(f"{key[:40]}: half a character")
    return value


def _mapping(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = mapping.get(key)
    if not isinstance(value, dict):
        raise DamagedFile(f"{key}: expected an object")
    return value


def _list(mapping: Mapping[str, Any], key: str, most: int) -> list[Any]:
    value = mapping.get(key)
    if not isinstance(value, list) or len(value) > most:
        raise DamagedFile(f"{key}: expected a list of at most {most}")
    return value
