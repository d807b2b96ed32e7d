"""Verdicts to be read: what stands where, and that it stays readable."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from pytest_throughput.exit_code import ExitCode
from pytest_throughput.gate.rules import Code
from pytest_throughput.gate.verdict import (
    CaseVerdict,
    Changes,
    Differences,
    Judgement,
    Verdict,
    exit_status,
    nothing_comparable,
)
from pytest_throughput.options.gate_options import read_fail_on, read_false_alarm_rate, read_threshold
from pytest_throughput.report.verdict_table import as_json, as_markdown, as_table, summary

WHY = {
    Verdict.REGRESSED: Code.SLOWER,
    Verdict.IMPROVED: Code.FASTER,
    Verdict.UNCHANGED: Code.WITHIN_THRESHOLD,
    Verdict.INCONCLUSIVE: Code.NOISE,
    Verdict.NEW: Code.NO_BASELINE,
    Verdict.MISSING: Code.NOT_IN_RUN,
    Verdict.FAILED: Code.STATUS,
    Verdict.INCOMPARABLE: Code.NETWORK_CHANGED,
}


def case(verdict: Verdict, name: str = "case", reason: str = "because", ratio: float | None = None) -> CaseVerdict:
    low, high = (None, None) if ratio is None else (ratio - 0.01, ratio + 0.01)
    return CaseVerdict(
        name,
        verdict,
        WHY[verdict],
        reason,
        ratio,
        low,
        high,
        trials_base=25,
        trials_head=5,
        runs_base=5,
        detectable_ratio=0.9,
    )


def judged(*cases: CaseVerdict, software: dict[str, tuple[str | None, str | None]] | None = None) -> Judgement:
    return Judgement("head against base", exit_status(cases, ["regressed"]), cases, software or {}, ("a note",))


@pytest.mark.parametrize(
    ("verdict", "detectable", "is_underpowered"),
    [
        (Verdict.INCONCLUSIVE, None, True),
        (Verdict.UNCHANGED, 0.45, True),
        (Verdict.UNCHANGED, 0.55, False),
        (Verdict.REGRESSED, None, False),
        (Verdict.NEW, None, False),
    ],
)
def test_underpowered_cases_are_counted_and_can_fail_the_gate(
    verdict: Verdict, detectable: float | None, is_underpowered: bool
) -> None:
    cases = (case(Verdict.UNCHANGED, "calm"), replace(case(verdict), detectable_ratio=detectable))
    assert ("(1 could not have shown a doubling of the seconds)" in summary(judged(*cases))) is is_underpowered
    failed = exit_status(cases, ["underpowered"])
    assert failed == (ExitCode.INCONCLUSIVE if is_underpowered else ExitCode.OK)


@pytest.mark.parametrize(("is_decidable", "status"), [(False, ExitCode.NOTHING_COMPARABLE), (True, ExitCode.OK)])
def test_where_no_figures_would_have_decided_anything_the_status_is_not_0(is_decidable: bool, status: ExitCode) -> None:
    cases = (
        replace(case(Verdict.INCONCLUSIVE), is_decidable=is_decidable),
        case(Verdict.NEW),
        case(Verdict.INCOMPARABLE),
    )
    assert exit_status(cases, ["regressed"]) == status


def test_incomparable_cases_can_fail_the_gate() -> None:
    cases = (case(Verdict.UNCHANGED), case(Verdict.INCOMPARABLE))
    assert exit_status(cases, ["incomparable"]) == ExitCode.INCONCLUSIVE
    assert exit_status(cases, ["regressed"]) == ExitCode.OK


def test_the_worst_regression_stands_first() -> None:
    judgement = judged(
        case(Verdict.UNCHANGED, "calm"),
        case(Verdict.REGRESSED, "slow", ratio=0.9),
        case(Verdict.MISSING, "gone"),
        case(Verdict.REGRESSED, "slower", ratio=0.5),
        software={"torch": ("2.12", "2.13"), "cuda": (None, "13")},
    )
    assert as_table(judgement).splitlines() == [
        "head against base: 2 regressed, 1 missing, 1 unchanged",
        "",
        "verdict    case    speed, head ÷ base      trials        why",
        "regressed  slower  0.500 (0.490 to 0.510)  5 against 25  because",
        "regressed  slow    0.900 (0.890 to 0.910)  5 against 25  because",
        "missing    gone    –                       5 against 25  because",
        "",
        "torch: 2.12 → 2.13",
        "cuda: none → 13",
        "unchanged: calm",
        "a note",
    ]


def test_two_environments_have_a_row_for_each_case_and_a_line_for_each_difference() -> None:
    measured = (
        case(Verdict.UNCHANGED, "calm", "plain from the ratio", ratio=1.0),
        case(Verdict.INCONCLUSIVE, "loud", "noise", ratio=0.9),
        case(Verdict.REGRESSED, "slow", "90 %", ratio=0.9),
    )
    cases = (
        *(replace(one, value_base=1234.5, value_head=1111.0, unit="images/s") for one in measured),
        case(Verdict.FAILED, "broken", "crashed"),
    )
    software: Changes = {"torch": ("2.12", "2.13"), "frames": (None, "1 (git ab12)")}
    found = Differences(software, {"OMP_PROC_BIND": (None, "1")}, "the same: 9 packages")
    judgement = replace(judged(*cases, software={"torch": ("2.12", "2.13")}), in_full=True).with_differences(found)
    assert as_table(judgement).splitlines() == [
        "head against base: 1 regressed, 1 failed, 1 inconclusive, 1 unchanged",
        "",
        "verdict       case    base            head            speed, head ÷ base      trials        why",
        "regressed     slow    1,234 images/s  1,111 images/s  0.900 (0.890 to 0.910)  5 against 25  90 %",
        "failed        broken  –               –               –                       5 against 25  crashed",
        "inconclusive  loud    1,234 images/s  1,111 images/s  0.900 (0.890 to 0.910)  5 against 25  noise",
        "unchanged     calm    1,234 images/s  1,111 images/s  1.000 (0.990 to 1.010)  5 against 25",
        "",
        "variable OMP_PROC_BIND: none → 1",
        "frames: none → 1 (git ab12)",
        "torch: 2.12 → 2.13",
        "a note",
        "the same: 9 packages",
    ]
    narrow = as_table(judgement, width=60).splitlines()
    assert "unchanged: calm" in narrow and "    base: 1,234 images/s; head: 1,111 images/s" in narrow
    assert "| **unchanged** | calm | 1,234 images/s | 1,111 images/s | 1.000 (" in as_markdown(judgement)
    document = json.loads(as_json(judgement))
    assert document["variable_changes"] == {"OMP_PROC_BIND": {"base": None, "head": "1"}}
    assert "in_full" not in document


def test_cases_with_one_reason_share_a_line() -> None:
    cases = [case(Verdict.INCONCLUSIVE, f"c{number}", "too few runs") for number in range(8)]
    lines = as_table(judged(*cases, case(Verdict.INCONCLUSIVE, "d", "noise"))).splitlines()
    assert "inconclusive: 8 cases (c0, c1, c2, c3, c4, …): too few runs" in lines
    assert "inconclusive: d: noise" in lines


def test_a_narrow_terminal_loses_nothing() -> None:
    name = "training-pytorch-cpu-a-long-name-of-a-network-b128-fp32-eager"
    text = as_table(judged(case(Verdict.REGRESSED, name, ratio=0.9)), width=60, colour=True)
    table = re.sub(r"\x1b\[[\d;]*m", "", text).split("\n\n")[1]
    assert table != text.split("\n\n")[1]
    assert all(len(line) <= 60 for line in table.splitlines())
    assert f"regressed:{name}speed,head÷base:" in "".join(table.split())


def test_a_thousand_cases_stay_short() -> None:
    cases = [
        case(verdict, f"{verdict}-{number}", f"reason {number}", ratio=0.9 if verdict is Verdict.REGRESSED else None)
        for verdict in Verdict
        for number in range(1_000)
    ]
    judgement = judged(*cases)
    assert len(as_table(judgement).splitlines()) < 400
    assert "and 2900 more; --format json has all" in as_table(judgement)
    assert len(as_markdown(judgement)) < 65_536
    assert len(json.loads(as_json(judgement))["cases"]) == 8_000


def test_nothing_to_compare_says_why_in_every_form() -> None:
    judgement = nothing_comparable("no run is accepted; accept <one>")
    assert judgement.exit_status == ExitCode.NOTHING_COMPARABLE
    assert as_table(judgement).splitlines() == ["nothing to compare", "", "no run is accepted; accept <one>"]
    assert "accept &#60;one&#62;" in as_markdown(judgement)
    assert summary(judgement) == "nothing to compare"
    assert json.loads(as_json(judgement))["notes"] == ["no run is accepted; accept <one>"]


@pytest.mark.parametrize(
    ("verdicts", "fail_on", "expected"),
    [
        ([], "regressed", 12),
        ([Verdict.NEW, Verdict.INCOMPARABLE], "regressed", 12),
        ([Verdict.NEW, Verdict.UNCHANGED], "regressed", 0),
        ([Verdict.INCONCLUSIVE], "regressed", 0),
        ([Verdict.INCONCLUSIVE, Verdict.NEW], "inconclusive", 13),
        ([Verdict.FAILED, Verdict.INCONCLUSIVE], "inconclusive,failed", 11),
        ([Verdict.MISSING, Verdict.REGRESSED], "missing,regressed", 10),
        ([Verdict.MISSING, Verdict.REGRESSED], "missing", 11),
        ([Verdict.NEW, Verdict.MISSING], "missing", 11),
        ([Verdict.NEW, Verdict.MISSING], "regressed", 0),
    ],
)
def test_the_first_that_applies_is_the_status(verdicts: list[Verdict], fail_on: str, expected: int) -> None:
    found = [replace(case(each), is_decidable=True) for each in verdicts]
    assert exit_status(found, read_fail_on(fail_on)) == expected


def test_shares() -> None:
    assert (read_threshold("3%"), read_threshold("0.03"), read_threshold(" 150% ")) == (0.03, 0.03, 1.5)
    assert read_false_alarm_rate("0.1%") == pytest.approx(0.001)
    for wrong in ("3", "1", "", "%", "3%%", "inf%", "0%", "nan", "-3%", "3 %x"):
        with pytest.raises(ValueError, match="expected a share"):
            read_threshold(wrong)


class TestNarrowTerminals:
    """What becomes of the table where its columns do not fit."""

    NAME = "training-pytorch-cpu-vgg16-b8-fp32-eager"
    JUDGEMENT = judged(
        case(Verdict.REGRESSED, NAME, "23 % slower (21 to 25 %), threshold 3 %", ratio=0.81),
        case(Verdict.MISSING, "gone", "in the latest accepted run, and not in this one"),
    )

    def test_only_the_reason_is_folded(self) -> None:
        widest = max(map(len, as_table(self.JUDGEMENT).splitlines()))
        lines = as_table(self.JUDGEMENT, width=widest - 10).splitlines()
        assert max(map(len, lines)) <= widest - 10
        assert lines[3].startswith(f"regressed  {self.NAME}  0.810 (0.800 to 0.820)  5 against 25  23 % slower")

    def test_the_cells_of_a_row_stand_one_below_the_other(self) -> None:
        assert as_table(self.JUDGEMENT, width=80).splitlines()[2:7] == [
            f"regressed: {self.NAME}",
            "    speed, head ÷ base: 0.810 (0.800 to 0.820); 5 against 25 trials",
            "    23 % slower (21 to 25 %), threshold 3 %",
            "missing: gone",
            "    in the latest accepted run, and not in this one",
        ]

    @pytest.mark.parametrize("width", [1, 5, 10, 20, 40, 60, 80, 100, 120, 140])
    def test_names_and_figures_stand_in_full_at_any_width(self, width: int) -> None:
        text = "".join(as_table(self.JUDGEMENT, width=width).split())
        for shown in (self.NAME, "0.810(0.800to0.820)", "5against25"):
            assert shown in text


def test_metrics_are_named_where_they_have_to_be() -> None:
    rate = case(Verdict.UNCHANGED, "a")
    memory = replace(case(Verdict.REGRESSED, "a", ratio=0.8), metric="peak_memory_bytes", shows_metric=True)
    judgement = judged(rate, memory)
    for text in (as_table(judgement), as_table(judgement, width=40)):
        assert "a (peak_memory_bytes)" in text and "ratio, below 1 is worse" in text
        assert "images_per_second" not in text
    assert "a (peak&#95;memory&#95;bytes)" in as_markdown(judgement)
    found = json.loads(as_json(judgement))["cases"]
    assert [(one["metric"], one["threshold"]) for one in found] == [
        ("images_per_second", 0.03),
        ("peak_memory_bytes", 0.03),
    ]
    assert "shows_metric" not in found[0]


def test_a_doubling_of_memory_is_none_of_seconds() -> None:
    memory = replace(case(Verdict.INCONCLUSIVE), detectable_ratio=None, shows_metric=True)
    assert summary(judged(memory)) == "1 inconclusive (1 could not have shown a doubling)"
