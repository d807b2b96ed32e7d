"""The list for github-action-benchmark: what its extract.ts reads and its tables show, in one direction."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from invented_runs import a_case, a_hostile_run, a_run

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report.exports.exported import Exported
from pytest_throughput.report.exports.github_benchmark import bigger_is_better, smaller_is_better

SECONDS = Metric("seconds_per_epoch", "s", 1.0, "lower")


def entries(exported: Exported) -> list[dict[str, Any]]:
    """The entries, if they have the members of the interface BenchmarkResult and no others."""
    found = json.loads(exported.content)
    for entry in found:
        assert {"name", "unit", "value"} <= entry.keys() <= {"name", "unit", "value", "range", "extra"}
        assert type(entry["value"]) is float and entry["value"] > 0
        assert all(type(entry[name]) is str for name in entry.keys() - {"value"})
    assert len({entry["name"] for entry in found}) == len(found)
    return list(found)


def test_an_entry_is_a_case_with_its_interval() -> None:
    (entry,) = entries(bigger_is_better(a_run()))
    mean, low, high = a_case().estimate()
    assert low is not None and high is not None
    assert (entry["name"], entry["unit"], entry["value"]) == ("training-vgg16", "images/s", mean)
    # The consumer finds the number of a range in this way, to convert its unit.
    half = re.search(r"(\+-|±)\s*(\d.+)", entry["range"])
    assert half is not None and float(half[2]) == pytest.approx((high - low) / 2, rel=1e-3)
    assert entry["extra"].splitlines()[0] == "trials: 3"


def test_a_single_trial_has_no_range() -> None:
    (entry,) = entries(bigger_is_better(a_run(a_case(values=(80.0,)))))
    assert "range" not in entry


def test_each_list_has_one_direction_and_names_the_other() -> None:
    run = a_run(a_case("fast"), a_case("epochs", (3.0, 3.1), metric=SECONDS))
    bigger, smaller = bigger_is_better(run), smaller_is_better(run)
    assert [entry["name"] for entry in entries(bigger)] == ["fast"]
    assert [(entry["name"], entry["unit"]) for entry in entries(smaller)] == [("epochs", "s")]
    assert bigger.notes == (
        "left out, since lower values are better: 1 case; --format github-action-benchmark-smaller exports them",
    )
    assert smaller.notes == (
        "left out, since higher values are better: 1 case; --format github-action-benchmark exports them",
    )


def test_what_is_wrong_with_a_run_is_said() -> None:
    run = a_run(
        a_case("odd", implausible="faster than light"), a_case("b", (), status="crashed"), a_case("c", (), status=None),
        complete=False,
    )  # fmt: skip
    exported = bigger_is_better(run)
    (entry,) = entries(exported)
    assert "implausible: faster than light" in entry["extra"] and "not complete" in entry["extra"]
    assert exported.notes == (
        "not complete: the run was interrupted, or its budget spent",
        "left out, since there are no figures: 2 cases: b (crashed), c (not run)",
        "exported, though their figures cannot be right: odd; see pytest-throughput show",
    )


def test_no_text_leaves_the_table_that_the_action_makes_of_it() -> None:
    found = entries(bigger_is_better(a_hostile_run()))
    assert len(found) == 8
    for entry in found:
        assert not {*"`|"} & {*entry["name"]} and not {*"`|<>@[]*#:."} & {*entry["unit"]}
        assert all(one.isprintable() or one == "\n" for text in entry.values() for one in str(text))
