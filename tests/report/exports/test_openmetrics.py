"""OpenMetrics: read by the strict parser of prometheus_client, in base units, with every label as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented_runs import a_case, a_hostile_run, a_run
from prometheus_client import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as in_the_older_format
from prometheus_client.samples import Sample

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report.exports.openmetrics import export
from pytest_throughput.results.model import RunResult
from pytest_throughput.text import printable


def families(result: RunResult) -> dict[str, Family]:
    text = export(result).content.decode()
    assert text.endswith("\n# EOF\n")
    found = {family.name: family for family in text_string_to_metric_families(text)}
    older = {family.name: family for family in in_the_older_format(text)}
    assert older.keys() == found.keys()
    for family in found.values():
        assert (family.type, family.samples) == ("gauge", older[family.name].samples)
        labels = [tuple(sorted(sample.labels.items())) for sample in family.samples]
        assert len({*labels}) == len(labels) > 0 and family.documentation
    return found


def one_sample(family: Family) -> Sample:
    (sample,) = family.samples
    assert isinstance(sample, Sample)
    return sample


def test_a_case_has_its_mean_its_interval_and_its_seconds() -> None:
    found = families(a_run())
    names = [f"pytest_throughput_{which}_images_per_second" for which in ("mean", "low", "high")]
    assert [one_sample(found[name]).value for name in names] == [*a_case().estimate()]
    mean = found[names[0]]
    assert (mean.type, mean.unit) == ("gauge", "images_per_second")
    assert mean.documentation == "Geometric mean over the trials; higher values are better."
    assert one_sample(mean).labels == {
        "case": "training-vgg16",
        "environment": "default",
        "axis_mode": "training",
        "axis_framework": "pytorch",
        "axis_device": "cpu",
        "axis_model": "vgg16",
        "axis_batch_size": "8",
    }
    assert one_sample(found["pytest_throughput_step_seconds"]).value == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize(
    ("metric", "name", "unit", "value"),
    [
        (Metric("images_per_second", "tokens/s", 1.0), "tokens_per_second", "tokens_per_second", 4.0),
        (Metric("items_per_second", "rows/s", 1.0), "items_per_second", "", 4.0),
        (Metric("latency_ms", "ms", 1.0, "lower"), "latency_seconds", "seconds", 0.004),
        (Metric("seconds", "s", 1.0, "lower"), "seconds", "seconds", 4.0),
        (Metric("seconds_per_epoch", "s", 1.0, "lower"), "seconds_per_epoch", "", 4.0),
        (Metric("peak_memory_bytes", "bytes", 1.0, "lower"), "peak_memory_bytes", "bytes", 4.0),
        (Metric("file_size", "KiB", 1.0, "lower"), "file_size_bytes", "bytes", 4096.0),
        (Metric("hits", "%", 1.0), "hits_ratio", "ratio", 0.04),
        (Metric("accuracy", "", 1.0), "accuracy", "", 4.0),
    ],
)
def test_values_are_in_base_units(metric: Metric, name: str, unit: str, value: float) -> None:
    family = families(a_run(a_case(values=(4.0,), metric=metric)))[f"pytest_throughput_mean_{name}"]
    assert family.unit == unit and one_sample(family).value == pytest.approx(value)
    assert family.documentation.endswith(f"{metric.better} values are better.")


def test_every_case_has_its_status_and_the_run_says_whether_it_is_complete() -> None:
    found = families(a_run(a_case("a"), a_case("b", (), status="failed"), a_case("c", (), status=None), complete=False))
    info = found["pytest_throughput_case_info"]
    assert {sample.value for sample in info.samples} == {1}
    assert {sample.labels["case"]: sample.labels["status"] for sample in info.samples} == {
        "a": "ok",
        "b": "failed",
        "c": "not_run",
    }
    assert one_sample(found["pytest_throughput_complete"]).value == 0


def test_hostile_texts_are_labels() -> None:
    samples = families(a_hostile_run())["pytest_throughput_case_info"].samples
    labels = [sample.labels["case"] for sample in samples]
    assert len({*labels}) == 16 and 'a "quoted", \\ name of {two} lines' in labels
    assert all(text.isprintable() for sample in samples for text in sample.labels.values())


@given(st.text(min_size=1, max_size=30))
def test_any_text_is_a_label(text: str) -> None:
    found = families(a_run(a_case(text, axes={text: text}, metric=Metric("images_per_second", f"{text}/s", 1.0))))
    assert found["pytest_throughput_case_info"].samples[0].labels["case"] == (printable(text, 500) or "?")
