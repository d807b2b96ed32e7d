"""The ledger, and the table and the JSON that are made of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_throughput.measurement.disturbance import Disturbance
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report import table
from pytest_throughput.report.rows import rows_of
from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.results.ledger import Ledger
from pytest_throughput.results.model import CaseResult, RunResult, TrialResult
from pytest_throughput.results.writer import extra_info, throughput_block
from pytest_throughput.worker.protocol import Outcome

QUIET = Disturbance(0.0, 0.0, 0, 0.0, 0.0)
HELD_UP = Disturbance(0.5, 0.5, 3, 0.5, None)


def measurement(*seconds: float, disturbed: int = 0, steps_per_round: int = 1) -> Measurement:
    return Measurement(
        round_seconds=tuple(seconds),
        steps_per_round=steps_per_round,
        first_step_seconds=0.61,
        warm_up_steps=2,
        stop_reason="target",
        latency_seconds=seconds[0],
        disturbances=(*[HELD_UP] * disturbed, *[QUIET] * (len(seconds) - disturbed)),
    )


STARTED_AT = "2026-11-20T12:00:00.000+00:00"


Ended = tuple[int, int, Outcome]
"""Number, items and outcome of a trial."""


def settle(ledger: Ledger, case: CaseResult, trial: Ended) -> CaseResult:
    """Settle a trial of a case, and return the case as it stands then."""
    number, items, outcome = trial
    ledger.settle(EndedTrial(case.id, case.environment, case.axes, number, STARTED_AT, items, outcome))
    return ledger.case(case.id, case.environment)


def trial(number: int, *seconds: float, items: int = 8, disturbed: int = 0, **metadata: Any) -> Ended:
    return number, items, Outcome("ok", measurement=measurement(*seconds, disturbed=disturbed), metadata=metadata)


def ended(status: str, reason: str, number: int = 1) -> Ended:
    return number, 8, Outcome(status, reason=reason)


def axes(mode: str, model: str, framework: str, execution: str, batch_size: int = 8) -> dict[str, Any]:
    return {
        "mode": mode,
        "model": model,
        "batch_size": batch_size,
        "precision": "fp32",
        "device": "cpu",
        "framework": framework,
        "execution": execution,
        "layout": None,
    }


@pytest.fixture
def ledger() -> Ledger:
    """Two frameworks, one network, both modes; in the order of a run: one framework after the other."""
    ledger = Ledger()
    for framework, execution in (("pytorch", "eager"), ("tensorflow", "graph")):
        for mode in ("inference", "training"):
            ledger.ask(f"{mode}-{framework}", "default", 1, axes(mode, "vgg16", framework, execution))
    return ledger


def test_frameworks_stand_side_by_side_for_the_same_work(ledger: Ledger) -> None:
    for case in ledger.result().cases:
        settle(ledger, case, trial(1, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, build_seconds=0.4))
    lines = table.render(ledger.result(), width=None, colour=False).splitlines()
    rows = [line.split() for line in lines if "vgg16" in line or "graph" in line]
    assert [row[:5] for row in rows] == [
        ["inference", "vgg16", "pytorch", "eager", "32.00"],
        ["tensorflow", "graph", "32.00", "1.00", "±0.0"],
        ["training", "vgg16", "pytorch", "eager", "32.00"],
        ["tensorflow", "graph", "32.00", "1.00", "±0.0"],
    ]
    assert "± rounds" in "\n".join(lines)
    assert lines[-2].startswith("all rows: batch 8, fp32, cpu; ÷ fastest: ")


def test_several_trials_are_summed_up_by_their_geometric_mean(ledger: Ledger) -> None:
    case = ledger.result().cases[0]
    ledger.ask(case.id, "default", 2, case.axes)
    settle(ledger, case, trial(1, 0.2, 0.1, 0.2))
    case = settle(ledger, case, trial(2, 0.05, 0.05))
    assert case.estimate().mean == pytest.approx((40 * 160) ** 0.5)
    text = table.render(ledger.result(), width=None, colour=False)
    assert "± trials" in text
    assert "80.00" in text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        ([0.1, 0.1], "±0.0 %"),
        ([0.1, 0.111], "±71 %"),
        ([0.1, 0.112], "×/÷ 2.1"),
        ([0.1, 0.13], "×/÷ 5.3"),
        ([0.1, 0.15], "×/÷ 13"),
        ([0.1, 10], "> ×/÷ 100"),
        ([1e-17, 1e17], "> ×/÷ 100"),
        ([0.1, 0.11, 0.1, 0.11, 0.1], "±6.5 %"),
        ([0.1], "-"),
    ],
)
def test_a_wide_interval_over_trials_is_a_factor(ledger: Ledger, seconds: list[float], shown: str) -> None:
    case, other = ledger.result().cases[:2]
    for number, each in enumerate(seconds, start=1):
        case = settle(ledger, case, trial(number, each))
    for number in (1, 2):
        settle(ledger, other, trial(number, 0.1))
    text = table.render(ledger.result(), width=None, colour=False)
    assert f" {shown} " in text.splitlines()[2], text


def test_a_case_that_yielded_nothing_keeps_its_row_and_says_why(ledger: Ledger) -> None:
    first, second, *_ = ledger.result().cases
    settle(ledger, first, ended("out_of_memory", "tried 3 GiB\x1b[31m"))
    settle(ledger, second, ended("crashed", "killed by SIGSEGV"))
    text = table.render(ledger.result(), width=None, colour=False)
    assert "out_of_memory" in text
    assert "crashed" in text
    assert text.count("not run") == 2
    assert f"{first.id}: out_of_memory: tried 3 GiB\\x1b[31m" in table.notes(ledger.result())


def test_a_swapped_process_is_named(ledger: Ledger) -> None:
    first, second, *_ = ledger.result().cases
    settle(ledger, first, trial(1, 0.2, swapped_bytes=300 << 20))
    settle(ledger, second, trial(1, 0.2, swapped_bytes=4096))
    (note,) = [line for line in table.notes(ledger.result()) if "swapped" in line]
    assert note.endswith(f"and their figures include waits for disk: {first.id} (300 MiB)")


def test_what_cannot_be_known_is_not_called_undisturbed(ledger: Ledger) -> None:
    case = ledger.result().cases[0]
    unknown = replace(measurement(0.2, 0.2), disturbances=(Disturbance(0.1, 0.1, 0, None, None),) * 2)
    case = settle(ledger, case, (1, 8, Outcome("ok", measurement=unknown)))
    assert case.trials[0].rounds_disturbed is None
    assert "disturbed" not in table.render(ledger.result(), width=None, colour=False)


def test_trials_of_one_process_have_no_interval(ledger: Ledger) -> None:
    case = ledger.result().cases[0]
    for number in (1, 2, 3):
        case = settle(ledger, case, trial(number, 0.1 * number, settings={"isolation": "none"}))
    mean, low, high = case.estimate()
    assert mean is not None
    assert (low, high) == (None, None)


def test_the_worst_trial_gives_the_status(ledger: Ledger) -> None:
    case = ledger.result().cases[0]
    for number, status in enumerate(("out_of_memory", "crashed", "unsupported"), start=1):
        case = settle(ledger, case, ended(status, status, number=number))
    assert (case.status, case.reason) == ("crashed", "crashed")


def test_one_bad_trial_makes_the_case_bad_and_keeps_the_good_one(ledger: Ledger) -> None:
    case = ledger.result().cases[0]
    ledger.ask(case.id, "default", 2, case.axes)
    settle(ledger, case, trial(1, 0.2))
    case = settle(ledger, case, ended("timed_out", "no result", number=2))
    assert (case.status, case.reason) == ("timed_out", "no result")
    assert (ledger.trials_ended, ledger.trials_asked) == (2, 5)
    assert case.estimate().mean == pytest.approx(40)


def test_a_repeated_trial_replaces_the_earlier(ledger: Ledger) -> None:
    case = ledger.result().cases[0]
    settle(ledger, case, ended("crashed", "once"))
    case = settle(ledger, case, trial(1, 0.2))
    assert (case.status, len(case.trials)) == ("ok", 1)


def test_a_trial_too_disturbed_to_mean_anything_says_so(ledger: Ledger) -> None:
    first, second, *_ = ledger.result().cases
    settle(ledger, first, trial(1, 0.2, 0.2, 0.2, disturbed=2))
    settle(ledger, second, trial(1, 0.2, 0.2, 0.2, disturbed=1))
    (note,) = [note for note in table.notes(ledger.result()) if "other processes held up most rounds" in note]
    assert note.endswith(f": {first.id}")
    assert "2/3" in table.render(ledger.result(), width=None, colour=False)


@pytest.mark.parametrize(("value", "shown"), [(0.4321, "43 %"), (0.0432, "4.3 %"), (0.00432, "0.43 %"), (1.2, "120 %")])
def test_the_share_of_the_peak_is_shown_where_it_is_known(ledger: Ledger, value: float, shown: str) -> None:
    first, second, *_ = ledger.result().cases
    settle(ledger, second, trial(1, 0.25))
    assert "peak" not in table.render(ledger.result(), width=None, colour=False)
    assert "images/J" not in table.render(ledger.result(), width=None, colour=False)
    settle(ledger, first, trial(1, 0.25, model_flops_utilisation=value, images_per_joule=1.234))
    text = table.render(ledger.result(), width=None, colour=False)
    assert "peak" in text
    assert " 1.234 " in text
    assert f" {shown} " in text


def test_a_share_above_the_peak_is_marked_and_explained(ledger: Ledger) -> None:
    first, second, third, _ = ledger.result().cases
    peak = {"tflops": 0.2108, "method": "measured", "source": "a large product of matrices by A, 2 threads"}
    for case, value, suited in ((first, 0.7, 0.9), (second, 1.2, 0.0), (third, 2.1, 1.0)):
        metadata: dict[str, Any] = {"model_flops_utilisation": value, "peak": peak, "winograd_flops_share": suited}
        metadata["precision"] = "fp32"
        settle(ledger, case, trial(1, 0.25, **metadata))
    text = table.render(ledger.result(), width=None, colour=False)
    assert [cell for cell in ("70 %", "120 %*", "210 %*") if f" {cell} " in text] == ["70 %", "120 %*", "210 %*"]
    assert text.endswith(f"\npeak: 0.211 TFLOP/s in fp32 ({peak['source']})")
    above = [note for note in table.notes(ledger.result()) if note.startswith("* above the peak")]
    assert [(second.id in note, third.id in note) for note in above] == [(True, False), (False, True)]
    assert ("was measured" in above[0], "Winograd" in above[0]) == (True, False)
    assert ("was measured" in above[1], "Winograd" in above[1], "at most 400 %" in above[1]) == (False, True, True)
    assert "implausible" not in text


@pytest.mark.parametrize(("ratio", "mark"), [(0.974, "ok, host-bound 0.97"), (0.89, "ok"), (None, "ok"), ("x", "ok")])
def test_a_step_that_waits_for_the_host_is_marked(ledger: Ledger, ratio: Any, mark: str) -> None:
    case = ledger.result().cases[0]
    settle(ledger, case, trial(1, 0.25, enqueue_ratio=ratio))
    row = table.render(ledger.result(), width=None, colour=False).splitlines()[2]
    assert row.endswith(f"  {mark}")
    explained = [note for note in table.notes(ledger.result()) if note.startswith("host-bound: ")]
    assert len(explained) == (mark != "ok")


@pytest.mark.parametrize(("ratio", "mark"), [(1.349, "ok, input-bound 1.35"), (1.19, "ok")])
def test_a_phase_that_waits_for_its_loader_is_marked(ledger: Ledger, ratio: float, mark: str) -> None:
    number, items, outcome = trial(1, 0.25)
    metrics = (Metric("images_per_second", "images/s", 32.0), Metric("input_bound_ratio", "", ratio, "lower"))
    settle(ledger, ledger.result().cases[0], (number, items, replace(outcome, metrics=metrics)))
    row = table.render(ledger.result(), width=None, colour=False).splitlines()[2]
    assert row.endswith(f"  {mark}")
    explained = [note for note in table.notes(ledger.result()) if note.startswith("input-bound: ")]
    assert len(explained) == (mark != "ok")


def test_steps_on_real_images_are_compared_with_those_on_random_ones(ledger: Ledger) -> None:
    first, second, *_ = ledger.result().cases
    for case, ratios in ((first, (1.25,)), (second, (0.5, 0.875, 1.0))):
        for count, ratio in enumerate(ratios, 1):
            number, items, outcome = trial(count, 0.25)
            metrics = (
                Metric("images_per_second", "images/s", 32.0),
                Metric("real_to_random_ratio", "", ratio, "lower"),
            )
            settle(ledger, case, (number, items, replace(outcome, metrics=metrics)))
    (line,) = [note for note in table.notes(ledger.result()) if note.startswith("seconds of a step on real images")]
    names = [" ".join((row.member, row.group)) for row in rows_of(ledger.result().cases)[:2]]
    assert line.partition(": ")[2] == f"{names[0]} 1.25; {names[1]} 0.88 (0.50 to 1.00 in 3 trials)"


def test_a_trial_on_a_throttled_gpu_is_disturbed_as_a_whole(ledger: Ledger) -> None:
    case = ledger.result().cases[0]
    case = settle(ledger, case, trial(1, 0.2, 0.2, disturbed_by="2 other processes on the GPU"))
    assert case.trials[0].rounds_disturbed == 2
    notes = table.notes(ledger.result())
    assert "inference-pytorch: disturbed: 2 other processes on the GPU" in notes
    assert not any("held up most rounds" in note for note in notes)
    assert "2/2" in table.render(ledger.result(), width=None, colour=False)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_narrow_terminal_folds_and_loses_nothing(ledger: Ledger, width: int) -> None:
    for case in ledger.result().cases:
        settle(ledger, case, trial(1, 0.25))
    text = table.render(ledger.result(), width=width, colour=False)
    assert "32.00" in text or width < 80
    assert "…" not in text or width < 80


class TestRatios:
    """The column that compares the rows of a work."""

    @staticmethod
    def column(ledger: Ledger) -> list[list[str]]:
        lines = table.render(ledger.result(), width=None, colour=False).splitlines()
        start = next(line.index("÷ fastest") for line in lines if "÷ fastest" in line)
        return [line[start - 4 : start + len("÷ fastest")].split() for line in lines[2:6]]

    def test_one_trial_has_a_ratio_without_an_interval(self, ledger: Ledger) -> None:
        for case, seconds in zip(ledger.result().cases, (0.25, 0.4, 0.1, 0.4), strict=True):
            settle(ledger, case, trial(1, seconds))
        assert [cell[-1:] for cell in self.column(ledger)] == [["0.400"], ["1"], ["1"], ["1.00"]]
        assert "÷ fastest: " in table.render(ledger.result(), width=None, colour=False)

    def test_several_trials_have_an_interval(self, ledger: Ledger) -> None:
        first, _, other, _ = ledger.result().cases
        for number, seconds in enumerate((0.1, 0.11, 0.1), start=1):
            settle(ledger, first, trial(number, seconds))
            settle(ledger, other, trial(number, 2 * seconds * (1.01 if number == 2 else 1)))
        cell = self.column(ledger)[1]
        assert cell == ["0.498", "±1.4", "%"]

    def test_a_single_row_of_each_work_has_none(self, ledger: Ledger) -> None:
        inference, training, *_ = ledger.result().cases
        settle(ledger, inference, trial(1, 0.2))
        settle(ledger, training, trial(1, 0.4))
        assert "fastest" not in table.render(ledger.result(), width=None, colour=False)

    @pytest.mark.parametrize("trials", [1, 2])
    def test_it_stays_in_a_narrow_terminal(self, ledger: Ledger, trials: int) -> None:
        for number in range(1, trials + 1):
            for case in ledger.result().cases:
                settle(ledger, case, trial(number, 0.25))
        for width in (60, 80):
            lines = table.render(ledger.result(), width=width, colour=False).splitlines()
            assert "÷ fastest" in lines[0] + lines[1]
            assert max(map(len, lines[:-2])) <= width


def test_markup_in_names_is_shown_as_it_is() -> None:
    ledger = Ledger()
    ledger.ask("test.py::test[red]", "default", 1, {})
    settle(ledger, ledger.result().cases[0], trial(1, 0.25))
    assert "test.py::test[red]" in table.render(ledger.result(), width=None, colour=True)


def test_the_block_has_every_case_that_was_asked_for(ledger: Ledger) -> None:
    first, second, third, _ = ledger.result().cases
    ledger.ask(first.id, "default", 2, first.axes)
    settle(ledger, first, trial(1, 0.2, 0.1, 0.2, disturbed=1, settings={"threads": 2}, network_hash="ab"))
    settle(ledger, first, trial(2, 0.2, settings={"threads": 2}, network_hash="ab"))
    settle(ledger, second, trial(1, 0.1))
    settle(ledger, third, ended("unsupported", "no fp16"))
    block = throughput_block(ledger.result(deselected=["x"], fingerprint={"cpu": {}}, machine_id="ab"))
    assert {name: block[name] for name in ("schema", "complete", "deselected", "fingerprint", "individual")} == {
        "schema": 1,
        "complete": False,
        "deselected": ["x"],
        "fingerprint": {"cpu": {}},
        "individual": "ab",
    }
    assert [case["status"] for case in block["cases"]] == ["ok", "ok", "unsupported", None]
    measured = block["cases"][0]
    assert measured["trials"][0] == {
        "trial": 1,
        "images_per_second": pytest.approx(40),
        "median_seconds": pytest.approx(0.2),
        "rounds": 3,
        "rounds_disturbed": 1,
        "started_at": "2026-11-20T12:00:00.000+00:00",
        "resumed": False,
    }
    assert measured["images_per_second_low"] <= 40.0000001
    assert measured["images_per_second_high"] >= 39.9999999
    assert (measured["settings"], measured["network_hash"]) == ({"threads": 2}, "ab")
    assert block["cases"][1]["images_per_second_low"] is None
    assert block["cases"][2]["reason"] == "no fp16"


def test_extra_info_has_every_key_and_no_fact_replaces_a_figure(ledger: Ledger) -> None:
    case = ledger.result().cases[0]
    measured = trial(1, 0.2, 0.2, 0.2, disturbed=1, layout="nhwc", case_id="someone else", images_per_second=9e9)
    case = settle(ledger, case, measured)
    info = extra_info(case, case.trials[0])
    assert info["case_id"] == "inference-pytorch"
    assert info["images_per_second"] == pytest.approx(40)
    rate = {"name": "images_per_second", "unit": "images/s", "value": info["images_per_second"], "better": "higher"}
    assert info["metrics"] == [rate]
    assert (info["layout"], info["model"], info["parameters"]) == ("nhwc", "vgg16", None)
    assert info["disturbance"] == {
        "waiting_seconds": 0.5,
        "longest_wait_seconds": 0.5,
        "involuntary_switches": 3,
        "foreign_seconds": 0.5,
        "steal_seconds": 0.0,
        "rounds": [0],
    }
    assert (info["rounds_disturbed"], info["stop_reason"], info["latency_seconds"]) == (1, "target", 0.2)


def measured_as(case_id: str, metric: Metric) -> CaseResult:
    trial = TrialResult(trial=1, items=1, median_seconds=0.5, metrics=(metric,))
    return CaseResult(case_id, "default", {}, "ok", trials=(trial,))


def test_the_primary_metric_gives_the_column_and_its_unit() -> None:
    """Cases of several units have theirs in their cells."""
    tokens = measured_as("a", Metric("tokens_per_second", "tokens/s", 1234.0))
    epochs = measured_as("b", Metric("seconds_per_epoch", "s", 12.5, "lower"))
    lines = table.render(RunResult((tokens,)), width=None, colour=False).splitlines()
    assert [line.split() for line in lines] == [
        ["work", "tokens/s", "ms/step", "status"],
        ["a", "1,234", "500.0", "ok"],
    ]
    lines = table.render(RunResult((tokens, epochs)), width=None, colour=False).splitlines()
    assert [line.split() for line in lines] == [
        ["work", "result", "ms/step", "status"],
        ["a", "1,234", "tokens/s", "500.0", "ok"],
        ["b", "12.50", "s", "500.0", "ok"],
    ]


def test_images_are_items_beside_other_items() -> None:
    result = RunResult(
        (
            measured_as("a", Metric("images_per_second", "images/s", 12.0)),
            measured_as("b", Metric("images_per_second", "items/s", 34.0)),
        )
    )
    lines = table.render(result, width=None, colour=False).splitlines()
    assert [line.split()[:2] for line in lines] == [["work", "items/s"], ["a", "12.00"], ["b", "34.00"]]


class TestNarrowTerminals:
    """What becomes of the table where its columns do not fit."""

    @staticmethod
    def measured(ledger: Ledger) -> Ledger:
        for case in ledger.result().cases:
            metadata: dict[str, Any] = {
                "build_seconds": 0.4,
                "peak_memory_bytes": 900 << 20,
                "model_flops_utilisation": 0.31,
            }
            settle(ledger, case, trial(1, *[0.25] * 6, **metadata))
        return ledger

    def test_columns_are_left_out_by_rank_and_named(self, ledger: Ledger) -> None:
        whole = table.render(self.measured(ledger).result(), width=None, colour=False)
        widest = max(map(len, whole.splitlines()[:-1]))
        assert table.render(ledger.result(), width=widest, colour=False) == whole
        *rows, left_out = table.render(ledger.result(), width=widest - 1, colour=False).splitlines()
        assert left_out == f"left out for lack of width: build (COLUMNS={widest} shows all)"
        assert "0.40 s" not in "\n".join(rows)
        shown, names = table.render(ledger.result(), width=80, colour=False).split("left out for lack of width: ")
        assert ("peak: " in shown, "± rounds: " in shown) == (False, True)
        assert max(map(len, [*shown.splitlines(), *names.splitlines()])) <= 80
        assert "± rounds" in shown.splitlines()[0]
        assert [
            name for name in ("build", "first step", "peak memory", "÷ peak") if name not in " ".join(names.split())
        ] == []

    def test_the_work_has_a_line_of_its_own_where_it_does_not_fit_beside_the_rate(self, ledger: Ledger) -> None:
        lines = table.render(self.measured(ledger).result(), width=60, colour=False).splitlines()
        assert [line for line in lines if "vgg16" in line] == ["inference vgg16", "training vgg16"]
        assert len([line for line in lines if line.startswith("  tensorflow graph")]) == 2

    @pytest.mark.parametrize("width", [1, 5, 10, 20, 40, 60, 80, 100, 120, 140])
    def test_every_rate_and_status_stands_in_full_at_any_width(self, ledger: Ledger, width: int) -> None:
        self.measured(ledger)
        last = ledger.result().cases[-1]
        settle(ledger, last, ended("out_of_memory", "tried 3 GiB"))
        text = table.render(ledger.result(), width=width, colour=False)
        assert text.count("32.00") == 3
        assert "out_of_memory" in text
        assert "".join(text.split()).count("inferencevgg16") == 1

    def test_names_of_tests_are_folded_below_their_figures_and_never_lost(self) -> None:
        ledger = Ledger()
        name = "benchmarks/test_network.py::TestNetworks::test_forward_and_backward[resnet50-8]"
        ledger.ask(name, "default", 1, {})
        settle(ledger, ledger.result().cases[0], trial(1, *[0.25] * 6))
        lines = table.render(ledger.result(), width=40, colour=False).splitlines()
        assert "".join(lines[1:4]).startswith(name)
        assert lines[3].split()[:2] == ["32.00", "±0.0"]
