"""Bencher Metric Format: its JSON Schema, the measure throughput, and ordered bounds."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from invented_runs import a_case, a_hostile_run, a_run

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report.exports.bencher import export
from pytest_throughput.report.exports.exported import Exported

NUMBER = {"type": "number"}
METRIC = {
    "type": "object",
    "required": ["value"],
    "properties": {"value": NUMBER, "lower_value": NUMBER, "upper_value": NUMBER},
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "propertyNames": {"minLength": 1, "maxLength": 1024, "pattern": r"^\S(.*\S)?$"},
    "additionalProperties": {
        "type": "object",
        "propertyNames": {"pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 64},
        "additionalProperties": METRIC,
    },
}
"""As on the page "Bencher Metric Format", and in addition the limits of names there."""


def benchmarks(exported: Exported) -> dict[str, Any]:
    found = json.loads(exported.content)
    jsonschema.validate(found, SCHEMA)
    return dict(found)


def test_a_rate_is_the_measure_throughput_with_its_interval() -> None:
    mean, low, high = a_case().estimate()
    assert benchmarks(export(a_run())) == {
        "training-vgg16": {"throughput": {"value": mean, "lower_value": low, "upper_value": high}}
    }


def test_another_metric_is_a_measure_of_its_own_name() -> None:
    epochs = a_case("epochs", (3.0,), metric=Metric("seconds_per_epoch", "s", 1.0, "lower"))
    accuracy = a_case("accuracy", (0.9,), metric=Metric("accuracy", "", 1.0))
    calls = a_case("calls", (5.0,), metric=Metric("calls_per_second", "calls/s", 1.0))
    found = benchmarks(export(a_run(epochs, accuracy, calls)))
    values = {name: {measure: each["value"] for measure, each in of.items()} for name, of in found.items()}
    assert values["epochs"] == pytest.approx({"seconds-per-epoch": 3.0})
    assert values["accuracy"] == pytest.approx({"accuracy": 0.9})
    assert values["calls"] == pytest.approx({"throughput": 5.0})


def test_what_the_format_cannot_say_is_noted() -> None:
    notes = export(a_run(a_case("a", (), status="failed"), complete=False)).notes
    assert [note.partition(":")[0] for note in notes] == [
        "not complete",
        "left out, since there are no figures",
    ]


def test_hostile_names_are_names() -> None:
    assert len(benchmarks(export(a_hostile_run()))) == 8
